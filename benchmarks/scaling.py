"""Fits the model of docs/scaling.md to this machine, checks it on namespace hosts, and plans with it.

    python benchmarks/scaling.py [--only lenet ...] [--repeats 2]

For each network between the hosts: sums of several sizes give its latency and bandwidth, steps of several
batch sizes without any sums give the computing; then training steps are compared with the model's. Prints
the tables, and writes scaling.json and scaling.md to benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

from contenders import Contender, alternately
from reporting import parse, parser, progress, table, write
from teams import Hosts, Team, why_not
from workloads import BY_NAME, Workload

from ravine import Sequential
from ravine.distributed.collectives import Link, Measured, fitted_link
from ravine.distributed.forecast import changes, forecast, recommendation
from ravine.distributed.scaling import Choice, Machine, fitted_compute, step, workload_of
from ravine.distributed.scaling import Workload as Model

NAMES = ("mnist_mlp", "lenet", "resnet20")
NEVER = 1_000_000  # steps between averages: none in a measurement
SIZES = (1_000, 30_000, 300_000, 3_000_000)  # bytes of the sums that are timed
SETTINGS = {
    "one bucket": Choice(),
    "1 MB": Choice(bucket_bytes=1e6),
    "1 MB, no overlap": Choice(bucket_bytes=1e6, overlap=False),
    "1 MB, bfloat16": Choice(bucket_bytes=1e6, transport="bfloat16"),
    "average_every = 4": Choice(average_every=4),
}
PLANNED = {  # networks: latency in seconds, bits a second
    "1 Gbit/s Ethernet, 50 µs": Link(50e-6, 1e9 / 8),
    "25 Gbit/s Ethernet, 20 µs": Link(20e-6, 25e9 / 8),
    "200 Gbit/s InfiniBand, 2 µs": Link(2e-6, 200e9 / 8),
}
RANKS = (8, 64, 1024)
SLOTS = {"gradient_descent": 0, "momentum": 1, "adam": 2}


@dataclass(frozen=True)
class Network:
    """Hosts that the model is checked on."""

    hosts: int
    bandwidth: float
    latency: float

    def __str__(self) -> str:
        delay = f", {self.latency * 1e3:g} ms" if self.latency else ""
        return f"{self.hosts} hosts, {self.bandwidth / 1e9:g} Gbit/s{delay}"


NETWORKS = (Network(2, 1e9, 0.0), Network(2, 0.2e9, 1e-3), Network(4, 1e9, 0.0))


def settings_of(choice: Choice) -> dict[str, Any]:
    """As `[parallel]` has them."""
    return {
        "bucket_megabytes": choice.bucket_bytes / 1e6,
        "transport": choice.transport,
        "overlap": choice.overlap,
        "average_every": choice.average_every,
    }


def least(runner: Any, name: str, repeats: int) -> float:
    """Seconds of a step, or of a sum."""
    return alternately({name: runner}, repeats)[name]["minimum"] / 1e6


def measured_link(hosts: Hosts, ranks: int, repeats: int) -> tuple[Link, list[Measured]]:
    """The latency and bandwidth that sums beside other work find."""
    with Team("in_mpi", ranks, hosts=hosts) as team:
        times = []
        for size in SIZES:
            team.prepare("sum", "prepare_sum", size // 4, 4, in_background=True)
            times.append(Measured(ranks, size, least(team, "sum", repeats)))
    return fitted_link(times), times


def measured_model(team: Any, workload: Workload, ranks: int, repeats: int, **settings: Any) -> Model:
    """The step of a rank that computes as fast as it does beside the others, without sums."""
    sizes = [workload.batch // part for part in (1, 2, 4)]
    times = []
    for size in sizes:
        team.prepare("alone", "prepare", replace(workload, batch=size), team.threads, **settings)
        times.append(least(team, "alone", repeats))
    network = Sequential(*workload.layers).network(
        workload.shape, loss="softmax_cross_entropy", batch_size=workload.batch // ranks, threads=1
    )
    operations = network.describe("training", workload.batch // ranks)["operations"]
    compute = fitted_compute([size / ranks for size in sizes], times)
    return workload_of(operations, network.layers, compute, SLOTS[workload.optimizer])


def check(network: Network, workloads: Sequence[Workload], repeats: int) -> list[dict[str, Any]]:
    """Measured steps beside the model's, for all settings."""
    rows = []
    with Hosts(network.hosts, bandwidth=network.bandwidth, latency=network.latency or None) as hosts:
        link, sums = measured_link(hosts, network.hosts, repeats)
        progress(f"{network}: {link}")
        with Team("in_ravine_ranks", network.hosts, hosts=hosts) as team:
            for workload in workloads:
                model = measured_model(team, workload, network.hosts, repeats, average_every=NEVER)
                team.forget()
                row: dict[str, Any] = {"workload": workload.name, "network": str(network), "steps": {}}
                row |= {"link": asdict(link), "sums": sums, "compute": asdict(model.compute)}
                for name, choice in SETTINGS.items():
                    team.prepare(name, "prepare", workload, team.threads, **settings_of(choice))
                    measured = least(team, name, repeats)
                    team.forget()
                    rank_rows = -(-workload.batch // network.hosts)
                    # The steps that `model` was fitted to had their meetings.
                    machine = Machine(link, meetings=0)
                    expected = step(model, machine, network.hosts, rank_rows, choice)
                    row["steps"][name] = {"measured": measured, "model": expected.seconds}
                rows.append(row)
                progress(f"{workload.name}, {network}: {row['steps']}")
    return rows


def plans(workloads: Sequence[Workload], repeats: int) -> list[dict[str, Any]]:
    """What 8 to 1024 ranks would do, each like this machine."""
    rows = []
    with ExitStack() as stack:
        single = stack.enter_context(Contender("in_ravine", 2))
        for workload in workloads:
            model = measured_model(single, workload, 1, repeats)
            single.forget()
            for name, link in PLANNED.items():
                for strong in (True, False):
                    batch = 1024 if strong else workload.batch
                    found = forecast(model, Machine(link), RANKS, batch, Choice(), strong)
                    rows.append(
                        {
                            "workload": workload.name,
                            "link": name,
                            "scaling": "strong" if strong else "weak",
                            "batch": batch,
                            "compute": asdict(model.compute),
                            "parameters": model.parameters,
                            "cells": [cell_of(row) for row in found],
                            "recommendation": recommendation(found, Choice()),
                        }
                    )
    return rows


def cell_of(row: Any) -> dict[str, Any]:
    """One number of ranks: how many times as fast as one, with which settings."""
    choice, best = row.best
    return {
        "ranks": row.ranks,
        "speed_up": row.speed_up,
        "best": row.gain(best),
        "settings": changes(Choice(), choice),
        "bfloat16": row.gain(row.rounded),
        **{f"every {period}": row.gain(local) for period, local in row.local.items()},
    }


def check_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Measured and expected milliseconds, and the error."""
    cells = []
    for row in rows:
        pairs = [(one["measured"], one["model"]) for one in row["steps"].values()]
        steps = [
            f"{found * 1e3:.1f} / {model * 1e3:.1f} ({model / found - 1:+.0%})" for found, model in pairs
        ]
        cells.append([row["workload"], row["network"], *steps])
    return table(("workload", "network", *SETTINGS), cells)


def link_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was found of each network."""
    seen = {row["network"]: row for row in rows}
    cells = [
        [
            name,
            f"{row['link']['latency'] * 1e6:,.0f} µs",
            f"{row['link']['bandwidth'] * 8 / 1e9:.2f} Gbit/s",
            ", ".join(f"{size / 1e3:,.0f} KB {seconds * 1e3:.2f} ms" for _, size, seconds in row["sums"]),
        ]
        for name, row in seen.items()
    ]
    return table(("network", "latency found", "bandwidth found", "sums"), cells)


def plan_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Speed-ups of plans."""

    def text(cell: Mapping[str, Any]) -> str:
        best = f", {cell['best']:.1f} with {cell['settings']}" if cell["settings"] else ""
        return (
            f"{cell['speed_up']:.1f}{best}; bfloat16 {cell['bfloat16']:.1f}; every 16 {cell['every 16']:.1f}"
        )

    head = ("workload", "link", "scaling", "batch", *(f"{ranks:,} ranks" for ranks in RANKS))
    cells = [
        [row["workload"], row["link"], row["scaling"], str(row["batch"]), *map(text, row["cells"])]
        for row in rows
    ]
    return table(head, cells)


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(parser(__doc__, NAMES), words)
    chosen.repeats = min(chosen.repeats, 2)
    workloads = [replace(BY_NAME[name], steps=2 if chosen.quick else 4) for name in chosen.only or NAMES]
    checked: list[dict[str, Any]] = []
    for network in NETWORKS[:1] if chosen.quick else NETWORKS:
        if reason := why_not(latency=bool(network.latency)):
            progress(f"{network}: {reason}")
        else:
            checked += check(network, workloads, chosen.repeats)
    planned = plans(workloads, chosen.repeats)
    introduction = f"""
        Milliseconds a step, measured / of the model (error); minima of {chosen.repeats} repeats. Hosts are
        network namespaces of this machine, whose processors all ranks share, one thread each. Latency and
        bandwidth are fitted to sums, computing to steps without sums.
    """
    body = "\n\n".join(
        [
            *([check_table(checked), "## What was fitted", link_table(checked)] if checked else []),
            "## Plans",
            "Speed-up over one rank, each like this machine: with one bucket of 25 MB, with the best exact "
            "settings, and with what changes the numbers. Strong scaling divides a batch of 1,024; weak "
            "scaling gives each rank its own.",
            plan_table(planned),
        ]
    )
    write(
        chosen,
        "scaling",
        "Steps of many ranks, and the model of them",
        introduction,
        body,
        [*checked, *planned],
    )


if __name__ == "__main__":
    main()
