"""Times one training step on a GPU beside PyTorch on it, and Adam's update beside a copy, alternately.

    python benchmarks/gpu.py [--only digits_mlp ...] [--repeats 5] [--device cuda:0]

Prints the tables, and writes gpu.json and gpu.md to benchmarks/results/. Without a GPU: one line, and exit
code 2.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from contenders import Contender, LeftOutError, alternately, leave_out
from reporting import parse, parser, progress, table, write
from workloads import BY_NAME, Workload

from ravine.commands.doctor_gpu import driver_version
from ravine.devices import Device, gpus

MISSING = 2
ADAM = "adam_25m"
# Adam reads weights, gradients and both moments, and writes all but the gradients, in float32.
ADAM_BYTES = 7 * 4 * 25_000_000
COPIED = 1 << 30  # bytes; read once and written once


@dataclass(frozen=True)
class Comparison:
    """A workload, PyTorch's forms of it, and how many times as fast as the best of them Ravine is to be."""

    workload: Workload
    forms: tuple[str, ...]
    goal: float


COMPARISONS = {
    "digits_mlp": Comparison(replace(BY_NAME["digits_mlp"], steps=4000), ("eager",), 3.0),
    "mnist_mlp": Comparison(replace(BY_NAME["mnist_mlp"], steps=400), ("eager",), 3.0),
    "lenet": Comparison(replace(BY_NAME["lenet"], steps=400), ("eager",), 3.0),
    "resnet20": Comparison(
        replace(BY_NAME["resnet20_bfloat16"], batch=512, steps=40), ("compiled", "compiled, graphs"), 1.2
    ),
}
ADAM_GOAL = 0.85
ADAM_STEPS = 200

Times = dict[str, dict[str, float]]


def chosen_card(name: str) -> Device | str:
    """The GPU of that name, or why it cannot be used."""
    there = {one.name: one for one in gpus()}
    if name in there:
        return there[name]
    return (
        f"there is no {name} that can be used; there is {', '.join(there) or 'no GPU'}: see `ravine doctor`"
    )


def measure(comparison: Comparison, card: str, contenders: dict[str, Contender], repeats: int) -> Times:
    """Microseconds a step of Ravine and of each form in PyTorch that can be timed; nothing without Ravine."""
    workload = comparison.workload
    runs = {}
    own = contenders["in_ravine"]
    try:
        own.prepare("Ravine", "prepare", workload, 0, device=card)
        runs["Ravine"] = own
        for form in comparison.forms if "in_pytorch_cuda" in contenders else ():
            peer = contenders["in_pytorch_cuda"]
            peer.prepare(form, "prepare", workload, card, mode=form)
            runs[form] = peer
    except LeftOutError as error:
        leave_out(workload.name, error)
    times = alternately(runs, repeats) if "Ravine" in runs else {}
    for contender in contenders.values():
        contender.forget()
    return times


def measure_adam(steps: int, card: str, contenders: dict[str, Contender], repeats: int) -> Times:
    """Microseconds of one update of Adam in Ravine and PyTorch, and of one copy on the card."""
    workload = replace(BY_NAME[ADAM], steps=steps)
    runs = {}
    asked: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
        "Ravine": ("in_ravine", (workload, 0), {"device": card}),
        "fused": ("in_pytorch_cuda", (workload, card), {}),
        "copy": ("copy_bandwidth", (int(card.partition(":")[2]), COPIED, 20), {}),
    }
    for name, (module, arguments, settings) in asked.items():
        if module not in contenders:
            continue
        try:
            contenders[module].prepare(name, "prepare", *arguments, **settings)
            runs[name] = contenders[module]
        except LeftOutError as error:
            leave_out(f"{ADAM}: {name}", error)
    times = alternately(runs, repeats) if "Ravine" in runs else {}
    for contender in contenders.values():
        contender.forget()
    return times


def cells(name: str, comparison: Comparison, times: Times) -> list[str]:
    """A row of the first table; of PyTorch's forms the one with the lowest minimum."""
    own = times["Ravine"]
    row = [name, str(comparison.workload.batch), f"{own['minimum']:,.1f}", f"{own['median']:,.1f}"]
    peers = {form: one for form, one in times.items() if form != "Ravine"}
    if not peers:
        return [*row, "-", "-", "-", "-", f"{comparison.goal:g}"]
    form = min(peers, key=lambda one: peers[one]["minimum"])
    peer = peers[form]
    ratios = [f"{peer[figure] / own[figure]:.2f}" for figure in ("minimum", "median")]
    return [*row, f"{peer['minimum']:,.1f} {form}", f"{peer['median']:,.1f}", *ratios, f"{comparison.goal:g}"]


def adam_cells(times: Times) -> list[list[str]]:
    """Rows of the second table: GB a second, and how much of a copy's that is."""
    names = {"Ravine": "Ravine", "fused": "PyTorch, fused", "copy": "copy on the card"}
    rows = []
    for name, figures in times.items():
        moved = 2 * COPIED if name == "copy" else ADAM_BYTES
        speed = moved / figures["minimum"] / 1e3
        share = "-"
        if "copy" in times:
            share = f"{speed / (2 * COPIED / times['copy']['minimum'] / 1e3):.0%}"
        rows.append(
            [names[name], f"{figures['minimum']:,.1f}", f"{figures['median']:,.1f}", f"{speed:,.0f}", share]
        )
    return rows


def body(rows: dict[str, Times]) -> str:
    """Both tables."""
    head = (
        "workload", "batch", "Ravine (µs)", "median", "PyTorch (µs)", "median", "ratio of minima",
        "of medians", "goal",
    )  # fmt: skip
    steps = [cells(name, COMPARISONS[name], times) for name, times in rows.items() if name != ADAM]
    parts = [table(head, steps)] if steps else []
    if ADAM in rows:
        update = (
            "Adam, 25 million weights",
            "minimum (µs)",
            "median",
            "GB/s",
            f"of a copy (goal {ADAM_GOAL:.0%})",
        )
        parts.append(table(update, adam_cells(rows[ADAM])))
    return "\n\n".join(parts)


def options(words: Sequence[str] | None) -> Namespace:
    """The command line."""
    made = parser(__doc__, [*COMPARISONS, ADAM])
    made.add_argument("--device", default="cuda:0", metavar="cuda:N", help="the GPU")
    return parse(made, words)


def main(words: Sequence[str] | None = None) -> int:
    chosen = options(words)
    card = chosen_card(chosen.device)
    if isinstance(card, str):
        progress(f"bench-gpu: {card}")
        return MISSING
    modules = ["in_ravine"] if chosen.without_peers else ["in_ravine", "in_pytorch_cuda", "copy_bandwidth"]
    if not chosen.without_peers and importlib.util.find_spec("torch") is None:
        progress("bench-gpu: PyTorch is not installed (make peers, or --without-peers)")
        return MISSING
    rows: dict[str, Times] = {}
    with ExitStack() as stack:
        processors = os.cpu_count() or 1
        contenders = {name: stack.enter_context(Contender(name, processors)) for name in modules}
        for name in chosen.only or [*COMPARISONS, ADAM]:
            progress(name)
            if name == ADAM:
                times = measure_adam(2 if chosen.quick else ADAM_STEPS, card.name, contenders, chosen.repeats)
            else:
                one = COMPARISONS[name]
                one = replace(one, workload=one.workload.quick()) if chosen.quick else one
                times = measure(one, card.name, contenders, chosen.repeats)
            if times:
                rows[name] = times
    introduction = f"""
        Minima and medians of {chosen.repeats} repeats that take turns, microseconds of one step, each repeat
        waited for to its end on the GPU. {card.name} is {card.detail}; driver
        {driver_version() or "unknown"}. Both have their data on the GPU; Ravine records statistics of every
        layer at every step. PyTorch has images channels-last, the fused optimizer, and float32 without TF32;
        resnet20 is bfloat16 on both sides (autocast in PyTorch).
    """
    write(chosen, "gpu", "Training on a GPU", introduction, body(rows), rows)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
