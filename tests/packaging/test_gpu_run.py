"""tools/test_gpu.py: what it says where it cannot begin, what it runs, and its summary."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "test_gpu.py"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, which leaves its logs in a folder of the test."""
    spec = importlib.util.spec_from_file_location("test_gpu_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LOGS", tmp_path)
    monkeypatch.setattr(module, "why_no_gpu", lambda: "")
    monkeypatch.setattr(module, "why_not_ready", lambda parts: "")
    monkeypatch.setattr(module, "card", lambda: "cuda:0: a card")
    monkeypatch.setenv("PATH", os.environ["PATH"])  # which it changes
    return module


def asked(*words: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "RAVINE_CUDA_LIBRARY"}
    return subprocess.run(
        [sys.executable, TOOL, *words], env=inherited, capture_output=True, text=True, check=False
    )


def test_a_machine_without_a_gpu_gives_one_line() -> None:
    done = asked("--check")
    if done.returncode == 0:
        pytest.skip("there is a GPU")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("test-gpu: ")
    assert "driver" in line


def test_a_part_that_is_not_there_gives_one_line() -> None:
    done = asked("cuda", "memchek")
    assert done.returncode == 2
    assert done.stderr == (
        "test-gpu: there is no part memchek; "
        "there are build, cuda, contracts, memcheck, racecheck, initcheck\n"
    )


def says(code: int, text: str) -> list[str]:
    return [sys.executable, "-c", f"print({text!r}); raise SystemExit({code})"]


def test_every_part_is_run_and_told_of(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {"build": 0, "cuda": 1, "contracts": 0, "memcheck": 99, "racecheck": 0, "initcheck": 0}
    monkeypatch.setattr(tool, "command", lambda part: says(ends[part], f"==== {part} went ===="))
    assert tool.main([]) == 1
    text = (tmp_path / "summary.md").read_text()
    assert text.strip() in capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == "On cuda:0: a card:"
    assert [line.split(" | ")[0].strip("| ") for line in lines[4:]] == list(ends)
    assert "| cuda | failed (1) | cuda went |" in text
    assert "| memcheck | memcheck has found something | memcheck went |" in text
    assert (tmp_path / "cuda.log").read_text() == "==== cuda went ====\n"
    monkeypatch.setattr(tool, "command", lambda part: says(0, part))
    assert tool.main(["cuda", "initcheck"]) == 0


def test_nothing_is_tried_after_a_build_that_failed(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tool, "command", lambda part: says(3, part))
    assert tool.main([]) == 1
    assert len((tmp_path / "summary.md").read_text().splitlines()) == 5


def test_what_a_sanitizer_checks_is_there(tool: ModuleType) -> None:
    """Each name of its choice is that of a test."""
    sources = "".join(file.read_text() for file in (TOOL.parents[1] / "tests/cuda").glob("test_*.py"))
    for name in tool.SANITIZED:
        assert f"def test_{name}(" in sources, name
    words = tool.command("racecheck")
    assert words[1:5] == ["--tool", "racecheck", "--error-exitcode", "99"]
    assert "--device" in words
