"""From the names of files and folders to classes: pictures in one folder a class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ravine.data.source import TEST, TRAIN, VALIDATION
from ravine.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg")
OTHER_PICTURES = (
    *(".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif", ".avif", ".jp2", ".jfif", ".jpe"),
    *(".ppm", ".pgm", ".svg", ".tga"),
)
PARTS = {"train": TRAIN, "training": TRAIN, "test": TEST, "testing": TEST} | dict.fromkeys(
    ("validation", "val", "valid", "dev"), VALIDATION
)
MAXIMUM_NAME = 4096  # characters, as of a path in Linux
_LEFT_BY_PROGRAMS = {"thumbs.db", "desktop.ini", "__macosx", "@eadir"}


@dataclass(frozen=True)
class Picture:
    """A picture among others.

    Args:
        name: of its file, with its folders, as the folder or archive has it.
        part: TRAIN, VALIDATION or TEST.
        label: number of its class.
    """

    name: str
    part: int
    label: int


@dataclass(frozen=True)
class Arrangement:
    """Pictures in the order of part, class and name, the names of the classes, and of what is no picture."""

    pictures: tuple[Picture, ...]
    class_names: tuple[str, ...]
    ignored: tuple[str, ...] = ()


def natural(name: str) -> tuple[list[str | int], str]:
    """A key to sort names by, numbers in them by their value.

    Example:
        >>> sorted(["10", "9", "img2", "img10"], key=natural)
        ['9', '10', 'img2', 'img10']
    """
    pieces = re.split(r"(\d+)", name[:MAXIMUM_NAME])
    return [int(piece) if place % 2 else piece for place, piece in enumerate(pieces)], name


def is_left_by_programs(name: str) -> bool:
    """Whether a file or folder is of the kind that systems leave behind, as .DS_Store or Thumbs.db."""
    return any(part.startswith(".") or part.lower() in _LEFT_BY_PROGRAMS for part in name.split("/"))


def is_picture(name: str) -> bool:
    """Whether a name ends as those of PNG and JPEG files do."""
    return name.lower().endswith(SUFFIXES)


def arrange(files: Iterable[str], folders: Collection[str]) -> Arrangement:
    """Classes from the folders that pictures lie in, at any depth below a class folder.

    Folders train, validation and test (also training, val, valid, dev, testing) above the class folders make
    parts. A folder that holds nothing but one such folder, as archives often do, is passed through.

    Args:
        files: their names with folders, separated by "/".
        folders: names of all folders, empty ones too.

    Raises:
        InputError: pictures outside of class folders or in other formats, fewer than two classes, a class
            without pictures, or a class that only validation or test have.

    Example:
        >>> arrange(["2/a.png", "10/b.png"], ["2", "10"]).class_names
        ('2', '10')
    """
    names = [name for name in files if not is_left_by_programs(name)]
    for name in (*names, *folders):
        if not _is_text(name):
            raise InputError(f"holds a name that is not text in UTF-8, {name!r}; rename it")
    _refuse_formats(names)
    pictures = [name for name in names if is_picture(name)]
    if not pictures:
        raise InputError("holds no PNG or JPEG pictures; give a folder with one folder of pictures a class")
    ignored = tuple(sorted((name for name in names if not is_picture(name)), key=natural))
    everything = {folder for folder in folders if not is_left_by_programs(folder)}
    for name in names:
        everything.update(_above(name))
    prefix = _outer(pictures, everything)
    inside = [folder.removeprefix(prefix) for folder in everything if folder.startswith(prefix)]
    top = {folder.split("/")[0] for folder in inside} - {""}
    divided = {folder.lower() for folder in top} <= PARTS.keys() and any(
        PARTS[folder.lower()] == TRAIN for folder in top
    )
    depth = 2 if divided else 1
    found, loose = [], []
    for name in pictures:
        inner = name.removeprefix(prefix).split("/")
        if len(inner) <= depth:
            loose.append(name)
        else:
            found.append((PARTS[inner[0].lower()] if divided else TRAIN, inner[depth - 1], name))
    if loose:
        where = "in no class folder" if found else "but there are no class folders"
        raise InputError(
            f"{_some(loose, 'picture', 'lies', 'lie')} {where}; put the pictures of each class into a folder "
            "that has its name"
        )
    shown = {
        (PARTS[inner[0].lower()] if divided else TRAIN, inner[depth - 1])
        for folder in inside
        if folder and len(inner := folder.split("/")) >= depth
    }
    class_names = _class_names(found, shown)
    labels = {name: label for label, name in enumerate(class_names)}
    ordered = sorted(found, key=lambda picture: (picture[0], labels[picture[1]], natural(picture[2])))
    return Arrangement(
        tuple(Picture(name, part, labels[folder]) for part, folder, name in ordered), class_names, ignored
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes of another encoding, as Python keeps them
        return False
    return True


def _above(name: str) -> Iterable[str]:
    """The folders that a name lies in."""
    place = name.rfind("/")
    while place > 0:
        yield name[:place]
        place = name.rfind("/", 0, place)


def _outer(pictures: list[str], folders: set[str]) -> str:
    """The folders, with a "/" behind, that hold nothing but one folder, down to where it branches."""
    prefix = ""
    while True:
        below = {folder.removeprefix(prefix).split("/")[0] for folder in folders if folder.startswith(prefix)}
        below.discard("")
        if len(below) != 1:
            return prefix
        inner = f"{prefix}{below.pop()}/"
        # Pictures right in it: a class folder. All deeper: a folder around the class folders.
        if any("/" not in name.removeprefix(inner) for name in pictures):
            return prefix
        prefix = inner


def _class_names(found: list[tuple[int, str, str]], shown: set[tuple[int, str]]) -> tuple[str, ...]:
    counts = Counter((part, folder) for part, folder, _ in found)
    names = sorted({folder for part, folder in shown if part == TRAIN}, key=natural)
    empty = [name for name in names if not counts[TRAIN, name]]
    if empty:
        raise InputError(
            f"the class folder {empty[0]!r} holds no PNG or JPEG picture"
            + (f", nor do {len(empty) - 1:,} more" if len(empty) > 1 else "")
            + "; put pictures into it or remove it"
        )
    if not names:
        raise InputError("holds no training pictures")
    check_class_count(names, "class folder")
    for part, what in ((VALIDATION, "validation"), (TEST, "test")):
        strange = sorted(
            {folder for its_part, folder in counts if its_part == part} - set(names), key=natural
        )
        if strange:
            raise InputError(
                f"the {what} pictures have a class {strange[0]!r} that the training pictures lack "
                f"(they have {_few(names)})"
            )
    return tuple(names)


def check_class_count(names: Sequence[str], what: str) -> None:
    """Raise InputError where there is one class alone."""
    if len(names) < 2:
        raise InputError(f"holds one {what} only, {names[0]!r}; a classification needs at least two")


def _refuse_formats(names: list[str]) -> None:
    others = [name for name in names if name.lower().endswith(OTHER_PICTURES)]
    if others:
        raise InputError(
            f"{_some(others, 'picture', 'is', 'are')} in a format that is not read; convert to PNG or JPEG, "
            "or remove what does not belong to the data"
        )


def _some(names: list[str], what: str, one: str, several: str) -> str:
    if len(names) == 1:
        return f"the {what} {names[0]} {one}"
    return f"{len(names):,} {what}s, such as {names[0]}, {several}"


def _few(names: list[str]) -> str:
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")
