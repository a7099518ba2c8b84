"""The run folder: the protocol between trainer, command line, app and notebooks."""

from __future__ import annotations

from ravine.runs.folder import RunFolder, RunSummary, list_runs
from ravine.runs.rank_times import RankTimes
from ravine.runs.reader import RunReader, RunState, StepRows, send_command, wait_for_reply
from ravine.runs.schema import CheckpointRow, Command, Evaluation, Event
from ravine.runs.store import RunWriter

__all__ = [
    "CheckpointRow",
    "Command",
    "Evaluation",
    "Event",
    "RankTimes",
    "RunFolder",
    "RunReader",
    "RunState",
    "RunSummary",
    "RunWriter",
    "StepRows",
    "list_runs",
    "send_command",
    "wait_for_reply",
]
