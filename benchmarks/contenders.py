"""Libraries that are timed against each other, each in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Collection, Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Protocol


class LeftOutError(Exception):
    """Why something is not timed: the library is not there, or cannot do it."""


class Contender:
    """One library in a process of its own, held to as many processors as it has threads.

    So none disturbs the other, and JAX, which has no setting for its threads, gets as many as the others.

    Args:
        module: in this folder, such as "in_ravine"; its functions prepare what is timed.
        threads: processors that the process may use.
    """

    def __init__(self, module: str, threads: int) -> None:
        self.module = module
        self.threads = threads
        context = multiprocessing.get_context("spawn")  # a fork would inherit threads in an unknown state
        self._connection, end = context.Pipe()
        processors = sorted(os.sched_getaffinity(0))[:threads]
        self._process = context.Process(target=serve, args=(end, module, processors), daemon=True)
        self._process.start()
        end.close()

    def prepare(self, name: str, function: str, *arguments: Any, **settings: Any) -> None:
        """Lets `function` of the module make what `run(name)` calls.

        Raises:
            LeftOutError: the library is not there, or cannot do it.
        """
        self._ask("prepare", name, function, arguments, settings)

    def run(self, name: str) -> tuple[float, Any]:
        """Seconds that a prepared call took, and what it returned."""
        seconds, result = self._ask("run", name)
        return seconds, result

    def forget(self) -> None:
        """Drops all that was prepared."""
        self._ask("forget")

    def _ask(self, *question: Any) -> Any:
        try:
            self._connection.send(question)
            kind, answer = self._connection.recv()
        except (EOFError, BrokenPipeError):
            raise RuntimeError(f"the process of {self.module} has ended; its error is above") from None
        if kind == "left out":
            raise LeftOutError(answer)
        return answer

    def __enter__(self) -> Contender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.join(10)
        self._process.terminate()


def serve(connection: Connection, module: str, processors: Collection[int]) -> None:
    """Answers, on these processors, until the other end is closed."""
    os.sched_setaffinity(0, processors)
    prepared: dict[str, Any] = {}
    while True:
        try:
            kind, *question = connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            answer: Any = None
            if kind == "prepare":
                name, function, arguments, settings = question
                prepared[name] = getattr(importlib.import_module(module), function)(*arguments, **settings)
            elif kind == "run":
                start = time.perf_counter()
                result = prepared[question[0]]()
                answer = (time.perf_counter() - start, result)
            else:
                prepared.clear()
            connection.send(("done", answer))
        except LeftOutError as error:
            connection.send(("left out", str(error)))
        except ModuleNotFoundError as error:
            connection.send(("left out", f"{error} (make peers installs it)"))


class Runner(Protocol):
    """Who runs what was prepared: a process, or several."""

    def run(self, name: str) -> tuple[float, Any]:
        """Seconds that a prepared call took, and what it returned."""


def alternately(runs: Mapping[str, Runner], repeats: int) -> dict[str, dict[str, float]]:
    """Microseconds a step of each prepared run, one repeat after a warm-up of all.

    They take turns, so that a busy machine is busy for all.

    Args:
        runs: by the name under which each was prepared.
        repeats: of each.

    Returns:
        "minimum" and "median" by name.
    """
    for name, contender in runs.items():
        contender.run(name)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, contender in runs.items():
            seconds, steps = contender.run(name)
            times[name].append(seconds / steps * 1e6)
    return {
        name: {"minimum": min(taken), "median": statistics.median(taken)} for name, taken in times.items()
    }


def leave_out(what: str, error: LeftOutError) -> None:
    """Says in one line that something is not timed, and why."""
    print(f"{what} is left out: {error}", file=sys.stderr)
