"""Random splits into training, validation and test samples, with the results of scikit-learn."""

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
    seed: int = 0,
    stratify: bool = False,
) -> Split:
    """Divide rows at random: ceil(n * fraction) rows for the test and for the validation.

    The test rows are drawn first, and the validation rows from what remains, with the same seed; both
    fractions are of the whole. One fraction alone gives exactly the rows, in the order, of scikit-learn's
    `train_test_split(test_size=fraction, random_state=seed)`, with `stratify` those of `stratify=labels`.

    Args:
        labels_or_count: the labels [samples], needed to stratify, or the number of samples.
        validation_fraction: in [0, 1).
        test_fraction: in [0, 1); the sum of both is below 1.
        seed: of NumPy's RandomState, in [0, 2**32).
        stratify: keep the share of every class in every part.

    Raises:
        InputError: a fraction out of range, a part without samples, a class too small to stratify.

    Example:
        >>> len(split(100, test_fraction=0.15, seed=37).test)
        15
    """
    if isinstance(labels_or_count, (int, np.integer)):
        count, labels = int(labels_or_count), None
    else:
        count, labels = len(labels_or_count), labels_or_count
    if stratify and labels is None:
        raise InputError("needs class labels; it cannot be used here", key="split.stratify")
    for key, fraction in (("validation_fraction", validation_fraction), ("test_fraction", test_fraction)):
        if not 0.0 <= fraction < 1.0:
            raise InputError(f"is {fraction}, expected 0 <= fraction < 1", key=f"split.{key}")
    if not 0 <= seed < 2**32:
        raise InputError(f"is {seed}, expected 0 <= seed < 2**32", key="split.seed")

    test_count = math.ceil(test_fraction * count)
    validation_count = math.ceil(validation_fraction * count)
    if test_count + validation_count >= count:
        raise InputError(
            f"takes {test_count:,} test and {validation_count:,} validation samples of {count:,}: "
            "none is left for training",
            key="split",
        )
    remaining: Indices = np.arange(count, dtype=np.int64)
    chosen_labels = labels if stratify else None
    remaining, test = _draw(remaining, chosen_labels, test_count, seed)
    train, validation = _draw(remaining, chosen_labels, validation_count, seed)
    return Split(train, validation, test)


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
