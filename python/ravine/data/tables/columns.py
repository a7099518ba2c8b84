"""Columns of a table: numbers, or categories with their codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ravine.data.tables.numbers import is_date, number_of, separated_thousands
from ravine.data.tables.settings import Kind, TableSettings
from ravine.errors import InputError

if TYPE_CHECKING:
    import pyarrow

MOSTLY = 0.5  # share of numbers from which on other texts are taken for mistakes
SHOWN = 40  # characters of a value in messages
ABSENT = -1  # the code of a missing category


@dataclass(frozen=True, eq=False)
class Column:
    """The values of a column, in memory.

    Args:
        name: of the column.
        kind: "number", "boolean" or "category".
        values: float64 [rows], NaN where missing, 0 or 1 of booleans; or int32 codes [rows], -1 where
            missing.
        categories: the texts that codes mean, sorted; empty for numbers.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    categories: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.values)

    @cached_property
    def missing(self) -> NDArray[np.bool_]:
        """Which values are missing [rows]."""
        absent: NDArray[np.bool_] = self.values < 0 if self.kind == "category" else np.isnan(self.values)
        return absent

    @cached_property
    def is_complete(self) -> bool:
        """Whether no value is missing."""
        return not self.missing.any()

    @property
    def is_whole(self) -> bool:
        """Whether all numbers that are there are whole."""
        there = self.values[~self.missing]
        return self.kind == "number" and bool((there == np.floor(there)).all())

    def take(self, rows: NDArray[np.int64]) -> Column:
        """The column at some rows, in that order."""
        return Column(self.name, self.kind, self.values[rows], self.categories)


Where = Callable[[int], str]  # how a message calls a row


def column_of(
    name: str, values: pyarrow.ChunkedArray, kind: str | None, settings: TableSettings, where: Where
) -> Column:
    """The column that Arrow's values are.

    Args:
        name: of the column.
        values: as they were read.
        kind: what the column must be, if that is known.
        settings: missing values, decimal point and thousands.
        where: names a row in messages.

    Raises:
        InputError: dates, numbers with separated thousands, texts among numbers, infinite numbers, or values
            that are no single number or text; with the row, and what to do.
    """
    import pyarrow
    from pyarrow import compute, types

    of = values.type
    if types.is_temporal(of):
        there = compute.index(compute.is_valid(values), True).as_py()
        _refuse_date(name, str(values[max(there, 0)].as_py()), where(max(there, 0)))
    if kind == "category" and not (types.is_dictionary(of) or _is_text(of)):
        values = _as_texts(name, values)
    elif types.is_decimal(of):
        values = values.cast(pyarrow.float64())
    of = values.type
    if types.is_null(of):
        if kind == "category":
            return Column(name, "category", np.full(len(values), ABSENT, np.int32))
        return Column(name, "boolean" if kind == "boolean" else "number", np.full(len(values), np.nan))
    if types.is_dictionary(of) or _is_text(of):
        codes, texts = _coded(name, values)
        return _of_texts(name, codes, texts, kind, settings, where)
    if types.is_boolean(of):
        numbers = values.cast(pyarrow.uint8()).cast(pyarrow.float64())
        return Column(name, "number" if kind == "number" else "boolean", _numbers(numbers))
    if types.is_integer(of) or types.is_floating(of):
        numbers = _numbers(values)
        _check_finite(name, numbers, where)
        if kind == "boolean":
            _check_boolean(name, numbers, where)
        return Column(name, "boolean" if kind == "boolean" else "number", numbers)
    raise InputError(
        f"column {name!r} holds {of}, expected a number or a text in each row; leave it out with "
        f"data.table.drop = [{name!r}]"
    )


def shown(value: object) -> str:
    """A value as messages show it: quoted, and not too long."""
    text = str(value)
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def _is_text(of: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(of) or types.is_large_string(of) or types.is_string_view(of))


def _numbers(values: pyarrow.ChunkedArray) -> NDArray[np.float64]:
    """Numbers as float64, NaN where missing."""
    out = np.empty(len(values))
    place = 0
    for chunk in values.chunks:
        out[place : place + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        place += len(chunk)
    return out


def _as_texts(name: str, values: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Numbers and booleans as the texts that they would be read as."""
    import pyarrow

    try:
        if pyarrow.types.is_floating(values.type):
            numbers = _numbers(values)
            there = numbers[~np.isnan(numbers)]
            if (there == np.floor(there)).all() and (
                np.abs(there) < 2**53
            ).all():  # whole, but for what is missing
                values = pyarrow.chunked_array([pyarrow.array(numbers, from_pandas=True)]).cast(
                    pyarrow.int64()
                )
        return values.cast(pyarrow.string())
    except pyarrow.ArrowException as error:
        raise InputError(
            f"column {name!r} holds {values.type}, which cannot be categories; leave it out with "
            f"data.table.drop = [{name!r}]"
        ) from error


def _coded(name: str, values: pyarrow.ChunkedArray) -> tuple[NDArray[np.int32], list[Any]]:
    """Texts as codes [rows], -1 where missing, and what they mean."""
    import pyarrow

    if not pyarrow.types.is_dictionary(values.type):
        values = values.dictionary_encode()
    values = values.unify_dictionaries()
    codes = np.empty(len(values), np.int32)
    place = 0
    for chunk in values.chunks:
        indices = chunk.indices.cast(pyarrow.int32()).fill_null(ABSENT)
        codes[place : place + len(chunk)] = indices.to_numpy(zero_copy_only=False)
        place += len(chunk)
    dictionary = values.chunk(0).dictionary if values.num_chunks else pyarrow.array([], pyarrow.string())
    if pyarrow.types.is_temporal(dictionary.type) or pyarrow.types.is_nested(dictionary.type):
        raise InputError(f"column {name!r} holds categories that are {dictionary.type}; make texts of them")
    return codes, ["" if text is None else text for text in dictionary.to_pylist()]


def _of_texts(
    name: str,
    codes: NDArray[np.int32],
    raw: Sequence[Any],
    kind: str | None,
    settings: TableSettings,
    where: Where,
) -> Column:
    """A column of texts: what it means is decided by its different values."""
    texts = [str(one).strip() for one in raw]
    absent = set(settings.missing_values)
    is_missing = np.fromiter((text in absent for text in texts), bool, len(texts))
    counts = np.bincount(codes[codes >= 0], minlength=len(texts)) if len(texts) else np.zeros(0, np.int64)
    used = [place for place, text in enumerate(texts) if counts[place] and not is_missing[place]]

    def row_of(place: int) -> str:
        return where(int(np.argmax(codes == place)))

    def numbered(values: dict[int, float], as_kind: Kind) -> Column:
        lookup = np.full(len(texts) + 1, np.nan)  # the last is found by -1
        lookup[list(values)] = list(values.values())
        return Column(name, as_kind, lookup[codes])

    if kind != "category":
        words = {"true": 1.0, "false": 0.0}
        if used and all(texts[place].lower() in words for place in used):
            as_kind: Kind = "number" if kind == "number" else "boolean"
            return numbered({place: words[texts[place].lower()] for place in used}, as_kind)
        parsed = {place: number_of(texts[place], settings.decimal, settings.thousands) for place in used}
        values = {place: value for place, value in parsed.items() if value is not None}
        if len(values) == len(used) and not (used and kind is None and _are_categories(raw)):
            column = numbered(values, "boolean" if kind == "boolean" else "number")
            _check_finite(name, column.values, where)
            if kind == "boolean":
                _check_boolean(name, column.values, where)
            return column
        stray = [place for place in used if place not in values]
        other = "." if settings.decimal == "," else ","
        written = [
            place
            for place in stray
            if separated_thousands(texts[place]) or number_of(texts[place], other) is not None
        ]
        share = counts[list(values)].sum() / max(1, counts[used].sum())
        if stray and (kind is not None or share >= MOSTLY or len(written) == len(stray)):
            first = min(stray, key=lambda place: int(np.argmax(codes == place)))
            _refuse_text(name, texts[first], row_of(first), kind)
        if used and all(is_date(texts[place]) for place in used[:100]):
            _refuse_date(name, texts[used[0]], row_of(used[0]))
    categories = sorted({texts[place] for place in used})
    position = {text: code for code, text in enumerate(categories)}
    lookup = np.full(len(texts) + 1, ABSENT, np.int32)
    lookup[used] = [position[texts[place]] for place in used]
    return Column(name, "category", lookup[codes], tuple(categories))


def _are_categories(raw: Sequence[Any]) -> bool:
    """Categories that a data frame declared stay such even if they are numbers."""
    return bool(raw) and not isinstance(raw[0], str)


def _check_finite(name: str, values: NDArray[np.float64], where: Where) -> None:
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise InputError(
            f"{where(row)}, column {name!r}: {values[row]} is infinite; correct it, or add it to "
            "data.table.missing_values"
        )


def _check_boolean(name: str, values: NDArray[np.float64], where: Where) -> None:
    other = ~(np.isnan(values) | (values == 0) | (values == 1))
    if other.any():
        row = int(np.argmax(other))
        raise InputError(f"{where(row)}, column {name!r}: {values[row]:g} is neither true nor false, 1 nor 0")


def _refuse_text(name: str, text: str, where: str, kind: str | None) -> NoReturn:
    """A text where numbers are expected."""
    start = f"{where}, column {name!r}: {shown(text)}"
    if kind == "boolean":
        raise InputError(
            f'{start} is neither true nor false; set data.table.types = {{"{name}" = "category"}}'
        )
    if separator := separated_thousands(text):
        raise InputError(
            f"{start} is a number with a thousands separator; set data.table.thousands = {separator!r}"
        )
    if number_of(text, ",") is not None:
        raise InputError(f'{start} has a decimal comma; set data.table.decimal = ","')
    if number_of(text) is not None:
        raise InputError(f'{start} has a decimal point; set data.table.decimal = "."')
    if kind == "number":
        raise InputError(
            f"{start} is not a number; correct it, or if it means that the value is missing, add it to "
            "data.table.missing_values"
        )
    raise InputError(
        f"{start} stands among numbers; correct it, or if it means that the value is missing, add it to "
        "data.table.missing_values, or if all are categories, set data.table.types = "
        f'{{"{name}" = "category"}}'
    )


def _refuse_date(name: str, text: str, where: str) -> NoReturn:
    raise InputError(
        f"{where}, column {name!r}: {shown(text)} is a date or a time; make numbers of it, such as days "
        f'since the first, or leave it out with data.table.drop = ["{name}"]'
    )
