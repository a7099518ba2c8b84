"""The log of a run: its text, its events, and what was asked of it, in one order."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ravine.gui.state.tail import RunTail

LEVELS = ("note", "warning", "error")
LARGEST_LOG = 2 << 20  # of which the end is read
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:\[rank (\d+)\] )?(.*)")


@dataclass(frozen=True)
class LogLine:
    """One line: "YYYY-MM-DD hh:mm:ss", level, rank that wrote it, text."""

    time: str
    level: str
    rank: int
    text: str


@dataclass(frozen=True)
class LogQuery:
    """Asks for the log of a run."""

    run: Path

    @property
    def runs(self) -> tuple[Path, ...]:
        return (self.run,)

    def answer(self, tails: dict[Path, RunTail]) -> list[LogLine]:
        return lines_of(tails[self.run])


def lines_of(tail: RunTail) -> list[LogLine]:
    """What the trainer wrote, and what was done, by time."""
    found = parsed_log(tail.path / "log.txt")
    started = tail.state.started if tail.state else None
    for command in tail.commands:
        what = " ".join([command.kind, *_payload(command.payload)])
        reply = f": {command.reply}" if command.reply else ""
        level = "error" if command.status == "refused" else "note"
        found.append(LogLine(_clock(command.created), level, 0, f"asked: {what} ({command.status}){reply}"))
    if started is not None:
        for event in tail.events:
            if event.kind in ("schedule", "early_stopping", "settings"):
                what = " ".join([event.kind.replace("_", " "), *_payload(event.payload)])
                found.append(
                    LogLine(_clock(started + event.seconds), "note", 0, f"step {event.step:,}: {what}")
                )
    if tail.state is not None and tail.state.state == "crashed":
        found.append(LogLine(_clock(tail.state.ended or time.time()), "error", 0, tail.state.reason))
    return sorted(found, key=lambda line: line.time)


def parsed_log(path: Path) -> list[LogLine]:
    """The lines of log.txt; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LARGEST_LOG))
            text = file.read(LARGEST_LOG).decode(errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        when, rank, words = (match[1], int(match[2] or 0), match[3]) if match else ("", 0, line)
        first = words.partition(":")[0].lower()
        level = first if first in ("warning", "error") else "note"
        found.append(LogLine(when, "error" if "crashed" in first else level, rank, words))
    return found


def _payload(payload: dict[str, Any]) -> list[str]:
    if set(payload) == {"name", "value"}:
        return [f"{payload['name']} = {payload['value']}"]
    return [f"{key} {value}" for key, value in payload.items()]


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
