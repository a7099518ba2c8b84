"""Times one training step of dense networks on a GPU beside the processor, alternately, in one run.

    python benchmarks/gpu.py [--only digits_mlp ...] [--repeats 5]

Prints the table, and writes gpu.json and gpu.md to benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from contenders import Contender, LeftOutError, alternately, leave_out
from reporting import parse, parser, progress, table, write
from workloads import BY_NAME

from ravine import _core

NAMES = ["digits_mlp", "deep_mlp", "mnist_mlp", "adam_25m"]


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(parser(__doc__, NAMES), words)
    cards = [detail for name, there, detail in _core.report() if name.startswith("cuda:") and there]
    if not cards:
        progress("there is no GPU: see `ravine doctor`")
        return
    rows = []
    with ExitStack() as stack:
        contender = stack.enter_context(Contender("in_ravine", 0))
        for name in chosen.only or NAMES:
            workload = BY_NAME[name]
            try:
                for device in ("cuda:0", "cpu"):
                    contender.prepare(device, "prepare", workload, 0, device=device)
            except LeftOutError as error:
                leave_out(name, error)
                contender.forget()
                continue
            rows.append(
                {"name": name, **alternately({"cuda:0": contender, "cpu": contender}, chosen.repeats)}
            )
            contender.forget()
    head = ["workload", "GPU, us a step", "processor, us a step", "ratio"]
    cells = [
        [
            row["name"],
            f"{row['cuda:0']['minimum']:,.1f}",
            f"{row['cpu']['minimum']:,.1f}",
            f"{row['cpu']['minimum'] / row['cuda:0']['minimum']:.1f}",
        ]
        for row in rows
    ]
    introduction = f"Microseconds of one training step, minima, on {cards[0]}, beside the processor."
    write(chosen, "gpu", "Dense networks on a GPU", introduction, table(head, cells), rows)


if __name__ == "__main__":
    main()
