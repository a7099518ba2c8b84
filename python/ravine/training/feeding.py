"""What feeds a training: its rows of the batches of its samples, made in advance where that takes long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from ravine.data import BatchSource, Chunk, Dataset, HardSampler, Prefetcher, Sampler, SequentialSampler
from ravine.data.sampler import make_sampler
from ravine.training.batches import rows_of_batch
from ravine.training.evaluation import sample_bytes

if TYPE_CHECKING:
    from ravine.training.trainer import Trainer

STAGING_BYTES = 8 << 20


class Feed(Protocol):
    """Where a training takes its batches from."""

    @property
    def batches_per_epoch(self) -> int:
        """Batches of an epoch."""

    @property
    def samples_per_epoch(self) -> int:
        """Samples that an epoch visits."""

    @property
    def ended(self) -> bool:
        """Whether there will be no more batches, before the last epoch is over."""

    @property
    def sampler(self) -> Sampler | None:
        """What orders the samples, where they are in order."""

    @property
    def dataset(self) -> Dataset | None:
        """The samples, where they are known in advance."""

    def chunk(self, epoch: int, first_batch: int, batches: int) -> Chunk | None:
        """Up to so many consecutive batches; None where the training is to stop, or there are no more."""


def training_sampler(trainer: Trainer, train: Dataset) -> Sampler:
    """The sampler of a trainer for its samples.

    One batch of all samples has them in their order: another one would only change how sums are rounded.

    Raises:
        InputError: the samples do not suit it.
    """
    sampler = make_sampler(trainer.sampler, train, trainer.seed)
    if trainer.batch_size == "all" and sampler.permutes:
        return SequentialSampler(trainer.seed, len(train))
    return sampler


@contextlib.contextmanager
def feeding(
    trainer: Trainer, train: Dataset, epochs: int, most_steps: int
) -> Iterator[BatchSource | Prefetcher]:
    """The batches of a training's samples, for as long as it runs; a device makes those of samples it has.

    Args:
        trainer: compiled.
        train: the samples.
        epochs: of the training.
        most_steps: of a chunk.
    """
    ranks, sampler = trainer.ranks, training_sampler(trainer, train)
    observed, trainer.observed_losses = trainer.observed_losses, None
    if isinstance(sampler, HardSampler) and observed is not None:
        sampler.observe(*observed)
    rows = rows_of_batch(trainer.batch_size, len(train))
    sample = sample_bytes(trainer.network, train)
    resident = trainer.on_device.of(train)
    source = BatchSource(
        train,
        sampler,
        batch_size=rows,
        drop_last=trainer.drop_last,
        dtype=trainer.network.array_dtype,
        # The same on all ranks, whatever their shares: they make equally many steps a call.
        maximum_batches=max(1, min(most_steps, STAGING_BYTES * ranks.grid.data // (sample * rows))),
        share=None if ranks.grid.data == 1 else ranks.rows,
        resident=resident,
    )
    if not train.costs or resident is not None:
        yield source
        return
    with Prefetcher(source, epochs) as prefetcher:
        yield prefetcher
