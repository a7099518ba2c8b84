"""The Lab tab: the tools that look into optimization, and where each of them is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6 import QtGui, QtWidgets

from ravine.gui.state.app import App
from ravine.gui.widgets.tabs.base import Tab


@dataclass(frozen=True)
class Tool:
    """A tool: what it answers, and the line that runs it; empty where this version does not have it."""

    name: str
    question: str
    line: str = ""


TOOLS = (
    Tool(
        "Plan of the network",
        "Which operations does a step take, and what do they cost?",
        "ravine describe {file}",
    ),
    Tool("Schedules", "Which values do the hyperparameters take over the run?", "ravine schedule {file}"),
    Tool(
        "Optimizer race on surfaces",
        "Which way do optimizers go down a valley?",
        "python -c 'from ravine.lab import descend; help(descend)'",
    ),
    Tool("Signal by layer", "How large are activations, layer by layer?", "ravine layers RUN"),
    Tool("Preflight report", "Will this experiment train? Scales, dead units, learning rate"),
    Tool("Learning-rate search", "Which learning rate is too small, which too large?"),
    Tool("Signal propagation", "What becomes of variance forward, and of gradients backward?"),
    Tool("Loss landscape", "What does the loss look like around a point?"),
    Tool("Curvature", "How large are the eigenvalues of the Hessian?"),
    Tool("Sweeps", "What do many runs with different settings say?"),
)


class LabTab(Tab):
    """Names what there is, with the line that runs it."""

    TITLE = "Lab"
    NEEDS_RUN = False

    def __init__(self, app: App) -> None:
        super().__init__(app)
        content = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(content)
        grid.setColumnStretch(1, 1)
        grid.setVerticalSpacing(12)
        grid.setHorizontalSpacing(18)
        for row, tool in enumerate(TOOLS):
            grid.addWidget(QtWidgets.QLabel(f"<b>{tool.name}</b>"), row, 0)
            grid.addWidget(QtWidgets.QLabel(tool.question, wordWrap=True), row, 1)
            if tool.line:
                button = QtWidgets.QPushButton("Copy its command")
                button.setAccessibleName(f"Copy the command of {tool.name}")
                button.setToolTip(tool.line)
                button.clicked.connect(self._copies(tool.line))
                grid.addWidget(button, row, 2)
            else:
                missing = QtWidgets.QLabel("not in this version")
                missing.setEnabled(False)
                grid.addWidget(missing, row, 2)
        grid.setRowStretch(len(TOOLS), 1)
        area = QtWidgets.QScrollArea(widgetResizable=True)
        area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        area.setWidget(content)
        self.said = QtWidgets.QLabel()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 6)
        layout.addWidget(area, 1)
        layout.addWidget(self.said)

    def _copies(self, line: str) -> Callable[[], None]:
        def copy() -> None:
            launch = self.app.launch()
            text = line.format(file=launch.words[1])
            if "{file}" in line:
                self.app.write_draft(Path(launch.words[1]))
            if self.app.current is not None:
                text = text.replace("RUN", str(self.app.current))
            QtGui.QGuiApplication.clipboard().setText(text)
            self.said.setText(f"Copied: {text}")

        return copy
