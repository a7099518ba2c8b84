"""Every action of the window: name, shortcut, place in the menus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6 import QtCore, QtGui, QtWidgets


@dataclass(frozen=True)
class Entry:
    """One action.

    Args:
        name: by which the window asks for it.
        menu: where it stands.
        text: with a mnemonic.
        shortcut: as Qt writes it.
        does: what it does.
        tip: in one line.
    """

    name: str
    menu: str
    text: str
    shortcut: str
    does: Callable[[], object]
    tip: str = ""


MENUS = ("File", "Edit", "View", "Run", "Data", "Lab", "Window", "Help")


def add_actions(window: QtWidgets.QMainWindow, entries: list[Entry]) -> dict[str, QtGui.QAction]:
    """Fills the menu bar; returns the actions by name. An entry without a text draws a line."""
    menus = {name: window.menuBar().addMenu(f"&{name}") for name in MENUS}
    actions = {}
    for entry in entries:
        if not entry.text:
            menus[entry.menu].addSeparator()
            continue
        action = QtGui.QAction(entry.text, window)
        if entry.shortcut:
            action.setShortcut(QtGui.QKeySequence(entry.shortcut))
        action.setShortcutContext(QtCore.Qt.ShortcutContext.WindowShortcut)
        action.setToolTip(f"{entry.tip or entry.text.replace('&', '')} ({entry.shortcut})")
        action.triggered.connect(lambda _=False, entry=entry: entry.does())
        menus[entry.menu].setToolTipsVisible(True)
        menus[entry.menu].addAction(action)
        actions[entry.name] = action
    return actions


class Palette(QtWidgets.QDialog):
    """All actions in a list that is searched while one types; Enter does the chosen one."""

    def __init__(self, parent: QtWidgets.QWidget, title: str, actions: list[QtGui.QAction]) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(520, 420)
        self._actions = actions
        self.search = QtWidgets.QLineEdit()
        self.search.setPlaceholderText("type to search")
        self.search.setAccessibleName("Search actions")
        self.list = QtWidgets.QTreeWidget()
        self.list.setColumnCount(2)
        self.list.setHeaderLabels(["action", "shortcut"])
        self.list.setRootIsDecorated(False)
        self.list.setAccessibleName("Actions")
        for action in actions:
            text = action.text().replace("&", "").rstrip("…")
            item = QtWidgets.QTreeWidgetItem([text, action.shortcut().toString()])
            item.setDisabled(not action.isEnabled())
            item.setToolTip(0, action.toolTip())
            self.list.addTopLevelItem(item)
        self.list.setColumnWidth(0, 340)
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self._do)
        self.list.itemActivated.connect(lambda *_: self._do())
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.list)
        self._filter("")

    def _filter(self, text: str) -> None:
        first = None
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            assert item is not None
            hidden = text.lower() not in item.text(0).lower()
            item.setHidden(hidden)
            if not hidden and first is None:
                first = item
        if first is not None:
            self.list.setCurrentItem(first)

    def _do(self) -> None:
        item = self.list.currentItem()
        if item is not None and not item.isHidden():
            action = self._actions[self.list.indexOfTopLevelItem(item)]
            self.close()
            action.trigger()
