"""The Model tab: the layers of the experiment, with shapes and cost, and networks to begin with."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from ravine.commands.describe import shape_text
from ravine.commands.output import byte_count
from ravine.gui.state.app import App
from ravine.gui.state.presets import PRESETS, Preset, with_preset
from ravine.gui.state.status import count, flops
from ravine.gui.widgets.tabs.base import Tab, cell

HEADS = {
    "layer": "its name in tables, plots and errors",
    "type": "of the catalog",
    "input": "shape of a sample",
    "output": "shape of a sample",
    "parameters": "weights and biases, and their share",
    "FLOP/step": "floating-point operations of a step, forward and backward",
    "memory": "weights, their gradients, the optimizer's state of them, and the outputs for a batch; in all "
    "it is another number, as outputs that do not live at once share memory, and have gradients too",
    "moved/step": "bytes that a step reads and writes",
}


class ModelTab(Tab):
    """A table of layers, as the core has worked them out."""

    TITLE = "Model"
    NEEDS_RUN = False

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.presets = QtWidgets.QHBoxLayout()
        self.presets.addWidget(QtWidgets.QLabel("Begin with"))
        for preset in PRESETS:
            button = QtWidgets.QPushButton(preset.title)
            button.setToolTip(preset.help)
            button.clicked.connect(lambda _=False, preset=preset: self.take(preset))
            self.presets.addWidget(button)
        self.presets.addStretch(1)
        self.table = QtWidgets.QTableWidget(0, len(HEADS))
        self.table.setHorizontalHeaderLabels(list(HEADS))
        for column, tip in enumerate(HEADS.values()):
            self.table.model().setHeaderData(
                column, QtCore.Qt.Orientation.Horizontal, tip, QtCore.Qt.ItemDataRole.ToolTipRole
            )
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("Layers of the network")
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QtWidgets.QHeaderView.ResizeMode.Stretch)
        self.totals = QtWidgets.QLabel(wordWrap=True)
        self.totals.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addLayout(self.presets)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.totals)
        app.checked.connect(self.refresh)
        self.refresh()

    def take(self, preset: Preset) -> None:
        """Puts the layers of a preset into the experiment; undo takes them out again."""
        check = self.app.check
        outputs = check.data.outputs if check and check.data else 10
        shape = check.data.input_shape if check and check.data else (64,)
        table = with_preset(self.app.draft.table, preset, shape, outputs)
        self.app.draft.set_table(table, f"begin with {preset.title}")

    def refresh(self) -> None:
        """Shows what the check has found."""
        check = self.app.check
        layers = check.layers if check else ()
        self.table.setRowCount(len(layers) + bool(layers))
        total = max(1, check.parameters if check else 1)
        for row, layer in enumerate(layers):
            self._write(
                row, layer.name, layer.type.replace("_", " "),
                shape_text(layer.input_shape), shape_text(layer.output_shape),
                f"{layer.parameters:,} ({layer.parameters / total:.0%})" if layer.parameters else "0",
                count(layer.flops), byte_count(layer.memory), byte_count(layer.traffic),
            )  # fmt: skip
        if check is not None and layers:
            self._write(
                len(layers), "in all", "", "", "", f"{check.parameters:,}", count(check.flops),
                byte_count(check.memory.total), byte_count(check.traffic), bold=True,
            )  # fmt: skip
        if check is None:
            self.totals.setText("The experiment is being checked.")
        elif not layers:
            errors = "; ".join(map(str, check.errors)) or "see the problems below"
            self.totals.setText(f"The network cannot be built: {errors}")
        else:
            data = check.data
            samples = f" · {data.train:,} training samples of {shape_text(data.input_shape)}" if data else ""
            cost = f"{check.parameters:,} parameters · {flops(check.flops)} a step"
            parts = {
                "parameters": check.memory.parameters, "gradients": check.memory.gradients,
                "optimizer": check.memory.optimizer, "outputs of layers": check.memory.outputs,
            }  # fmt: skip
            memory = ", ".join(f"{name} {byte_count(size)}" for name, size in parts.items())
            self.totals.setText(
                f"{len(layers)} layers · {cost}{samples}\n"
                f"{byte_count(check.memory.total)} of {self._place(check.device)}: {memory}"
            )

    def _place(self, device: str) -> str:
        """Whose memory it is; of a GPU, with what it has."""
        if device == "cpu":
            return "memory"
        detail = next((one.detail for one in self.app.devices if one.name == device), "")
        return f"the memory of {device}{f' ({detail})' if detail else ''}"

    def _write(self, row: int, *texts: str, bold: bool = False) -> None:
        flag = QtCore.Qt.AlignmentFlag
        for column, text in enumerate(texts):
            item = cell(self.table, row, column, text)
            font = item.font()
            font.setBold(bold)
            item.setFont(font)
            item.setToolTip(text)
            if column >= 4:
                item.setTextAlignment(flag.AlignRight | flag.AlignVCenter)
