"""A table in memory, and reading one from a file, a data frame or columns in Python."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ravine.data.signatures import BYTES, kind_of_bytes
from ravine.data.tables.columns import Column, column_of
from ravine.data.tables.delimited import check_names, read_head, read_rows
from ravine.data.tables.opening import Content, read_content
from ravine.data.tables.settings import Reference, TableSettings
from ravine.errors import InputError

if TYPE_CHECKING:
    import pyarrow

FREE_VALUES = 1 << 27  # a Parquet file of few bytes can promise as many values as it likes
LARGEST_GROWTH = 1000  # values a byte


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length.

    Args:
        columns: by name, those that were asked for.
        names: of all columns that there are.
        file: where they come from; empty: Python.
        where: how messages call a row, such as "line 7" of a file.
    """

    columns: dict[str, Column]
    names: tuple[str, ...]
    file: str
    where: Callable[[int], str]

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def take(self, rows: NDArray[np.int64]) -> Table:
        """The table of some rows, in that order."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        return replace(self, columns=columns, where=partial(_where_taken, self.where, rows))

    def error(
        self, message: str, row: int | None = None, column: str = "", key: str | None = None
    ) -> InputError:
        """An error about a value of the table."""
        of = f"column {column!r}" if column else ""
        start = f"{of} " if of else ""
        if row is not None:
            start = f"{self.where(row)}{', ' if of else ''}{of}: "
        return InputError(start + message, file=self.file or None, key=key)


class Frame(Protocol):
    """A data frame of pandas, or a table of pyarrow."""

    @property
    def columns(self) -> Any:
        """Its columns, or their names."""


Choose = Callable[[tuple[str, ...]], tuple[Sequence[str], Mapping[str, str]]]
"""From the names of all columns to those that are to be read, and the kinds of columns that are known."""


def read_table(
    path: Path,
    settings: TableSettings,
    choose: Choose,
    inputs_alone: Sequence[str] = (),
    refused: dict[str, str] | None = None,
) -> Table:
    """Read some columns of a CSV or Parquet file, plain or packed.

    Args:
        path: of the file.
        settings: how it is to be read.
        choose: tells from the names of all columns which to read, and what kind they must be.
        inputs_alone: names of the columns of a file without a header that has just so many.
        refused: if given, columns that cannot be used are left out, and why is written here by name.

    Raises:
        InputError: the file, or a value in it, cannot be used; file, line and column are named.
    """
    _require_pyarrow()
    content = read_content(path, settings.member)
    try:
        if kind_of_bytes(content.data[:BYTES]) == "parquet":
            return _read_parquet(content, settings, choose, refused)
        text = read_head(content, settings, inputs_alone)
        columns, kinds = choose(text.names)
        rows = read_rows(text, columns, kinds, settings)

        def where(row: int) -> str:
            line = text.line(row)
            return f"row {row}" if line is None else f"line {line}"

        return _table(rows, text.names, kinds, settings, content.name, where, refused)
    except InputError as error:
        raise InputError(error.message, file=error.file or content.name, key=error.key) from None


def table_of(data: Any, settings: TableSettings, choose: Choose) -> Table:
    """A table of a pandas data frame, a pyarrow table, or a mapping from names to columns.

    Raises:
        InputError: the data are none of these, or a column cannot be used.
    """
    _require_pyarrow()
    if hasattr(data, "columns") and not hasattr(data, "column_names"):
        check_names([str(name) for name in data.columns])  # pyarrow would not say which
    rows = _arrow_table(data)
    names = tuple(map(str, rows.column_names))
    check_names(names)
    columns, kinds = choose(names)
    return _table(rows.rename_columns(names).select(columns), names, kinds, settings, "", _where_row)


def is_table(data: object) -> bool:
    """Whether data given in Python have named columns."""
    if isinstance(data, (Mapping, Table)):
        return True
    package = type(data).__module__.partition(".")[0]
    return (package in ("pandas", "pyarrow") and hasattr(data, "columns")) or hasattr(
        data, "__arrow_c_stream__"
    )


def position(reference: Reference, names: Sequence[str], key: str) -> str:
    """The name of the column that a setting means.

    Raises:
        InputError: there is none; a name that may have been meant is offered.
    """
    if isinstance(reference, str):
        if reference in names:
            return reference
        near = difflib.get_close_matches(reference, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {listed(names)}"
        raise InputError(f"there is no column {reference!r}; {hint}", key=key)
    if not -len(names) <= reference < len(names):
        raise InputError(f"there is no column {reference} among {len(names)}, counted from 0", key=key)
    return names[reference]


def listed(names: Iterable[str]) -> str:
    """Names in a message, not too many of them."""
    known = list(names)
    return ", ".join(map(repr, known[:12])) + (f" and {len(known) - 12:,} more" if len(known) > 12 else "")


def _table(
    rows: pyarrow.Table,
    names: tuple[str, ...],
    kinds: Mapping[str, str],
    settings: TableSettings,
    file: str,
    where: Callable[[int], str],
    refused: dict[str, str] | None = None,
) -> Table:
    if not rows.num_rows:
        raise InputError("has no rows")
    columns = {}
    for name in rows.column_names:
        try:
            columns[name] = column_of(name, rows.column(name), kinds.get(name), settings, where)
        except InputError as error:
            if refused is None:
                raise
            refused[name] = error.message
    return Table(columns, names, file, where)


def _where_row(row: int) -> str:
    return f"row {row}"


def _where_taken(where: Callable[[int], str], rows: NDArray[np.int64], row: int) -> str:
    return where(int(rows[row]))


def _read_parquet(
    content: Content, settings: TableSettings, choose: Choose, refused: dict[str, str] | None
) -> Table:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(pyarrow.py_buffer(content.data)))
        names = tuple(file.schema_arrow.names)
        check_names(names)
        columns, kinds = choose(names)
        promised = file.metadata.num_rows * max(1, len(columns))
        if promised > max(FREE_VALUES, LARGEST_GROWTH * len(content.data)):
            raise InputError(
                f"its {len(content.data):,} bytes promise {promised:,} values; it is damaged, or made to "
                "fill memory"
            )
        rows = file.read(columns=list(columns))
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        raise InputError(f"is no Parquet file that can be read: {str(error)[:200]}") from None
    return _table(rows, names, kinds, settings, content.name, _where_row, refused)


def _arrow_table(data: Any) -> pyarrow.Table:
    import pyarrow

    try:
        if isinstance(data, pyarrow.Table):
            return data
        if isinstance(data, Mapping):
            arrays = {str(name): _array(str(name), values) for name, values in data.items()}
            return pyarrow.table(arrays)
        if type(data).__module__.partition(".")[0] == "pandas":
            return pyarrow.Table.from_pandas(
                data.set_axis(map(str, data.columns), axis=1), preserve_index=False
            )
        return pyarrow.table(data)
    except (pyarrow.ArrowException, TypeError, ValueError) as error:
        words = "; ".join(map(str, error.args))
        raise InputError(f"the columns cannot be used: {words[:200]}") from None


def _array(name: str, values: Any) -> pyarrow.Array:
    import pyarrow

    array = np.asarray(values) if not isinstance(values, (list, tuple)) else values
    if isinstance(array, np.ndarray):
        if array.ndim != 1:
            raise InputError(f"column {name!r} has shape {list(array.shape)}, expected one value a row")
        if array.dtype.kind == "U":
            array = array.tolist()
    return pyarrow.array(array, from_pandas=True)


def _require_pyarrow() -> None:
    try:
        importlib.import_module("pyarrow")
    except ImportError:
        raise InputError(
            'tables are read by pyarrow, which is not installed: pip install "ravine[data]"',
            key="data.source",
        ) from None
