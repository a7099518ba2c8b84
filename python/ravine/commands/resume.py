"""`ravine resume`: goes on with a run that was stopped or killed, or trains a finished one for longer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ravine import distributed
from ravine.commands.progress import progress_listener
from ravine.commands.run_argument import add_checkpoint, add_run, find_run
from ravine.commands.train import DEVICE, add_output, add_set, conclude, device_override, errors_naming

HELP = "go on with a run from its last checkpoint, or from an earlier one"
EXAMPLE = "ravine resume digits --set training.epochs=30"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    meaning = "which checkpoint to go on from; what came after it is dropped (default: last)"
    add_checkpoint(parser, "last", meaning)
    parser.add_argument("--device", metavar="D", help=f"where to go on: {DEVICE}")
    add_set(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    world = distributed.start()
    with world.together():
        # The others need not have it: they are given all of it by rank 0.
        path = find_run(arguments.RUN).path if world.leads else Path(arguments.RUN)
    from ravine.training.session import resume_run

    overrides = [*arguments.overrides, *device_override(arguments.device)]
    stream = sys.stderr if arguments.json else sys.stdout
    with (
        errors_naming(path / "experiment.toml"),
        progress_listener(stream, quiet=arguments.quiet or not world.leads, live=world.size == 1) as listener,
    ):
        outcome = resume_run(path, checkpoint=arguments.checkpoint, overrides=overrides, listener=listener)
    return conclude(outcome, as_json=arguments.json, silent=not world.leads)
