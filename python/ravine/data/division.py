"""Which samples are for training, validation and test: by a column that says so, by groups, and by draws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ravine.data.settings import SplitSettings
from ravine.data.source import TEST, TRAIN, VALIDATION, Source, Sources
from ravine.data.split import Indices, Split, split
from ravine.errors import InputError

SHOWN = 5  # values of a column that a message names


def divide(sources: Sources, settings: SplitSettings) -> Split:
    """The rows of each part of `sources.train`.

    Where the source says itself which part a sample is in, only its training samples are drawn from, and
    fractions are of these.

    Args:
        sources: what was read; parts with files of their own get no rows.
        settings: see `SplitSettings`.

    Raises:
        InputError: a part that is given twice, no training samples, a group in two parts, or what `split`
            refuses; the key is named.
    """
    whole = sources.train
    for name, other in (("validation", sources.validation), ("test", sources.test)):
        for way in (f"{name}_fraction", f"{name}_count"):
            if other is not None and getattr(settings, way):
                raise InputError(
                    f"and {name} samples of their own exclude each other: leave one of them out",
                    key=f"data.split.{way}",
                )
    if settings.stratify and not whole.classes:
        raise InputError("needs class labels, but the task is regression", key="data.split.stratify")
    every: Indices = np.arange(len(whole), dtype=np.int64)
    candidates = every if whole.parts is None else np.flatnonzero(whole.parts == TRAIN)
    if not len(candidates):
        raise InputError("gives no sample to training", file=whole.file, key="data.split.column")
    labels: NDArray[Any] | int = len(candidates)
    if whole.classes:
        labels = whole.targets if len(candidates) == len(whole) else whole.targets[candidates]
    try:
        drawn = split(
            labels,
            validation_fraction=settings.validation_fraction,
            test_fraction=settings.test_fraction,
            validation_count=settings.validation_count,
            test_count=settings.test_count,
            seed=settings.seed,
            stratify=settings.stratify,
            groups=None if whole.groups is None else whole.groups[candidates],
        )
    except InputError as error:
        raise InputError(error.message, key=f"data.{error.key}") from error
    if whole.parts is None:
        return drawn
    chosen = []
    for name, number, rows, other in (
        ("validation", VALIDATION, drawn.validation, sources.validation),
        ("test", TEST, drawn.test, sources.test),
    ):
        said = np.flatnonzero(whole.parts == number)
        if len(said) and (len(rows) or other is not None):
            raise InputError(
                f"gives {len(said):,} samples to {name}, which has others by a file, fraction or count; "
                "choose one way",
                file=whole.file,
                key="data.split.column",
            )
        chosen.append(said if len(said) else candidates[rows])
    _check_groups(whole)
    return Split(candidates[drawn.train], *chosen)


def _check_groups(whole: Source) -> None:
    """Raise InputError where the source's own parts tear a group."""
    if whole.groups is None or whole.parts is None:
        return
    _, first, members = np.unique(whole.groups, return_index=True, return_inverse=True)
    torn = whole.parts != whole.parts[first][members]
    if torn.any():
        row = int(np.argmax(torn))
        raise InputError(
            f"puts this sample into another part than sample {int(first[members[row]])} of its group",
            file=whole.file,
            key="data.split.column",
            row=row,
        )


def parts_of(values: ArrayLike, settings: SplitSettings, file: Path | None = None) -> NDArray[np.uint8]:
    """The part of each sample, from the values of the column that says so.

    Args:
        values: numbers or text [samples].
        settings: its `train_values`, `validation_values` and `test_values`, compared without regard to case.
        file: for messages.

    Raises:
        InputError: a value that stands for no part, with its row.

    Example:
        >>> parts_of(["train", "test", "train"], SplitSettings(column="set"))
        array([0, 2, 0], dtype=uint8)
        >>> parts_of([1, 2, 3], SplitSettings(column="fold", train_values=[1, 2], test_values=[3]))
        array([0, 0, 2], dtype=uint8)
    """
    meanings: dict[str, int] = {}
    for part, words in (
        (TRAIN, settings.train_values),
        (VALIDATION, settings.validation_values),
        (TEST, settings.test_values),
    ):
        meanings |= {_word(word): part for word in words}
    found, first, members = _distinct(values)
    known = [meanings.get(word) for word in found]
    for word, row, meaning in zip(found, first, known, strict=True):
        if meaning is None:
            raise InputError(
                f"{word!r} is none of the values that stand for a part: "
                f"{', '.join(list(meanings)[: 2 * SHOWN])}; name it in train_values, validation_values or "
                "test_values",
                file=file,
                key="data.split.column",
                row=int(row),
            )
    return np.array(known, np.uint8)[members]


def groups_of(values: ArrayLike) -> NDArray[np.int64]:
    """A number for each sample, equal where the values [samples] of the column of groups are.

    Example:
        >>> groups_of(["b", "a", "b"])
        array([1, 0, 1])
    """
    members: NDArray[np.int64] = _distinct(values)[2].astype(np.int64)
    return members


def _distinct(values: ArrayLike) -> tuple[list[str], Indices, Indices]:
    """The different values as words, the first row of each, and for each row which of them it has."""
    array = np.asarray(values).reshape(-1)
    found, first, members = np.unique(array, return_index=True, return_inverse=True)
    words = [_word(value) for value in found.tolist()]
    return words, first, members


def _word(value: object) -> str:
    """A value as it is compared: 3, 3.0 and "3" are the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()
