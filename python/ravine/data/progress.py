"""One line on standard error about work that takes long before training can begin."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

FIRST_SECONDS = 1.0  # shorter work says nothing
TERMINAL_SECONDS = 0.2
PLAIN_SECONDS = 30.0


class ProgressLine:
    """Says how far work is: in place on a terminal, otherwise a line now and then.

    Args:
        what: "decoding pictures", for instance.
        total: how much there is to do; 0: not known.
        unit: what is counted, such as "pictures"; "bytes" are shown as megabytes.
        stream: where to; a closed one is left alone.

    Example:
        >>> line = ProgressLine("decoding pictures", 2, "pictures", sys.stdout)
        >>> line.update(1)  # nothing within the first second
    """

    def __init__(self, what: str, total: int, unit: str, stream: TextIO | None = None) -> None:
        self.what = what
        self.total = total
        self.unit = unit
        self._stream = stream if stream is not None else sys.stderr
        self._started = self._shown = time.monotonic()
        self._width = 0
        self._first = 0

    def start_from(self, done: int) -> None:
        """What was there before, which says nothing about the speed."""
        self._first = done

    def update(self, done: int) -> None:
        """Shows how much is done, if it is time to."""
        now = time.monotonic()
        terminal = self._is_terminal()
        wait = TERMINAL_SECONDS if terminal else PLAIN_SECONDS
        if now - self._started < FIRST_SECONDS or (self._width and now - self._shown < wait):
            return
        self._shown = now
        text = f"{self.what}: {self._amount(done)}"
        if self.total:
            text += f" of {self._amount(self.total)} {self.unit if self.unit != 'bytes' else ''}".rstrip()
            if done > self._first:
                seconds = (now - self._started) * (self.total - done) / (done - self._first)
                text += f", {seconds:,.0f} s left"
        elif self.unit != "bytes":
            text += f" {self.unit}"
        self._write(f"\r{text:<{self._width}}" if terminal else f"{text}\n")
        self._width = max(self._width, len(text))

    def close(self) -> None:
        """Takes the line from the terminal again."""
        if self._width and self._is_terminal():
            self._write(f"\r{'':<{self._width}}\r")

    def _amount(self, count: int) -> str:
        return f"{count / 1e6:,.1f} MB" if self.unit == "bytes" else f"{count:,}"

    def _is_terminal(self) -> bool:
        try:
            return self._stream.isatty()
        except ValueError:  # closed
            return False

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # who read it has gone: the work goes on
            pass


@contextmanager
def progress_line(what: str, total: int, unit: str, stream: TextIO | None = None) -> Iterator[ProgressLine]:
    """A `ProgressLine` that is taken away at the end of the block."""
    line = ProgressLine(what, total, unit, stream)
    try:
        yield line
    finally:
        line.close()
