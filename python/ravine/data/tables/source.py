"""Tables as samples: labels or values to predict, weights, groups and parts from their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ravine.data.checks import check_weights
from ravine.data.dataset import Array
from ravine.data.division import groups_of, parts_of
from ravine.data.files import locate
from ravine.data.settings import DataSettings, SplitSettings
from ravine.data.source import Encoder, Sources, named
from ravine.data.split import Indices
from ravine.data.tables.columns import Column, shown
from ravine.data.tables.encoder import TableEncoder, fit, missing_error
from ravine.data.tables.roles import Roles, roles, word_of
from ravine.data.tables.settings import TableSettings
from ravine.data.tables.table import Table, listed, read_table, table_of
from ravine.errors import InputError

MOST_CLASSES = 100  # of whole numbers, where nothing says that they are classes
Task = Literal["auto", "classification", "regression"]


@dataclass(frozen=True)
class Expected:
    """What a table must be like that goes with the one for training.

    Args:
        names: of all columns that the training table had.
        kinds: of the inputs, by name.
        class_names: empty for regression.
        classifies: whether targets are classes.
    """

    names: tuple[str, ...]
    kinds: Mapping[str, str]
    class_names: tuple[str, ...]
    classifies: bool

    @property
    def target_kind(self) -> str:
        """What class names that are known, or values, are read as."""
        if not self.classifies or all(name.lstrip("-").isdecimal() for name in self.class_names):
            return "number"
        # A network with more outputs than the table has classes calls the others by numbers.
        words = {name for name in self.class_names if not name.isdecimal()}
        return "boolean" if words <= {"false", "true"} else "category"


class TableSource:
    """The rows of a table as samples; see `ravine.data.source.Source`.

    Args:
        table: with all columns that the roles name.
        roles: what each column is for.
        settings: what to do about missing values and labels.
        split: what a column says about parts.
        task: "auto": texts, booleans, and whole numbers of at most 100 different values are classes.
        name: what messages call the samples.
        expected: of the training table, where these samples are not those.

    Raises:
        InputError: targets that are missing, constant or of another kind than the task; weights, groups or
            parts that cannot be.
    """

    def __init__(
        self,
        table: Table,
        roles: Roles,
        settings: TableSettings,
        split: SplitSettings = SplitSettings(),  # noqa: B008 - it cannot be changed
        task: Task = "auto",
        name: str = "data",
        expected: Expected | None = None,
    ) -> None:
        self.table, self.roles, self.settings, self.name = (
            _complete(table, roles, settings),
            roles,
            settings,
            name,
        )
        self.file = Path(table.file) if table.file else None
        if expected is not None:
            task = "classification" if expected.classifies else "regression"
        targets = [self.table.columns[one] for one in roles.targets]
        for column in targets:
            _check_target(self.table, column, constant=expected is None)
        if _classifies(self.table, targets, task):
            known = expected.class_names if expected is not None else None
            self.targets: Array
            self.class_names: tuple[str, ...]
            self.targets, self.class_names = labels(self.table, targets[0], settings.label_suffix, known)
            self.classes = len(self.class_names)
        else:
            self.targets, self.class_names, self.classes = _values(self.table, targets), (), 0
        self.weights = _weights(self.table, roles.weights, name) if roles.weights else None
        self.groups = _groups(self.table, roles.group) if roles.group else None
        self.parts = _parts(self.table, roles.part, split) if roles.part else None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.table)

    def fit(self, rows: Indices) -> TableEncoder:
        """What the training rows say about categories and missing values."""
        return fit(self.table, rows, self.roles, self.settings)

    def inputs(self, encoder: Encoder | None, rows: Indices | None, threads: int = 1) -> Array:
        """Inputs float32 or float64 [rows, features] by an encoder of this or the training table."""
        assert isinstance(encoder, TableEncoder)
        return encoder.encode(self.table, rows)

    def expected(self) -> Expected:
        """What a table for validation or test must be like."""
        kinds = {name: self.table.columns[name].kind for name in self.roles.inputs}
        return Expected(self.table.names, kinds, self.class_names, self.classes > 0)


def read(settings: DataSettings, base: Path, classes: int, threads: int) -> Sources:
    """The tables of each file; those of validation and test are optional."""

    def other(field: str, name: str) -> TableSource | None:
        if not getattr(settings, field):
            return None
        with named(f"data.{field}"):
            file = locate(getattr(settings, field), base)
        return source_of(file, settings.table, name=name, expected=train.expected())

    if not settings.file:
        raise InputError("name a CSV or Parquet file, or give a data frame in Python", key="data.file")
    with named("data.file"):
        file = locate(settings.file, base)
    train = source_of(file, settings.table, settings.split, settings.task)
    return Sources(train, other("validation_file", "validation"), other("test_file", "test"))


def source_of(
    data: Any,
    settings: TableSettings,
    split: SplitSettings = SplitSettings(),  # noqa: B008 - it cannot be changed
    task: Task = "auto",
    name: str = "data",
    expected: Expected | None = None,
) -> TableSource:
    """The samples of a file (a `Path`), a data frame, a pyarrow table or a mapping of columns.

    Args:
        data: the table.
        settings, split, task, name, expected: see `TableSource`.
    """
    chosen: list[Roles] = []

    def choose(names: tuple[str, ...]) -> tuple[Sequence[str], Mapping[str, str]]:
        if expected is not None:
            _check_columns(names, expected, settings)
            chosen.append(roles(expected.names, settings))
        else:
            chosen.append(roles(names, settings, split.group, split.column))
        return _columns(names, chosen[0], settings, task, expected)

    read: Callable[..., Table] = read_table if isinstance(data, Path) else table_of
    return TableSource(read(data, settings, choose), chosen[0], settings, split, task, name, expected)


def labels(
    table: Table, column: Column, suffix: str, class_names: Sequence[str] | None
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Class numbers [rows], and the names of the classes, sorted.

    Args:
        table: of the column.
        column: the labels.
        suffix: what may follow a label and does not belong to it.
        class_names: the classes that are known; None: those that the column holds.

    Raises:
        InputError: a label that is none of the known ones, with its row.
    """
    if column.kind == "category":
        codes, texts = column.values, [one.removesuffix(suffix).rstrip() for one in column.categories]
        different = np.unique(codes)
        found = sorted({texts[code] for code in different})
    else:
        numbers, codes = np.unique(column.values, return_inverse=True)
        as_text = {0.0: "false", 1.0: "true"} if column.kind == "boolean" else None
        texts = [as_text[one] if as_text else _whole(one) for one in numbers]
        found = texts
    known = tuple(found if class_names is None else class_names)
    position = {name: place for place, name in enumerate(known)}
    lookup = np.array([position.get(text, -1) for text in texts], np.int32)
    result = np.ascontiguousarray(lookup[codes])
    if (result < 0).any():
        row = int(np.argmax(result < 0))
        hint = ""
        if any(texts[codes[row]].startswith(name) for name in known):
            hint = "; what labels end in beside that is data.table.label_suffix"
        raise table.error(
            f"{shown(texts[codes[row]])} is none of the classes: {listed(known)}{hint}", row, column.name
        )
    return result, known


def _whole(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _columns(
    names: Sequence[str], roles: Roles, settings: TableSettings, task: Task, expected: Expected | None
) -> tuple[Sequence[str], Mapping[str, str]]:
    """The columns to read, and the kinds of those that are known."""
    kinds = dict.fromkeys(filter(None, (roles.group, roles.part)), "category")
    if roles.weights:
        kinds[roles.weights] = "number"
    if expected is not None:
        kinds |= dict.fromkeys(roles.targets, expected.target_kind) | dict(expected.kinds)
        there = set(names)
        return [name for name in roles.columns() if name in there], kinds
    if task == "regression":
        kinds |= dict.fromkeys(roles.targets, "number")
    return roles.columns(), kinds | settings.types


def _check_columns(names: Sequence[str], expected: Expected, settings: TableSettings) -> None:
    """Raise InputError where a table has other columns than the one for training."""
    used = roles(expected.names, settings)
    there, known = set(names), set(expected.names)
    lacking = [name for name in (*used.inputs, *used.targets) if name not in there]
    without_header = all(map(str.isdecimal, names))
    if lacking or (without_header and len(names) != len(expected.names)):
        spare = [name for name in names if name not in known]
        words = f"has {len(names)} columns, the training table {len(expected.names)}"
        if not without_header:
            words += f"; lacks {listed(lacking)}" + (f" and has {listed(spare)} instead" if spare else "")
        raise InputError(words)


def _complete(table: Table, roles: Roles, settings: TableSettings) -> Table:
    """The table without the rows that lack what must be there; where that is refused, an error."""
    dropped = np.zeros(len(table), bool)
    targets = set(roles.targets)
    for name in (*roles.inputs, *roles.targets):
        column = table.columns[name]
        missing = column.missing
        policy = word_of(settings.missing, name, "refuse")
        if policy == "drop":
            dropped |= missing
        elif policy == "refuse" and name not in targets and not column.is_complete and not missing.all():
            raise missing_error(table, column, int(np.argmax(missing)))
    if not dropped.any():
        return table
    if dropped.all():
        raise table.error("every row lacks a value, so that none is left", key="data.table.missing")
    return table.take(np.flatnonzero(~dropped))


def _check_target(table: Table, column: Column, *, constant: bool) -> None:
    if not column.is_complete:
        row = int(np.argmax(column.missing))
        raise table.error(
            "the target is missing; remove such rows, or leave them out with data.table.missing = "
            f'{{"{column.name}" = "drop"}}',
            row,
            column.name,
        )
    if constant and len(column) > 1 and (column.values == column.values[0]).all():
        value = column.categories[column.values[0]] if column.categories else f"{column.values[0]:g}"
        raise table.error(
            f"is {shown(value)} in all {len(column):,} rows; a target must differ",
            column=column.name,
            key="data.table.target",
        )


def _classifies(table: Table, targets: Sequence[Column], task: Task) -> bool:
    """Whether targets are classes; checks that they can be what they must be."""
    texts = [column for column in targets if column.kind == "category"]
    if task == "regression" or len(targets) > 1:
        if texts:
            raise table.error(
                f"holds texts, such as {shown(texts[0].categories[0])}; values to approximate are numbers",
                column=texts[0].name,
                key="data.table.target",
            )
        if task == "classification":
            raise InputError("names several columns; classes must be in one", key="data.table.target")
        return False
    column = targets[0]
    if task == "classification" or column.kind != "number":
        if column.kind == "number" and not column.is_whole:
            row = int(np.argmax(column.values != np.floor(column.values)))
            raise table.error(
                f"{column.values[row]:g} is not a whole number, so it is no class; "
                'set data.task = "regression"',
                row,
                column.name,
            )
        return True
    return column.is_whole and len(np.unique(column.values)) <= MOST_CLASSES


def _values(table: Table, targets: Sequence[Column]) -> NDArray[np.float64]:
    """Values to approximate, float64 [rows, outputs]."""
    return np.ascontiguousarray(np.stack([column.values for column in targets], axis=1))


def _weights(table: Table, name: str, of: str) -> NDArray[np.float64] | None:
    if name not in table.columns:
        return None
    weights: NDArray[np.float64] = table.columns[name].values
    wrong = ~(weights >= 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise table.error(f"the weight is {weights[row]:g}; expected a number of at least 0", row, name)
    check_weights(weights, len(weights), of)
    return weights


def _groups(table: Table, name: str) -> NDArray[np.int64]:
    column = table.columns[name]
    if column.missing.any():
        raise table.error("the group is missing", int(np.argmax(column.missing)), name)
    return groups_of(column.values)


def _parts(table: Table, name: str, split: SplitSettings) -> NDArray[np.uint8]:
    column = table.columns[name]
    if column.missing.any():
        raise table.error("the part is missing", int(np.argmax(column.missing)), name)
    try:
        of_category = parts_of(column.categories, split)
    except InputError as error:
        row = int(np.argmax(column.values == error.row))
        raise table.error(error.message, row, name, error.key) from None
    parts: NDArray[np.uint8] = of_category[column.values]
    return parts
