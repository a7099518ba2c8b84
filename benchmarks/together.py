"""Two trainers at once: how much of the speed that one has alone does each keep?

    python benchmarks/together.py [--only digits_mlp ...] [--threads 2] [--repeats 5] [--seconds 1]

Each trainer is a process of its own that goes through `Trainer.fit`, with so many threads and with "auto".
One trains alone, then both at the same time, in turn. The results go to benchmarks/results/.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from in_ravine import settings
from reporting import parse, parser, progress, table, write
from workloads import BY_NAME

from ravine import Callback, Sequential, Trainer

USUAL = ("digits_mlp", "deep_mlp", "lenet")
ROWS = 2500


class Stopwatch(Callback):
    """Stops the training after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.end = time.perf_counter() + seconds

    def on_steps(self, trainer: Trainer, *_: Any) -> None:
        if time.perf_counter() > self.end:
            trainer.stop()


def serve(connection: Connection, name: str, threads: Any) -> None:
    """Trains for as many seconds as it is told; answers with the steps of a second, and the threads."""
    workload = BY_NAME[name]
    inputs, labels = workload.arrays(max(ROWS, 3 * workload.batch))
    trainer = Trainer(
        Sequential(*workload.layers),
        loss="softmax_cross_entropy",
        optimizer=settings(workload),
        batch_size=workload.batch,
        dtype=workload.dtype,
        l2=workload.l2,
        threads=threads,
    )
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            seconds = connection.recv()
            trainer.callbacks = [Stopwatch(seconds)]
            before, start = trainer.optimizer.step_count, time.perf_counter()
            trainer.fit(inputs, labels, epochs=1_000_000)
            rate = (trainer.optimizer.step_count - before) / (time.perf_counter() - start)
            connection.send((rate, trainer.network.threads))


def measure(name: str, threads: Any, seconds: float, repeats: int) -> dict[str, Any]:
    """Steps a second alone and together, and the threads that were taken."""
    context = multiprocessing.get_context("spawn")
    ends: list[Connection] = []
    processes = []
    for _ in range(2):
        here, there = context.Pipe()
        processes.append(context.Process(target=serve, args=(there, name, threads), daemon=True))
        processes[-1].start()
        there.close()
        ends.append(here)

    def train(connections: Sequence[Connection]) -> list[tuple[float, int]]:
        for connection in connections:
            connection.send(seconds)
        return [connection.recv() for connection in connections]

    for end in ends:  # to warm up
        train([end])
    runs = [(train(ends[:1])[0], train(ends)) for _ in range(repeats)]
    for end, process in zip(ends, processes, strict=True):
        end.close()
        process.join()
    alone = statistics.median(rate for (rate, _), _ in runs)
    return {
        "workload": name,
        "threads": threads,
        "microseconds": 1e6 / alone,
        "taken_alone": runs[-1][0][1],
        "shares": [statistics.median(both[i][0] for _, both in runs) / alone for i in range(2)],
        "taken": [taken for _, taken in runs[-1][1]],
    }


def main(words: Sequence[str] | None = None) -> None:
    made = parser(__doc__, BY_NAME)
    made.add_argument("--seconds", type=float, default=1.0, help="of each training that is timed")
    chosen = parse(made, words)
    seconds = 0.05 if chosen.quick else chosen.seconds
    rows = []
    for name in chosen.only or USUAL:
        for threads in [*(chosen.threads or [2]), "auto"]:
            rows.append(measure(name, threads, seconds, chosen.repeats))
            progress(f"{name}, {threads} threads: {rows[-1]}")
    body = table(
        ("workload", "threads", "step alone (µs)", "share of each", "threads taken alone", "together"),
        [
            (
                row["workload"],
                str(row["threads"]),
                f"{row['microseconds']:,.1f}",
                ", ".join(f"{share:.0%}" for share in row["shares"]),
                str(row["taken_alone"]),
                ", ".join(str(taken) for taken in row["taken"]),
            )
            for row in rows
        ],
    )
    introduction = f"""
        Two processes train at the same time on the same processors, through `Trainer.fit`, statistics on.
        The share is of the steps a second that one has alone; medians of {chosen.repeats} repeats of
        {seconds:g} s, alone and together in turn. The threads are those of the last repeat.
    """
    write(chosen, "together", "Two trainers at once", introduction, body, rows)


if __name__ == "__main__":
    main()
