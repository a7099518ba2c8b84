"""Times an epoch of Trainer.fit beside its steps alone, and the same with PyTorch's DataLoader.

    python benchmarks/epochs.py [--only digits_mlp ...] [--threads 2] [--repeats 5]

An epoch has shuffling, a schedule, and statistics of every layer at every step; the data are in memory.
Prints the table, and writes epochs.json and epochs.md to benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from contenders import Contender, LeftOutError, alternately, leave_out
from reporting import parse, parser, progress, table, write
from workloads import BY_NAME, Workload

LEAST = 2  # epochs of a fit
NAMES = [name for name, workload in BY_NAME.items() if workload.samples and workload.dtype == "float32"]
LIBRARIES = {"Ravine": "in_ravine", "PyTorch": "in_pytorch"}


def measure(workload: Workload, contenders: dict[str, Contender], repeats: int) -> dict[str, Any]:
    """Microseconds an epoch and of its steps, of each library that is there."""
    epochs = max(LEAST, workload.steps * workload.batch // workload.samples)
    runs = {}
    for library, contender in contenders.items():
        try:
            for what in ("steps", "epoch"):
                name = f"{library} {what}"
                contender.prepare(
                    name, "prepare_epochs", workload, contender.threads, epochs, whole=what == "epoch"
                )
                runs[name] = contender
        except LeftOutError as error:
            leave_out(f"{workload.name}: {library}", error)
    times = alternately(runs, repeats)
    for contender in contenders.values():
        contender.forget()
    return times


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    found = [row["workload"], f"{row['samples']:,}", str(row["threads"])]
    for library in LIBRARIES:
        steps, epoch = (row["times"].get(f"{library} {what}") for what in ("steps", "epoch"))
        if steps is None or epoch is None:
            found += ["-"] * 4
            continue
        found += [f"{one['minimum'] / 1000:,.2f}" for one in (steps, epoch)]
        found += [f"{(epoch[figure] / steps[figure] - 1) * 100:.1f} %" for figure in ("minimum", "median")]
    return found


def main(words: Sequence[str] | None = None) -> None:
    chosen = parse(parser(__doc__, NAMES), words)
    rows = []
    for threads in chosen.threads or [2]:
        with ExitStack() as stack:
            contenders = {
                library: stack.enter_context(Contender(module, threads))
                for library, module in LIBRARIES.items()
                if library == "Ravine" or not chosen.without_peers
            }
            for name in chosen.only or NAMES:
                workload = BY_NAME[name].quick() if chosen.quick else BY_NAME[name]
                times = measure(workload, contenders, chosen.repeats)
                rows.append(
                    {"workload": name, "samples": workload.samples, "threads": threads, "times": times}
                )
                progress(" | ".join(cells(rows[-1])))
    head = ["workload", "samples", "threads"]
    for library in LIBRARIES:
        head += [f"{library}: steps (ms)", "epoch (ms)", "overhead of minima", "of medians"]
    introduction = f"""
        Minimum of {chosen.repeats} repeats, milliseconds. The steps alone run over the same samples
        as they lie in memory, in Ravine with statistics too; an epoch of `Trainer.fit` shuffles,
        gathers batches, follows a cosine schedule and records statistics of every layer at every
        step. PyTorch's epoch is that of its DataLoader, which shuffles, with a cosine schedule.
    """
    title = "Cost of an epoch beside its steps"
    write(chosen, "epochs", title, introduction, table(head, map(cells, rows)), rows)


if __name__ == "__main__":
    main()
