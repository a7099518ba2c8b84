"""Where the experiment is computed: the toolbar and the form show the draft, and devices that are there."""

from __future__ import annotations

from PySide6 import QtCore

from ravine.devices import Device
from ravine.gui.widgets.devices import DeviceBox

CARDS = [Device("cpu"), Device("cuda:0", "NVIDIA H200, 141.0 GB"), Device("cuda:1", reason="is too old")]
ENABLED = QtCore.Qt.ItemFlag.ItemIsEnabled


def box_of(qtbot, app, cards=CARDS):
    box = DeviceBox(app)
    qtbot.addWidget(box)
    app._on_devices(cards)
    return box


def is_enabled(box, row):
    return bool(box.model().item(row).flags() & ENABLED)


def test_the_cards_are_listed_with_what_they_are(qtbot, app_alone):
    box = box_of(qtbot, app_alone)
    assert [box.itemText(row) for row in range(box.count())] == ["cpu", "cuda:0", "cuda:1"]
    assert [is_enabled(box, row) for row in range(3)] == [True, True, False]
    assert box.model().item(1).toolTip() == "NVIDIA H200, 141.0 GB"
    assert box.model().item(2).toolTip() == "is too old"
    assert "cuda:1: is too old" in box.toolTip()


def test_what_is_chosen_is_in_the_draft(qtbot, app_alone):
    box = box_of(qtbot, app_alone)
    box.textActivated.emit("cuda:0")
    assert app_alone.draft.get(("compute", "device")) == "cuda:0"
    assert box.currentText() == "cuda:0"
    app_alone.draft.undo()
    assert box.currentText() == "cpu"
    app_alone.draft.set(("compute", "device"), "cuda")
    assert box.currentText() == "cuda:0"
    box.textActivated.emit("cpu")
    assert app_alone.draft.get(("compute", "device")) is None
    assert app_alone.launch().words[-2:] == ("--name", app_alone.launch().run.name)


def test_a_device_that_is_not_there_is_shown_as_such(qtbot, app_alone):
    box = box_of(qtbot, app_alone)
    app_alone.draft.set(("compute", "device"), "cuda:7")
    assert box.currentText() == "cuda:7"
    assert not is_enabled(box, 3)
    assert box.model().item(3).toolTip() == "is not on this machine"
    app_alone.draft.set(("compute", "device"), "cpu")
    assert box.count() == 3


def test_a_machine_without_a_card_says_why(qtbot, app_alone):
    box = box_of(qtbot, app_alone, [Device("cpu"), Device("cuda:0", reason="there is no NVIDIA driver")])
    assert not is_enabled(box, 1)
    assert box.toolTip() == "cuda:0: there is no NVIDIA driver"


def test_the_window_finds_the_devices_by_itself(qtbot, make_window):
    window = make_window()
    qtbot.waitUntil(lambda: window.app.devices_found, timeout=20_000)
    assert window.toolbar.device.count() >= 2
    assert window.toolbar.device.currentText() == "cpu"
