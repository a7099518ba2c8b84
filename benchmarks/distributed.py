"""Times steps of two ranks: beside one rank with two threads, beside PyTorch, and over a slow network.

    python benchmarks/distributed.py [--only lenet sums ...] [--repeats 5] [--bandwidth 1e9]

All in one run, alternately. Prints the tables, and writes distributed.json and .md to benchmarks/results/.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from contenders import Contender, LeftOutError, Runner, alternately, leave_out
from reporting import parse, parser, progress, table, write
from teams import Hosts, Team, why_not
from workloads import BY_NAME, Workload

NAMES = ("mnist_mlp", "lenet", "resnet20")
MEGABYTES = 25  # that are summed
Times = dict[str, dict[str, float]]
Variants = Mapping[str, tuple[str, dict[str, Any]]]  # by name: who runs it, and settings of `prepare`

ONE, TWO, TORCH = "1 rank x 2 threads", "2 ranks x 1 thread", "PyTorch DDP, 2 x 1"
HERE: Variants = {
    ONE: ("one", {}),
    TWO: ("ranks", {}),
    "buckets of 1 MB": ("ranks", {"bucket_megabytes": 1}),
    "without overlap": ("ranks", {"bucket_megabytes": 1, "overlap": False}),
    TORCH: ("torch", {}),
}
OVER_A_NETWORK: Variants = {
    "one bucket": ("ranks", {"bucket_megabytes": 25}),
    "1 MB": ("ranks", {"bucket_megabytes": 1}),
    "0.25 MB": ("ranks", {"bucket_megabytes": 0.25}),
    "1 MB, no overlap": ("ranks", {"bucket_megabytes": 1, "overlap": False}),
    "1 MB, bfloat16": ("ranks", {"bucket_megabytes": 1, "transport": "bfloat16"}),
    "average_every = 4": ("ranks", {"average_every": 4}),
    "PyTorch DDP": ("torch", {}),
}


def measure(workload: Workload, runners: Mapping[str, Any], variants: Variants, repeats: int) -> Times:
    """Microseconds a step of every variant that can be timed."""
    runs: dict[str, Runner] = {}
    for name, (who, settings) in variants.items():
        runner = runners.get(who)
        if runner is None:
            continue
        try:
            runner.prepare(name, "prepare", workload, runner.threads, **settings)
            runs[name] = runner
        except LeftOutError as error:
            leave_out(f"{workload.name}: {name}", error)
    times = alternately(runs, repeats)
    for runner in runners.values():
        runner.forget()
    return times


def measure_sums(megabytes: float, runners: Mapping[str, Team], repeats: int) -> dict[str, float]:
    """Median microseconds in which two ranks sum so many MB, by who does it."""
    count, each = round(megabytes * 250_000), 10
    teams = {}
    for name, who, settings in (
        ("MPI_Allreduce", "mpi", {}),
        ("MPI_Iallreduce", "mpi", {"in_background": True}),
        ("Ravine", "ranks", {}),
        ("Ravine, bfloat16", "ranks", {"transport": "bfloat16"}),
        ("gloo", "torch", {}),
    ):
        if who in runners:
            runners[who].prepare(name, "prepare_sum", count, each, **settings)
            teams[name] = runners[who]
    times: dict[str, list[float]] = {name: [] for name in teams}
    for turn in range(repeats + 1):
        for name, team in teams.items():
            seconds, result = team.run(name)
            if turn:  # the first warms up
                times[name] += result if isinstance(result, list) else [seconds / result]
    for team in runners.values():
        team.forget()
    return {name: statistics.median(taken) * 1e6 for name, taken in times.items()}


def here_cells(workload: str, times: Times) -> list[str]:
    """A row of the table of this machine."""

    def ratio(name: str, figure: str) -> str:
        return f"{times[name][figure] / times[TWO][figure]:.2f}" if name in times else "-"

    row = [workload, *(f"{times[name]['minimum']:,.0f}" if name in times else "-" for name in HERE)]
    return [
        *row,
        ratio(ONE, "minimum"),
        ratio(ONE, "median"),
        ratio(TORCH, "minimum"),
        ratio(TORCH, "median"),
    ]


def network_cells(workload: str, times: Times) -> list[str]:
    """A row of the table of the slow network."""
    return [
        workload,
        *(f"{times[name]['minimum'] / 1e3:,.1f}" if name in times else "-" for name in OVER_A_NETWORK),
    ]


def main(words: Sequence[str] | None = None) -> None:
    made = parser(__doc__, (*NAMES, "sums"))
    made.add_argument("--bandwidth", type=float, default=1e9, help="of the slow network, in bits a second")
    chosen = parse(made, words)
    only = chosen.only or (*NAMES, "sums")
    workloads = [BY_NAME[name] for name in NAMES if name in only]
    rows: list[dict[str, Any]] = []
    peers = {} if chosen.without_peers else {"torch": "in_torch_ranks"}
    with ExitStack() as stack:
        team = {
            who: stack.enter_context(Team(module, 2))
            for who, module in {"ranks": "in_ravine_ranks", **peers}.items()
        }
        single = stack.enter_context(Contender("in_ravine", 2))
        for workload in workloads:
            times = measure(quick(workload, chosen), {"one": single, **team}, HERE, chosen.repeats)
            rows.append({"workload": workload.name, "network": "this machine", "times": times})
            say(rows[-1])
        if "sums" in only:
            bare = stack.enter_context(Team("in_mpi", 2))
            megabytes = 0.1 if chosen.quick else MEGABYTES
            sums = measure_sums(megabytes, {"mpi": bare, **team}, chosen.repeats)
            rows.append({"workload": "sums", "megabytes": megabytes, "microseconds": sums})
            progress(f"sums: {sums}")
    if reason := why_not():
        progress(f"namespace hosts: {reason}")
    else:
        with ExitStack() as stack:
            hosts = stack.enter_context(Hosts(2, bandwidth=chosen.bandwidth))
            team = {
                who: stack.enter_context(Team(module, 2, hosts=hosts))
                for who, module in {"ranks": "in_ravine_ranks", **peers}.items()
            }
            for workload in workloads:
                shorter = replace(workload, steps=min(workload.steps, 8))
                times = measure(quick(shorter, chosen), team, OVER_A_NETWORK, min(chosen.repeats, 3))
                rows.append({"workload": workload.name, "network": chosen.bandwidth, "times": times})
                say(rows[-1])
    write(chosen, "distributed", "Two ranks", introduction(chosen.repeats), tables(rows), rows)


def quick(workload: Workload, chosen: Any) -> Workload:
    """The workload, or a small one that only shows that all works."""
    return workload.quick() if chosen.quick else workload


def say(row: Mapping[str, Any]) -> None:
    """A line for whoever waits."""
    figures = ", ".join(f"{name} {one['minimum']:,.0f}" for name, one in row["times"].items())
    progress(f"{row['workload']}, {row['network']}: {figures}")


def introduction(repeats: int) -> str:
    """What the tables show."""
    return f"""
        Minimum of {repeats} repeats, microseconds a step, data in memory, statistics of every layer recorded.
        Each rank has one processor and half of the batch; sums go on while the backward pass does. PyTorch is
        DistributedDataParallel over gloo, images channels-last, with the fused optimizer.
    """


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """The results as Markdown."""
    parts = []
    here = [row for row in rows if row.get("network") == "this machine"]
    if here:
        head = ("workload", *HERE, "1 x 2 / 2 x 1, minima", "medians", "PyTorch / 2 x 1, minima", "medians")
        parts.append(table(head, [here_cells(row["workload"], row["times"]) for row in here]))
    for row in rows:
        if row["workload"] == "sums":
            bare = row["microseconds"]["MPI_Allreduce"]
            taken = row["microseconds"].items()
            parts.append(f"## A sum of {row['megabytes']:g} MB between two ranks")
            parts.append("Medians. Ravine's is that of the gradients of a training step.")
            cells = [[name, f"{one:,.0f}", f"{one / bare:.2f}"] for name, one in taken]
            parts.append(table(("by", "µs", "of MPI_Allreduce"), cells))
    far = [row for row in rows if isinstance(row.get("network"), float)]
    if far:
        parts.append(f"## Two hosts, {far[0]['network'] / 1e9:g} Gbit/s between them")
        parts.append("Namespace hosts on this machine (tools/hosts.py); milliseconds a step, minima.")
        cells = [network_cells(row["workload"], row["times"]) for row in far]
        parts.append(table(("workload", *OVER_A_NETWORK), cells))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
