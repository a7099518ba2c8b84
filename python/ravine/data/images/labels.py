"""Classes of pictures from a CSV file, where their folders do not say."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from ravine.data.files import open_regular
from ravine.data.images.arrangement import (
    Arrangement,
    Picture,
    check_class_count,
    is_left_by_programs,
    is_picture,
    natural,
)
from ravine.data.source import TRAIN
from ravine.errors import InputError

COLUMNS = 2


def read_labels(path: Path) -> list[tuple[int, str, str]]:
    """The rows of a CSV file of two columns, the name of a picture and its class: line, name, class.

    Raises:
        InputError: not UTF-8, a row without two values, or no rows.
    """
    file, _ = open_regular(path)
    with file:
        try:
            text = file.read().decode("utf-8-sig")
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
        except UnicodeDecodeError as error:
            raise InputError(f"is not text in UTF-8 (byte {error.start:,})", file=path) from error
    reader = csv.reader(io.StringIO(text, newline=""))
    rows = []
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != COLUMNS or not all(value.strip() for value in row):
                raise InputError(
                    f"line {reader.line_num} has {len(row)} values, expected two: name of a picture, class",
                    file=path,
                )
            rows.append((reader.line_num, row[0].strip(), row[1].strip()))
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} cannot be read: {error}", file=path) from error
    if not rows:
        raise InputError("is empty, expected the name of a picture and its class in each line", file=path)
    return rows


def arrange_by_labels(files: Iterable[str], rows: list[tuple[int, str, str]], path: Path) -> Arrangement:
    """Classes from a file of labels, wherever the pictures lie.

    A name may leave out the suffix, and the folders where no two pictures share it. The first row is a
    header if there is no picture of that name.

    Args:
        files: their names with folders, separated by "/".
        rows: of `read_labels`.
        path: of the file of labels, for messages.

    Raises:
        InputError: a row without a picture, a picture without a row or with two, fewer than two classes.

    Example:
        >>> rows = [(1, "id", "breed"), (2, "rex", "poodle"), (3, "bello.png", "beagle")]
        >>> arrange_by_labels(["rex.jpg", "bello.png"], rows, Path("labels.csv")).class_names
        ('beagle', 'poodle')
    """
    names = [name for name in files if not is_left_by_programs(name)]
    pictures = [name for name in names if is_picture(name)]
    known = _by_any_name(pictures)
    if rows and rows[0][1] not in known:
        rows = rows[1:]
    classes: dict[str, str] = {}
    for line, name, label in rows:
        found = known.get(name)
        if found is None:
            raise InputError(f"line {line} names a picture {name!r}, which is not there", file=path)
        if found in classes:
            raise InputError(f"line {line} names the picture {name!r} a second time", file=path)
        classes[found] = label
    missing = [name for name in pictures if name not in classes]
    if missing:
        raise InputError(
            f"has no label for {len(missing):,} of the pictures, such as {missing[0]}; add lines or remove "
            "pictures",
            file=path,
        )
    class_names = tuple(sorted(set(classes.values()), key=natural))
    check_class_count(class_names, "class")
    places = {label: place for place, label in enumerate(class_names)}
    ordered = sorted(classes, key=lambda name: (places[classes[name]], natural(name)))
    ignored = tuple(sorted((name for name in names if not is_picture(name)), key=natural))
    return Arrangement(
        tuple(Picture(name, TRAIN, places[classes[name]]) for name in ordered), class_names, ignored
    )


def _by_any_name(pictures: list[str]) -> Mapping[str, str]:
    """The picture of each name that means one alone."""
    spellings = {
        name: {
            name,
            str(PurePosixPath(name).with_suffix("")),
            PurePosixPath(name).name,
            PurePosixPath(name).stem,
        }
        for name in pictures
    }
    counts = Counter(spelling for one in spellings.values() for spelling in one)
    known = {spelling: name for name, one in spellings.items() for spelling in one if counts[spelling] == 1}
    return {**known, **{name: name for name in pictures}}
