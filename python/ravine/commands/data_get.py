"""`ravine data get`: downloads a data set from its publisher."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path

from ravine.commands.output import notice, table
from ravine.errors import InputError

HELP = "download a data set, checked by its SHA-256"
EXAMPLE = "ravine data get mnist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("NAME", nargs="?", help="of the data set (default: list all)")
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        help="folder of the files (default: NAME in $RAVINE_DATA, or in ~/.local/share/ravine/data)",
    )
    parser.add_argument(
        "--by-hand", action="store_true", help="only say how to place the files without a network here"
    )


def run(arguments: argparse.Namespace) -> int:
    from ravine.data.download import by_hand, default_folder, download
    from ravine.data.files import expanded, unexpanded
    from ravine.data.published import DATASETS, NOT_OFFERED

    name = arguments.NAME
    if name is None:
        rows = [
            [known.name, f"{sum(file.size for file in known.files) / 1e6:,.1f} MB", known.title]
            for known in DATASETS.values()
        ]
        print(table(["name", "size", "what it is"], rows, right=(1,)))
        return 0
    if name in NOT_OFFERED:
        raise InputError(f"'{name}' is not offered: {NOT_OFFERED[name]}")
    if name not in DATASETS:
        close = difflib.get_close_matches(name, DATASETS, 1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(DATASETS)}"
        raise InputError(f"unknown data set '{name}'; {hint}")
    dataset = DATASETS[name]
    folder = Path(expanded(arguments.to)) if arguments.to else default_folder() / name
    folder = folder.absolute()
    if arguments.by_hand:
        print(by_hand(dataset, folder))
        return 0
    try:
        paths = download(dataset, folder)
    except InputError:
        notice(by_hand(dataset, folder))
        raise
    for path in paths:
        notice(f"{path}: as published")
    notice(f"licence: {dataset.licence}")
    print(dataset.section.replace("{folder}", unexpanded(str(folder))), end="")
    return 0
