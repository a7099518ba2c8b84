"""Starts the app: the application, its state, its window."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.state.preferences import preferences_path
from ravine.gui.widgets.main_window import MainWindow

ICON = Path(__file__).parent / "icons" / "ravine.svg"
SWITCH_SECONDS = 0.001  # so that the worker's Python lets the window draw


def application() -> QtWidgets.QApplication:
    """The application; made once in a process."""
    found = QtWidgets.QApplication.instance()
    if isinstance(found, QtWidgets.QApplication):
        return found
    sys.setswitchinterval(SWITCH_SECONDS)
    made = QtWidgets.QApplication(sys.argv[:1])
    made.setApplicationName("ravine")
    made.setApplicationDisplayName("Ravine")
    made.setDesktopFileName("ravine")
    made.setWindowIcon(QtGui.QIcon(str(ICON)))
    return made


def start(paths: list[Path], runs: Path | None = None) -> int:
    """Shows the window until it is closed; returns the exit code.

    Args:
        paths: runs, experiments or data to open.
        runs: the folder of runs; None takes the one that is remembered.
    """
    made = application()
    app = App(preferences_path(), runs)
    window = MainWindow(app)
    window.set_theme()
    window.commands.open_paths(paths)
    window.show()
    # Python looks at signals only when it runs: the window's timer lets it.
    signal.signal(signal.SIGINT, lambda *_: window.close())
    signal.signal(signal.SIGTERM, lambda *_: QtCore.QTimer.singleShot(0, made.quit))
    code = int(made.exec())
    window.finish()
    return code
