"""The experiment on the right: form and TOML of the same draft, what it costs, and its schedules."""

from __future__ import annotations

from functools import partial

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.commands.output import byte_count
from ravine.gui.plots.line_plot import LinePlot
from ravine.gui.state.app import App
from ravine.gui.state.curves import Curve, Picture, Source
from ravine.gui.state.draft import differences
from ravine.gui.state.run_list import experiment_table, run_table
from ravine.gui.state.status import flops
from ravine.gui.widgets.nested import add_item_keys
from ravine.gui.widgets.sections import (
    ComponentSection,
    DataSection,
    GeneralSection,
    GroupsSection,
    ModelSection,
    SchedulesSection,
    Section,
)

TEXT_DELAY = 400  # milliseconds after the last key before a typed text is taken


class ExperimentPanel(QtWidgets.QWidget):
    """Form ⇄ TOML.

    Args:
        app: whose draft.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.sections: list[Section] = [
            GeneralSection(app, "experiment", "Experiment", opened=True),
            DataSection(app, "data", "Data"),
            ModelSection(app, "model", "Layers", opened=True),
            ComponentSection(app, "optimizer", "Optimizer", opened=True),
            SchedulesSection(app, "schedules", "Schedules"),
            GroupsSection(app, "groups", "Groups of parameters"),
            Section(app, "training", "Training"),
            Section(app, "regularization", "Regularization"),
            Section(app, "statistics", "Statistics"),
            Section(app, "compute", "Compute"),
        ]
        form = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(form)
        column.setContentsMargins(4, 4, 4, 4)
        for section in self.sections:
            column.addWidget(section)
        column.addStretch(1)
        self.scroll_area = QtWidgets.QScrollArea(widgetResizable=True)
        self.scroll_area.setWidget(form)
        self.scroll_area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        add_item_keys(form)
        self.text = QtWidgets.QPlainTextEdit()
        self.text.setUndoRedoEnabled(False)  # the draft has its own
        self.text.setLineWrapMode(QtWidgets.QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName("The experiment as TOML")
        self.text.setTabChangesFocus(True)
        self.text.textChanged.connect(self._on_text)
        self._typing = QtCore.QTimer(self, singleShot=True, interval=TEXT_DELAY)
        self._typing.timeout.connect(self._take_text)
        self.difference = QtWidgets.QPlainTextEdit(readOnly=True)
        self.difference.setAccessibleName("Differences between the experiment and the chosen run")
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(self.scroll_area, "Form")
        self.tabs.addTab(self.text, "TOML")
        self.tabs.addTab(self.difference, "Difference to run")
        self.tabs.currentChanged.connect(lambda _: self.refresh())
        self.cost = QtWidgets.QLabel(wordWrap=True)
        self.cost.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.cost.setContentsMargins(8, 4, 8, 0)
        self.schedule = LinePlot("schedule", "Learning rate", "value")
        self.schedule.setFixedHeight(150)
        self.schedule.log_action.setVisible(False)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.cost)
        layout.addWidget(self.schedule)
        self.setMinimumWidth(340)
        app.draft_changed.connect(self.refresh)
        app.checked.connect(self.show_check)
        app.current_changed.connect(self._show_difference)
        self.refresh()

    def refresh(self) -> None:
        """Shows what the draft says, where it can be seen."""
        shown = self.tabs.currentWidget()
        if shown is self.scroll_area:
            for section in self.sections:
                section.refresh()
            self.show_problems()
        elif shown is self.text:
            if self.text.toPlainText() != self.app.draft.text and not self._typing.isActive():
                place = self.text.textCursor().position()
                self.text.setPlainText(self.app.draft.text)
                cursor = self.text.textCursor()
                cursor.setPosition(min(place, len(self.app.draft.text)))
                self.text.setTextCursor(cursor)
                self._typing.stop()
        else:
            self._show_difference()

    def _on_text(self) -> None:
        if self.text.toPlainText() != self.app.draft.text:
            self._typing.start()

    def _take_text(self) -> None:
        self._typing.stop()
        self.app.draft.set_text(self.text.toPlainText())

    def take_typed(self) -> None:
        """Takes a text at once that is being typed."""
        if self._typing.isActive():
            self._take_text()

    def show_problems(self) -> None:
        """Marks what is wrong where it is edited."""
        for section in self.sections:
            section.show_problems(self.app.problems)

    def show_check(self) -> None:
        """Shows what the check has found."""
        if self.tabs.currentWidget() is self.scroll_area:
            self.show_problems()
        check = self.app.check
        if check is None:
            return
        if check.layers:
            steps = check.steps * (check.experiment.training.epochs if check.experiment else 0)
            self.cost.setText(
                f"<b>{check.parameters:,}</b> parameters · <b>{flops(check.flops)}</b> a step · "
                f"<b>{byte_count(check.memory.total)}</b> · {steps:,} steps"
            )
        else:
            self.cost.setText("The network cannot be built yet; see what is marked above.")
        curves = check.schedules
        self.schedule.setVisible(bool(curves))
        if curves:
            first = curves[-1] if len(curves) > 1 and curves[0].kind == "constant" else curves[0]
            name = first.name.replace("_", " ").capitalize()
            self.schedule.title.setText(f"<b>{name}</b>: {first.kind.replace('_', ' ')}")
            source = Source(self.app.runs_folder, first.name, first.name)
            line = Curve(
                source,
                first.steps,
                first.values,
                first.steps[:0],
                first.values[:0],
                False,
                float(first.values[0]),
            )
            ends = (float(first.values.min()), float(first.values.max()))
            self.schedule.draw(
                Picture((line,), first.steps[:0], (), 0, (0.0, float(max(first.steps[-1], 1))), ends)
            )
            self.schedule.legend.setText("")
            self.schedule.legend.setToolTip(first.note)

    def _show_difference(self) -> None:
        if self.tabs.currentWidget() is not self.difference:
            return
        run = self.app.current
        if run is None:
            self.difference.setPlainText(
                "Choose a run on the left to see how the experiment differs from it."
            )
            return
        theirs = run_table(run)
        check = self.app.check
        if theirs is None or check is None or check.experiment is None:
            self.difference.setPlainText("The settings of this run cannot be read.")
            return
        found = differences(experiment_table(check.experiment), theirs)
        lines = [f"{key}: {ours!r} here, {other!r} in {run.name}" for key, ours, other in found]
        self.difference.setPlainText("\n".join(lines) or f"The same settings as {run.name}.")

    def go_to(self, key: str) -> None:
        """Opens the editor of a setting."""
        self.tabs.setCurrentWidget(self.scroll_area)
        name = key.split(".")[0]
        for section in self.sections:
            if section.name == (name if name not in ("name", "seed", "loss") else "experiment"):
                editor = section.editor_at(key)
                self.show_problems()  # at editors too that were just made
                target = editor.editor if editor is not None else section.head
                target.setFocus(QtCore.Qt.FocusReason.ShortcutFocusReason)
                # Its place is known once what was just made is laid out.
                QtCore.QTimer.singleShot(0, target, partial(self._show, target))

    def _show(self, target: QtWidgets.QWidget) -> None:
        self.scroll_area.ensureWidgetVisible(target, 50, 120)
