"""Samples as they were read, before they are divided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ravine.data._gather import gather_rows
from ravine.data.dataset import Array, Dataset
from ravine.data.split import Indices
from ravine.errors import InputError

TRAIN, VALIDATION, TEST = range(3)  # of `Source.parts`


class Encoder(Protocol):
    """What turns samples that are no numbers yet into numbers, learned from the training samples alone."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name a feature."""

    @property
    def indicators(self) -> NDArray[np.bool_]:
        """Which features are 0 or 1 by their meaning [features]: preprocessing leaves them alone."""

    def state(self) -> dict[str, Any]:
        """What was learned, as JSON values, for a checkpoint."""

    def apply(self, samples: Any) -> Array:
        """Inputs [samples, features] of new samples, such as the rows of a table."""


class Source(Protocol):
    """Samples as they were read, before they are divided: inputs on demand, all else at hand.

    Args:
        name: what messages call the samples.
        file: where they come from, if it is a file.
        targets: int32 class labels [samples], or float32 or float64 values [samples, outputs]; finite.
        classes: number of classes; 0 for regression.
        class_names: one name a class, or empty.
        weights: float32 or float64 [samples], at least 0, or None.
        groups: int64 [samples]: samples with equal numbers stay together when they are divided; or None.
        parts: uint8 [samples]: TRAIN, VALIDATION or TEST, where the source itself says so; or None.
    """

    name: str
    file: Path | None
    targets: Array
    classes: int
    class_names: tuple[str, ...]
    weights: Array | None
    groups: NDArray[np.int64] | None
    parts: NDArray[np.uint8] | None

    def __len__(self) -> int:
        """Number of samples."""

    def fit(self, rows: Indices) -> Encoder | None:
        """What the source must learn from the training samples, which are these rows; None: nothing.

        Raises:
            InputError: these samples do not suffice.
        """

    def inputs(self, encoder: Encoder | None, rows: Indices | None, threads: int = 1) -> Array:
        """Finite inputs of some samples, uint8, float32 or float64 [rows, *shape], C-contiguous.

        Args:
            encoder: what `fit` returned, here or of the training samples' source.
            rows: in this order; None: all samples, without a copy where there need be none.
            threads: the most threads to use; the result is the same bits for any number.
        """


@dataclass(frozen=True, eq=False)
class Sources:
    """What is read for one experiment: samples to divide, and parts that have files of their own."""

    train: Source
    validation: Source | None = None
    test: Source | None = None


class ArraySource:
    """Samples that are arrays: nothing is to be learned before they are numbers.

    Args:
        samples: checked when the data set was made.
        file: where they come from.
        groups, parts: see `Source`.

    Example:
        >>> source = ArraySource(Dataset(np.zeros((3, 2)), np.array([0, 1, 0], np.int32), classes=2))
        >>> source.inputs(None, np.array([2, 0])).shape
        (2, 2)
    """

    def __init__(
        self,
        samples: Dataset,
        file: Path | None = None,
        groups: NDArray[np.int64] | None = None,
        parts: NDArray[np.uint8] | None = None,
    ) -> None:
        self.samples = samples
        self.name = samples.name
        self.file = file
        self.targets = samples.targets
        self.classes = samples.classes
        self.class_names = samples.class_names
        self.weights = samples.weights
        self.groups = groups
        self.parts = parts

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.samples)

    def fit(self, rows: Indices) -> None:
        """Nothing: arrays are numbers already."""

    def inputs(self, encoder: Encoder | None, rows: Indices | None, threads: int = 1) -> Array:
        """The inputs themselves, or a copy of some rows."""
        return self.samples.inputs if rows is None else take_rows(self.samples.inputs, rows, threads)


def take_rows(array: Array, rows: Indices, threads: int = 1) -> Array:
    """The rows of an array [n, ...], in this order, copied by several threads."""
    out = np.empty((len(rows), *array.shape[1:]), array.dtype)
    gather_rows(array, rows, out, threads)
    return out


@contextmanager
def named(key: str, file: Path | None = None) -> Iterator[None]:
    """Give errors from below the key of the setting and the file that they are about."""
    try:
        yield
    except InputError as error:
        raise InputError(error.message, file=error.file or file, key=key, row=error.row) from error
