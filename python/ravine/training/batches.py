"""How many samples a step takes, and in which parts they are computed."""

from __future__ import annotations

from typing import Literal

from ravine import _core
from ravine.data.batch_source import Share
from ravine.errors import InputError
from ravine.model import whole_number

BatchSize = int | Literal["all"]
USUAL_ROWS = 256  # where all samples are a batch, and nobody knows how many they are


def checked_batch_size(batch_size: object) -> BatchSize:
    """A number of samples, or "all" for the whole training set in one step.

    Raises:
        InputError: it is neither.

    Example:
        >>> checked_batch_size("all")
        'all'
    """
    if isinstance(batch_size, str):
        if batch_size == "all":
            return "all"
        raise InputError(f"is '{batch_size}', expected a whole number or 'all'", key="batch_size")
    return whole_number("batch_size", batch_size, 1)


def rows_of_batch(batch_size: BatchSize, samples: int) -> int:
    """Samples of a step, as said: there may be fewer samples than that.

    Example:
        >>> rows_of_batch("all", 1797), rows_of_batch(32, 1797)
        (1797, 32)
    """
    return max(1, samples) if batch_size == "all" else batch_size


def rows_at_once(batch_size: BatchSize, micro_batch: int, samples: int | None = None) -> int:
    """Samples that are computed at once: of a batch, or of the part of it that `micro_batch` allows.

    Args:
        batch_size, micro_batch: as in `Trainer`.
        samples: of the training set, where that is known.

    Example:
        >>> rows_at_once("all", 256, 1797), rows_at_once(32, 256, 1797), rows_at_once(32, 0, 10)
        (256, 32, 10)
    """
    known = USUAL_ROWS if samples is None and batch_size == "all" else samples
    rows = rows_of_batch(batch_size, known or 1)
    rows = rows if known is None else min(rows, max(1, known))
    return min(rows, micro_batch) if micro_batch else rows


def compile_smaller(
    network: _core.Network,
    samples: int,
    batch_size: BatchSize,
    micro_batch: int,
    drop_last: bool,
    share: Share | None = None,
) -> None:
    """Compiles the smaller last batch of an epoch, and smaller last parts of batches, before the first step.

    On a device, which may lack memory for it, the whole batch too.

    Args:
        network: that will train.
        samples: of the training set.
        batch_size, micro_batch, drop_last: as in `Trainer`.
        share: which rows of a batch this rank takes, where ranks divide it.

    Raises:
        InputError: a layer cannot train on so few samples.
    """
    rows = rows_of_batch(batch_size, samples)
    if network.device != "cpu":
        first = min(rows, samples) if share is None else share(min(rows, samples))[1]
        network.describe("training", min(first, micro_batch or first) or 1)
    full, rest = divmod(samples, rows)
    left = f"{samples:,} samples in batches of {rows:,} leave a last batch of {rest:,}"
    batches = [(rows, "")] * (full > 0) + [(rest, left)] * (full > 0 and rest > 0 and not drop_last)
    for batch, story in batches:
        if share is not None:
            batch, whole = share(batch)[1], batch
            if batch < whole:
                story = f"this rank has {batch:,} of the {whole:,} samples of a batch"
        if micro_batch and batch > micro_batch:
            batch, whole = batch % micro_batch, batch
            story = f"a batch of {whole:,} samples in parts of {micro_batch:,} leaves a last one of {batch:,}"
        if not story or batch == 0:
            continue
        try:
            network.describe("training", batch)
        except InputError as error:
            raise type(error)(f"{story}: {error.message}", key=error.key, layer=error.layer) from None
