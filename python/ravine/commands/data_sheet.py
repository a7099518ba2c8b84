"""`ravine data sheet`: shows what the augmentation of an experiment makes of its pictures."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from ravine.commands.output import notice
from ravine.errors import InputError

HELP = "draw pictures of an experiment beside what its augmentation makes of them"
EXAMPLE = "ravine data sheet cifar_augmented --output sheet.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("EXPERIMENT", help="a TOML file, or the name of an experiment that is shipped")
    parser.add_argument(
        "--output", metavar="FILE", default="sheet.png", help="a .png file (default: sheet.png)"
    )
    parser.add_argument("--columns", metavar="N", type=int, default=8, help="how many pictures (default: 8)")
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides", help="override a setting"
    )


def run(arguments: argparse.Namespace) -> int:
    if Path(arguments.output).suffix.lower() != ".png":
        raise InputError("must end in .png", file=arguments.output, key="--output")
    if arguments.columns < 1:
        raise InputError(f"is {arguments.columns}, expected at least 1", key="--columns")
    from ravine.data.augmentation.sheet import contact_sheet
    from ravine.experiment import load_experiment, name_source
    from ravine.runs import files
    from ravine.training.preparation import load_parts

    experiment = load_experiment(arguments.EXPERIMENT, arguments.overrides)
    steps = experiment.data.augmentation
    if not steps:
        raise InputError(
            "has no steps to show; add [[data.augmentation]]",
            file=arguments.EXPERIMENT,
            key="data.augmentation",
        )
    try:
        train = load_parts(experiment).train
        sheet = contact_sheet(
            train.inputs, steps, experiment.seed, rows=train.rows, columns=arguments.columns
        )
    except InputError as error:
        name_source(error, arguments.EXPERIMENT, arguments.overrides)
        raise
    memory = io.BytesIO()
    sheet.save(memory, "PNG", optimize=True)
    try:
        files.write_whole(Path(arguments.output), memory.getvalue())
    except OSError as error:
        problem = f"cannot be written: {files.cause(error)}"
        raise InputError(problem, file=arguments.output, key="--output") from error
    notice(f"{len(steps)} steps in {arguments.output}")
    return 0
