"""`ravine evaluate`: measures a trained network on a part of its data, or on other data."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING

from ravine.commands.inputs import found, holds, is_archive, is_array, read_array
from ravine.commands.output import metrics_text, notice, print_json
from ravine.commands.pictures import are_pictures, read_labelled
from ravine.commands.run_argument import add_checkpoint, add_device, add_run, find_run
from ravine.errors import InputError, RunError

if TYPE_CHECKING:
    from ravine.data import Dataset
    from ravine.training.loaded import LoadedRun

HELP = "measure a trained network on its test samples, or on other data"
EXAMPLE = "ravine evaluate digits --split validation"
SPLITS = ("train", "validation", "test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--split", choices=SPLITS, help="part of the experiment's data (default: test, or else validation)"
    )
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="other data: NPZ, inputs as NPY or IDX (.gz), class folders of pictures (folder, tar, zip), "
        "or a table",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="the targets, where --data holds inputs only; a CSV file for pictures",
    )
    add_checkpoint(parser)
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    if arguments.split and arguments.data:
        raise InputError("--split and --data exclude each other: give one of them")
    if arguments.labels and not arguments.data:
        raise InputError("--labels needs --data: give the file of the inputs too")
    folder = find_run(arguments.RUN)
    from ravine.training.loaded import load_run

    loaded = load_run(folder.path, arguments.checkpoint, device=arguments.device)
    if loaded.warning:
        notice(f"ravine: warning: {loaded.warning}")
    if arguments.data:
        what = arguments.data
        if loaded.encoder is not None:
            if arguments.labels:
                raise InputError("belong to arrays; a table holds its target as a column", key="--labels")
            samples, metrics = loaded.evaluate_table(found(arguments.data))
        else:
            samples, metrics = on_files(loaded, arguments.data, arguments.labels)
    else:
        what, part = own_part(loaded, arguments.split)
        samples, metrics = len(part), loaded.evaluate_prepared(part)
    if arguments.json:
        answer = {"path": folder.path, "step": loaded.step, "data": what, "samples": samples}
        print_json({**answer, "metrics": metrics})
    else:
        print(f"{what} {metrics_text(metrics)} ({samples:,} samples, weights of step {loaded.step:,})")
    return 0


def own_part(loaded: LoadedRun, split: str | None) -> tuple[str, Dataset]:
    """A part of the data that the run was trained with: its name and its samples, preprocessed."""
    from ravine.data.load import Fitted
    from ravine.runs import RunReader
    from ravine.training.preparation import load_parts

    data = loaded.experiment.data
    if data.source == "arrays" or (data.source == "table" and not data.file):
        raise InputError("was trained on data given in Python; give a file with --data", file=loaded.path)
    parts = load_parts(
        loaded.experiment, fitted=Fitted(loaded.transform, loaded.encoder, loaded.target_transform)
    )
    # Without its record a run can be evaluated all the same.
    with suppress(RunError), RunReader(loaded.path, snapshot=True) as reader:
        recorded = reader.state().meta.get("data")
        if isinstance(recorded, dict) and recorded.get("content_hash") != parts.summary.content_hash:
            notice("ravine: warning: the data has changed since the run was trained")
    if loaded.class_names and parts.summary.class_names != loaded.class_names:
        now, then = ", ".join(parts.summary.class_names), ", ".join(loaded.class_names)
        raise InputError(f"its data has the classes {now}, but it was trained on {then}", file=loaded.path)
    there = {name: part for name in SPLITS if (part := getattr(parts, name)) is not None}
    chosen = split or next(name for name in ("test", "validation", "train") if name in there)
    if chosen not in there:
        known = " or ".join(there)
        raise InputError(
            f"its data has no {chosen} samples; use --split {known}, or --data", file=loaded.path
        )
    return chosen, there[chosen]


def on_files(loaded: LoadedRun, file: str, labels: str | None) -> tuple[int, dict[str, float]]:
    """The number of samples in files, and the metrics on them, weighted where the run's samples were."""
    from ravine.data.sources.npz import DEFAULT_INPUTS, DEFAULT_TARGETS

    if are_pictures(file):
        pixels, classes = read_labelled(loaded, file, labels)
        return len(pixels), loaded.evaluate(pixels, classes)
    if not is_archive(file) and not is_array(file):
        takes = "an NPZ file, or an NPY or IDX file with --labels"
        if loaded.experiment.data.source == "images":
            takes = f"pictures in class folders (folder, tar, zip), {takes}"
        raise InputError(
            f"is no file of arrays, and the run was not trained on a table; give {takes}",
            file=file,
            key="--data",
        )
    if labels is None and not is_archive(file):
        raise InputError("holds inputs only; give their targets with --labels", file=file, key="--data")
    settings = loaded.experiment.data
    inputs = read_array(file, (settings.inputs, *DEFAULT_INPUTS), "`data.inputs` in the experiment")
    target_names = (settings.targets, *DEFAULT_TARGETS)
    targets = read_array(labels or file, target_names, "`data.targets` in the experiment")
    weights = None
    if settings.weights and holds(file, settings.weights):
        weights = read_array(file, (settings.weights,), "`data.weights` in the experiment")
    try:
        return len(inputs), loaded.evaluate(inputs, targets, weights)
    except InputError as error:
        at_fault = labels if labels and error.message.startswith(("label", "class label", "target")) else file
        raise InputError(error.message, file=at_fault, key="--data", row=error.row) from error
