"""`ravine app`: what it says where it cannot start, what it installs, and that it starts."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ravine.cli import main
from ravine.commands import app as command


def test_a_missing_library_is_one_line(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pyqtgraph" else find(name, *rest)
    )
    assert main(["app"]) == 2
    assert capsys.readouterr().err == (
        'ravine: error: the app needs pyqtgraph; install it with: pip install "ravine[app]"\n'
    )


def test_no_display_is_one_line(monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main(["app"]) == 2
    assert "there is no display" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_one_line(capsys):
    assert main(["app", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("ravine: error: nowhere: does not exist")


def test_install_writes_an_entry_and_an_icon(tmp_path, capsys):
    assert main(["app", "--install"]) == 0
    entry = tmp_path / "share" / "applications" / "ravine.desktop"
    assert str(entry) in capsys.readouterr().out
    lines = dict(line.split("=", 1) for line in entry.read_text().splitlines()[1:])
    assert lines["Exec"] == f"{sys.executable} -m ravine app %F"
    icon = tmp_path / "share" / "icons" / "hicolor" / "scalable" / "apps" / f"{lines['Icon']}.svg"
    assert icon.read_bytes().startswith(b"<svg")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "share").write_text("a file in the way")
    assert main(["app", "--install"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_command_line_does_not_import_qt():
    found = "any(name.startswith(('PySide6', 'ravine.gui')) for name in sys.modules)"
    code = f"import sys, ravine.cli; sys.exit({found})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_app_starts_and_ends_at_a_signal(tmp_path, qtbot):
    """The whole process, as a user starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ravine", "app"],
        cwd=tmp_path, env=os.environ | {"QT_QPA_PLATFORM": "offscreen"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        caught = Path(f"/proc/{process.pid}/status")

        def handles_signals() -> bool:
            line = next(line for line in caught.read_text().splitlines() if line.startswith("SigCgt"))
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

        qtbot.waitUntil(handles_signals, timeout=20_000)
        process.terminate()
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert (tmp_path / "config" / "ravine" / "app.json").is_file()


@pytest.mark.parametrize("name", command.LIBRARIES)
def test_the_libraries_are_those_of_the_extra(name):
    extra = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert name in extra
