"""Time to a test accuracy on MNIST and Fashion-MNIST: Ravine, PyTorch and scikit-learn's MLPClassifier.

    python benchmarks/accuracy.py [--only mnist] [--threads 2] [--seeds 3]

The same network, initial distribution, batch size and optimizer; reading the data and testing after every
epoch are timed too, importing the libraries is not. Prints the table, and writes accuracy.json and
accuracy.md to benchmarks/results/.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

from contenders import Contender, LeftOutError, leave_out
from reporting import parse, parser, progress, table, write
from tasks import TASKS, Task

LIBRARIES = {"Ravine": "in_ravine", "PyTorch": "in_pytorch", "scikit-learn": "in_sklearn"}
ONE_SEED = {"scikit-learn"}  # it takes minutes


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def measure(task: Task, contenders: dict[str, Contender], seeds: int) -> dict[str, list[dict[str, Any]]]:
    """What each library needed, by seed; libraries take turns."""
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(seeds):
        for library, contender in contenders.items():
            if seed > 0 and library in ONE_SEED:
                continue
            try:
                contender.prepare(library, "prepare_accuracy", task, contender.threads, seed)
            except LeftOutError as error:
                leave_out(f"{task.name}: {library}", error)
                continue
            _, epochs = contender.run(library)
            seconds, accuracy = epochs[-1]
            reached = accuracy >= task.accuracy
            found.setdefault(library, []).append(
                {
                    "seed": seed,
                    "seconds": seconds,
                    "epochs": len(epochs),
                    "reached": reached,
                    "course": epochs,
                }
            )
            progress(
                f"{task.name}, {library}, seed {seed}: {accuracy:.4f}, {len(epochs)} epochs, {seconds:.2f} s"
            )
            contender.forget()
    return found


def cells(row: dict[str, Any], library: str) -> list[str]:
    """A row of the table: medians over the seeds, among which one that did not arrive is the slowest."""
    seeds = row["libraries"][library]
    seconds = [one["seconds"] if one["reached"] else float("inf") for one in seeds]
    a_epoch = median(
        (one["course"][-1][0] - one["course"][0][0]) / max(1, one["epochs"] - 1) for one in seeds
    )
    own = median(one["seconds"] for one in row["libraries"]["Ravine"])
    return [
        row["task"],
        f"{row['accuracy']:.2f}",
        library,
        _number(min(seconds), 2),
        _number(median(seconds), 2),
        ", ".join(str(one["epochs"]) if one["reached"] else f"not in {one['epochs']}" for one in seeds),
        f"{a_epoch:.2f}",
        _number(median(seconds) / own, 1),
    ]


def main(words: Sequence[str] | None = None) -> None:
    made = parser(__doc__, TASKS)
    made.add_argument(
        "--seeds", type=int, default=3, help="of Ravine and PyTorch: 0, 1, ...; scikit-learn has one"
    )
    chosen = parse(made, words)
    threads = max(chosen.threads or [2])
    rows = []
    with ExitStack() as stack:
        contenders = {
            library: stack.enter_context(Contender(module, threads))
            for library, module in LIBRARIES.items()
            if library == "Ravine" or not chosen.without_peers
        }
        for name in chosen.only or TASKS:
            task = TASKS[name].quick() if chosen.quick else TASKS[name]
            if task.folder is not None and not task.folder.is_dir():
                leave_out(
                    name,
                    LeftOutError("its four IDX files are not in ../shared/datasets, seen from the project"),
                )
                continue
            found = measure(task, contenders, 1 if chosen.quick else chosen.seeds)
            rows.append({"task": name, "accuracy": task.accuracy, "threads": threads, "libraries": found})
    head = (
        "data", "accuracy", "library", "least (s)", "median (s)", "epochs, by seed", "a further epoch (s)",
        "times Ravine's median",
    )  # fmt: skip
    task = TASKS["mnist"].quick() if chosen.quick else TASKS["mnist"]
    hidden = " and ".join(map(str, task.hidden))
    introduction = f"""
        Seconds until the test accuracy is reached: reading the files, training, and testing after
        every epoch; threads: {threads}. Hidden layers of {hidden} units with ReLU; all weights and
        biases start uniform in (-b, b), b = sqrt(6 / (inputs + outputs)), as scikit-learn's do;
        Adam at {task.learning_rate}, batches of {task.batch}. Ravine records statistics of every
        layer at every step.
    """
    body = table(head, [cells(row, library) for row in rows for library in row["libraries"]])
    write(chosen, "accuracy", "Time to a test accuracy", introduction, body, rows)


if __name__ == "__main__":
    main()
