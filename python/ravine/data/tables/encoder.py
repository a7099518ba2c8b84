"""From columns to inputs: categories become numbers, missing values are replaced, as training rows say."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ravine.data.dataset import Array
from ravine.data.split import Indices
from ravine.data.tables.columns import Column, shown
from ravine.data.tables.roles import Roles, word_of
from ravine.data.tables.settings import KINDS, Kind, TableSettings
from ravine.data.tables.table import Table, listed, read_table, table_of
from ravine.errors import InputError, RavineWarning

BLOCK_BYTES = 1 << 18  # inputs that stay in the cache while column after column is written
LEAST_ROWS = 64
MOST_OFFSET = 4096.0  # in deviations: float32 then keeps 1/4096 of a deviation at worst
REFUSED = -2  # the code of a category that must not be there
UNSEEN = -1
IDENTIFIERS = 20  # texts that are all different from this number on


@dataclass(frozen=True)
class InputColumn:
    """What was learned of a column.

    Args:
        name, kind: of the column.
        one_hot: whether categories are inputs of their own.
        categories: of the training rows, sorted.
        fill: what takes the place of a missing value: a number, or the position of a category; None: nothing
            does, it is refused.
    """

    name: str
    kind: Kind
    one_hot: bool = False
    categories: tuple[str, ...] = ()
    fill: float | None = None

    @property
    def width(self) -> int:
        """Inputs that the column becomes."""
        return len(self.categories) if self.one_hot else 1


class TableEncoder:
    """The columns that a network was trained on, and how they become its inputs.

    Numbers stay as they are. Booleans are 0 or 1. A category is one 0/1 input for each category of the
    training rows (one_hot), or its position in their sorted list (index). What is missing is replaced by the
    mean, the median or the most frequent value of the training rows; the smallest if several are as frequent.

    Args:
        columns: in the order of the inputs.
        settings: how tables are read.
        names: of all columns that the training table had.
        dtype: of the inputs: float32, or float64 where a column of numbers needs it.
    """

    def __init__(
        self, columns: Sequence[InputColumn], settings: TableSettings, names: Sequence[str], dtype: str
    ) -> None:
        self.columns = tuple(columns)
        self.settings = settings
        self.names = tuple(names)
        self.dtype = dtype

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the inputs: "age", or "workclass_Private" of a category."""
        names: list[str] = []
        for column in self.columns:
            names += (
                [f"{column.name}_{one}" for one in column.categories] if column.one_hot else [column.name]
            )
        return tuple(names)

    @cached_property
    def indicators(self) -> NDArray[np.bool_]:
        """Which inputs are 0 or 1 by their meaning [features]."""
        return np.repeat(
            [column.one_hot or column.kind == "boolean" for column in self.columns],
            [column.width for column in self.columns],
        )

    def apply(self, samples: Any) -> Array:
        """Inputs [rows, features] of a `Table`, a data frame, a pyarrow table or a mapping of columns.

        Raises:
            InputError: a column is missing, or holds what cannot be used.
        """
        table = samples if isinstance(samples, Table) else table_of(samples, self.settings, self.choose)
        self.warn_unseen(table)
        return self.encode(table, None)

    def warn_unseen(self, table: Table) -> None:
        """Warn of categories that no training row has, where they are ignored."""
        for learned in self.columns:
            column = table.columns[learned.name]
            strange = [one for one in column.categories if one not in learned.categories]
            if learned.kind == "category" and strange and self.settings.unseen == "ignore":
                count = f"{len(strange):,} categories" if len(strange) > 1 else "a category"
                warnings.warn(
                    f"column {learned.name!r} has {count} that no training row has, such as "
                    f"{shown(strange[0])}; taken for none that is known",
                    RavineWarning,
                    stacklevel=3,
                )

    def read(self, path: Path) -> Table:
        """The columns that this encoder needs, of a file that is read as the training file was.

        A file without a header may hold the inputs alone, in their order.
        """
        return read_table(path, self.settings, self.choose, [column.name for column in self.columns])

    def choose(self, names: Sequence[str]) -> tuple[Sequence[str], Mapping[str, str]]:
        """The columns that are needed of those there are, and their kinds."""
        needed = {column.name: column.kind for column in self.columns}
        there = set(names)
        lacking = [name for name in needed if name not in there]
        if lacking:
            raise InputError(
                f"has no column {listed(lacking)}, which the network was trained on; it has {listed(names)}"
            )
        return list(needed), needed

    def encode(self, table: Table, rows: Indices | None) -> Array:
        """Inputs of some rows of a table, in that order, or of all.

        Raises:
            InputError: a value is missing, or a category was never seen, and that is refused.
        """
        count = len(table) if rows is None else len(rows)
        out = np.zeros((count, len(self.feature_names)), self.dtype)
        at_once = max(LEAST_ROWS, BLOCK_BYTES // max(1, out.itemsize * out.shape[1]))
        written = [(column, _Values(column, table, self.settings)) for column in self.columns]
        for begin in range(0, count, at_once):
            block = out[begin : begin + at_once]
            chosen = slice(begin, begin + at_once) if rows is None else rows[begin : begin + at_once]
            place = 0
            for column, values in written:
                try:
                    with np.errstate(over="raise"):
                        values.write(block[:, place : place + column.width], chosen)
                except FloatingPointError:
                    raise values.too_large(chosen) from None
                place += column.width
        return out

    def state(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        columns = [
            {
                "name": column.name,
                "kind": column.kind,
                "one_hot": column.one_hot,
                "categories": list(column.categories),
                "fill": column.fill,
            }
            for column in self.columns
        ]
        settings = msgspec.to_builtins(self.settings)
        return {"columns": columns, "settings": settings, "names": list(self.names), "dtype": self.dtype}

    @staticmethod
    def from_state(state: Mapping[str, Any]) -> TableEncoder:
        """The encoder that gave this state.

        Raises:
            InputError: it cannot be one.
        """
        try:
            stored = msgspec.convert(state, _State)
        except (msgspec.ValidationError, RecursionError) as error:
            raise InputError(f"is not that of a table: {error}", key="encoder") from None
        for column in stored.columns:
            if not _can_be(column):
                raise InputError(f"holds a column {column.name!r} that cannot be", key="encoder")
        columns = [
            InputColumn(one.name, one.kind, one.one_hot, tuple(one.categories), one.fill)
            for one in stored.columns
        ]
        if not columns or len({one.name for one in columns}) < len(columns) or stored.dtype not in _DTYPES:
            raise InputError("holds no columns, or one twice", key="encoder")
        return TableEncoder(columns, stored.settings, stored.names, stored.dtype)


def fit(table: Table, rows: Indices, roles: Roles, settings: TableSettings) -> TableEncoder:
    """Learn from the training rows of a table what each input column needs.

    Raises:
        InputError: a column has no value in these rows, or categories without end.
    """
    in_order = len(rows) == len(table) and bool((np.diff(rows) == 1).all())
    learned, wide = [], False
    for name in roles.inputs:
        whole = table.columns[name]
        column = whole if in_order else whole.take(rows)
        learned.append(_learned(table, whole, column, settings))
        wide = wide or (column.kind == "number" and needs_float64(column.values))
    return TableEncoder(learned, settings, table.names, "float64" if wide else "float32")


def needs_float64(values: NDArray[np.float64]) -> bool:
    """Whether float32 would lose what tells numbers apart: they lie far from 0, near each other."""
    there = values[~np.isnan(values)] if np.isnan(values).any() else values
    if not len(there):
        return False
    largest = float(np.abs(there).max())
    if largest > float(np.finfo(np.float32).max):
        return True
    return largest > MOST_OFFSET * float(there.std()) > 0


def _learned(table: Table, whole: Column, column: Column, settings: TableSettings) -> InputColumn:
    """What the training rows say about a column."""
    name, missing = column.name, column.missing
    policy = word_of(settings.missing, name, "refuse")
    one_hot = column.kind == "category" and word_of(settings.categorical, name, "one_hot") == "one_hot"
    if missing.all():
        all_rows = "" if whole.missing.all() else " in the training rows"
        raise table.error(
            f'holds no value{all_rows}; leave it out with data.table.drop = ["{name}"]', column=name
        )
    fills = policy not in ("refuse", "drop")
    if column.kind == "category":
        counts = np.bincount(column.values[~missing], minlength=len(column.categories))
        seen = np.flatnonzero(counts)
        _check_categories(table, column, len(seen), int(counts.sum()), one_hot, settings)
        categories = tuple(column.categories[code] for code in seen)
        return InputColumn(
            name, "category", one_hot, categories, float(counts[seen].argmax()) if fills else None
        )
    fill = None
    if fills:
        there = column.values[~missing]
        if policy == "most_frequent" or column.kind == "boolean":
            different, counts = np.unique(there, return_counts=True)
            fill = float(different[counts.argmax()])
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                fill = float(np.mean(there) if policy == "mean" else np.median(there))
            if not math.isfinite(fill):
                raise table.error(f"holds numbers that are too large for a {policy}", column=name)
    return InputColumn(name, column.kind, fill=fill)


def _check_categories(
    table: Table, column: Column, different: int, rows: int, one_hot: bool, settings: TableSettings
) -> None:
    """Refuse columns of identifiers, and more categories than inputs should be made of."""
    name, example = column.name, shown(column.categories[0])
    if different == rows > IDENTIFIERS:
        raise table.error(
            f"holds {rows:,} values that all differ, such as {example}, as identifiers and free texts do; "
            f'leave it out with data.table.drop = ["{name}"]',
            column=name,
        )
    if one_hot and different > settings.category_limit:
        raise table.error(
            f"has {different:,} categories, such as {example}; leave it out with data.table.drop = "
            f'["{name}"], number them with data.table.categorical = {{"{name}" = "index"}}, or raise '
            f"data.table.category_limit (now {settings.category_limit})",
            column=name,
        )


class _Values:
    """The values of a table's column, ready to be written as inputs."""

    def __init__(self, learned: InputColumn, table: Table, settings: TableSettings) -> None:
        column = table.columns[learned.name]
        if column.kind != learned.kind:
            raise table.error(f"is a {column.kind}, but was a {learned.kind} in training", column=column.name)
        self.learned, self.table, self.column, self.settings = learned, table, column, settings
        self.lookup = self._lookup() if learned.kind == "category" else None

    def _lookup(self) -> NDArray[np.int64]:
        """From the table's codes to the learned ones; the last, which -1 finds, is of missing values."""
        position = {category: code for code, category in enumerate(self.learned.categories)}
        other = UNSEEN if self.settings.unseen == "ignore" else REFUSED
        absent = REFUSED if self.learned.fill is None else int(self.learned.fill)
        return np.array([*(position.get(one, other) for one in self.column.categories), absent], np.int64)

    def write(self, out: Array, rows: slice | Indices) -> None:
        """The inputs of some rows, into `out` [rows, width], which is 0."""
        values = self.column.values[rows]
        if self.lookup is not None:
            codes = self.lookup[values]
            if (codes == REFUSED).any():
                raise self._refused(rows, int(np.argmax(codes == REFUSED)))
            if self.learned.one_hot:
                seen = np.flatnonzero(codes >= 0)
                out[seen, codes[seen]] = 1
            else:
                out[:, 0] = codes
        elif self.column.is_complete:
            out[:, 0] = values
        else:
            missing = np.isnan(values)
            if self.learned.fill is None and missing.any():
                raise self._refused(rows, int(np.argmax(missing)))
            out[:, 0] = values
            out[missing, 0] = self.learned.fill

    def too_large(self, rows: slice | Indices) -> InputError:
        """That a number of these rows is beyond float32, which was wide enough for the training rows."""
        place = int(np.argmax(np.abs(self.column.values[rows]) > np.finfo(np.float32).max))
        row = _row(rows, place)
        return self.table.error(
            f"{self.column.values[row]:g} is beyond the range of float32, which was enough for the training "
            "rows; correct it, or leave the row out",
            row,
            self.learned.name,
        )

    def _refused(self, rows: slice | Indices, place: int) -> InputError:
        row = _row(rows, place)
        name = self.learned.name
        if self.column.missing[row]:
            return missing_error(self.table, self.column, row)
        value = shown(self.column.categories[self.column.values[row]])
        return self.table.error(
            f"{value} is a category that no training row has; known are {listed(self.learned.categories)}",
            row,
            name,
        )


def _row(rows: slice | Indices, place: int) -> int:
    """The row of the table at a place among some of them."""
    return rows.start + place if isinstance(rows, slice) else int(rows[place])


def missing_error(table: Table, column: Column, row: int) -> InputError:
    """A value is missing, and nothing says what to do."""
    count = int(column.missing.sum())
    share = f"{count:,} of {len(column):,} are" if count > 1 else "the only one that is"
    return table.error(
        f'the value is missing ({share}); set data.table.missing = {{"{column.name}" = ...}} to "mean", '
        '"median", "most_frequent" or "drop"',
        row,
        column.name,
    )


class _StoredColumn(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    kind: Kind
    one_hot: bool
    categories: list[str]
    fill: float | None


class _State(msgspec.Struct, forbid_unknown_fields=True):
    columns: list[_StoredColumn]
    settings: TableSettings
    names: list[str]
    dtype: str


_DTYPES = ("float32", "float64")


def _can_be(column: _StoredColumn) -> bool:
    """Whether a column could have been learned."""
    fill = column.fill
    if column.kind not in KINDS or (fill is not None and not math.isfinite(fill)):
        return False
    if column.kind == "category":
        in_order = sorted(set(column.categories)) == column.categories != []
        return in_order and (fill is None or (fill == int(fill) and 0 <= fill < len(column.categories)))
    return not column.categories and not column.one_hot
