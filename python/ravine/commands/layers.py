"""`ravine layers`: what a run last recorded of its layers."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from ravine.commands.output import number, print_json, table
from ravine.commands.run_argument import add_run, find_run
from ravine.errors import InputError

if TYPE_CHECKING:
    from ravine.distributions import Distribution
    from ravine.runs import RunReader

HELP = "show what a run last recorded of its layers: moments, norms, percentiles"
EXAMPLE = "ravine layers digits --percentiles 15,50,85"
# How columns of run.db are shown, in the order of the table.
TITLES = {
    "activation_mean": "mean", "activation_variance": "variance", "activation_zeros": "zeros",
    "gradient_norm": "gradient norm", "weight_norm": "weight norm", "update_norm": "update norm",
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--percentiles", metavar="P,P,...", help="from 0 to 100 (default: 1,5,25,50,75,95,99)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    wanted = percentiles(arguments.percentiles)
    folder = find_run(arguments.RUN)
    with folder.reader() as reader:
        step, layers = last_row(reader)
        distributions = reader.distributions(last=True)
        cost = reader.state().meta.get("statistics_cost")
    if arguments.json:
        found = [distribution_object(one, wanted) for one in distributions]
        print_json(
            {
                "path": folder.path,
                "step": step,
                "layers": layers,
                "distributions": found,
                "statistics_cost": cost if isinstance(cost, dict) else None,
            }
        )
        return 0
    if layers:
        print(f"{folder.name}, step {step:,}\n\n{layers_text(layers)}")
    else:
        print(f"{folder.name}: nothing of its layers was recorded")
    if distributions:
        print(f"\nstep {distributions[0].step:,}, percentiles\n\n{percentiles_text(distributions, wanted)}")
    else:
        print("\nfor percentiles train with: --set statistics.level=full")
    if isinstance(cost, dict) and isinstance(cost.get("share"), float):
        print(f"\nthese statistics cost {100 * cost['share']:.1f} % of a step")
    return 0


def percentiles(text: str | None) -> list[float]:
    """The percentiles that were asked for."""
    if text is None:
        from ravine.distributions import PERCENTILES

        return list(PERCENTILES)
    try:
        wanted = [float(part) for part in text.split(",")]
    except ValueError:
        wanted = [math.nan]
    if not all(0 <= percentile <= 100 for percentile in wanted):
        raise InputError(f"expected numbers from 0 to 100, as in 15,50,85, got '{text}'", key="--percentiles")
    return wanted


def last_row(reader: RunReader) -> tuple[int, dict[str, dict[str, float]]]:
    """The last recorded step, and what was measured of each layer at it."""
    step = reader.state().step
    rows = reader.tail(step - 1)
    layers: dict[str, dict[str, float]] = {}
    if len(rows.steps):
        for column, value in zip(reader.columns, rows.values[-1].tolist(), strict=True):
            layer, dot, statistic = column.rpartition(".")
            if dot and not math.isnan(value):
                layers.setdefault(layer, {})[statistic] = value
    return step, layers


def layers_text(layers: dict[str, dict[str, float]]) -> str:
    """A row a layer."""
    shown = {key: title for key, title in TITLES.items() if any(key in row for row in layers.values())}
    rows = [
        [layer, *(number(row[key]) if key in row else "" for key in shown)] for layer, row in layers.items()
    ]
    return table(["layer", *shown.values()], rows, right=range(1, len(shown) + 1))


def percentiles_text(distributions: list[Distribution], wanted: list[float]) -> str:
    """A row a distribution."""
    header = ["of", "kind", "minimum", *(f"{percentile:g} %" for percentile in wanted), "maximum"]
    rows = [
        [one.name, one.kind, *map(number, [one.minimum, *one.percentile(wanted), one.maximum])]
        for one in distributions
    ]
    return table(header, rows, right=range(2, len(header)))


def distribution_object(one: Distribution, wanted: list[float]) -> dict[str, Any]:
    """A distribution as JSON has it."""
    found = zip(wanted, one.percentile(wanted).tolist(), strict=True)
    return {
        "step": one.step,
        "name": one.name,
        "kind": one.kind,
        "count": one.count,
        "minimum": one.minimum,
        "maximum": one.maximum,
        "percentiles": {f"{percentile:g}": value for percentile, value in found},
    }
