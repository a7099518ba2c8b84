"""Two trainers at once: how much of the speed that it has alone does each keep?

    python benchmarks/together.py [--seconds 2] [--repeats 3] [--threads 2 auto] [--only digits_mlp ...]

Each trainer is a process of its own that goes through `Trainer.fit`. It trains alone, then at the same time
as the other, in turn; the medians of the repeats are shown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

from workloads import WORKLOADS, Workload, arrays

from ravine import Sequential, Trainer
from ravine.layers import Convolution, Dense, Dropout, Flatten, MaxPooling
from ravine.training.trainer import Callback

SAMPLES_OF = {"lenet": 2048}  # the others have 8192


def layers_of(workload: Workload) -> list[dict[str, Any]]:
    """The layers of the network."""
    layers: list[dict[str, Any]] = []
    for filters in workload.filters:
        layers += [Convolution(filters, kernel=5, activation=workload.activation), MaxPooling()]
    if workload.filters:
        layers.append(Flatten())
    for units in workload.hidden:
        layers.append(Dense(units, activation=workload.activation))
        if workload.dropout:
            layers.append(Dropout(workload.dropout))
    return [*layers, Dense(10)]


class Stopwatch(Callback):
    """Stops the training after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.end = time.perf_counter() + seconds

    def on_steps(self, trainer: Trainer, *_: Any) -> None:
        if time.perf_counter() > self.end:
            trainer.stop()


def serve(workload: Workload, threads: int | str) -> None:
    """Trains for as many seconds as each line of the input says, and answers with steps a second."""
    rows = SAMPLES_OF.get(workload.name, 8192)
    inputs, labels = arrays(workload, rows // workload.batch)
    trainer = Trainer(
        Sequential(*layers_of(workload)),
        loss="softmax_cross_entropy",
        optimizer={"type": workload.optimizer, "learning_rate": 1e-4},
        batch_size=workload.batch,
        threads=threads,
    )
    for line in sys.stdin:
        stopwatch = Stopwatch(float(line))
        trainer.callbacks = [stopwatch]
        before, start = trainer.optimizer.step_count, time.perf_counter()
        trainer.fit(inputs, labels, epochs=1_000_000)
        elapsed = time.perf_counter() - start
        answer = {
            "rate": (trainer.optimizer.step_count - before) / elapsed,
            "threads": trainer.network.threads,
        }
        print(json.dumps(answer), flush=True)


class Served:
    """A trainer in another process."""

    def __init__(self, workload: str, threads: str) -> None:
        command = [sys.executable, __file__, "--serve", "--only", workload, "--threads", threads]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, seconds: float) -> None:
        """Starts to train."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """What came of it."""
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()


def measure(workload: str, threads: str, seconds: float, repeats: int) -> dict[str, Any]:
    """Steps a second alone and together, and the threads that the trainers have taken."""
    trainers = [Served(workload, threads), Served(workload, threads)]
    for trainer in trainers:  # to warm up
        trainer.begin(0.5)
        trainer.end()
    alone: list[float] = []
    together: list[list[float]] = []
    chosen: list[int] = []
    for _ in range(repeats):
        trainers[0].begin(seconds)
        alone.append(trainers[0].end()["rate"])
        for trainer in trainers:
            trainer.begin(seconds)
        answers = [trainer.end() for trainer in trainers]
        together.append([answer["rate"] for answer in answers])
        chosen = [answer["threads"] for answer in answers]
    for trainer in trainers:
        trainer.close()
    single = statistics.median(alone)
    shares = [statistics.median(rates) / single for rates in zip(*together, strict=True)]
    return {
        "microseconds": 1e6 / single,
        "shares": shares,
        "threads": chosen,
        "alone": alone,
        "all": together,
    }


def main() -> None:
    """Prints a row for each workload and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", nargs="+", default=["2", "auto"])
    parser.add_argument("--only", nargs="+", default=["digits_mlp", "deep_mlp", "lenet"])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chosen = [workload for workload in WORKLOADS if workload.name in arguments.only]
    if arguments.serve:
        asked = arguments.threads[0]
        serve(chosen[0], "auto" if asked == "auto" else int(asked))
        return
    print("| workload | threads | chosen | step alone (µs) | share of the one | of the other |")
    print("|---|---|---|---|---|---|")
    for workload in chosen:
        for threads in arguments.threads:
            found = measure(workload.name, threads, arguments.seconds, arguments.repeats)
            first, second = found["shares"]
            numbers = " ".join(str(number) for number in found["threads"])
            print(
                f"| {workload.name} | {threads} | {numbers} | {found['microseconds']:,.1f} "
                f"| {first:.0%} | {second:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
