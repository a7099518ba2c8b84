"""What is in a table: its columns, what they could be for, and what is odd about them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ravine.data.inspection.report import Report, as_toml, balance, figure, moments, place, share, spread
from ravine.data.signatures import BYTES, kind_of_bytes
from ravine.data.tables.columns import Column, shown
from ravine.data.tables.delimited import read_head
from ravine.data.tables.encoder import IDENTIFIERS
from ravine.data.tables.opening import read_content
from ravine.data.tables.settings import TableSettings
from ravine.data.tables.source import MOST_CLASSES, labels
from ravine.data.tables.table import Table, position, read_table
from ravine.errors import InputError

TARGETS = ("target", "label", "labels", "class", "y", "output", "outcome", "response")
# How numbers are written besides as 1234.5: decimal point and what separates thousands.
DECIMAL_COMMA = ((",", ""), (",", "."), (",", " "), (",", "'"))
DECIMAL_POINT = ((".", ","), (".", " "), (".", "'"), (".", "_"))
WRITTEN = ("data.table.decimal", "data.table.thousands")  # in what is said about numbers written so
MANY_MISSING, MOSTLY_ONE = 0.3, 0.99
LONGEST = 20  # texts of categories, shortened


def inspect_table(path: Path, settings: TableSettings) -> Report:
    """A CSV, TSV or Parquet file: every column by itself, so that one that cannot be used hides no other.

    Where numbers are written in another way than `settings` says, the way that makes the most columns numbers
    is found and suggested.

    Args:
        path: of the file.
        settings: how it is read; the target, if it is known.
    """
    table, refused = _read(path, settings)
    notes = []
    if any(key in error for error in refused.values() for key in WRITTEN):
        as_given = settings
        table, refused, settings = _rewritten(path, table, refused, settings)
        if settings is not as_given:
            separated = f", data.table.thousands = {settings.thousands!r}" if settings.thousands else ""
            notes = [f"numbers are read with data.table.decimal = {settings.decimal!r}{separated}"]
    target = _target(table, settings)
    notes += [f"not usable: {error}" for error in refused.values()]
    drop = [name for name in table.names if name in refused]
    rows: list[tuple[str, ...]] = []
    facts: dict[str, Any] = {}
    for number, name in enumerate(table.names):
        if name in refused:
            rows.append((str(number), name, "refused", "", refused[name].partition(": ")[2]))
            facts[name] = {"type": "refused", "reason": refused[name]}
            continue
        column = table.columns[name]
        kind, values, found = _described(column)
        missing = int(column.missing.sum())
        rows.append((str(number), name, kind, f"{missing:,}" if missing else "", values))
        facts[name] = {"type": kind, "missing": missing, **found}
        if name != target:
            odd, spare = _odd(column, found)
            notes += odd
            drop += [name] if spare else []
    section: dict[str, Any] = {}
    if target:
        section, words = _section(path, table, target, drop, settings)
        notes = [words, *notes]
    columns = f"{len(table.names):,} column{'s' * (len(table.names) != 1)}"
    header: tuple[str, ...] = ("", "column", "type", "missing", "values")
    if _is_position(table.names[0], table):  # names that say nothing more
        header, rows = header[1:], [row[1:] for row in rows]
    return Report(
        f"{path.name}: a table of {len(table):,} rows and {columns}",
        header,
        tuple(rows),
        (0, header.index("missing")),
        tuple(notes),
        as_toml(section) if section else "",
        {"kind": "table", "rows": len(table), "columns": facts, "target": target or None},
    )


def _read(path: Path, settings: TableSettings) -> tuple[Table, dict[str, str]]:
    """The columns that can be used, and what is wrong with the others."""
    refused: dict[str, str] = {}
    table = read_table(path, settings, lambda names: (names, settings.types), refused=refused)
    return table, refused


def _rewritten(
    path: Path, table: Table, refused: dict[str, str], settings: TableSettings
) -> tuple[Table, dict[str, str], TableSettings]:
    """The table read with the decimal point and the thousands that make the most columns numbers.

    "1,234" can be either; where semicolons separate values, as where the comma is the decimal point, it is
    taken for 1.234. What was given with the settings stays.
    """
    if settings.decimal != "." or settings.thousands:
        return table, refused, settings
    content = read_content(path, settings.member)
    is_text = kind_of_bytes(content.data[:BYTES]) != "parquet"
    comma_first = is_text and read_head(content, settings).delimiter == ";"
    del content
    ways = (*DECIMAL_COMMA, *DECIMAL_POINT) if comma_first else (*DECIMAL_POINT, *DECIMAL_COMMA)
    best, most = (table, refused, settings), _numbers(table)
    for decimal, thousands in ways:
        try:
            changed = msgspec.structs.replace(settings, decimal=decimal, thousands=thousands)
            other, still = _read(path, changed)
        except (ValueError, InputError):  # the delimiter is given and the same, or there is no such header
            continue
        if _numbers(other) > most:
            best, most = (other, still, changed), _numbers(other)
        if not any(key in error for error in still.values() for key in WRITTEN):
            break
    return best


def _numbers(table: Table) -> int:
    """How many columns are numbers."""
    return sum(column.kind == "number" for column in table.columns.values())


def _described(column: Column) -> tuple[str, str, dict[str, Any]]:
    """Type and values of a column, in words and as facts."""
    there = column.values[~column.missing]
    if not len(there):
        return column.kind, "none", {}
    if column.kind == "category":
        counts = np.bincount(there, minlength=len(column.categories))
        found = {name: int(count) for name, count in zip(column.categories, counts, strict=True)}
        return (
            "category",
            balance({_short(name): count for name, count in found.items()}),
            {"categories": found},
        )
    if column.kind == "boolean":
        truths = {"true": int(there.sum()), "false": int(len(there) - there.sum())}
        return "boolean", balance(truths), {"categories": truths}
    mean, deviation = moments(there)
    figures = {
        "minimum": float(there.min()),
        "maximum": float(there.max()),
        "mean": mean,
        "deviation": deviation,
    }
    return "whole" if column.is_whole else "number", spread(there), figures


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _odd(column: Column, found: Mapping[str, Any]) -> tuple[list[str], bool]:
    """What is odd about a column that could be an input, and whether it is better left out."""
    name, count = f"column {column.name!r}", len(column)
    missing = int(column.missing.sum())
    there = column.values[~column.missing]
    if not len(there):
        return [f"{name} holds no value"], True
    notes = []
    if missing > MANY_MISSING * count:
        notes.append(f"{name} lacks {share(missing, count)} of its values")
    different, counts = np.unique(there, return_counts=True)
    if len(different) == 1:
        return [*notes, f"{name} is the same in all rows"], True
    if column.kind == "category" and len(different) == len(there) > IDENTIFIERS:
        return [*notes, f"{name} differs in all rows, as identifiers and free texts do"], True
    if column.kind == "number" and column.is_whole and len(different) == len(there) == count > IDENTIFIERS:
        steps = np.diff(there)
        if (steps == steps[0]).all():
            return [*notes, f"{name} counts the rows"], True
    if counts.max() > MOSTLY_ONE * len(there):
        notes.append(f"{name} has one value in {share(int(counts.max()), len(there))} of the rows")
    if column.kind == "number" and 0 < found["deviation"] < math.inf:
        farthest = max(found["maximum"] - found["mean"], found["mean"] - found["minimum"])
        if farthest > 20 * found["deviation"]:
            notes.append(
                f"{name} has a value {figure(farthest / found['deviation'])} deviations from its mean"
            )
    return notes, False


def _target(table: Table, settings: TableSettings) -> str:
    """The column that is to be predicted: as it was said, or by its name, or the last that can be used."""
    if settings.targets:
        return position(settings.targets[0], table.names, "data.table.target")
    usable = list(table.columns)
    by_name = [name for name in usable if name.strip().lower() in TARGETS]
    return by_name[0] if by_name else usable[-1] if len(usable) > 1 else ""


def _section(
    path: Path, table: Table, target: str, drop: list[str], settings: TableSettings
) -> tuple[dict[str, Any], str]:
    """A `[data]` section that works, and a line about its target."""
    column = table.columns.get(target)
    if column is None:
        return {}, f"target {target!r} is not usable: see below"
    different = np.unique(column.values[~column.missing])
    if len(different) < 2:
        return {}, f"target {target!r} is the same in all rows; name another with --target"
    classifies = column.kind != "number" or (column.is_whole and len(different) <= MOST_CLASSES)
    given = {
        key: value
        for key, value in msgspec.to_builtins(settings).items()
        if value != msgspec.to_builtins(TableSettings())[key] and key != "target"
    }
    of_table: dict[str, Any] = {"target": int(target) if _is_position(target, table) else target, **given}
    inputs = [table.columns[name] for name in table.names if name not in drop and name != target]
    if drop:
        of_table["drop"] = [*settings.drop, *drop]
    policies = {
        one.name: "most_frequent" if one.kind != "number" else "median" for one in inputs if one.missing.any()
    }
    if policies and "missing" not in given:
        of_table["missing"] = "median" if "median" in policies.values() else "most_frequent"
    if column.missing.any():
        others = {"*": of_table.get("missing", "refuse")}
        of_table["missing"] = {target: "drop", **(others if isinstance(others["*"], str) else others["*"])}
    crowded = {
        one.name: "index"
        for one in inputs
        if one.kind == "category" and len(np.unique(one.values)) > settings.category_limit
    }
    if crowded and "categorical" not in given:
        of_table["categorical"] = crowded
    split: dict[str, Any] = {"validation_fraction": 0.1, "test_fraction": 0.1, "seed": 1}
    if not classifies:
        words = f"target {target!r}: values, {spread(column.values[~column.missing])}"
        section = {"source": "table", "file": place(path), "task": "regression"}
    else:
        present = column.take(np.flatnonzero(~column.missing))
        numbers, names = labels(table, present, settings.label_suffix, None)
        counts = np.bincount(numbers)
        words = (
            f"target {target!r}: {len(names)} classes, the rarest {shown(names[int(counts.argmin())])} with "
        )
        words += f"{int(counts.min()):,} rows ({share(int(counts.min()), int(counts.sum()))})"
        section = {"source": "table", "file": place(path), "task": "classification"}
        if counts.min() >= IDENTIFIERS:
            split["stratify"] = True
    return {**section, "table": of_table, "split": split}, words


def _is_position(name: str, table: Table) -> bool:
    """Whether columns have no names but their positions."""
    return table.names == tuple(map(str, range(len(table.names)))) and name.isdecimal()
