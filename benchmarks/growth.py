"""How the time of a training step grows with batch, width and depth of a dense network.

    python benchmarks/growth.py [--only batch width depth] [--threads 2] [--repeats 5]

Growth is linear while a floating point operation costs the same: a fixed cost spoils that at the small end,
and at the large end memory, once what a step touches no longer fits into the cache. Prints a table for each,
and writes growth.json, growth.md and growth.png to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from reporting import caches, parse, parser, progress, table, write

from ravine import Sequential, make_optimizer
from ravine.layers import Dense

TOLERANCE = 1.25  # growth is linear while an operation costs at most so many times its least
SECONDS = 0.05  # that a repeat takes at least


@dataclass(frozen=True)
class Size:
    """Of a network of equal dense layers with tanh and momentum."""

    batch: int = 128
    width: int = 256
    depth: int = 4


SIZES = {
    "batch": [Size(batch=2**power) for power in range(3, 13)],
    "width": [Size(width=2**power, depth=2) for power in range(4, 13)],
    "depth": [Size(depth=depth, width=128) for depth in (1, 2, 5, 10, 20, 50, 100, 200)],
}


def measure(size: Size, threads: int, repeats: int) -> dict[str, Any]:
    """Time and work of a step; the working set is all that it touches."""
    hidden = [Dense(size.width, activation="tanh")] * size.depth
    network = Sequential(*hidden, Dense(10)).network(
        (size.width,), loss="softmax_cross_entropy", batch_size=size.batch, threads=threads
    )
    optimizer = make_optimizer({"type": "momentum", "learning_rate": 1e-4})
    random = np.random.default_rng(0)
    inputs = random.standard_normal((size.batch, size.width), np.float32)
    labels = random.integers(0, 10, size.batch, np.int32)

    def step(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(0, steps, most):
            network.train(optimizer, rows, targets, batch_size=size.batch)
            network.drain()
        return (time.perf_counter() - start) / (-(-steps // most) * most)

    rows, targets, most = inputs, labels, 1
    step(1)  # compiles
    once = step(3)
    # Several steps a call, as in training.
    most = max(1, min(100, int(SECONDS / once), (64 << 20) // inputs.nbytes))
    rows, targets = np.tile(inputs, (most, 1)), np.tile(labels, most)
    steps = most * max(1, int(SECONDS / once) // most)
    step(steps)
    taken = [step(steps) for _ in range(repeats)]
    described = network.describe("training")
    # Weights, gradients and velocities lie beside the arena of activations.
    working_set = described["arena_bytes"] + 3 * network.flat_parameters.nbytes + inputs.nbytes
    return {
        "microseconds": min(taken) * 1e6,
        "median": median(taken) * 1e6,
        "flops": described["flops"],
        "parameters": described["parameters"],
        "working_set": int(working_set),
    }


def linear_until(rows: Sequence[dict[str, Any]]) -> int | None:
    """The last size at which an operation costs near its least, by index; None where all end there."""
    costs = [row["microseconds"] / row["flops"] for row in rows]
    last = max(i for i, cost in enumerate(costs) if cost <= TOLERANCE * min(costs))
    return last if last + 1 < len(costs) else None


def level(working_set: int) -> str:
    """The smallest cache that holds it."""
    return next((name for name, size in caches().items() if working_set <= size), "memory")


def conclusion(name: str, rows: Sequence[dict[str, Any]]) -> str:
    """What a table shows, in a sentence."""
    end = linear_until(rows)
    if end is None:
        return f"Growth is linear up to the largest {name} here."
    before, after = (
        f"{name} {rows[i][name]:,} ({rows[i]['working_set'] / 2**20:,.1f} MiB)" for i in (end, end + 1)
    )
    return f"Linear growth ends between {before} and {after}: an operation costs a quarter more there."


def draw(chosen: argparse.Namespace, found: dict[str, list[dict[str, Any]]]) -> None:
    """A panel for each, with the working sets at which caches end."""
    try:
        import matplotlib
    except ImportError:
        progress("growth.png is left out: it needs matplotlib: pip install '.[plots]'")
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        1, len(found), figsize=(4 * len(found), 3.6), layout="constrained", squeeze=False
    )
    for axis, (name, rows) in zip(axes[0], found.items(), strict=True):
        sizes = np.array([row[name] for row in rows])
        times = np.array([row["microseconds"] for row in rows])
        work = np.array([row["flops"] for row in rows])
        cheapest = np.argmin(times / work)
        axis.loglog(sizes, times, "o-", color="#0072B2", label="a step")
        axis.loglog(
            sizes, times[cheapest] / work[cheapest] * work, "--", color="#888888",
            label=f"in proportion to its operations,\n{work[cheapest] / times[cheapest] / 1000:,.0f} GFLOP/s",
        )  # fmt: skip
        sets = [row["working_set"] for row in rows]
        for cache, size in caches().items():
            if sets[0] < size < sets[-1]:
                place = np.exp(np.interp(np.log(size), np.log(sets), np.log(sizes)))
                axis.axvline(place, color="#D55E00", linewidth=0.8)
                axis.text(
                    place, 0.02, f" {cache} ends", transform=axis.get_xaxis_transform(), color="#D55E00",
                    rotation=90, ha="right", va="bottom", fontsize=8,
                )  # fmt: skip
        axis.set(xlabel=f"{name}, {fixed(name, rows[0])}", ylabel="µs")
        axis.legend(frameon=False, fontsize=8, loc="upper left")
        axis.grid(color="#e4e4e4", linewidth=0.6)
    figure.savefig(chosen.output / "growth.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def fixed(name: str, row: dict[str, Any]) -> str:
    """The two sizes that stay."""
    return ", ".join(f"{other} {row[other]}" for other in ("batch", "width", "depth") if other != name)


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(parser(__doc__, SIZES), words)
    threads = max(chosen.threads or [2])
    found: dict[str, list[dict[str, Any]]] = {}
    sections = []
    for name in chosen.only or SIZES:
        sizes = SIZES[name][:3] if chosen.quick else SIZES[name]
        found[name] = []
        for size in sizes:
            size = replace(size, depth=min(size.depth, 2)) if chosen.quick else size
            found[name].append({**vars(size), **measure(size, threads, chosen.repeats)})
            progress(f"{size}: {found[name][-1]['microseconds']:,.1f} µs")
        rows = [
            [
                f"{row[name]:,}",
                f"{row['microseconds']:,.1f}",
                f"{row['median']:,.1f}",
                f"{row['flops'] / row['microseconds'] / 1000:,.0f}",
                f"{row['working_set'] / 2**20:,.2f}",
                level(row["working_set"]),
            ]
            for row in found[name]
        ]
        head = (name, "step (µs)", "median (µs)", "GFLOP/s", "working set (MiB)", "fits into")
        sections.append(
            f"## {name.capitalize()}: {fixed(name, found[name][0])}\n\n{table(head, rows)}\n\n"
            f"{conclusion(name, found[name])}"
        )
    draw(chosen, found)
    introduction = f"""
        A network of dense layers of equal width with tanh, momentum, statistics on; threads:
        {threads}; minimum of {chosen.repeats} repeats. The working set is all that a step touches:
        activations, weights, gradients, velocities, inputs. A vertical line stands where a cache
        ends, going by that.
    """
    body = "\n\n".join(["![growth](growth.png)", *sections])
    write(chosen, "growth", "How the time of a step grows", introduction, body, found)


if __name__ == "__main__":
    main()
