"""Arrays from the files given to `predict` and `evaluate`: NPY, NPZ or IDX, as their first bytes say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.data import Array


def found(written: str) -> Path:
    """The file that a path on the command line means.

    Raises:
        InputError: it is not there.
    """
    from ravine.data.files import expanded, locate

    return locate(expanded(written), Path())


def found_or_folder(written: str) -> Path:
    """The file or folder that a path on the command line means.

    Raises:
        InputError: it is not there.
    """
    from ravine.data.files import expanded, folder_or_file

    return folder_or_file(expanded(written), Path())


def read_array(written: str, names: tuple[str, ...], option: str) -> Array:
    """The array in a file.

    Args:
        written: the path.
        names: of an NPZ file, the first of these that is in it; if none is, the only array that it holds.
        option: the option that names an array of an NPZ file, for the message.

    Raises:
        InputError: missing, damaged, of an unknown format, or an NPZ file in which none can be chosen.
    """
    from ravine.data import npz_names, read_idx, read_npy, read_npz
    from ravine.data.signatures import kind_of

    path = found(written)
    kind = kind_of(path)
    if kind == "npy":
        return read_npy(path)
    if kind == "zip":
        held = npz_names(path)
        chosen = next((name for name in names if name in held), held[0] if len(held) == 1 else "")
        if not chosen:
            raise InputError(f"holds {', '.join(held)}; choose one with {option}", file=path)
        return read_npz(path, [chosen])[chosen]
    if kind in ("gzip", "idx"):
        return read_idx(path)
    raise InputError("is not a file of arrays; give an NPY, NPZ or IDX file", file=path)


def is_archive(written: str) -> bool:
    """Whether a file is an NPZ archive, which may hold inputs and targets."""
    from ravine.data.signatures import kind_of

    return kind_of(found(written)) == "zip"


def is_array(written: str) -> bool:
    """Whether a file is one array, NPY or IDX."""
    from ravine.data.inspection.arrays import is_idx
    from ravine.data.signatures import kind_of

    path = found(written)
    return kind_of(path) == "npy" or is_idx(path)


def holds(written: str, name: str) -> bool:
    """Whether a file is an NPZ archive with an array of that name."""
    from ravine.data import npz_names

    return is_archive(written) and name in npz_names(found(written))
