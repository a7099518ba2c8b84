"""`ravine train`: trains an experiment and shows how it goes."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ravine import distributed
from ravine.commands.failure import INTERRUPTED
from ravine.commands.output import duration, metrics_text, print_json
from ravine.commands.progress import progress_listener
from ravine.commands.ranks import end_text
from ravine.commands.run_argument import PARENT
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.training.session import Outcome

HELP = "train an experiment"
EXAMPLE = "ravine train digits --set optimizer.learning_rate=0.05 --set training.epochs=30"
DEVICE = "cpu, cuda or cuda:N (ravine doctor lists them)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "EXPERIMENT", metavar="FILE|NAME", help="an experiment file, or the name of an embedded one (digits)"
    )
    add_set(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="seed of weights, batches and dropout")
    parser.add_argument("--threads", metavar="N", help="threads to compute with, or auto")
    parser.add_argument("--device", metavar="D", help=DEVICE)
    parser.add_argument("--name", metavar="RUN", help="name of the run folder (default: of the experiment)")
    parser.add_argument(
        "--runs", type=Path, default=PARENT, metavar="DIR", help="folder of runs (default: runs)"
    )
    add_output(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Adds --set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="another value for a key of the experiment; may be given many times",
    )


def device_override(device: str | None) -> list[str]:
    """What --device stands for."""
    return [] if device is None else [f"compute.device={json.dumps(device, ensure_ascii=False)}"]


def add_output(parser: argparse.ArgumentParser) -> None:
    """Adds --quiet and --json."""
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line of standard output"
    )


def run(arguments: argparse.Namespace) -> int:
    world = distributed.start()
    from ravine.experiment import load_experiment
    from ravine.training.session import train_experiment

    overrides = [*arguments.overrides]
    if arguments.seed is not None:
        overrides.append(f"seed={arguments.seed}")
    if arguments.threads is not None:
        overrides.append(f"compute.threads={arguments.threads}")
    overrides += device_override(arguments.device)
    if arguments.name is not None:
        overrides.append(f"name={json.dumps(arguments.name, ensure_ascii=False)}")
    with world.together():
        experiment = load_experiment(arguments.EXPERIMENT, overrides)
    stream = sys.stderr if arguments.json else sys.stdout
    with (
        errors_naming(arguments.EXPERIMENT, overrides),
        progress_listener(stream, quiet=arguments.quiet or not world.leads, live=world.size == 1) as listener,
    ):
        outcome = train_experiment(experiment, parent=arguments.runs, listener=listener)
    return conclude(outcome, as_json=arguments.json, silent=not world.leads)


@contextmanager
def errors_naming(source: str | Path, overrides: Sequence[str] = ()) -> Iterator[None]:
    """Gives the experiment to errors that name no other file: those of layers that do not fit the data."""
    try:
        yield
    except InputError as error:
        from ravine.experiment import name_source

        name_source(error, source, overrides)
        raise


def conclude(outcome: Outcome, *, as_json: bool, silent: bool = False) -> int:
    """Says what came out, where it is and what to type next; returns the exit code."""
    code = INTERRUPTED if outcome.state == "stopped" else 0
    if silent:
        return code
    cost = outcome.statistics_cost
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        if outcome.state == "stopped":
            print(f"stopped at step {outcome.step:,}; resume with: ravine resume {short(outcome.path)}")
        else:
            epochs = "1 epoch" if outcome.epochs == 1 else f"{outcome.epochs:g} epochs"
            print(f"{result_text(outcome)} after {epochs} in {duration(outcome.seconds)}")
            if outcome.best_step is not None:
                print(f"with the weights of step {outcome.best_step:,}, of the lowest validation loss")
            if cost is not None:
                print(f"statistics: {cost}")
            for line in end_text(outcome.path, outcome.step):
                print(line)
            print(f"run folder: {outcome.path}")
            print(f"next: ravine evaluate {short(outcome.path)}")
            samples = samples_of(outcome)
            print(f"  or: ravine predict {short(outcome.path)} {samples} --output predictions.csv")
    if as_json:
        print_json(
            {
                "path": outcome.path,
                "state": outcome.state,
                "step": outcome.step,
                "epochs": outcome.epochs,
                "seconds": outcome.seconds,
                "metrics": outcome.metrics,
                "sha256": outcome.sha256,
                "best_step": outcome.best_step,
                "statistics_cost": asdict(cost) if cost is not None else None,
            }
        )
    return code


def samples_of(outcome: Outcome) -> str:
    """What stands for new samples of a run: a table, pictures or arrays, as it was trained on."""
    from ravine.experiment import load_experiment
    from ravine.runs import RunFolder

    source = load_experiment(RunFolder.open(outcome.path).experiment_path).data.source
    return {"table": "TABLE.csv", "images": "PICTURES"}.get(source, "INPUTS.npy")


def result_text(outcome: Outcome) -> str:
    """The metrics of the test samples, or of what else was measured."""
    for split in ("test", "validation", "train"):
        if metrics := outcome.metrics.get(split):
            return f"{split} {metrics_text(metrics)}"
    return "trained"


def short(path: Path) -> str:
    """A run as it can be typed: with quotes where it needs them."""
    return shlex.quote(str(path))
