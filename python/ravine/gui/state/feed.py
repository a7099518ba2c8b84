"""What the tabs show, answered from the records of runs in a thread beside the window."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from PySide6 import QtCore

from ravine.gui.state.tail import RunTail
from ravine.gui.state.worker import Failure, Worker

KEPT = 6  # records that stay open although no tab asks for them now
READ_SECONDS = 0.05  # of one run, before the answers are given


class Query(Protocol):
    """A question about runs: compared by value, answered in the worker's thread."""

    @property
    def runs(self) -> tuple[Path, ...]:
        """The run folders that it is about."""

    def answer(self, tails: dict[Path, RunTail]) -> Any:
        """The answer, from the records as far as they were read."""


class Feed(QtCore.QObject):
    """Answers queries, again and again, while runs are written.

    `ask` with the queries of what is visible, 10 to 20 times a second; `answered` brings those answers that
    have changed: a mapping from the queries' names.
    """

    answered = QtCore.Signal(dict)

    def __init__(self) -> None:
        super().__init__()
        self._tails: dict[Path, RunTail] = {}
        self._given: dict[str, tuple[Query, tuple[int, ...]]] = {}
        self._busy = False
        self._more = False
        self._last: dict[str, Query] = {}
        self._worker = Worker("feed", self._close_tails)
        self._worker.done.connect(self._on_done)

    def ask(self, queries: Mapping[str, Query]) -> None:
        """Lets the queries be answered; one round at a time, the newest queries count."""
        self._last = dict(queries)
        if not self._busy:
            self._busy = True
            self._worker.submit("round", lambda queries=dict(queries): self._round(queries))  # type: ignore[misc]

    def close(self) -> None:
        """Ends the thread and closes the databases."""
        self._worker.close()

    def _on_done(self, key: object, result: Any) -> None:
        self._busy = False
        if isinstance(result, Failure):
            self.answered.emit({"failure": result})
            return
        answers, more = result
        if answers:
            self.answered.emit(answers)
        if more and self._last:  # a large record: go on at once
            self.ask(self._last)

    def _round(self, queries: dict[str, Query]) -> tuple[dict[str, Any], bool]:
        """In the worker's thread: reads what is new of the runs that are asked for."""
        wanted = dict.fromkeys(run for query in queries.values() for run in query.runs)
        for run in [run for run in self._tails if run not in wanted][: max(0, len(self._tails) - KEPT)]:
            self._tails.pop(run).close()
        more = False
        for run in wanted:
            more |= self._tail(run).refresh(READ_SECONDS)
        answers = {}
        for name, query in queries.items():
            seen = (query, tuple(self._tails[run].version for run in query.runs))
            if self._given.get(name) != seen:
                self._given[name] = seen
                answers[name] = query.answer(self._tails)
        for name in [name for name in self._given if name not in queries]:
            del self._given[name]
        return answers, more

    def _tail(self, run: Path) -> RunTail:
        if run not in self._tails:
            self._tails[run] = RunTail(run)
        return self._tails[run]

    def _close_tails(self) -> None:
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()
