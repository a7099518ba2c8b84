"""Random splits into training, validation and test samples, with the results of scikit-learn.

A draw depends on the seed and the rows alone: not on threads, ranks or the seed of the run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ravine.errors import InputError

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of each part; a part that was not asked for is empty."""

    train: Indices
    validation: Indices
    test: Indices


def split(
    labels_or_count: NDArray[Any] | int,
    *,
    validation_fraction: float = 0.0,
    test_fraction: float = 0.0,
    validation_count: int = 0,
    test_count: int = 0,
    seed: int = 0,
    stratify: bool = False,
    groups: NDArray[np.int64] | None = None,
) -> Split:
    """Divide rows at random: by fractions, ceil(n * fraction) rows a part, or by counts.

    The test rows are drawn first, and the validation rows from what remains, with the same seed; both
    fractions are of the whole. One part alone gives exactly the rows, in the order, of scikit-learn's
    `train_test_split(test_size=fraction or count, random_state=seed)`, with `stratify` those of
    `stratify=labels`. With `groups`, groups are drawn instead of rows, n is their number, rows keep their
    order, and the rows are those of `GroupShuffleSplit`.

    Args:
        labels_or_count: the labels [samples], needed to stratify, or the number of samples.
        validation_fraction: in [0, 1).
        test_fraction: in [0, 1); the sum of both is below 1.
        validation_count, test_count: instead of a fraction, at least 0.
        seed: of NumPy's RandomState, in [0, 2**32).
        stratify: keep the share of every class in every part.
        groups: a number for each sample [samples]; samples with equal numbers come into one part.

    Raises:
        InputError: a fraction or count out of range, a part without samples, a class too small to stratify.

    Example:
        >>> len(split(100, test_fraction=0.15, seed=37).test)
        15
        >>> split(6, test_count=1, groups=np.array([4, 7, 4, 7, 4, 9])).test
        array([5])
    """
    if isinstance(labels_or_count, (int, np.integer)):
        samples, labels = int(labels_or_count), None
    else:
        samples, labels = len(labels_or_count), labels_or_count
    if stratify and labels is None:
        raise InputError("needs class labels; it cannot be used here", key="split.stratify")
    if stratify and groups is not None:
        raise InputError("keeps shares of classes, which whole groups cannot", key="split.stratify")
    if not 0 <= seed < 2**32:
        raise InputError(f"is {seed}, expected 0 <= seed < 2**32", key="split.seed")
    if groups is None:
        members, units, what = None, samples, "samples"
    else:
        names, members = np.unique(groups, return_inverse=True)
        units, what = len(names), "groups"
    test_units = _size("test", test_fraction, test_count, units)
    validation_units = _size("validation", validation_fraction, validation_count, units)
    if test_units + validation_units >= units:
        raise InputError(
            f"takes {test_units:,} test and {validation_units:,} validation {what} of {units:,}: "
            "none is left for training",
            key="split",
        )
    chosen_labels = labels if stratify else None
    remaining: Indices = np.arange(units, dtype=np.int64)
    remaining, test = _draw(remaining, chosen_labels, test_units, seed)
    train, validation = _draw(remaining, chosen_labels, validation_units, seed)
    if members is None:
        return Split(train, validation, test)
    return Split(*(np.flatnonzero(np.isin(members, chosen)) for chosen in (train, validation, test)))


def _size(part: str, fraction: float, count: int, units: int) -> int:
    """How many of the samples or groups a part gets."""
    if not 0.0 <= fraction < 1.0:
        raise InputError(f"is {fraction}, expected 0 <= fraction < 1", key=f"split.{part}_fraction")
    if count < 0:
        raise InputError(f"is {count}, expected at least 0", key=f"split.{part}_count")
    if count and fraction:
        raise InputError(
            f"and {part}_fraction exclude each other: give one of them", key=f"split.{part}_count"
        )
    return count or math.ceil(fraction * units)


def _draw(rows: Indices, labels: NDArray[Any] | None, count: int, seed: int) -> tuple[Indices, Indices]:
    """Rows that stay, and `count` rows drawn."""
    if count == 0:
        return rows, rows[:0]
    random = np.random.RandomState(seed)
    if labels is None:
        order = random.permutation(len(rows))
        return rows[order[count:]], rows[order[:count]]
    kept, drawn = _draw_stratified(labels[rows], count, random)
    return rows[kept], rows[drawn]


def _draw_stratified(
    labels: NDArray[Any], count: int, random: np.random.RandomState
) -> tuple[Indices, Indices]:
    """The draw of scikit-learn's StratifiedShuffleSplit, call by call of the same generator."""
    classes, positions, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    kept_count = len(labels) - count
    if sizes.min() < 2:
        raise InputError(
            f"class {classes[np.argmin(sizes)]} has one sample only; stratification needs at least 2 a class",
            key="split.stratify",
        )
    if min(count, kept_count) < len(classes):
        raise InputError(
            f"a part of {min(count, kept_count)} samples cannot hold all {len(classes)} classes",
            key="split.stratify",
        )
    members = np.split(np.argsort(positions, kind="stable"), np.cumsum(sizes)[:-1])
    kept_sizes = _share(sizes, kept_count, random)
    drawn_sizes = _share(sizes - kept_sizes, count, random)
    kept, drawn = [], []
    for rows, kept_size, drawn_size in zip(members, kept_sizes, drawn_sizes, strict=True):
        order = rows[random.permutation(len(rows))]
        kept.append(order[:kept_size])
        drawn.append(order[kept_size : kept_size + drawn_size])
    return random.permutation(np.concatenate(kept)), random.permutation(np.concatenate(drawn))


def _share(sizes: NDArray[np.int64], count: int, random: np.random.RandomState) -> NDArray[np.int64]:
    """Divide `count` over classes in proportion to `sizes`, the largest remainders first, ties at random.

    This is the approximate mode of the multivariate hypergeometric distribution that scikit-learn uses.
    """
    exact = sizes / sizes.sum() * count
    shares = np.floor(exact)
    missing = int(count - shares.sum())
    remainders = exact - shares
    for remainder in np.unique(remainders)[::-1]:
        if missing == 0:
            break
        (tied,) = np.where(remainders == remainder)
        chosen = random.choice(tied, size=min(len(tied), missing), replace=False)
        shares[chosen] += 1
        missing -= len(chosen)
    result: NDArray[np.int64] = shares.astype(np.int64)
    return result
