"""Where the experiment is computed: a list of the devices of this machine, and the line of the form."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.widgets.fields import ComboBox, TextEditor

KEY = ("compute", "device")


def explain(box: QtWidgets.QComboBox, row: int, reason: str, detail: str = "") -> None:
    """Says why a line cannot be chosen; lets it be chosen where there is no reason."""
    model = box.model()
    assert isinstance(model, QtGui.QStandardItemModel)
    item = model.item(row)
    item.setEnabled(not reason)
    item.setToolTip(reason or detail)


class DeviceBox(ComboBox):
    """The device of the draft.

    Args:
        app: whose draft; it finds the devices in the background.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.setAccessibleName("Device")
        self.setMinimumContentsLength(6)
        self.textActivated.connect(self._on_choice)
        app.devices_changed.connect(self.refresh)
        app.draft_changed.connect(self.refresh)
        self.refresh()

    def _on_choice(self, name: str) -> None:
        if name == "cpu":
            self.app.draft.remove(KEY)
        else:
            self.app.draft.set(KEY, name)

    def refresh(self) -> None:
        """Shows the devices, and what the draft says."""
        known = {one.name: one for one in self.app.devices}
        said = str(self.app.draft.get(KEY, "cpu"))
        said = "cuda:0" if said == "cuda" else said
        names = [*known, *([] if said in known else [said])]  # what a typed text says, however wrong
        if names != [self.itemText(row) for row in range(self.count())]:
            self.clear()
            self.addItems(names)
        for row, name in enumerate(names):
            one = known.get(name)
            missing = "" if not self.app.devices_found else "is not on this machine"
            explain(self, row, one.reason if one else missing, one.detail if one else "")
        self.setCurrentText(said)
        chosen = known.get(said)
        reasons = [f"{one.name}: {one.reason}" for one in known.values() if one.reason]
        self.setToolTip("\n".join([*([chosen.detail] if chosen and chosen.detail else []), *reasons]))


class DeviceEditor(TextEditor):
    """The same in the form, as a text that is completed."""

    def refresh(self) -> None:
        names = [one.name for one in self.app.devices if not one.reason]
        if names != getattr(self, "_names", None):
            self._names = names
            self.line.setCompleter(QtWidgets.QCompleter(names, self.line))
        super().refresh()
