"""What is in a file of data, and how an experiment would use it."""

from __future__ import annotations

from pathlib import Path

from ravine.data.inspection.arrays import inspect_idx, inspect_npy, inspect_npz, is_idx, is_npz
from ravine.data.inspection.pictures import holds_pictures, inspect_pictures
from ravine.data.inspection.report import Report
from ravine.data.inspection.tables import inspect_table
from ravine.data.signatures import kind_of
from ravine.data.tables.settings import TableSettings
from ravine.errors import InputError

__all__ = ["Report", "inspect"]

# Texts that would be read as ragged tables, and what to do with them.
NO_TABLES = {
    ".toml": "is TOML, not data; if it is an experiment, see it with: ravine describe {path}",
    ".json": "is JSON, not a table; store its rows as CSV or Parquet",
    ".jsonl": "is JSON, not a table; store its rows as CSV or Parquet",
    ".yaml": "is YAML, not data; give a table, arrays or pictures",
    ".yml": "is YAML, not data; give a table, arrays or pictures",
}


def inspect(path: Path, settings: TableSettings) -> Report:
    """Look into a folder of pictures, or a file as its first bytes say: arrays, pictures, or else a table.

    Args:
        path: of the file or folder.
        settings: how it is read if it is a table, and its target if that is known.

    Raises:
        InputError: the file cannot be read, or is none of these.

    Example:
        >>> from ravine.data.digits import FILE
        >>> inspect(FILE, TableSettings()).title
        'digits.npz: NPZ, 2 arrays'
    """
    if path.is_dir():
        return inspect_pictures(path)
    kind = kind_of(path)
    if kind in ("png", "jpeg"):
        raise InputError("is one picture; give the folder, tar or zip that holds all of them", file=path)
    if kind == "npy":
        return inspect_npy(path)
    if kind == "zip" and is_npz(path):
        return inspect_npz(path)
    if is_idx(path):
        return inspect_idx(path)
    if holds_pictures(path):
        return inspect_pictures(path)
    if (words := NO_TABLES.get(path.suffix.lower())) is not None:
        raise InputError(words.format(path=path), file=path)
    return inspect_table(path, settings)
