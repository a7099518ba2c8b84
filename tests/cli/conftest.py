"""Real processes of the command line, and a small run that many tests look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

QUICK = ("--set", "training.epochs=2", "--set", "training.checkpoint_seconds=0")


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of standard output, as strict JSON."""
        return json.loads(self.out.splitlines()[-1], parse_constant=pytest.fail)

    def one_line_error(self, code: int = 2) -> str:
        """The only line of standard error, after the checks that hold for every error."""
        assert self.code == code, self
        lines = [line for line in self.err.splitlines() if line.startswith("ravine: error: ")]
        assert len(lines) == 1, self
        assert self.err.splitlines()[-1] == lines[0]
        assert "Traceback" not in self.err + self.out
        return lines[0].removeprefix("ravine: error: ")


Ravine = Callable[..., Result]


def environment(**extra: str) -> dict[str, str]:
    """As a user's, without what would change the output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("RAVINE_TRACEBACK", "COLUMNS")}
    return {**kept, **extra}


def run_ravine(*words: object, cwd: Path, **extra: str) -> Result:
    """Runs one command to its end."""
    command = [sys.executable, "-m", "ravine", *[str(word) for word in words]]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False, env=environment(**extra)
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def ravine(tmp_path: Path) -> Ravine:
    """Runs a command in an empty folder of its own."""

    def run(*words: object, **extra: str) -> Result:
        return run_ravine(*words, cwd=tmp_path, **extra)

    return run


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished run runs/digits; tests only read it."""
    folder = tmp_path_factory.mktemp("cli")
    done = run_ravine("train", "digits", *QUICK, "--json", cwd=folder)
    assert done.code == 0, done
    return folder


@pytest.fixture
def there(workplace: Path) -> Ravine:
    """Runs a command in the folder of the finished run."""

    def run(*words: object, **extra: str) -> Result:
        return run_ravine(*words, cwd=workplace, **extra)

    return run
