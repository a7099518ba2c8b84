"""What the tabs show, answered from the records of runs in a thread beside the window."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from PySide6 import QtCore

from ravine.gui.state.records import BYTES
from ravine.gui.state.tail import RunTail
from ravine.gui.state.worker import Failure, Worker

KEPT = 6  # records that stay open although no tab asks for them now
KEPT_BYTES = 64 << 20  # that these take together
MOST_BYTES = 256 << 20  # that the records take which are asked for
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

    `ask` with the queries of what is visible, again and again; `answered` brings those answers that have
    changed: a mapping from the queries' names.

    Attributes:
        seconds: of processor time that all rounds have taken so far.
        live: whether one of the runs that were asked for last goes on.
    """

    answered = QtCore.Signal(dict)

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.live = True
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
        answers, more, self.live, seconds = result
        self.seconds += seconds
        if answers:
            self.answered.emit(answers)
        if more and self._last:  # a large record: go on at once
            self.ask(self._last)

    def _round(self, queries: dict[str, Query]) -> tuple[dict[str, Any], bool, bool, float]:
        """In the worker's thread: reads what is new of the runs that are asked for.

        Returns:
            Answers that are new, whether there is more to read at once, whether a run goes on, and the
            processor time that this took.
        """
        start = time.thread_time()
        wanted = list(dict.fromkeys(run for query in queries.values() for run in query.runs))
        self._let_go(wanted)
        more = live = False
        for run in wanted:
            tail = self._tail(run, min(BYTES, MOST_BYTES // len(wanted)))
            more |= tail.refresh(READ_SECONDS)
            live |= tail.live
        answers = {}
        for name, query in queries.items():
            seen = (query, tuple(self._tails[run].version for run in query.runs))
            if self._given.get(name) != seen:
                self._given[name] = seen
                answers[name] = query.answer(self._tails)
        for name in [name for name in self._given if name not in queries]:
            del self._given[name]
        return answers, more, live, time.thread_time() - start

    def _let_go(self, wanted: list[Path]) -> None:
        """Closes records that nobody asks for, the oldest first, where they are many or large."""
        others = [run for run in self._tails if run not in wanted]
        while others and (len(others) > KEPT or sum(self._tails[run].bytes for run in others) > KEPT_BYTES):
            self._tails.pop(others.pop(0)).close()

    def _tail(self, run: Path, size: int) -> RunTail:
        """The record of a run; one that takes more than its share is read again, in larger groups."""
        known = self._tails.pop(run, None)
        if known is not None and known.size > size and known.bytes > 2 * size:
            known.close()
            known = None
        self._tails[run] = RunTail(run, size) if known is None else known
        return self._tails[run]

    def _close_tails(self) -> None:
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()
