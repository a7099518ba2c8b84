"""Trainings on data that has no end and changes over time."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ravine import _core
from ravine.data import Chunk, Dataset, as_inputs
from ravine.data.stream import Stream
from ravine.errors import InputError, RavineWarning
from ravine.model import whole_number
from ravine.training.history import History
from ravine.training.optimizer import advice
from ravine.training.plan import Plan
from ravine.training.position import Position
from ravine.training.samples import Samples, typed_samples

if TYPE_CHECKING:
    from ravine.training.trainer import Trainer

USUAL_SIZES = 8  # of batches: more are warned of


class TrainedStream(Stream):
    """A stream whose batches a network is compiled for as their sizes come.

    Args:
        trainer: that trains on it.
        batches, steps, steps_per_round: see `Stream`.
    """

    def __init__(self, trainer: Trainer, batches: Iterable[Any], steps: int, steps_per_round: int) -> None:
        self.trainer = trainer
        self.sizes: set[int] = set()
        super().__init__(
            iter(batches), self._as_needed, steps=steps, steps_per_round=steps_per_round,
            give_up=lambda: trainer.stopping,
        )  # fmt: skip

    def chunk(self, epoch: int, first_batch: int, batches: int) -> Chunk | None:
        """As `Stream.chunk`.

        Raises:
            InputError: also where a layer cannot train on so few samples; the batch is named.
        """
        chunk = self._share(super().chunk(epoch, first_batch, batches))
        if chunk is not None and chunk.size not in self.sizes:
            self._compile(chunk.size)
        return chunk

    def agreed(self, batch: str) -> str:
        """What all ranks have come to, who each read the stream: "ended", "stopped", or else a batch.
        Collective.

        Args:
            batch: tells the one that was read from others; "" where there is none.

        Raises:
            InputError: they have read different batches.
        """
        world = self.trainer.ranks.world
        found = world.gather(batch or ("ended" if self.ended else "stopped"))
        if "stopped" in found:
            return "stopped"
        if len(set(found)) > 1:
            other = next(rank for rank, one in enumerate(found) if one != found[0])
            raise InputError(
                f"is {found[0]} for {world.names[0]}, but {found[other]} for {world.names[other]}; give "
                "all ranks the same batches: each trains on its rows of them",
                key=f"batch {self.read + (not batch)} of the stream",
            )
        return str(found[0])

    def _share(self, chunk: Chunk | None) -> Chunk | None:
        """This rank's rows of the batch that all have read."""
        ranks = self.trainer.ranks
        if ranks.alone:
            return chunk
        if self.agreed("" if chunk is None else _described(chunk)) in ("ended", "stopped") or chunk is None:
            return None
        first, count = ranks.rows(len(chunk.inputs))
        rows = slice(first, first + count)
        weights = None if chunk.weights is None else chunk.weights[rows]
        whole = len(chunk.inputs)
        return Chunk(chunk.inputs[rows], chunk.targets[rows], 1, weights, None, first, whole)

    def _as_needed(self, name: str, inputs: Any, targets: Any, weights: Any = None) -> Dataset:
        """A batch as the network takes it; the first one says what network there is to be."""
        array = as_inputs(inputs, name)
        network = self.trainer.compile(array.shape[1:], len(array))
        return typed_samples(network, name, array, targets, weights)

    def _compile(self, rows: int) -> None:
        self.sizes.add(rows)
        part = self.trainer.micro_batch or rows
        if rows == 0:
            return  # a batch with fewer rows than ranks
        try:
            for size in {min(part, rows), rows % part or part}:
                self.trainer.network.describe("training", size)
        except InputError as error:
            name = f"batch {self.read} of the stream"
            message = f"it has {rows} samples: {error.message}"
            raise type(error)(message, key=name, layer=error.layer) from None
        if len(self.sizes) == USUAL_SIZES + 1:
            warnings.warn(
                f"the stream's batches have had {len(self.sizes)} different sizes so far, and the plan of "
                "each takes memory; give batches of a few sizes",
                RavineWarning,
                stacklevel=5,
            )


def fit_stream(
    trainer: Trainer, batches: Iterable[Any], steps: int, validation: Samples | None, evaluate_every: int
) -> History:
    """See `Trainer.fit_stream`."""
    steps = whole_number("steps", steps, 1)
    every = whole_number("evaluate_every", evaluate_every, 0) or steps
    if steps % every:
        message = f"is {every}, which does not divide {steps} steps into rounds of equal length"
        raise InputError(message, key="evaluate_every")
    if not isinstance(batches, Iterable):
        raise InputError(
            f"is a {type(batches).__name__}, expected an iterator of (inputs, targets)", key="batches"
        )
    if trainer.sampler.type not in ("shuffle", "sequential"):
        raise InputError(
            f'is "{trainer.sampler.type}", which orders samples that are known in advance; those of a stream '
            "are trained on as they come",
            key="sampler",
        )
    with TrainedStream(trainer, batches, steps, every) as stream:
        first = stream.first()
        ended = stream.ended
        if not trainer.ranks.alone:
            state = stream.agreed("" if first is None else "a batch")
            first, ended = (first if state == "a batch" else None), state == "ended"
        if first is None:
            if ended:
                raise InputError("there is no batch in the stream", key="batches")
            trainer.stop_asked = False
            return History(trainer.network.columns if trainer.is_compiled else [])
        _check_rule(trainer.optimizer, len(first))
        splits = {}
        if validation is not None:
            splits["validation"] = typed_samples(trainer.network, "validation", *validation)
        trainer.begin()
        trainer.position = Position(step=trainer.optimizer.step_count)
        trainer.plan = Plan(stream, steps // every, 1, splits, trainer.position.step)
        history = trainer.run()
        if stream.ended and stream.read < steps:
            warnings.warn(
                f"the stream has ended after {stream.read} of {steps} batches, and so has the training",
                RavineWarning,
                stacklevel=3,
            )
    return history


def _described(chunk: Chunk) -> str:
    """Tells batches apart."""
    arrays = [chunk.inputs, chunk.targets, *([] if chunk.weights is None else [chunk.weights])]
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(np.ascontiguousarray(array).data.cast("B"), checksum)
    return f"{len(chunk.inputs)} samples with the checksum {checksum:08x}"


def _check_rule(optimizer: _core.Optimizer, rows: int) -> None:
    try:
        advice(optimizer, rows, rows, resamples=True)
    except InputError:
        raise InputError(
            f"{optimizer.settings['type']} compares the loss of the same samples from step to step, and "
            "those of a stream change; choose another rule",
            key="optimizer",
        ) from None
