"""What to do with trainers when the window is closed."""

from __future__ import annotations

from typing import Literal

from PySide6 import QtWidgets

Choice = Literal["keep", "stop", "cancel"]


def ask_before_closing(parent: QtWidgets.QWidget, names: list[str]) -> Choice:
    """Asks: keep training, stop and save, or cancel."""
    box = QtWidgets.QMessageBox(parent)
    box.setIcon(QtWidgets.QMessageBox.Icon.Question)
    box.setWindowTitle("Ravine")
    runs = ", ".join(names[:5]) + (" and others" if len(names) > 5 else "")
    verb = "is" if len(names) == 1 else "are"
    box.setText(f"{runs} {verb} still training.")
    box.setInformativeText(
        "Training goes on without the app if you like; it is found again at the next start."
    )
    role = QtWidgets.QMessageBox.ButtonRole
    keep = box.addButton("Keep training", role.AcceptRole)
    stop = box.addButton("Stop and save", role.DestructiveRole)
    cancel = box.addButton("Cancel", role.RejectRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return "keep" if clicked is keep else "stop" if clicked is stop else "cancel"
