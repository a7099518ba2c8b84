"""What each column of a table is for, and what it must hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ravine.data.tables.settings import OTHERS, Reference, TableSettings
from ravine.data.tables.table import listed, position
from ravine.errors import InputError


@dataclass(frozen=True)
class Roles:
    """Names of columns, by what they are for; an empty name where there is none."""

    targets: tuple[str, ...]
    inputs: tuple[str, ...]
    weights: str
    group: str
    part: str

    def columns(self) -> tuple[str, ...]:
        """All that are to be read, each once."""
        others = (name for name in (self.weights, self.group, self.part) if name)
        return tuple(dict.fromkeys((*self.inputs, *self.targets, *others)))


def roles(names: Sequence[str], settings: TableSettings, group: str = "", part: str = "") -> Roles:
    """What the columns of these names are for.

    Args:
        names: of all columns.
        settings: names those for targets, inputs and weights.
        group, part: columns that a split goes by, `data.split.group` and `data.split.column`.

    Raises:
        InputError: no target, a column that is not there, or one that is to be two things.
    """

    def named(references: Sequence[Reference], field: str) -> Iterator[str]:
        for reference in references:
            yield position(reference, names, f"data.table.{field}")

    if not settings.targets:
        raise InputError(f"name the column to predict; there are {listed(names)}", key="data.table.target")
    targets = tuple(named(settings.targets, "target"))
    weights = "" if settings.weights == "" else position(settings.weights, names, "data.table.weights")
    for field, column in (("group", group), ("column", part)):
        if column:
            position(column, names, f"data.split.{field}")
    dropped = set(named(settings.drop, "drop"))
    taken = {*targets, *filter(None, (weights, group, part))}
    if both := dropped & set(targets):
        raise InputError(f"column {both.pop()!r} is the target", key="data.table.drop")
    if settings.inputs:
        inputs = tuple(dict.fromkeys(named(settings.inputs, "inputs")))
        for name in inputs:
            if name in taken or name in dropped:
                of = (
                    "is to be dropped"
                    if name in dropped
                    else "is the target"
                    if name in targets
                    else "is no input"
                )
                raise InputError(f"column {name!r} {of}", key="data.table.inputs")
    else:
        inputs = tuple(name for name in names if name not in taken and name not in dropped)
    if not inputs:
        raise InputError("leaves no column to predict from", key="data.table")
    for field in ("types", "categorical", "missing"):
        given = getattr(settings, field)
        for name in given if isinstance(given, dict) else ():
            if name != OTHERS or field == "types":
                position(name, names, f"data.table.{field}")
    return Roles(targets, inputs, weights, group, part)


def word_of(setting: str | dict[str, str], column: str, default: str) -> str:
    """A setting by column.

    Example:
        >>> word_of({"age": "mean", "*": "drop"}, "sex", "refuse")
        'drop'
    """
    if isinstance(setting, str):
        return setting
    return setting.get(column, setting.get(OTHERS, default))
