"""`ravine scaling`: how long steps would take on many ranks, before anybody has them."""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ravine.commands.describe import found_experiment
from ravine.commands.output import print_json, table
from ravine.commands.train import add_set, errors_naming
from ravine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ravine.data import DataParts
    from ravine.distributed.forecast import Row
    from ravine.distributed.scaling import Choice, Workload
    from ravine.experiment import Experiment

HELP = (
    "forecast the steps of many ranks from those of this machine and from a network's latency and bandwidth"
)
EXAMPLE = "ravine scaling digits --ranks 2,8,64 --latency 50us --bandwidth 1Gbit"
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
RATES = {"bit": 1.0, "kbit": 1e3, "Mbit": 1e6, "Gbit": 1e9}
MOST_RANKS = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "SOURCE", metavar="FILE|NAME|RUN", help="an experiment file, the name of an embedded one, or a run"
    )
    parser.add_argument(
        "--ranks", default="2,4,8,16,64", metavar="N,N", help="numbers of ranks (default: 2,4,8,16,64)"
    )
    parser.add_argument(
        "--latency", default="50us", metavar="TIME", help="of a message between two ranks (default: 50us)"
    )
    parser.add_argument(
        "--bandwidth", default="1Gbit", metavar="RATE", help="of each rank, bits a second (default: 1Gbit)"
    )
    parser.add_argument(
        "--spread",
        default="0",
        metavar="SHARE",
        help="by which ranks' computing differs: 0.05, 5%% (default: 0)",
    )
    parser.add_argument("--batch", type=int, metavar="N", help="rows (default: the experiment's batch size)")
    parser.add_argument(
        "--step",
        metavar="TIME",
        help="of a batch on one rank, instead of measuring it: to plan for other machines",
    )
    parser.add_argument("--measure", action="store_true", help="measure more batch sizes, and show them")
    add_set(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    ranks = numbers(arguments.ranks)
    latency = quantity(arguments.latency, UNITS, "--latency", "50us")
    bandwidth = quantity(arguments.bandwidth, RATES, "--bandwidth", "1Gbit") / 8
    given = quantity(arguments.step, UNITS, "--step", "20ms") if arguments.step else None
    if arguments.batch is not None and arguments.batch < 1:
        raise InputError("must be at least 1", key="--batch")
    if given is not None and arguments.measure:
        raise InputError("takes the place of measuring; leave --measure out", key="--step")
    if bandwidth == 0 or given == 0:
        raise InputError("must be more than 0", key="--step" if given == 0 else "--bandwidth")
    experiment = found_experiment(arguments.SOURCE, arguments.overrides)
    from ravine.distributed.collectives import Link
    from ravine.distributed.forecast import forecast, recommendation
    from ravine.distributed.scaling import Machine
    from ravine.training.batches import rows_of_batch
    from ravine.training.preparation import load_parts

    with errors_naming(arguments.SOURCE):
        parts = load_parts(experiment)
        batch = arguments.batch or rows_of_batch(experiment.training.batch_size, len(parts.train))
        workload, measured = step_of(experiment, parts, batch, given, arguments.measure)
    machine = Machine(Link(latency, bandwidth), spread=share(arguments.spread))
    choice = chosen(experiment)
    if uneven := [count for count in ranks if count % choice.model]:
        raise InputError(f"{uneven[0]} is no multiple of parallel.model, {choice.model}", key="--ranks")
    rows = {
        name: forecast(workload, machine, ranks, batch, choice, strong)
        for name, strong in (("strong", True), ("weak", False))
    }
    advice = recommendation(rows["strong"], choice)
    if arguments.json:
        print_json(
            {
                "name": experiment.name,
                "batch_size": batch,
                "parameters": workload.parameters,
                "latency": latency,
                "bandwidth": bandwidth,
                "compute": asdict(workload.compute),
                "measured": measured,
                **{name: [as_json(row) for row in of_kind] for name, of_kind in rows.items()},
                "recommendation": advice,
            }
        )
        return 0
    for size, seconds in measured if arguments.measure else []:
        print(f"measured: a step of {size:,} rows {time_text(seconds)}")
    compute = workload.compute
    print(
        f"{experiment.name}: {workload.parameters:,} parameters; a step of b rows on one rank: "
        f"{time_text(compute.fixed)} + b x {time_text(compute.by_row)}\n"
        f"network: {time_text(latency)} a message, {bandwidth * 8 / 1e9:g} Gbit/s\n"
    )
    print(f"strong scaling, the same batch of {batch:,} for all ranks\n{text(rows['strong'], choice)}\n")
    print(f"weak scaling, a batch of {batch:,} for each rank\n{text(rows['weak'], choice)}\n")
    print(f"recommendation: {advice}")
    return 0


def step_of(
    experiment: Experiment, parts: DataParts, batch: int, given: float | None, thorough: bool
) -> tuple[Workload, list[tuple[int, float]]]:
    """The step on one rank, and the times from which it was made."""
    from ravine.distributed.scaling import Compute, fitted_compute, workload_of
    from ravine.training.preparation import build
    from ravine.training.step_times import step_seconds

    trainer = build(experiment, parts)
    network = trainer.network
    slots = sum(slot.size == network.flat_parameters.size for slot in trainer.optimizer.slots.values())
    measured: list[tuple[int, float]] = []
    if given is None:
        sizes = [batch >> shift for shift in (range(6) if thorough else (0, 2)) if batch >> shift]
        measured = step_seconds(experiment, parts, dict.fromkeys(sizes or [batch]))
    if not measured:
        compute = Compute(0.0, (given or 0.0) / batch)
    elif len(measured) == 1:
        compute = Compute(0.0, measured[0][1] / measured[0][0])
    else:
        compute = fitted_compute([size for size, _ in measured], [seconds for _, seconds in measured])
    return workload_of(
        network.describe("training", batch)["operations"], network.layers, compute, slots
    ), measured


def chosen(experiment: Experiment) -> Choice:
    """How the experiment's section [parallel] shares the work; buckets of a measured size are as usual."""
    from ravine.distributed.scaling import Choice

    settings = experiment.parallel
    size = settings.bucket_megabytes
    return Choice(
        model=settings.model,
        bucket_bytes=Choice.bucket_bytes if size == "auto" else size * 1e6,
        transport=settings.transport,
        overlap=settings.overlap,
        average_every=settings.average_every,
    )


def text(rows: Sequence[Row], choice: Choice) -> str:
    """A table of numbers of ranks."""
    from ravine.distributed.forecast import changes

    cells = [
        [
            f"{row.ranks:,}",
            f"{row.rows:,}",
            time_text(row.step.compute),
            time_text(row.step.communicate),
            f"{max(0.0, 1 - row.step.exposed / row.step.communicate):.0%}" if row.step.communicate else "",
            time_text(row.step.seconds),
            f"{row.rate:,.0f}",
            f"{row.speed_up:,.1f}",
            f"{row.efficiency:.0%}",
            f"{time_text(row.best[1].seconds)} {changes(choice, row.best[0])}"
            if row.best[0] != choice
            else "",
        ]
        for row in rows
    ]
    header = [
        "ranks",
        "rows",
        "compute",
        "sums",
        "hidden",
        "step",
        "samples/s",
        "speed-up",
        "efficiency",
        "shorter with",
    ]
    return table(header, cells, right=range(9))


def as_json(row: Row) -> dict[str, Any]:
    """A row of the table, in seconds."""
    settings, best = row.best
    return {
        "ranks": row.ranks,
        "rows": row.rows,
        "samples": row.samples,
        **{name: getattr(row.step, name) for name in ("compute", "communicate", "exposed", "seconds")},
        "speed_up": row.speed_up,
        "efficiency": row.efficiency,
        "best": {**asdict(settings), "seconds": best.seconds},
        "bfloat16": row.rounded.seconds,
        "average_every": {period: step.seconds for period, step in row.local.items()},
    }


def numbers(written: str) -> list[int]:
    """Numbers of ranks, each once, in order."""
    words = [word.strip() for word in written.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= MOST_RANKS for word in words):
        raise InputError(
            f"expected numbers from 1 to {MOST_RANKS:,}, such as 8,64,1024; got '{written}'", key="--ranks"
        )
    return sorted({int(word) for word in words})


def quantity(written: str, units: dict[str, float], key: str, example: str) -> float:
    """A number with a unit of those, or of the first of them."""
    match = re.fullmatch(r"([0-9.]+(?:e[-+]?[0-9]+)?)\s*([A-Za-z]*)(?:/s)?", written.strip())
    try:
        number = float(match[1]) if match else math.nan
    except ValueError:
        number = math.nan
    unit = units.get(match[2] or next(iter(units))) if match else None
    if not math.isfinite(number) or unit is None:
        raise InputError(
            f"expected a number and one of {', '.join(units)}, such as {example}; got '{written}'", key=key
        )
    return number * unit


def share(written: str) -> float:
    """A share, as 0.05 or 5%."""
    try:
        found = float(written[:-1]) / 100 if written.endswith("%") else float(written)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise InputError(f"expected a share from 0 to 1, such as 0.05 or 5%; got '{written}'", key="--spread")
    return found


def time_text(seconds: float) -> str:
    """A time of a step, in three digits: 12.3 us, 4.56 ms, 1.2 s."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale * 0.9995:
            return f"{seconds / scale:.3g} {unit}" if seconds < 1e3 else f"{seconds:,.0f} s"
    return f"{seconds / 1e-6:.2g} us" if seconds else "0"
