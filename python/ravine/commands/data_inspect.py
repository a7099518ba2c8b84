"""`ravine data inspect`: what is in a file of data, and a `[data]` section to start with."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ravine.commands.inputs import found_or_folder
from ravine.commands.output import print_json, table
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.data.tables.settings import TableSettings

HELP = "tell what is in a file: columns or arrays, types, ranges, classes, and a [data] section"
EXAMPLE = "ravine data inspect prices.csv --target price"
NARROWEST, WIDEST = 60, 160
LONGEST_NAME = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "FILE",
        help="a table (CSV, TSV, Parquet, packed or not), NPY, NPZ or IDX file, or a "
        "folder, tar or zip with a folder of pictures a class",
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict, by its name or position")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help='how a table is read, as in [data.table]: header=false, comment="|"',
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from ravine.data.inspection import inspect

    report = inspect(found_or_folder(arguments.FILE), settings(arguments.set, arguments.target))
    if arguments.json:
        print_json({**report.facts, "notes": report.notes, "suggestion": report.suggestion})
        return 0
    print(report.title)
    if report.rows:
        print(f"\n{fitted(report.header, report.rows, report.right)}")
    for note in report.notes:
        print(f"\n{note}" if note is report.notes[0] else note)
    if report.suggestion:
        print(f"\nto start with:\n\n{report.suggestion}")
    return 0


def settings(overrides: Sequence[str], target: str | None) -> TableSettings:
    """How a table is read, from `--set` and `--target`."""
    import msgspec

    from ravine.checks import check_keys, explained
    from ravine.data.settings import DataSettings
    from ravine.experiment import apply_override

    section: dict[str, Any] = {"source": "table"}
    for override in overrides:
        apply_override(section, f"table.{override}")
    if target is not None:
        is_position = target.removeprefix("-").isdecimal()
        section.setdefault("table", {})["target"] = int(target) if is_position else target
    try:
        check_keys(DataSettings, section, "data")
        read = msgspec.convert(section, DataSettings)
    except msgspec.ValidationError as error:
        shifted = msgspec.ValidationError(str(error).replace("`$", "`$.data"))
        raise explained(shifted, {"data": section}) from None
    except InputError as error:
        raise InputError(
            error.message, key=(error.key or "").removeprefix("data.table.") or "--set"
        ) from None
    return read.table


def fitted(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    """A table no wider than the terminal: the last column is cut."""
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    short = [[shortened(cell, LONGEST_NAME) for cell in row[:-1]] for row in rows]
    before = sum(
        2 + max(len(row[place]) for row in [list(header), *short]) for place in range(len(header) - 1)
    )
    cut = [[*row, shortened(whole[-1], width - before)] for row, whole in zip(short, rows, strict=True)]
    return table(header, cut, right)


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= most else f"{text[: max(0, most - 3)]}..."
