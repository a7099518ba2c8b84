"""What every tab is: a view that asks questions while it is visible, and shows the answers."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App
from ravine.gui.state.feed import Query


class Tab(QtWidgets.QWidget):
    """A tab of the window. A new one costs a module here and a line in `widgets/tabs/__init__.py`.

    Args:
        app: the state.
    """

    TITLE = ""
    NEEDS_RUN = True  # without a run the three cards are shown instead

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app

    @property
    def wanted(self) -> bool:
        """Whether the tab has anything to show of the current run; if not, it is hidden."""
        return True

    def queries(self) -> dict[str, Query]:
        """What the tab wants to know now, by name; asked again and again while it is visible."""
        return {}

    def show_answers(self, answers: dict[str, Any]) -> None:
        """Shows those answers that have changed."""

    def opened(self) -> None:
        """Called when the tab becomes visible."""

    def all_surfaces(self) -> list[Surface]:
        """All plots, shown or not."""
        return self.findChildren(Surface)

    def surfaces(self) -> list[Surface]:
        """The plots that are shown, in order, for export and for who cannot see them."""
        return []


def hint(text: str) -> QtWidgets.QLabel:
    """A line in the middle of what is empty: what to do next."""
    label = QtWidgets.QLabel(text, wordWrap=True)
    label.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
    label.setContentsMargins(24, 24, 24, 24)
    label.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def cell(table: QtWidgets.QTableWidget, row: int, column: int, text: str) -> QtWidgets.QTableWidgetItem:
    """Writes a text into a table; returns its cell."""
    item = table.item(row, column)
    if item is None:
        item = QtWidgets.QTableWidgetItem()
        table.setItem(row, column, item)
    item.setText(text)
    return item
