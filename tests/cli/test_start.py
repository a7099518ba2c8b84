"""How the command line starts: help, version, what it loads, and how it fails as a whole."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = (
    "train", "resume", "evaluate", "predict", "describe", "catalog", "runs", "layers", "control", "doctor",
)  # fmt: skip
HEAVY = ("numpy", "msgspec", "rich", "safetensors", "ravine.data", "ravine.training", "ravine.experiment")


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_names_every_command_and_each_has_an_example(tmp_path: Path) -> None:
    code = (
        "import contextlib, io\nfrom ravine.cli import main\n"
        f"for command in [None, *{COMMANDS!r}]:\n"
        "    text = io.StringIO()\n"
        "    with contextlib.redirect_stdout(text):\n"
        "        assert main([*([command] if command else []), '--help']) == 0\n"
        "    print(repr(text.getvalue()))\n"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    overview, *pages = [eval(line) for line in done.stdout.splitlines()]
    for name, page in zip(COMMANDS, pages, strict=True):
        assert re.search(rf"^    {name} ", overview, re.MULTILINE)
        assert f"example:\n  ravine {name}" in page


def test_version(ravine) -> None:
    from importlib.metadata import version

    done = ravine("--version")
    assert (done.code, done.out) == (0, f"ravine {version('ravine')}\n")


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["catalog"]])
def test_light_commands_load_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom ravine.cli import main\n"
        f"assert main({words!r}) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert python(code, tmp_path).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian", "digits"], "did you mean 'train'?"),
        (["train", "digits", "--sede", "3"], "did you mean '--seed'?"),
        (["train"], "required"),
        ([], "required"),
        (["train", "digits", "--seed", "x"], "--seed"),
        (["control", "digits", "puase"], "did you mean 'pause'?"),
        (["evaluate", os.fsdecode(b"\xff")], "no such run folder"),
        (["evaluate", "x" * 5000], "file name too long"),
    ],
)
def test_wrong_words_are_one_line(ravine, words: list[str], expected: str) -> None:
    assert expected in ravine(*words).one_line_error()


def test_fault_of_ravine_leaves_one_line_and_a_log(tmp_path: Path) -> None:
    code = (
        "import sys\nimport ravine.commands.runs as command\nfrom ravine.cli import main\n"
        "def run(arguments): raise RuntimeError('two\\nlines')\n"
        "command.run = run\nsys.exit(main(['runs', '--json']))"
    )
    done = python(code, tmp_path)
    assert done.returncode == 70
    (line,) = done.stderr.splitlines()
    assert line.startswith("ravine: error: RuntimeError: two lines; ")
    assert "report" in line
    log = Path(line.split()[-1])
    try:
        assert "in run\n" in log.read_text()
        assert "Traceback" in log.read_text()
    finally:
        log.unlink()
    error = json.loads(done.stdout)["error"]
    assert (error["type"], error["exit_code"]) == ("InternalError", 70)


def test_traceback_is_shown_when_asked_for(ravine) -> None:
    done = ravine("evaluate", "nothing", RAVINE_TRACEBACK="1")
    assert done.code == 2
    assert "Traceback" in done.err


def test_closed_pipe_is_quiet(tmp_path: Path) -> None:
    pipe = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{sys.executable}' -m ravine catalog --json | true"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert pipe.stderr == ""
    assert pipe.returncode in (0, 141)  # 0 where the pipe took all before `true` ended
