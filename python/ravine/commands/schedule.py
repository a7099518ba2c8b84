"""`ravine schedule`: the values that the hyperparameters of an experiment take over its run."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.commands.output import print_json, table
from ravine.commands.train import add_set, errors_naming
from ravine.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ravine.experiment import Experiment

HELP = "draw the schedules of an experiment over its run"
EXAMPLE = "ravine schedule digits --set schedules.learning_rate=cosine --plot schedule.svg"
BLOCKS = " ▁▂▃▄▅▆▇█"
COLUMNS, ROWS = 64, 4  # of a curve in the terminal
MOST_STEPS = 2_000_000  # of a run whose every step is looked at
MOST_POINTS = 2000  # of a curve in a file


@dataclass(frozen=True)
class Curve:
    """What one hyperparameter does.

    Args:
        name: of the hyperparameter.
        schedule: with its settings.
        steps: counted from 0.
        values: at these steps.
        robbins_monro: verdict and reason; empty where it is no learning rate.
        waits: the values change by what is measured; drawn is what happens if nothing does.
    """

    name: str
    schedule: dict[str, Any]
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    robbins_monro: tuple[str, str]
    waits: bool

    @property
    def extremes(self) -> dict[str, float]:
        peak, lowest = int(self.values.argmax()), int(self.values.argmin())
        return {
            "start": float(self.values[0]),
            "peak": float(self.values[peak]),
            "peak_step": int(self.steps[peak]),
            "lowest": float(self.values[lowest]),
            "lowest_step": int(self.steps[lowest]),
            "end": float(self.values[-1]),
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "EXPERIMENT", metavar="FILE|NAME", help="an experiment file, or the name of an embedded one (digits)"
    )
    add_set(parser)
    parser.add_argument(
        "--steps-per-epoch", type=int, metavar="N", help="do not load the data to count the batches"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the curves into an SVG file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from ravine.experiment import load_experiment

    if arguments.steps_per_epoch is not None and arguments.steps_per_epoch < 1:
        raise InputError("must be at least 1", key="--steps-per-epoch")
    if arguments.plot is not None and arguments.plot.suffix != ".svg":
        raise InputError(f"{arguments.plot} is not the name of an SVG file; end it with .svg", key="--plot")
    experiment = load_experiment(arguments.EXPERIMENT, arguments.overrides)
    with errors_naming(arguments.EXPERIMENT, arguments.overrides):
        per_epoch = arguments.steps_per_epoch or batches_per_epoch(experiment)
        curves = curves_of(experiment, per_epoch)
    epochs = experiment.training.epochs
    if arguments.plot is not None:
        try:
            arguments.plot.write_text(svg(curves, epochs, per_epoch), encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", file=arguments.plot) from None
    if arguments.json:
        print_json(
            {
                "name": experiment.name,
                "epochs": epochs,
                "steps_per_epoch": per_epoch,
                "steps": epochs * per_epoch,
                "hyperparameters": [described(curve) for curve in curves],
            }
        )
    else:
        print(f"{experiment.name}: {epochs} epochs of {per_epoch:,} steps\n")
        print(summary(curves))
        for curve in curves:
            print(f"\n{curve.name}, from {curve.values.min():.6g} to {curve.values.max():.6g}")
            print("\n".join(f"  {line}".rstrip() for line in picture(curve.values)))
        for curve in curves:
            if curve.waits:
                print(f"\n{curve.name} changes by what is measured; drawn is a run in which nothing happens")
            if curve.robbins_monro[0]:
                verdict, reason = curve.robbins_monro
                print(f"\nRobbins and Monro's conditions for {curve.name}: {verdict}; {reason}")
        if arguments.plot is not None:
            print(f"\nplot: {arguments.plot}")
    return 0


def batches_per_epoch(experiment: Experiment) -> int:
    """Counts the batches of the experiment's data."""
    from ravine.training.preparation import build, load_parts, steps_per_epoch

    parts = load_parts(experiment)
    build(experiment, parts)  # refuses what training would refuse
    return steps_per_epoch(experiment, parts)


def curves_of(experiment: Experiment, steps_per_epoch: int) -> list[Curve]:
    """The curve of each scheduled hyperparameter; the learning rate is there in any case."""
    import numpy as np

    from ravine import _core
    from ravine.hyperparameters import check_limits

    optimizer, regularization = experiment.optimizer, experiment.regularization
    assert isinstance(optimizer, dict)
    schedules = dict(experiment.schedules)
    if "learning_rate" in optimizer:
        schedules = {"learning_rate": _core.resolve("schedule", "constant"), **schedules}
    steps = experiment.training.epochs * steps_per_epoch
    every = 1 + (steps - 1) // MOST_STEPS
    curves = []
    for name, schedule in schedules.items():
        assert isinstance(schedule, dict)
        base = optimizer[name] if name in optimizer else getattr(regularization, name)
        try:
            values = _core.schedule_values(schedule, base, steps, steps_per_epoch, every=every)
            check_limits(name, optimizer, float(values.min()), float(values.max()))
        except InputError as error:
            own = "" if error.key == name else f".{error.key}"
            raise InputError(error.message, key=f"schedules.{name}{own}") from None
        answer = _core.robbins_monro(schedule, base) if name == "learning_rate" else ("", "")
        positions = np.arange(0, steps, every)
        curves.append(Curve(name, schedule, positions, values, answer, _core.schedule_waits(schedule)))
    return curves


def summary(curves: list[Curve]) -> str:
    """A table with a line for each hyperparameter."""
    rows = []
    for curve in curves:
        found = curve.extremes
        rows.append(
            [
                curve.name,
                curve.schedule["type"],
                f"{found['start']:.6g}",
                f"{found['peak']:.6g}",
                f"{found['peak_step']:,}",
                f"{found['end']:.6g}",
                curve.robbins_monro[0] or "-",
            ]
        )
    header = ["hyperparameter", "schedule", "start", "peak", "at step", "end", "Robbins-Monro"]
    return table(header, rows, right=(2, 3, 4, 5))


def described(curve: Curve) -> dict[str, Any]:
    """A curve as plain values, for JSON."""
    import numpy as np

    points = np.linspace(0, len(curve.steps) - 1, min(len(curve.steps), 200)).astype(int)
    verdict, reason = curve.robbins_monro
    return {
        "name": curve.name,
        "schedule": curve.schedule,
        **curve.extremes,
        "robbins_monro": verdict or None,
        "reason": reason or None,
        "waits": curve.waits,
        "steps": curve.steps[points].tolist(),
        "values": curve.values[points].tolist(),
    }


def picture(values: NDArray[np.float64], columns: int = COLUMNS, rows: int = ROWS) -> list[str]:
    """A curve in block characters, each column the mean of its share of the values.

    Example:
        >>> import numpy as np
        >>> picture(np.arange(9.0), columns=9, rows=1)
        [' ▁▂▃▄▅▆▇█']
    """
    import numpy as np

    columns = min(columns, len(values))
    begins = np.arange(columns) * len(values) // columns
    heights = np.add.reduceat(values, begins) / np.diff([*begins, len(values)])
    low, high = float(heights.min()), float(heights.max())
    eighths = 8 * rows
    if high > low:
        levels = np.rint((heights - low) / (high - low) * eighths).astype(int)
    else:
        levels = np.full(columns, eighths // 2)
    return [
        "".join(BLOCKS[min(8, max(0, level - 8 * row))] for level in levels.tolist())
        for row in reversed(range(rows))
    ]


def svg(curves: list[Curve], epochs: int, steps_per_epoch: int) -> str:
    """A panel for each curve, one below the other, over the epochs."""
    import numpy as np

    width, height, left, top = 640, 160, 76, 28
    panel = height + top + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 24}" '
        f'height="{panel * len(curves) + 16}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for index, curve in enumerate(curves):
        y = index * panel + top
        low, high = float(curve.values.min()), float(curve.values.max())
        low, high = (
            (low, high) if high > low else (low - 0.5 * abs(low) - 1e-12, high + 0.5 * abs(high) + 1e-12)
        )
        chosen = np.linspace(0, len(curve.steps) - 1, min(len(curve.steps), MOST_POINTS)).astype(int)
        x = left + curve.steps[chosen] / (epochs * steps_per_epoch) * width
        heights = y + height - (curve.values[chosen] - low) / (high - low) * height
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), heights.tolist(), strict=True))
        parts += [
            f'<text x="{left}" y="{y - 8}" font-weight="bold">{curve.name}: {curve.schedule["type"]}</text>',
            f'<rect x="{left}" y="{y}" width="{width}" height="{height}" fill="none" stroke="#bbb"/>',
            f'<text x="{left - 6}" y="{y + 10}" text-anchor="end">{high:.4g}</text>',
            f'<text x="{left - 6}" y="{y + height}" text-anchor="end">{low:.4g}</text>',
            f'<text x="{left}" y="{y + height + 16}">0</text>',
            f'<text x="{left + width}" y="{y + height + 16}" text-anchor="end">{epochs} epochs</text>',
            f'<polyline points="{points}" fill="none" stroke="#1f6fb2" stroke-width="1.5"/>',
        ]
    return "\n".join([*parts, "</svg>", ""])
