"""What is in folders and archives of pictures."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ravine.data.images.arrangement import Arrangement, arrange, is_left_by_programs, is_picture
from ravine.data.images.containers import Container, open_container
from ravine.data.images.decode import FORMATS, bombs_are_errors, pillow
from ravine.data.inspection.report import Report, as_toml, place, share
from ravine.data.signatures import kind_of
from ravine.data.source import TEST, TRAIN, VALIDATION
from ravine.errors import InputError

PART_NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}
LOOKED_AT = 5000  # pictures whose sizes are read
MOST_SIZES = 3  # that a note names
LARGEST_SIDE = 224  # that is suggested: of the customary networks for photographs
EVEN_SHARE = 0.5  # below this share of the largest class a class is called small


def holds_pictures(path: Path) -> bool:
    """Whether a path is a folder, or a tar or zip with pictures in it.

    Raises:
        InputError: a folder that cannot be read.
    """
    if path.is_dir():
        return True
    if kind_of(path) not in ("zip", "gzip", "tar"):
        return False
    try:
        return any(is_picture(name) and not is_left_by_programs(name) for name in open_container(path).files)
    except InputError:  # whoever reads it in the end says what is wrong
        return False


def inspect_pictures(path: Path) -> Report:
    """A folder or archive: classes, parts, sizes of pictures, and what is none.

    Raises:
        InputError: see `arrange` and `open_container`.
    """
    container = open_container(path)
    try:
        arrangement = arrange(container.files, container.folders)
    except InputError as error:
        raise InputError(error.message, file=path) from error
    counts = Counter((picture.part, picture.label) for picture in arrangement.pictures)
    parts = [part for part in PART_NAMES if any(counted == part for counted, _ in counts)]
    names = [picture.name for picture in arrangement.pictures]
    sizes, colours, unreadable = _sizes(container, names)
    whole = len(names)
    rows = []
    for label, name in enumerate(arrangement.class_names):
        each = [counts[part, label] for part in parts]
        rows.append((name, *[f"{count:,}" for count in each], share(sum(each), whole)))
    return Report(
        f"{path.name}: {whole:,} pictures in {len(arrangement.class_names):,} classes",
        ("class", *[PART_NAMES[part] if len(parts) > 1 else "pictures" for part in parts], "share"),
        tuple(rows),
        tuple(range(1, len(parts) + 2)),
        tuple(_notes(arrangement, sizes, colours, unreadable)),
        as_toml(_section(path, arrangement, sizes, colours, parts)),
        {
            "kind": "pictures",
            "classes": {
                name: {PART_NAMES[part]: counts[part, label] for part in parts}
                for label, name in enumerate(arrangement.class_names)
            },
            "sizes": {f"{height} x {width}": count for (height, width), count in sizes.most_common()},
            "unreadable": unreadable,
            "ignored": list(arrangement.ignored),
        },
    )


def _sizes(
    container: Container, names: Sequence[str]
) -> tuple[Counter[tuple[int, int]], Counter[str], list[str]]:
    """How many pictures have which size and colours, by their headers, and which cannot be read."""
    sizes: Counter[tuple[int, int]] = Counter()
    colours: Counter[str] = Counter()
    unreadable = []
    step = -(-len(names) // LOOKED_AT)
    chosen = list(names[::step])
    with bombs_are_errors():
        for number, load in container.contents(chosen):
            try:
                with pillow().open(io.BytesIO(load()), formats=FORMATS) as image:
                    sizes[image.height, image.width] += 1
                    colours["grey" if image.mode in ("1", "L", "LA") else "rgb"] += 1
            except Exception:  # Pillow raises many kinds for damaged files
                unreadable.append(chosen[number])
    return sizes, colours, sorted(unreadable)


def _notes(
    arrangement: Arrangement, sizes: Counter[tuple[int, int]], colours: Counter[str], unreadable: list[str]
) -> list[str]:
    notes = []
    common = sizes.most_common(MOST_SIZES)
    listed = ", ".join(f"{count:,} of {height} x {width}" for (height, width), count in common)
    others = sum(sizes.values()) - sum(count for _, count in common)
    notes.append(f"sizes (height x width): {listed}" + (f", {others:,} of others" if others else ""))
    if len(colours) > 1:
        notes.append(f"{colours['rgb']:,} pictures have colours, {colours['grey']:,} are grey")
    if unreadable:
        notes.append(f"{len(unreadable):,} cannot be read, such as {unreadable[0]}; copy again or remove")
    if arrangement.ignored:
        notes.append(f"{len(arrangement.ignored):,} files are no pictures, such as {arrangement.ignored[0]}")
    counts = Counter(arrangement.class_names[picture.label] for picture in arrangement.pictures)
    (large, most), (small, fewest) = counts.most_common()[0], counts.most_common()[-1]
    if fewest < EVEN_SHARE * most:
        notes.append(f"classes differ in size: {most:,} of {large}, {fewest:,} of {small}; see class_weights")
    return notes


def _section(
    path: Path,
    arrangement: Arrangement,
    sizes: Counter[tuple[int, int]],
    colours: Counter[str],
    parts: Sequence[int],
) -> dict[str, Any]:
    """A `[data]` section that works."""
    section: dict[str, Any] = {"source": "images", "file": place(path), "preprocessing": "standardize"}
    images: dict[str, Any] = {}
    if sizes:
        height, width = sizes.most_common(1)[0][0]
        if len(sizes) > 1 or max(height, width) > LARGEST_SIDE:
            scale = min(1.0, LARGEST_SIDE / max(height, width))
            images["size"] = [max(1, round(height * scale)), max(1, round(width * scale))]
    if colours and not colours["rgb"]:
        images["colour"] = "grey"
    if images:
        section["images"] = images
    fewest = min(Counter(picture.label for picture in arrangement.pictures).values())
    drawn = [f"{PART_NAMES[part]}_fraction" for part in (VALIDATION, TEST) if part not in parts]
    if drawn:
        section["split"] = {**dict.fromkeys(drawn, 0.1), "seed": 1}
        if fewest >= 10:
            section["split"]["stratify"] = True
    return section
