"""`ravine resume`: goes on with a run that was stopped or killed, or trains a finished one for longer."""

from __future__ import annotations

import argparse
import sys

from ravine.commands.progress import progress_listener
from ravine.commands.run_argument import add_checkpoint, add_run, find_run
from ravine.commands.train import add_output, add_set, conclude, errors_naming

HELP = "go on with a run from its last checkpoint, or from an earlier one"
EXAMPLE = "ravine resume digits --set training.epochs=30"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    meaning = "which checkpoint to go on from; what came after it is dropped (default: last)"
    add_checkpoint(parser, "last", meaning)
    add_set(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    folder = find_run(arguments.RUN)
    from ravine.training.session import resume_run

    stream = sys.stderr if arguments.json else sys.stdout
    with (
        errors_naming(folder.experiment_path),
        progress_listener(stream, quiet=arguments.quiet) as listener,
    ):
        outcome = resume_run(
            folder.path, checkpoint=arguments.checkpoint, overrides=arguments.overrides, listener=listener
        )
    return conclude(outcome, as_json=arguments.json)
