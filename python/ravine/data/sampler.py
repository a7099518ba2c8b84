"""The order in which an epoch visits its samples.

Every order is a pure function of the seed, the epoch, the labels and, of the sampler "hard", the losses of
the last round; it knows nothing of batches, threads or ranks. Random numbers are Philox4x32-10's of the
purpose "shuffle": Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import ArrayLike, NDArray

from ravine.data._order import mixed_classes
from ravine.data.dataset import Dataset, Indices
from ravine.errors import InputError, NotFiniteError

# Streams of random numbers; that of an epoch's shuffled order is 0.
MIXED_STREAM, HARD_STREAM, CLASS_STREAM = 1, 2, 16
STREAMS = 1 << 24
CAP = 4.0


class SamplerSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which samples an epoch visits, and in which order; an epoch always has as many as there are.

    Args:
        type: "shuffle", a new random order each epoch; "sequential", the order of the data; "mixed", a random
            order in which no two samples in a row have the same class, where that is possible, see
            `MixedSampler`; "balanced", every class equally often, see `BalancedSampler`; "hard", samples with
            a higher loss in the last round more often, see `HardSampler`.
        cap: of "hard": no sample counts for more than this many times the mean loss, at least 1.

    Raises:
        ValueError: a cap for another type (msgspec makes it a ValidationError).

    Example:
        >>> SamplerSettings(type="hard", cap=2.0).cap
        2.0
    """

    type: Literal["shuffle", "sequential", "mixed", "balanced", "hard"] = "shuffle"
    cap: Annotated[float, Meta(ge=1.0, le=1e9)] = CAP

    def __post_init__(self) -> None:
        if self.cap != CAP and self.type != "hard":
            raise ValueError(f'`cap` belongs to type = "hard", but the type is "{self.type}"')


def sampler_settings(
    given: str | Mapping[str, Any] | SamplerSettings, shuffle: bool = True
) -> SamplerSettings:
    """The settings that a user's words mean.

    Args:
        given: a type, a table, or settings.
        shuffle: False keeps the order of the data: "sequential".

    Raises:
        InputError: no such sampler, or one that contradicts `shuffle`.

    Example:
        >>> sampler_settings("mixed").type, sampler_settings("shuffle", shuffle=False).type
        ('mixed', 'sequential')
    """
    if not isinstance(given, SamplerSettings):
        try:
            given = msgspec.convert({"type": given} if isinstance(given, str) else given, SamplerSettings)
        except msgspec.ValidationError as error:
            types = "shuffle, sequential, mixed, balanced or hard"
            raise InputError(f"{error}; expected {types}, or a table with a type", key="sampler") from None
    if shuffle or given.type == "sequential":
        return given
    if given.type != "shuffle":
        raise InputError(
            f'is "{given.type}", but shuffle = false keeps the order of the data; remove one of them',
            key="sampler",
        )
    return SamplerSettings(type="sequential")


def epoch_order(seed: int, epoch: int, count: int, stream: int = 0) -> Indices:
    """A random order: a pure function of its arguments, by the shuffle of Fisher and Yates.

    Args:
        seed: of the run.
        epoch: counted from 0.
        count: number of samples.
        stream: tells several orders of an epoch apart.

    Returns:
        int64 [count], every number below `count` once.

    Example:
        >>> sorted(epoch_order(0, 0, 4).tolist())
        [0, 1, 2, 3]
    """
    from ravine._core import permutation  # here, so that reading data needs no native network code

    return np.ascontiguousarray(permutation(seed, epoch, count, stream), np.int64)


class Sampler:
    """Every sample once an epoch, in a new random order.

    Args:
        seed: of the run.
        count: number of samples.

    Example:
        >>> sorted(Sampler(seed=0, count=3).order(epoch=5).tolist())
        [0, 1, 2]
    """

    permutes = True  # every sample once an epoch
    keeps_order = False

    def __init__(self, seed: int, count: int) -> None:
        self.seed = seed
        self.count = count

    def order(self, epoch: int) -> Indices:
        """The samples of an epoch, int64 [count]."""
        return epoch_order(self.seed, epoch, self.count)

    def knows(self, epoch: int) -> bool:
        """Whether all is there that the order of an epoch follows from."""
        return True


class SequentialSampler(Sampler):
    """Every sample once an epoch, in the order of the data."""

    keeps_order = True

    def order(self, epoch: int) -> Indices:
        """0, 1, 2, ..."""
        return np.arange(self.count, dtype=np.int64)


class MixedSampler(Sampler):
    """Every sample once an epoch, in a random order without two samples of one class in a row.

    Place after place a class is drawn that is not the last one's, each with a probability in proportion to
    how many of its samples are left; a class that must have every other place from there on has them. Where
    one class is more than half of the samples, as few of them as possible stand together: the others lie in
    random order between stretches of it that are equally long, up to one sample. Which sample of its class
    comes next is random.

    Args:
        seed: of the run.
        labels: int32 [samples].

    Example:
        >>> labels = np.array([0, 0, 0, 1, 1], np.int32)
        >>> labels[MixedSampler(0, labels).order(0)]
        array([0, 1, 0, 1, 0], dtype=int32)
    """

    def __init__(self, seed: int, labels: NDArray[np.int32]) -> None:
        super().__init__(seed, len(labels))
        self.labels = labels
        self.counts = np.bincount(labels).astype(np.int64)

    def order(self, epoch: int) -> Indices:
        """The samples of an epoch, int64 [count]."""
        shuffled = super().order(epoch)
        largest = int(np.argmax(self.counts))
        if self.counts[largest] > (self.count + 1) // 2:
            return self._spread(shuffled, largest, epoch)
        from ravine._core import order_draws

        classes = mixed_classes(self.counts, order_draws(self.seed, epoch, self.count, MIXED_STREAM))
        order = np.empty(self.count, np.int64)
        by_class = np.argsort(self.labels[shuffled], kind="stable")
        order[np.argsort(classes, kind="stable")] = shuffled[by_class]
        return order

    def _spread(self, shuffled: Indices, largest: int, epoch: int) -> Indices:
        """The samples of the largest class in stretches, with one other sample between two of these."""
        from ravine._core import order_draws

        is_largest = self.labels[shuffled] == largest
        many, others = shuffled[is_largest], shuffled[~is_largest]
        stretches = len(others) + 1
        start = (int(order_draws(self.seed, epoch, 1, MIXED_STREAM)[0]) >> 32) * stretches >> 32
        ends = (np.arange(1, stretches + 1) * len(many) + start) // stretches
        order = np.empty(self.count, np.int64)
        places = ends[:-1] + np.arange(len(others))  # of the others
        order[places] = others
        free = np.ones(self.count, np.bool_)
        free[places] = False
        order[free] = many
        return order


class BalancedSampler(Sampler):
    """Every class equally often, in a random order.

    Each class goes through its samples in a random order, then in another one, and so on, across epochs; the
    samples that are left over where the classes do not divide them go to each class in turn. Rarer classes'
    samples thus come more often, and every sample of a class as often as another.

    Args:
        seed: of the run.
        labels: int32 [samples]; classes without a sample do not count.

    Example:
        >>> labels = np.array([0, 0, 0, 1], np.int32)
        >>> np.bincount(labels[BalancedSampler(0, labels).order(0)])
        array([2, 2])
    """

    permutes = False

    def __init__(self, seed: int, labels: NDArray[np.int32]) -> None:
        super().__init__(seed, len(labels))
        by_class = np.argsort(labels, kind="stable").astype(np.int64)
        self.classes, starts = np.unique(labels[by_class], return_index=True)
        self.members = np.split(by_class, starts[1:])

    def order(self, epoch: int) -> Indices:
        """The samples of an epoch, int64 [count]."""
        chosen = [self._drawn(place, epoch) for place in range(len(self.members))]
        return np.concatenate(chosen)[super().order(epoch)]

    def _drawn(self, place: int, epoch: int) -> Indices:
        """What a class gives to an epoch: of C classes it has every C-th place of all epochs together."""
        members = self.members[place]
        stream = CLASS_STREAM + int(self.classes[place]) % (STREAMS - CLASS_STREAM)
        begin, end = (-((place - one * self.count) // len(self.members)) for one in (epoch, epoch + 1))
        parts = []
        for turn in range(begin // len(members), -(-end // len(members))):
            first = turn * len(members)
            drawn = members[epoch_order(self.seed, turn, len(members), stream)]
            parts.append(drawn[max(0, begin - first) : max(0, end - first)])
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


class HardSampler(Sampler):
    """Samples with a higher loss more often: with probabilities p = min(l, cap * mean(l)) / sum.

    A sample is drawn n p times, rounded up or down at random, by systematic sampling: the n points
    (i + u) / n, with one random u, on the cumulative sum of p. The first epoch visits every sample once.

    Args:
        seed: of the run.
        count: number of samples n.
        cap: how many times the mean loss a sample counts for at most, so that outliers and wrong labels do
            not take the epoch over.

    References:
        W. Madow, "On the theory of systematic sampling, II", Annals of Mathematical Statistics 20, 1949.

    Example:
        >>> sampler = HardSampler(0, 4, cap=4.0)
        >>> sampler.observe(1, [0.0, 0.0, 1.0, 3.0])
        >>> sorted(sampler.order(1).tolist())
        [2, 3, 3, 3]
    """

    permutes = False

    def __init__(self, seed: int, count: int, cap: float = CAP) -> None:
        super().__init__(seed, count)
        self.cap = cap
        self.epoch = 0  # for which the losses are
        self.losses: NDArray[np.float64] | None = None

    def observe(self, epoch: int, losses: ArrayLike) -> None:
        """Takes the samples' losses [count] in that an epoch's order is to follow from.

        Raises:
            NotFiniteError: a loss is NaN or Inf; the row is named.
        """
        values = np.ascontiguousarray(losses, np.float64)
        if values.shape != (self.count,):
            raise ValueError(f"losses have shape {values.shape}, expected ({self.count},)")
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise NotFiniteError(f"the loss is {values[row]}; use a smaller learning rate", row=row)
        self.epoch, self.losses = epoch, values

    def knows(self, epoch: int) -> bool:
        """Whether the losses of the round before an epoch were observed."""
        return epoch == 0 or (epoch == self.epoch and self.losses is not None)

    def order(self, epoch: int) -> Indices:
        """The samples of an epoch, int64 [count]."""
        shuffled = super().order(epoch)
        if epoch == 0:
            return shuffled
        if self.losses is None or epoch != self.epoch:
            raise ValueError(f"the losses before epoch {epoch} were not observed")
        weights = np.maximum(self.losses, 0.0)
        weights = np.minimum(weights, self.cap * weights.mean())
        sums = np.cumsum(weights)
        if not 0 < sums[-1] < np.inf:
            return shuffled
        from ravine._core import order_draws

        start = int(order_draws(self.seed, epoch, 1, HARD_STREAM)[0]) / 2.0**64
        points = (np.arange(self.count) + start) * (sums[-1] / self.count)
        last = int(np.flatnonzero(weights)[-1])  # rounding must not reach beyond it
        picked: Indices = np.searchsorted(sums, points, side="right").astype(np.int64)
        return np.minimum(picked, last)[shuffled]


def make_sampler(settings: SamplerSettings, dataset: Dataset, seed: int) -> Sampler:
    """The sampler that settings describe.

    Raises:
        InputError: it needs class labels, and there are none.

    Example:
        >>> data = Dataset(np.zeros((2, 1)), np.array([0, 1], np.int32), classes=2)
        >>> make_sampler(SamplerSettings(type="sequential"), data, 0).order(0)
        array([0, 1])
    """
    if settings.type in ("mixed", "balanced"):
        if dataset.task != "classification":
            raise InputError(
                f'is "{settings.type}", which needs class labels, but the targets are values; '
                'use "shuffle", "sequential" or "hard"',
                key="sampler",
            )
        chosen = MixedSampler if settings.type == "mixed" else BalancedSampler
        return chosen(seed, dataset.targets)
    if settings.type == "hard":
        return HardSampler(seed, len(dataset), settings.cap)
    return (SequentialSampler if settings.type == "sequential" else Sampler)(seed, len(dataset))
