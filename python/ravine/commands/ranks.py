"""`ravine ranks`: what each rank of a run did with its time."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.commands.output import duration, print_json, table
from ravine.commands.run_argument import add_run, find_run
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.runs import RunReader
    from ravine.runs.rank_times import RankTimes

HELP = "show what each rank of a run did with its time"
EXAMPLE = "ravine ranks digits"
LAST_STEPS = 10_000  # that the line at the end of a training is about


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--last", type=int, default=0, metavar="N", help="only the last N recorded steps (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from ravine.runs.rank_times import straggler, summarize

    if arguments.last < 0:
        raise InputError(f"is {arguments.last}; expected at least 1", key="--last")
    folder = find_run(arguments.RUN)
    with folder.reader() as reader:
        steps, seconds = last_stretch(reader)
        hosts = hosts_of(reader)
    steps, seconds = steps[-arguments.last :], seconds[-arguments.last :]
    ranks = summarize(seconds)
    slowest = straggler(seconds)
    hosts += ["?"] * (len(ranks) - len(hosts))
    if arguments.json:
        print_json(
            {
                "steps": len(steps),
                "ranks": [{**asdict(one), "host": hosts[one.rank]} for one in ranks],
                "straggler": None if slowest is None else asdict(slowest),
            }
        )
    elif ranks:
        print(f"{len(steps):,} recorded steps, {steps[0]:,} to {steps[-1]:,}; means of a step:")
        rows = [
            [
                str(one.rank),
                hosts[one.rank],
                *map(milliseconds, (one.compute, one.wait, one.communicate, one.overlapped)),
                f"{100 * one.share:.0f} %",
            ]
            for one in ranks
        ]
        header = ["rank", "host", "compute", "wait", "communicate", "overlapped", "share"]
        print(table(header, rows, right=(0, 2, 3, 4, 5, 6)))
        if slowest is not None:
            print(slowest.text(hosts[slowest.rank]))
    else:
        print(f"{folder.name} was trained by one rank, or nothing was recorded of its steps")
    return 0


def last_stretch(reader: RunReader, after_step: int = -1) -> RankTimes:
    """Steps and times since the run last began with another number of ranks."""
    import numpy as np

    from ravine.runs.rank_times import RankTimes

    found = reader.rank_times(after_step)
    parts = [found]
    while len(found.steps):
        found = reader.rank_times(int(found.steps[-1]))
        if len(found.steps) and found.seconds.shape[1] != parts[-1].seconds.shape[1]:
            parts = []
        if len(found.steps):
            parts.append(found)
    return RankTimes(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def hosts_of(reader: RunReader) -> list[str]:
    """Names of the ranks' hosts, as far as the run knows them."""
    hosts: Any = reader.state().meta.get("hosts")
    return [str(host) for host in hosts] if isinstance(hosts, list) else []


def milliseconds(seconds: float) -> str:
    """A time of a step."""
    return f"{1e3 * seconds:.3f} ms" if seconds < 1 else duration(seconds)


def end_text(path: Path, step: int) -> list[str]:
    """What there is to say of the ranks at the end of a training: nothing of one rank alone."""
    from ravine.runs import RunFolder
    from ravine.runs.rank_times import straggler, summarize

    with RunFolder.open(path).reader() as reader:
        seconds = last_stretch(reader, after_step=step - LAST_STEPS)[1]
        hosts = hosts_of(reader)
    ranks = summarize(seconds)
    if not ranks:
        return []
    whole = sum(one.step for one in ranks) or 1.0
    parts = {
        "compute": sum(one.compute for one in ranks),
        "wait": sum(one.wait for one in ranks),
        "communicate beside that": sum(one.communicate - one.overlapped for one in ranks),
    }
    shares = ", ".join(f"{name} {100 * part / whole:.0f} %" for name, part in parts.items())
    lines = [f"{len(ranks)} ranks: {shares} of a step; see: ravine ranks {shlex.quote(str(path))}"]
    slowest = straggler(seconds)
    return lines if slowest is None else [*lines, slowest.text(hosts[slowest.rank])]
