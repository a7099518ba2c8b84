"""`ravine evaluate`: measures a trained network on a part of its data, or on other data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ravine.commands.inputs import is_archive, read_array
from ravine.commands.output import metrics_text, print_json
from ravine.commands.run_argument import add_checkpoint, add_run, find_run
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.data import Dataset
    from ravine.training.session import LoadedRun

HELP = "measure a trained network on its test samples, or on other data"
EXAMPLE = "ravine evaluate digits --split validation"
SPLITS = ("train", "validation", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--split", choices=SPLITS, help="part of the experiment's data (default: test, or else validation)"
    )
    parser.add_argument("--data", metavar="FILE", help="other data: NPZ, or inputs as NPY or IDX (.gz)")
    parser.add_argument("--labels", metavar="FILE", help="the targets, where --data holds inputs only")
    add_checkpoint(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    if arguments.split and arguments.data:
        raise InputError("--split and --data exclude each other: give one of them")
    if arguments.labels and not arguments.data:
        raise InputError("--labels needs --data: give the file of the inputs too")
    folder = find_run(arguments.RUN)
    from ravine.training.session import load_run

    loaded = load_run(folder.path, arguments.checkpoint)
    if arguments.data:
        part, what = given_data(arguments.data, arguments.labels, loaded)
    else:
        part, what = own_data(arguments.split, folder.path, loaded)
    metrics = loaded.network.evaluate(part.inputs, part.targets)
    if arguments.json:
        answer = {"path": folder.path, "step": loaded.step, "data": what, "samples": len(part)}
        print_json({**answer, "metrics": metrics})
    else:
        print(f"{what} {metrics_text(metrics)} ({len(part):,} samples, weights of step {loaded.step:,})")
    return 0


def own_data(split: str | None, path: Path, loaded: LoadedRun) -> tuple[Dataset, str]:
    """A part of the data that the run was trained with, preprocessed, and its name."""
    from ravine.data import load

    settings = loaded.experiment.data
    if settings.source == "arrays":
        raise InputError("was trained on arrays given in Python; give a file with --data", file=path)
    parts = load(settings, Path(), classes=outputs_of(loaded), dtype=loaded.network.dtype)
    there = {name: part for name in SPLITS if (part := getattr(parts, name)) is not None}
    chosen = split or next(name for name in ("test", "validation", "train") if name in there)
    if chosen not in there:
        raise InputError(
            f"its data has no {chosen} samples; use --split {' or '.join(there)}, or --data", file=path
        )
    return there[chosen], chosen


def given_data(file: str, labels: str | None, loaded: LoadedRun) -> tuple[Dataset, str]:
    """Data from files, preprocessed as the run's own was, and its name."""
    from ravine.data import Dataset, as_dataset
    from ravine.data.load import DEFAULT_INPUTS, DEFAULT_TARGETS

    network, settings = loaded.network, loaded.experiment.data
    if labels is None and not is_archive(file):
        raise InputError("holds inputs only; give their targets with --labels", file=file, key="--data")
    inputs = read_array(file, (settings.inputs, *DEFAULT_INPUTS), "`data.inputs` in the experiment")
    target_names = (settings.targets, *DEFAULT_TARGETS)
    targets = read_array(labels or file, target_names, "`data.targets` in the experiment")
    try:
        given = as_dataset(
            inputs,
            targets,
            task="classification" if network.classifies else "regression",
            classes=outputs_of(loaded),
            name="--data",
        )
        if given.input_shape != tuple(network.input_shape):
            raise InputError(
                f"has samples of shape {list(given.input_shape)}, the network was trained on "
                f"{list(network.input_shape)}"
            )
        prepared = loaded.transform.apply(given.inputs, dtype=network.dtype)
    except InputError as error:
        raise InputError(error.message, file=file, key=error.key, row=error.row) from error
    answers = given.targets if network.classifies else given.targets.astype(network.dtype)
    return Dataset(prepared, answers, given.classes), file


def outputs_of(loaded: LoadedRun) -> int:
    """How many classes the network tells apart; 0 for regression."""
    return int(loaded.network.output_shape[-1]) if loaded.network.classifies else 0
