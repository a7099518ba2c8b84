"""Files that were dropped on the window, and the experiment that trains on them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.data import DataSummary
from ravine.data.inspection import Report, inspect
from ravine.data.tables.settings import TableSettings
from ravine.errors import InputError
from ravine.gui.state.check import Checker
from ravine.gui.state.presets import PRESETS, with_preset
from ravine.settings import Table

SAMPLES_IN_ALL = 1_000_000  # that a first training sees: minutes, and not hours
FEWEST_EPOCHS = 10
# What the rest of an experiment says about its data, and is no longer so with another file.
OF_DATA = ("groups", "schedules")


@dataclass(frozen=True, eq=False)
class OpenedData:
    """A file of data, looked into.

    Args:
        path: of the file or folder.
        report: what is in it.
        target: the column that is predicted, for tables.
        columns: that could be the target, for tables.
        table: an experiment that trains on it.
    """

    path: Path
    report: Report
    target: str
    columns: tuple[str, ...]
    table: Table


def open_data(path: Path, table: Table, checker: Checker, target: str = "") -> OpenedData:
    """Looks into a file and makes an experiment for it: for the background worker.

    What the experiment says of network and training stays where it fits the data; else there is a network of
    two hidden layers, and the loss of the task.

    Args:
        path: a table, an NPZ, NPY or IDX file, a folder or archive of pictures.
        table: the experiment until now.
        checker: whose copy of the data is read.
        target: the column of a table that is to be predicted; empty: as its name or place suggests.

    Raises:
        InputError: a file that cannot be read, or of which it cannot be told what is to be learned.
    """
    path = _training_file(path.absolute())
    settings = TableSettings(target=int(target) if target.isdecimal() else target)
    report = inspect(path, settings)
    if not report.suggestion:
        reason = report.notes[0] if report.notes else "holds nothing that a network could be trained on"
        raise InputError(reason, file=path)
    data: Table = tomllib.loads(report.suggestion)["data"]
    facts = report.facts
    columns: tuple[str, ...] = ()
    if facts.get("kind") == "table":
        columns = tuple(name for name, found in facts["columns"].items() if found["type"] != "refused")
        if data.get("task") == "regression":
            data["target_preprocessing"] = "standardize"
    draft = {key: value for key, value in table.items() if key not in OF_DATA}
    draft |= {"name": run_name(path), "data": data}
    summary = checker.load_data(data).summary
    return OpenedData(path, report, str(facts.get("target") or ""), columns, fitted(draft, summary, checker))


def fitted(table: Table, summary: DataSummary, checker: Checker) -> Table:
    """The experiment with a loss, a network and epochs that suit the data."""
    table = dict(table)
    loss = "softmax_cross_entropy" if summary.task == "classification" else "squared_error"
    old = table.get("loss", "softmax_cross_entropy")
    kind = old.get("type") if isinstance(old, dict) else old
    if (summary.task == "classification") != (kind == "softmax_cross_entropy") or isinstance(old, dict):
        table["loss"] = loss
    training = dict(table.get("training", {}))
    epochs = training.get("epochs", 1)
    if isinstance(epochs, int):
        training["epochs"] = min(epochs, max(FEWEST_EPOCHS, SAMPLES_IN_ALL // max(1, summary.train)))
    table["training"] = training
    table = _with_outputs(table, summary.outputs)
    if not checker.check(table, Path()).errors:
        return table
    return with_preset(table, PRESETS[0], summary.input_shape, summary.outputs)


def _with_outputs(table: Table, outputs: int) -> Table:
    """The experiment whose last layer gives so many values, where that is a dense layer."""
    model = table.get("model", {})
    layers = model.get("layers")
    if not isinstance(layers, list) or not layers or not isinstance(layers[-1], dict):
        return table
    if layers[-1].get("type") != "dense":
        return table
    return {**table, "model": {**model, "layers": [*layers[:-1], {**layers[-1], "units": outputs}]}}


def _training_file(path: Path) -> Path:
    """The file of training samples beside one of test samples, as MNIST and its descendants name them."""
    training = path.with_name(path.name.replace("t10k", "train", 1))
    return training if training.is_file() else path


def run_name(path: Path) -> str:
    """What runs on a file are called: "my data.csv.gz" gives "my-data"."""
    words: list[Any] = re.findall(r"[A-Za-z0-9_-]+", path.name.partition(".")[0])
    return "-".join(words) or "data"


def with_augmentation(table: Table, steps: list[Table]) -> Table:
    """The experiment with steps of augmentation."""
    return {**table, "data": {**table.get("data", {}), "augmentation": steps}}
