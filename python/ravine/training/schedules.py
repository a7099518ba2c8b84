"""Schedules at work: the value of each hyperparameter at each step, and the state of those that wait."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.components import Component
from ravine.errors import CheckpointError, InputError
from ravine.hyperparameters import REGULARIZATION, check_hyperparameter, check_limits, resolved_schedule

Schedule = Callable[[int], float]
MOST_CHECKED = 100_000  # values of a long run that are looked at before it starts


class Driver(Protocol):
    """Changes a value by what an epoch measured; its fields are its state."""

    split: ClassVar[str]  # whose metrics it waits for

    def next_value(self, value: float, settings: Component, metrics: Mapping[str, float]) -> float:
        """The value from here on."""


@dataclass
class Plateau:
    """Lowers a value when a validation metric has stopped improving, exactly as PyTorch's ReduceLROnPlateau.

    Args:
        best: the best metric so far.
        waited: evaluations since then.
        resting: evaluations that are still not to be counted.

    Example:
        >>> plateau = Plateau()
        >>> settings = _core.resolve("schedule", {"type": "on_plateau", "patience": 1})
        >>> [round(plateau.next_value(0.5, settings, {"loss": loss}), 3) for loss in (2.0, 2.0, 2.0)]
        [0.5, 0.5, 0.05]
    """

    split: ClassVar[str] = "validation"
    best: float | None = None
    waited: int = 0
    resting: int = 0

    def next_value(self, value: float, settings: Component, metrics: Mapping[str, float]) -> float:
        metric, threshold = metrics[settings["metric"]], settings["threshold"]
        sign = 1.0 if settings["metric"] == "loss" else -1.0  # of a change for the worse
        if self.best is None:
            improved = True
        elif settings["threshold_mode"] == "relative":
            improved = sign * metric < sign * self.best * (1.0 - sign * threshold)
        else:
            improved = sign * metric < sign * self.best - threshold
        if improved:
            self.best = metric
            self.waited = 0
        else:
            self.waited += 1
        if self.resting > 0:
            self.resting -= 1
            self.waited = 0
        if self.waited <= settings["patience"]:
            return value
        self.resting, self.waited = settings["cooldown"], 0
        return float(min(value, max(value * settings["factor"], settings["minimum"])))


@dataclass
class BoldDriver:
    """Raises a value a little after an epoch that lowered the training loss, lowers it much after a rise.

    Args:
        loss: of the epoch before.

    Example:
        >>> driver, settings = BoldDriver(), _core.resolve("schedule", "bold_driver")
        >>> [driver.next_value(1.0, settings, {"loss": loss}) for loss in (3.0, 2.0, 2.5)]
        [1.0, 1.05, 0.5]
    """

    split: ClassVar[str] = "train"
    loss: float | None = None

    def next_value(self, value: float, settings: Component, metrics: Mapping[str, float]) -> float:
        before, self.loss = self.loss, metrics["loss"]
        if before is None or self.loss == before:
            return value
        if self.loss < before:
            return value * float(settings["increase"])
        return float(min(value, max(value * settings["decrease"], settings["minimum"])))


DRIVERS: dict[str, type[Plateau] | type[BoldDriver]] = {"on_plateau": Plateau, "bold_driver": BoldDriver}


@dataclass
class _Scheduled:
    """One hyperparameter: its schedule, or a function of the step, and the value that the schedule scales."""

    schedule: Component | Schedule
    base: float
    driver: Plateau | BoldDriver | None = None

    @property
    def settings(self) -> Component:
        return self.schedule if isinstance(self.schedule, dict) else {}


def _driver(schedule: Component | Schedule) -> Plateau | BoldDriver | None:
    kind = DRIVERS.get(schedule["type"]) if isinstance(schedule, dict) else None
    return kind() if kind else None


class Schedules:
    """The schedules of a training.

    The value that an optimizer has when this is made is the base value of its schedule. A live edit replaces
    the base value from the next step on; a schedule that waits for measurements starts anew from it.

    Args:
        given: for a hyperparameter, a schedule of the catalog, or a function of the step.
        optimizer: what they work on.

    Raises:
        InputError: no such hyperparameter or schedule; the key is schedules.NAME.

    Example:
        >>> optimizer = _core.Optimizer({"type": "adam", "learning_rate": 0.5})
        >>> schedules = Schedules({"learning_rate": {"type": "step_decay", "period": 1.0}}, optimizer)
        >>> schedules.start(steps=4, steps_per_epoch=2, splits=[])
        >>> schedules.values(0, 4)["learning_rate"].round(3).tolist()
        [0.5, 0.5, 0.05, 0.05]
    """

    def __init__(self, given: Mapping[str, Schedule | Component | str], optimizer: _core.Optimizer) -> None:
        self._optimizer = optimizer
        self._run = (1, 1)
        self._first_step = 0
        self._scheduled: dict[str, _Scheduled] = {}
        for name, schedule in given.items():
            with _named(name):
                if callable(schedule):
                    check_hyperparameter(name, optimizer.settings)
                    resolved: Schedule | Component = schedule
                else:
                    resolved = resolved_schedule(name, schedule, optimizer.settings)
            if isinstance(resolved, dict) and resolved["type"] == "bold_driver" and name != "learning_rate":
                raise InputError(
                    "a bold driver is for the learning rate; another number has no reason to grow while the "
                    "loss falls",
                    key=f"schedules.{name}",
                )
            self._scheduled[name] = _Scheduled(resolved, self._current(name), _driver(resolved))

    def __bool__(self) -> bool:
        return bool(self._scheduled)

    def check_splits(self, splits: Collection[str]) -> None:
        """Raises InputError where a schedule waits for metrics of a split that is not there."""
        for name, one in self._scheduled.items():
            if one.driver is not None and one.driver.split not in {"train", *splits}:
                raise InputError(
                    f"{one.settings['type']} waits for the {one.settings['metric']} of validation samples, "
                    "and there are none; set data.split.validation_fraction, or give validation data",
                    key=f"schedules.{name}",
                )

    def start(
        self, *, steps: int, steps_per_epoch: int, splits: Collection[str], first_step: int = 0
    ) -> None:
        """Takes the length of a run, and checks the values that it will need.

        Args:
            steps, steps_per_epoch: of the run.
            splits: names of what is evaluated.
            first_step: steps that the optimizer had done before the run.

        Raises:
            InputError: a value that its hyperparameter cannot have, or a schedule that waits in vain.
        """
        self.check_splits(splits)
        self._run, self._first_step = (steps, steps_per_epoch), first_step
        for name, one in self._scheduled.items():
            if one.settings:
                self._check(name, one.settings, one.base)

    def values(self, first: int, count: int) -> dict[str, NDArray[np.float64]]:
        """The values of each hyperparameter at some steps; `first` counts all steps of the optimizer."""
        found = {}
        for name, one in self._scheduled.items():
            if callable(one.schedule):
                found[name] = _evaluated(name, one.schedule, first, count)
            else:
                start = first - self._first_step
                found[name] = _core.schedule_values(one.schedule, one.base, *self._run, start, count)
        return found

    def observe(self, split: str, metrics: Mapping[str, float]) -> list[dict[str, Any]]:
        """Lets the schedules that wait for a split act; returns what they changed."""
        changes = []
        for name, one in self._scheduled.items():
            if one.driver is None or one.driver.split != split:
                continue
            before = one.base
            one.base = one.driver.next_value(before, one.settings, metrics)
            if one.base != before:
                schedule = one.settings["type"]
                changes.append({"name": name, "schedule": schedule, "before": before, "value": one.base})
        return changes

    def edit(self, name: str, value: float) -> str:
        """Replaces the base value of a scheduled hyperparameter; returns what was done, in words.

        Raises:
            InputError: a function gives the value, or the schedule would leave the limits.
        """
        one = self._scheduled.get(name)
        if one is None:
            return ""
        if callable(one.schedule):
            raise InputError("cannot be edited: a function of the step gives its value", key=name)
        self._check(name, one.schedule, value)
        one.base, one.driver = value, _driver(one.schedule)
        return f", as the base value of its schedule '{one.settings['type']}'"

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            name: {
                "type": one.settings["type"],
                "base": one.base,
                "driver": asdict(one.driver) if one.driver is not None else {},
            }
            for name, one in self._scheduled.items()
            if one.settings
        }

    def restore(self, stored: object, *, changed: Collection[str] = ()) -> None:
        """Takes over what `state` gave, but for the names in `changed`.

        Raises:
            CheckpointError: it cannot have come from `state`.
        """
        if not isinstance(stored, dict):
            raise CheckpointError("holds no state of the schedules")
        for name, one in self._scheduled.items():
            kept = stored.get(name)
            if kept is None or name in changed or not one.settings:
                continue
            if not isinstance(kept, dict) or not _is_number(kept.get("base")):
                raise CheckpointError(f"holds no state of the schedule of {name}")
            one.base = float(kept["base"])
            if one.driver is None or kept.get("type") != one.settings["type"]:
                continue
            driver = kept.get("driver")
            names = {field.name for field in fields(one.driver)}
            if not isinstance(driver, dict) or set(driver) != names:
                raise CheckpointError(f"holds no state of the schedule of {name}")
            if not all(value is None or _is_number(value) for value in driver.values()):
                raise CheckpointError(f"holds a state of the schedule of {name} that cannot be")
            one.driver = type(one.driver)(**driver)

    def _current(self, name: str) -> float:
        if name in REGULARIZATION:
            return float(self._optimizer.regularization[name])
        return float(self._optimizer.settings[name])

    def _check(self, name: str, schedule: Component, base: float) -> None:
        with _named(name):
            try:
                every = 1 + self._run[0] // MOST_CHECKED
                values = _core.schedule_values(schedule, base, *self._run, every=every)
            except InputError as error:
                raise InputError(error.message, key=f"{name}.{error.key}") from None
            check_limits(name, self._optimizer.settings, float(values.min()), float(values.max()))


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Gives errors the key schedules.NAME."""
    try:
        yield
    except InputError as error:
        raise InputError(error.message, key=f"schedules.{error.key or name}") from None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _evaluated(name: str, schedule: Schedule, first: int, count: int) -> NDArray[np.float64]:
    values = np.array([schedule(step) for step in range(first, first + count)], np.float64)
    if not np.isfinite(values).all():
        step = first + int(np.argmax(~np.isfinite(values)))
        raise InputError(f"the schedule gives {schedule(step)} at step {step}", key=name)
    return values
