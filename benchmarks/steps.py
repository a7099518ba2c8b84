"""Times one training step of Ravine beside PyTorch and JAX, alternately, in one run.

    python benchmarks/steps.py [--only digits_mlp ...] [--threads 1 2] [--repeats 5]

Prints the table, and writes steps.json and steps.md to benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from contenders import Contender, LeftOutError, alternately, leave_out
from reporting import parse, parser, progress, table, write
from workloads import BY_NAME, Workload

Times = dict[str, dict[str, float]]


def variants(workload: Workload) -> dict[str, tuple[str, dict[str, Any]]]:
    """What is timed for a workload: by name, its module and the settings of `prepare`."""
    found: dict[str, tuple[str, dict[str, Any]]] = {"Ravine": ("in_ravine", {})}
    if not workload.update_only:
        found["Ravine without statistics"] = ("in_ravine", {"statistics": False})
    found["PyTorch"] = ("in_pytorch", {})
    if workload.update_only:
        found["PyTorch foreach"] = ("in_pytorch", {"form": "foreach"})
    if workload.dtype == "bfloat16":
        found["PyTorch autocast"] = ("in_pytorch", {"autocast": True})
    else:
        found["JAX"] = ("in_jax", {})
    return found


def measure(workload: Workload, contenders: dict[str, Contender], repeats: int) -> Times:
    """Microseconds a step of every variant that can be timed; nothing without Ravine."""
    runs = {}
    for name, (module, settings) in variants(workload).items():
        contender = contenders.get(module)
        if contender is None:
            continue
        try:
            contender.prepare(name, "prepare", workload, contender.threads, **settings)
            runs[name] = contender
        except LeftOutError as error:
            leave_out(f"{workload.name}: {name}", error)
            if module == "in_ravine":
                return {}
    times = alternately(runs, repeats)
    for contender in runs.values():
        contender.forget()
    return times


def cells(workload: str, threads: int, times: Times) -> list[str]:
    """A row of the table; of PyTorch's variants the one with the lowest minimum."""
    own, bare = times["Ravine"], times.get("Ravine without statistics")
    row = [workload, str(threads), f"{own['minimum']:,.1f}"]
    for library in ("PyTorch", "JAX"):
        peers = [(one["minimum"], name) for name, one in times.items() if name.startswith(library)]
        if not peers:
            row += ["-"] * 3
            continue
        name = min(peers)[1]
        form = name.removeprefix(library)
        row.append(f"{times[name]['minimum']:,.1f}{form}")
        row += [f"{times[name][figure] / own[figure]:.1f}" for figure in ("minimum", "median")]
    row.append(f"{(own['minimum'] / bare['minimum'] - 1) * 100:.1f} %" if bare else "-")
    return row


def main(words: Sequence[str] | None = None) -> None:
    made = parser(__doc__, BY_NAME)
    chosen = parse(made, words)
    modules = ["in_ravine"] if chosen.without_peers else ["in_ravine", "in_pytorch", "in_jax"]
    rows = []
    for threads in chosen.threads or [1, 2]:
        with ExitStack() as stack:
            contenders = {name: stack.enter_context(Contender(name, threads)) for name in modules}
            for workload in BY_NAME.values():
                if chosen.only and workload.name not in chosen.only:
                    continue
                times = measure(workload.quick() if chosen.quick else workload, contenders, chosen.repeats)
                if times:
                    rows.append({"workload": workload.name, "threads": threads, "times": times})
                    figures = ", ".join(f"{name} {one['minimum']:,.1f}" for name, one in times.items())
                    progress(f"{workload.name}, {threads} threads: {figures}")
    order = list(BY_NAME)
    rows.sort(key=lambda row: (order.index(row["workload"]), row["threads"]))
    head = (
        "workload", "threads", "Ravine (µs)", "PyTorch (µs)", "ratio of minima", "medians", "JAX (µs)",
        "ratio of minima", "medians", "statistics cost",
    )  # fmt: skip
    introduction = f"""
        Minimum of {chosen.repeats} repeats, microseconds, data in memory, statistics of every layer
        at every step recorded in Ravine's column. PyTorch runs eagerly, images channels-last, with
        the fused optimizer or the variant that is named. adam_25m is the update alone of 25 million
        weights.
    """
    body = table(head, [cells(row["workload"], row["threads"], row["times"]) for row in rows])
    write(chosen, "steps", "Time of one training step", introduction, body, rows)


if __name__ == "__main__":
    main()
