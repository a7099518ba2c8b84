"""`ravine predict`: applies a trained network to new samples."""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ravine.commands.inputs import found, read_array
from ravine.commands.output import notice
from ravine.commands.pictures import are_pictures, read_unlabelled
from ravine.commands.run_argument import add_checkpoint, add_device, add_run, find_run
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.data import Array

HELP = "predict for the samples of a file or for pictures, as CSV or NPZ"
EXAMPLE = "ravine predict digits images.npy --output predictions.csv"
ROWS_AT_ONCE = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "INPUT",
        help="samples, not yet preprocessed: an NPY, NPZ or IDX (.gz) file, a picture (PNG, JPEG), a "
        "folder, tar or zip of pictures, or a table",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="a .csv or .npz file (default: CSV to standard output)"
    )
    parser.add_argument("--array", metavar="NAME", help="which array of an NPZ file holds the samples")
    add_checkpoint(parser)
    add_device(parser)


def run(arguments: argparse.Namespace) -> int:
    suffix = Path(arguments.output).suffix.lower() if arguments.output else ".csv"
    if suffix not in (".csv", ".npz"):
        raise InputError("must end in .csv or .npz", file=arguments.output, key="--output")
    folder = find_run(arguments.RUN)
    from ravine.data.sources.npz import DEFAULT_INPUTS
    from ravine.training.loaded import load_run

    loaded = load_run(folder.path, arguments.checkpoint, device=arguments.device)
    if loaded.warning:
        notice(f"ravine: warning: {loaded.warning}")
    names = (arguments.array,) if arguments.array else (loaded.experiment.data.inputs, *DEFAULT_INPUTS)
    files: list[str] | None = None
    try:
        if loaded.encoder is not None:
            outputs = loaded.predict(loaded.encoder.read(found(arguments.INPUT)))
        else:
            if are_pictures(arguments.INPUT):
                array, files = read_unlabelled(loaded, arguments.INPUT)
            else:
                array = read_array(arguments.INPUT, names, "--array")
            outputs = loaded.predict(checked_samples(array, loaded.transform.input_shape))
    except InputError as error:
        file = error.file or arguments.INPUT
        raise InputError(error.message, file=file, key=error.key, row=error.row) from error
    class_names = loaded.class_names if loaded.network.classifies else None
    write(outputs.reshape(len(outputs), -1), class_names, arguments.output, suffix, files)
    return 0


def checked_samples(array: Array, shape: Sequence[int]) -> Array:
    """Finite samples [rows, ...]; one sample alone becomes a row.

    Raises:
        InputError: a value that is not finite, with its row.
    """
    from ravine.data import as_inputs
    from ravine.data.dataset import check_inputs

    inputs = as_inputs(array.reshape(1, *shape) if array.size == math.prod(shape) else array)
    check_inputs(inputs, "inputs")
    return inputs


def write(
    outputs: Array,
    class_names: Sequence[str] | None,
    file: str | None,
    suffix: str,
    pictures: Sequence[str] | None = None,
) -> None:
    """Writes predictions to a file, whole or not at all, or as CSV to standard output.

    Args:
        outputs: [rows, outputs], probabilities where there are class names.
        class_names: empty: the numbers of the classes; None for regression.
        file: the file; None: standard output.
        suffix: .csv or .npz.
        pictures: the names of their files, where the samples were pictures.
    """
    if file is None:
        write_csv(outputs, class_names, sys.stdout, pictures)
        return
    if suffix == ".npz":
        import numpy as np

        memory = io.BytesIO()
        arrays = {"outputs": outputs} if class_names is None else {
            "classes": outputs.argmax(axis=1), "probabilities": outputs
        }  # fmt: skip
        if pictures is not None:
            arrays["files"] = np.array(pictures)
        np.savez(memory, **arrays)
        content = memory.getvalue()
    else:
        text = io.StringIO()
        write_csv(outputs, class_names, text, pictures)
        content = text.getvalue().encode()
    from ravine.runs import files

    try:
        files.write_whole(Path(file), content)
    except OSError as error:
        raise InputError(f"cannot be written: {files.cause(error)}", file=file, key="--output") from error
    notice(f"{len(outputs):,} predictions in {file}")


def write_csv(
    outputs: Array, class_names: Sequence[str] | None, stream: TextIO, pictures: Sequence[str] | None = None
) -> None:
    """Rows of: number of the sample from 0, predicted class, probability of each class; or the outputs.

    For pictures the name of the file follows the number.
    """
    writer = csv.writer(stream, lineterminator="\n")
    columns = range(outputs.shape[1])
    file_column = [] if pictures is None else ["file"]
    if class_names is None:
        writer.writerow(["row", *file_column, *[f"output_{column}" for column in columns]])
    else:
        names = list(class_names) or [str(column) for column in columns]
        writer.writerow(["row", *file_column, "class", *[f"probability_{name}" for name in names]])
    for begin in range(0, len(outputs), ROWS_AT_ONCE):
        block = outputs[begin : begin + ROWS_AT_ONCE]
        winners = block.argmax(axis=1).tolist()
        for row, (values, winner) in enumerate(zip(block.tolist(), winners, strict=True), begin):
            predicted = [] if class_names is None else [names[winner]]
            name = [] if pictures is None else [pictures[row]]
            writer.writerow([row, *name, *predicted, *[f"{value:.9g}" for value in values]])
