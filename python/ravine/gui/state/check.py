"""Whether a draft can be trained, and what it makes: checked by what the trainer itself is built with."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.commands.schedule import curves_of
from ravine.data import DataParts, DataSummary, load
from ravine.errors import InputError, RavineError
from ravine.experiment import Experiment, parse_experiment
from ravine.gui.state.fields import component_names
from ravine.model import layer_at_fault
from ravine.settings import Table
from ravine.training.batches import rows_of_batch
from ravine.training.optimizer import advice
from ravine.training.preparation import build, steps_per_epoch
from ravine.training.trainer import Trainer

MOST_PROBLEMS = 12
SCHEDULE_POINTS = 400
# What stands for parts of an experiment while others are looked at.
_NO_MODEL: Table = {
    "model": {"layers": [{"type": "dense", "units": 1}]},
    "optimizer": {"type": component_names("optimizer")[0]},
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with a draft: the key it stands under, what was expected, what to do."""

    key: str
    message: str
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


@dataclass(frozen=True)
class LayerRow:
    """A layer of the table of the Model tab; shapes are of one sample.

    Args:
        flops: of a training step.
        memory: bytes of its weights, their gradients, the optimizer's state of them, and its output for a
            batch.
        traffic: bytes that a training step reads and writes, as `ravine describe` counts them.
    """

    name: str
    type: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    flops: float
    memory: int = 0
    traffic: float = 0.0


@dataclass(frozen=True)
class Memory:
    """Bytes that a training needs.

    Args:
        parameters: weights and biases.
        gradients: of them.
        optimizer: its state.
        outputs: of layers for a batch, with their gradients; what does not live at once shares memory.
    """

    parameters: int = 0
    gradients: int = 0
    optimizer: int = 0
    outputs: int = 0

    @property
    def total(self) -> int:
        return self.parameters + self.gradients + self.optimizer + self.outputs


@dataclass(frozen=True, eq=False)
class ScheduleCurve:
    """What a hyperparameter does over the run: steps [n] and values [n]."""

    name: str
    kind: str
    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    note: str


@dataclass(frozen=True, eq=False)
class Check:
    """What is known of a draft.

    Args:
        problems: errors first; without errors it can be trained.
        experiment: fully resolved; None where it is not even understood.
        data: None where it cannot be loaded.
        layers: empty where the network cannot be built.
        parameters, flops, traffic: of the network; of a step; bytes that a step reads and writes.
        memory: at its peak.
        steps: of an epoch.
        schedules: of the hyperparameters; the learning rate is always there.
        device: on which the memory is.
    """

    problems: tuple[Problem, ...] = ()
    experiment: Experiment | None = None
    data: DataSummary | None = None
    layers: tuple[LayerRow, ...] = ()
    parameters: int = 0
    flops: float = 0.0
    traffic: float = 0.0
    memory: Memory = Memory()
    steps: int = 0
    schedules: tuple[ScheduleCurve, ...] = field(default=())
    device: str = "cpu"

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.level == "error"]


class Checker:
    """Checks drafts; the data of the last one is kept, so that edits are checked fast. For one thread."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self.parts: DataParts | None = None
        self.loaded = 0  # how often other data was loaded

    def check(self, table: Table, folder: Path) -> Check:
        """Checks a draft whose relative paths start at `folder`."""
        problems, experiment = understood(table, folder)
        if experiment is None:
            return Check(tuple(problems))
        try:
            parts = self._load(experiment)
        except RavineError as error:
            return Check((*problems, _problem(error, "data")), experiment)
        if problems:
            return Check(tuple(problems), experiment, parts.summary)
        try:
            trainer = build(experiment, parts)
        except RavineError as error:
            return Check((_problem(_placed(error, table), ""),), experiment, parts.summary)
        except MemoryError:
            problem = Problem("training.batch_size", "there is not enough memory for such a batch or network")
            return Check((problem,), experiment, parts.summary)
        return _described(experiment, parts, trainer)

    def close(self) -> None:
        """Lets go of the data, and of files that are mapped."""
        self.parts, self._key = None, ()

    def load_data(self, data: Table) -> DataParts:
        """Loads what a `[data]` section means whose paths depend on no folder.

        Raises:
            InputError: settings or data that cannot be used.
        """
        experiment = parse_experiment({"data": data, **_NO_MODEL}, Path())
        return self._load(experiment)

    def _load(self, experiment: Experiment) -> DataParts:
        settings, dtype = experiment.data, experiment.compute.array_dtype
        seed = experiment.seed if settings.augmentation else 0  # nothing else of the data depends on it
        stamps = []
        for name in settings.file_fields:
            path = Path(getattr(settings, name) or "/nowhere")
            stamps.append(path.stat().st_mtime_ns if path.exists() else 0)
        key = (msgspec.json.encode(settings), dtype, seed, *stamps)
        if self.parts is None or key != self._key:
            self.parts, self._key = None, ()
            # The classes are those of the data: units that do not fit are then the last layer's fault.
            threads = _core.available_processors()
            self.parts = load(settings, Path(), dtype=dtype, seed=seed, threads=threads)
            self._key = key
            self.loaded += 1
        return self.parts


def understood(table: Table, folder: Path) -> tuple[list[Problem], Experiment | None]:
    """The experiment, and what is wrong with it: the first fault of every part.

    A part that is at fault is left out, or replaced by something that works, to look at the others.
    """
    problems: list[Problem] = []
    table = copy.deepcopy(table)
    replacements: Table = {**_NO_MODEL, "data": {"source": "digits"}}
    for _ in range(MOST_PROBLEMS):
        try:
            return problems, parse_experiment(table, folder)
        except InputError as error:
            problem = _problem(error, "")
            problems.append(problem)
            part = problem.key.partition(".")[0]
            if part in replacements and table.get(part) != replacements[part]:
                table[part] = replacements[part]
            elif part in table:
                del table[part]
            else:
                break
    return problems, None


def _placed(error: RavineError, table: Table) -> RavineError:
    """An error of a layer with the key under which the layer is written, be it within a block."""
    start, key = "model.layers.", error.key or ""
    if not isinstance(error, InputError) or not error.layer or (key and not key.startswith(start)):
        return error
    setting = key.removeprefix(start).partition(".")[2] or None
    inner = InputError(error.message, file=error.file, key=setting, row=error.row, layer=error.layer)
    placed = layer_at_fault(inner, table["model"]["layers"])  # those of the experiment are flat by now
    if placed is inner:
        return error
    return InputError(placed.message, file=placed.file, key=f"model.{placed.key}", row=placed.row)


def _problem(error: RavineError, key: str) -> Problem:
    where = error.key or key
    rest = type(error)(
        error.message, file=error.file, row=error.row, layer=None if error.key else error.layer
    )
    return Problem(where, str(rest))


def _described(experiment: Experiment, parts: DataParts, trainer: Trainer) -> Check:
    network = trainer.network
    plan = network.describe()
    flops: dict[str, float] = {}
    traffic: dict[str, float] = {}
    for operation in plan["operations"]:
        layer = str(operation["layer"])
        flops[layer] = flops.get(layer, 0.0) + float(operation["flops"])
        traffic[layer] = traffic.get(layer, 0.0) + float(operation["bytes"])
    slots = sum(slot.nbytes for slot in trainer.optimizer.slots.values())
    memory = Memory(
        network.flat_parameters.nbytes, network.flat_gradients.nbytes, slots, int(plan["arena_bytes"])
    )
    size = network.flat_parameters.itemsize
    of_parameter = (memory.total - memory.outputs) / max(1, network.flat_parameters.size)
    rows = tuple(
        LayerRow(
            layer["name"], layer["type"], tuple(layer["input_shape"]), tuple(layer["output_shape"]),
            int(layer["parameters"]), flops.get(layer["name"], 0.0),
            round(layer["parameters"] * of_parameter)
            + math.prod(layer["output_shape"]) * network.batch_size * size,
            traffic.get(layer["name"], 0.0),
        )
        for layer in network.layers
    )  # fmt: skip
    samples, steps = len(parts.train), steps_per_epoch(experiment, parts)
    batch = rows_of_batch(experiment.training.batch_size, samples)
    warnings = [
        Problem("optimizer", message, "warning") for message in advice(trainer.optimizer, batch, samples)
    ]
    return Check(
        tuple(warnings), experiment, parts.summary, rows, int(plan["parameters"]), float(plan["flops"]),
        sum(float(operation["bytes"]) for operation in plan["operations"]), memory, steps,
        schedule_curves(experiment, steps), network.device,
    )  # fmt: skip


def schedule_curves(experiment: Experiment, steps: int) -> tuple[ScheduleCurve, ...]:
    """The hyperparameters that change, and the learning rate, over a run of so many steps an epoch."""
    curves = []
    for curve in curves_of(experiment, steps):
        places = np.unique(np.linspace(0, len(curve.steps) - 1, SCHEDULE_POINTS).astype(np.intp))
        note = "changes by what is measured; drawn is a run in which nothing happens" if curve.waits else ""
        curves.append(
            ScheduleCurve(
                curve.name, str(curve.schedule["type"]), curve.steps[places].astype(np.float64),
                curve.values[places], note,
            )
        )  # fmt: skip
    return tuple(curves)
