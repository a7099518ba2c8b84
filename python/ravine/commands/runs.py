"""`ravine runs`: the runs in a folder."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ravine.commands.output import duration, number, print_json, table
from ravine.commands.run_argument import PARENT

if TYPE_CHECKING:
    from ravine.runs import RunSummary

HELP = "list the runs, the newest first"
EXAMPLE = "ravine runs --runs runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=Path, default=PARENT, metavar="DIR", help="folder of runs (default: runs)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from ravine.runs import list_runs

    summaries = list_runs(arguments.runs)
    if arguments.json:
        print_json({"runs": [asdict(summary) for summary in summaries]})
    elif summaries:
        rows = [row(summary) for summary in summaries]
        header = ["name", "state", "step", "epoch", "accuracy", "loss", "trained", "started"]
        print(table(header, rows, right=(2, 3, 4, 5, 6)))
        for summary in summaries:
            if summary.reason:
                print(f"{summary.name}: {summary.state}: {summary.reason}")
    else:
        print(f"no runs in {arguments.runs}; make one with `ravine train digits`")
    return 0


def row(summary: RunSummary) -> list[str]:
    planned = "" if summary.epochs is None else f"/{summary.epochs:g}"
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.started)) if summary.started else ""
    return [
        summary.name,
        summary.state,
        f"{summary.step:,}",
        f"{summary.epoch:.4g}{planned}",
        metric(summary, "accuracy"),
        metric(summary, "loss"),
        duration(summary.duration),
        started,
    ]


def metric(summary: RunSummary, name: str) -> str:
    """The metric of the test samples, or else of others, which are then named."""
    for split in ("test", "validation", "train"):
        if (value := summary.metrics.get(f"{split}.{name}")) is not None:
            return number(value) + ("" if split == "test" else f" ({split})")
    return ""
