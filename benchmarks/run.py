"""Times a training step of Ravine beside its peers, alternately, in one run.

    python benchmarks/run.py [--repeats 5] [--threads 1 2] [--only digits_mlp ...]

Prints minima and medians in microseconds and the ratios, and writes them to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from workloads import WORKLOADS, Workload, jax_run, ravine_run, torch_run

import ravine
from ravine import _core

RESULTS = Path(__file__).parent / "results"


def processor() -> str:
    """The processor's name; figures mean little without it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def peers(workload: Workload, threads: int) -> dict[str, Callable[[], int]]:
    """What is timed against each other; a peer that is not installed is left out."""
    runs = {
        "ravine": ravine_run(workload, threads, statistics=True),
        "ravine, no statistics": ravine_run(workload, threads, statistics=False),
    }
    for peer, run in (("pytorch", torch_run), ("jax", jax_run)):
        try:
            runs[peer] = run(workload, threads)
        except ImportError as error:
            print(f"{workload.name}: {peer} is left out: {error} (make peers installs it)", file=sys.stderr)
    return runs


def measure(runs: dict[str, Callable[[], int]], repeats: int) -> dict[str, dict[str, float]]:
    """Microseconds a step: runs take turns, so that a busy machine is busy for all."""
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            steps = run()
            times[name].append((time.perf_counter() - start) / steps * 1e6)
    return {
        name: {"minimum": min(taken), "median": statistics.median(taken)} for name, taken in times.items()
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| workload | threads | Ravine (µs) | PyTorch (µs) | ratio of minima | medians | JAX (µs) "
        "| ratio of minima | medians | statistics cost |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own, bare = row["times"]["ravine"], row["times"]["ravine, no statistics"]
        cells = [row["workload"], str(row["threads"]), f"{own['minimum']:,.1f}"]
        for name in ("pytorch", "jax"):
            peer = row["times"].get(name)
            if peer is None:
                cells += ["-"] * 3
                continue
            cells += [f"{peer['minimum']:,.1f}"]
            cells += [f"{peer[figure] / own[figure]:.1f}" for figure in ("minimum", "median")]
        cells.append(f"{(own['minimum'] / bare['minimum'] - 1) * 100:.1f} %")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=[workload.name for workload in WORKLOADS])
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()

    rows = []
    for workload in WORKLOADS:
        if options.only and workload.name not in options.only:
            continue
        for threads in options.threads:
            times = measure(peers(workload, threads), options.repeats)
            rows.append({"workload": workload.name, "threads": threads, "times": times})
            print(f"{workload.name}, {threads} threads:", json.dumps(times), file=sys.stderr)

    versions = {"ravine": ravine.__version__, "numpy": np.__version__, "python": platform.python_version()}
    for name, module in (("pytorch", "torch"), ("jax", "jax")):
        if module in sys.modules:
            versions[name] = sys.modules[module].__version__
    versions |= {name: detail for name, there, detail in _core.report() if there}
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    facts = {
        "date": date,
        "processor": processor(),
        "cores": _core.available_processors(),
        "versions": versions,
    }
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "steps.json").write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n")
    described = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = (
        f"# Time of one training step\n\nMinimum of {options.repeats} repeats, microseconds, data in memory, "
        f"statistics of every layer at every step recorded in Ravine's column.\n"
        f"{date}, {facts['processor']}, {facts['cores']} cores; {described}.\n\n{table(rows)}\n"
    )
    (options.output / "steps.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
