"""Trainer processes: started as a terminal would start them, steered through their run folders."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO

from ravine.errors import RunError
from ravine.runs import files
from ravine.runs.lock import holder

LARGEST_OUTPUT = 64 << 10  # of what is read of a process's messages
PREFIX = "ravine: error: "


@dataclass(frozen=True)
class Launch:
    """A command line of the trainer.

    Args:
        words: after `ravine`.
        run: the folder that the run has, or will have.
        ranks: processes; above 1 by `ravine launch`.
    """

    words: tuple[str, ...]
    run: Path
    ranks: int = 1

    @property
    def command(self) -> list[str]:
        """What is started: this Python, so that no other installation is taken by mistake."""
        return [sys.executable, "-m", "ravine", *self._launched, *self.words, "--quiet"]

    @property
    def text(self) -> str:
        """The same as it is typed in a terminal."""
        return shlex.join(["ravine", *self._launched, *self.words])

    @property
    def _launched(self) -> list[str]:
        return ["launch", "-n", str(self.ranks)] if self.ranks > 1 else []


@dataclass(frozen=True)
class Ended:
    """How a trainer process ended; `reason` is empty where all went well."""

    run: Path
    code: int
    reason: str


def free_run(parent: Path, name: str) -> Path:
    """The first of `name`, `name-2`, `name-3`, ... that is not there yet."""
    path, number = parent / name, 1
    while os.path.lexists(path):
        number += 1
        path = parent / f"{name}-{number}"
    return path


def train_launch(experiment: Path, run: Path, *, ranks: int = 1) -> Launch:
    """Trains an experiment file in a new run folder."""
    return Launch(("train", str(experiment), "--runs", str(run.parent), "--name", run.name), run, ranks)


def resume_launch(
    run: Path,
    changes: Mapping[str, float] = MappingProxyType({}),
    ranks: int = 1,
    checkpoint: str = "last",
) -> Launch:
    """Goes on with a run from a checkpoint, with other settings from there on."""
    more = ["--checkpoint", checkpoint] if checkpoint != "last" else []
    more += [word for key, value in changes.items() for word in ("--set", f"{key}={value!r}")]
    return Launch(("resume", str(run), *more), run, ranks)


@dataclass
class _Process:
    launch: Launch
    popen: subprocess.Popen[bytes]
    messages: IO[bytes]

    def last_message(self) -> str:
        """The last line on standard error."""
        size = os.fstat(self.messages.fileno()).st_size
        text = os.pread(self.messages.fileno(), LARGEST_OUTPUT, max(0, size - LARGEST_OUTPUT))
        lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].removeprefix(PREFIX) if lines else ""


class Trainers:
    """The trainer processes that this app has started.

    They are in sessions of their own and write to files, never to pipes: they go on when the app is killed.
    """

    def __init__(self) -> None:
        self._processes: dict[Path, _Process] = {}

    def __contains__(self, run: Path) -> bool:
        return run in self._processes

    @property
    def running(self) -> list[Path]:
        """Runs whose trainer was started here and has not ended yet."""
        return list(self._processes)

    def pid(self, run: Path) -> int:
        """Number of a trainer process."""
        return self._processes[run].popen.pid

    def start(self, launch: Launch) -> None:
        """Starts a trainer.

        Raises:
            RunError: the run is being trained already, or the process cannot be started.
        """
        other = holder(launch.run / "lock")
        if launch.run in self._processes or other is not None:
            raise RunError(f"is in use by {other or 'a trainer that was just started'}", file=launch.run)
        try:
            launch.run.parent.mkdir(parents=True, exist_ok=True)
            # A file without a name: it is gone with the last process that has it.
            messages = tempfile.TemporaryFile()  # noqa: SIM115
        except OSError as error:
            raise RunError(f"cannot be made: {files.cause(error)}", file=launch.run) from error
        try:
            popen = subprocess.Popen(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                cwd=launch.run.parent,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except OSError as error:
            messages.close()
            raise RunError(f"the trainer cannot be started: {files.cause(error)}", file=launch.run) from error
        self._processes[launch.run] = _Process(launch, popen, messages)

    def ended(self) -> list[Ended]:
        """Those that have ended since the last call, each once."""
        found = []
        for run, process in list(self._processes.items()):
            code = process.popen.poll()
            if code is None:
                continue
            found.append(Ended(run, code, _reason(code, process.last_message().removeprefix(f"{run}: "))))
            process.messages.close()
            del self._processes[run]
        return found

    def terminate(self, run: Path) -> None:
        """Lets a trainer save and stop; twice: stop at once."""
        self._processes[run].popen.send_signal(signal.SIGTERM)

    def release(self) -> None:
        """Leaves those that run to themselves: the app ends, they go on."""
        for process in self._processes.values():
            process.messages.close()
            # They are waited for by nobody on purpose; Popen would warn of that.
            process.popen.returncode = 0
        self._processes.clear()


def _reason(code: int, message: str) -> str:
    if code == 0 or code == 130:  # done, or stopped as it was told
        return ""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = "; the system may have run out of memory" if -code == signal.SIGKILL else ""
        return f"the trainer was killed ({name}){hint}"
    return message or f"the trainer ended with exit code {code}"


def as_python(experiment: Path, run: Path, overrides: list[str]) -> str:
    """A script that trains the same experiment."""
    given = f", {json.dumps(overrides)}" if overrides else ""
    return (
        "from pathlib import Path\n\n"
        "from ravine import load_experiment, train_experiment\n\n"
        f"experiment = load_experiment({str(experiment)!r}{given})\n"
        f"outcome = train_experiment(experiment, folder=Path({str(run)!r}))\n"
        "print(outcome.metrics)\n"
    )
