"""The Data tab: samples with their labels, class balance, features before and after preprocessing."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App
from ravine.gui.state.data_files import with_augmentation
from ravine.gui.state.data_preview import EPOCHS, PARTS, DataPreview, preview
from ravine.gui.state.worker import Failure
from ravine.gui.widgets.fields import ComboBox, tool_button
from ravine.gui.widgets.tabs.base import Tab, cell, hint
from ravine.gui.widgets.tabs.data_plots import BalancePlot, FeaturePlot, SampleGrid
from ravine.settings import Table

WORK = "data preview"
MOST_NOTES = 2  # of a file, that are shown


class DataTab(Tab):
    """The data of the experiment on the right."""

    TITLE = "Data"
    NEEDS_RUN = False

    wants_data = QtCore.Signal()

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.found: DataPreview | None = None
        self.shown = 0  # what was loaded, by `Checker.loaded`, that `found` is about
        self._key = 0
        self.grid = SampleGrid("Samples")
        self.augmented = SampleGrid("Samples, original and augmented", EPOCHS + 1)
        self.table = QtWidgets.QTableWidget()
        self.table.setAccessibleName("Samples")
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.no_augmentation = self._offer_augmentation()
        self.samples = QtWidgets.QStackedWidget()
        self.augmentation = QtWidgets.QStackedWidget()
        for stack, *widgets in (
            (self.samples, self.grid, self.table), (self.augmentation, self.augmented, self.no_augmentation),
        ):  # fmt: skip
            for widget in widgets:
                stack.addWidget(widget)
        self.views = QtWidgets.QTabWidget(documentMode=True)
        self.views.addTab(self.samples, "Samples")
        self.views.addTab(self.augmentation, "Augmented")
        self.balance = BalancePlot()
        self.before = FeaturePlot("features_before", "Features")
        self.after = FeaturePlot("features_after", "Preprocessed")
        self.about = QtWidgets.QLabel(wordWrap=True)
        self.notes = QtWidgets.QLabel(wordWrap=True)
        self.error = QtWidgets.QLabel(wordWrap=True)
        self.error.setObjectName("error")
        for label in (self.about, self.notes, self.error):
            label.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.empty = hint("Reading the data…")
        self.stack = QtWidgets.QStackedWidget()
        self.stack.addWidget(self.empty)
        self.body = self._body()
        self.stack.addWidget(self.body)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addLayout(self._head())
        layout.addWidget(self.error)
        layout.addWidget(self.stack, 1)
        self.error.hide()
        app.checked.connect(self.opened)
        app.data_changed.connect(self._on_opened)
        app.work_done.connect(self._on_work)
        self._on_opened()

    def _head(self) -> QtWidgets.QHBoxLayout:
        """What it is, which column is predicted, and the way to other data."""
        self.target_label = QtWidgets.QLabel("predict")
        self.target = ComboBox()
        self.target.setAccessibleName("Column to predict")
        self.target.setMaximumWidth(180)
        self.target.activated.connect(self._on_target)
        self.target_label.setBuddy(self.target)
        self.open = tool_button("Open data…", raised=True)
        self.open.clicked.connect(self.wants_data)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.about, 1)
        for widget in (self.target_label, self.target, self.open):
            row.addWidget(widget)
        return row

    def _body(self) -> QtWidgets.QWidget:
        right = QtWidgets.QVBoxLayout()
        for plot in (self.balance, self.before, self.after):
            right.addWidget(plot, 1)
        body = QtWidgets.QWidget()
        columns = QtWidgets.QHBoxLayout()
        columns.addWidget(self.views, 1)
        columns.addLayout(right, 1)
        whole = QtWidgets.QVBoxLayout(body)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.notes)
        whole.addLayout(columns, 1)
        return body

    def _offer_augmentation(self) -> QtWidgets.QWidget:
        """What stands where the experiment has no augmentation."""
        made = QtWidgets.QWidget()
        self.augmentation_hint = hint("")
        self.add_augmentation = QtWidgets.QPushButton("Move and mirror the pictures")
        self.add_augmentation.clicked.connect(self._on_augment)
        layout = QtWidgets.QVBoxLayout(made)
        layout.addStretch(1)
        layout.addWidget(self.augmentation_hint)
        layout.addWidget(self.add_augmentation, 0, QtCore.Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(2)
        return made

    def surfaces(self) -> list[Surface]:
        return [self.balance, self.before, self.after]

    def opened(self) -> None:
        """Asks for a preview where the data is another one than that which is shown."""
        check, parts = self.app.check, self.app.checker.parts
        if not self.isVisible() or self.app.checking or self.app.opening or check is None:
            return
        faults = [str(one) for one in check.errors if one.key.startswith("data")]
        if faults or check.experiment is None or check.data is None or parts is None:
            reason = "; ".join(faults) or "see below"
            self.about.setText("")
            self.empty.setText(f"The data cannot be read: {reason}")
            self.stack.setCurrentWidget(self.empty)
            self._key = 0
            return
        loaded = self.app.checker.loaded
        if self._key != loaded:
            self._key = loaded
            if self.found is None:
                self.empty.setText("Reading the data…")
            experiment = check.experiment
            self.app.background.submit(WORK, lambda: (preview(experiment, parts), loaded))

    def _on_opened(self) -> None:
        """A file is looked into, was, or could not be."""
        app = self.app
        error = app.data_error
        if app.opening is not None:
            self.about.setText(f"Reading {app.opening.name}…")
        elif error and self.found is not None:
            self._describe(self.found)
        self.error.setText(error)
        self.error.setVisible(bool(error))
        self._show_opened()
        self.opened()

    def _show_opened(self) -> None:
        """The columns and what is odd about the file, if the draft is still about it."""
        found = self.app.opened
        data = self.app.draft.table.get("data", {})
        mine = found is not None and found.table.get("data", {}).get("file", "") == data.get("file", "")
        if found is None or not mine:
            found = None
        columns = found.columns if found is not None else ()
        for widget in (self.target_label, self.target):
            widget.setVisible(bool(columns))
        if found is not None and columns:
            self.target.clear()
            self.target.addItems(columns)
            self.target.setCurrentText(found.target)
        notes = found.report.notes if found is not None else ()
        shown = " · ".join(notes[:MOST_NOTES])
        more = f" · and {len(notes) - MOST_NOTES} more" if len(notes) > MOST_NOTES else ""
        self.notes.setText(f"{shown}{more}")
        self.notes.setToolTip("\n".join(notes))
        self.notes.setVisible(bool(notes))

    def _on_target(self) -> None:
        if self.app.opened is not None and self.target.currentText() != self.app.opened.target:
            self.app.open_data(self.app.opened.path, self.target.currentText())

    def _on_augment(self) -> None:
        steps: list[Table] = [{"type": "horizontal_flip"}, {"type": "random_crop", "padding": 2}]
        self.app.draft.set_table(with_augmentation(self.app.draft.table, steps), "add augmentation")

    def _on_work(self, key: object, result: Any) -> None:
        if key != WORK:
            return
        if isinstance(result, Failure):
            self.empty.setText(" ".join(str(result.error).split()))
            self.stack.setCurrentWidget(self.empty)
            return
        self.found, self.shown = result
        self.show_preview(self.found)

    def show_preview(self, found: DataPreview) -> None:
        """Shows what was read."""
        self.stack.setCurrentWidget(self.body)
        self._show_opened()
        self._describe(found)
        self._show_samples(found)
        self._show_augmented(found)
        self.balance.draw(found)
        self.before.draw(found.before)
        self.after.draw(found.after)

    def _describe(self, found: DataPreview) -> None:
        sizes = ", ".join(
            f"{int(count.sum()):,} {part}"
            for part, count in zip(PARTS, found.counts, strict=True)
            if count.any()
        )
        shape = " x ".join(map(str, found.shape))
        features = f"{shape} values" if len(found.shape) > 1 else f"{shape} features"
        self.about.setText(
            f"<b>{found.task}</b> · {features} · {sizes} · preprocessing <b>{found.preprocessing}</b>"
        )

    def _show_samples(self, found: DataPreview) -> None:
        if found.pictures:
            self.grid.show_samples(found.pictures, found.labels)
            self.samples.setCurrentWidget(self.grid)
        else:
            self._fill_table(found)
            self.samples.setCurrentWidget(self.table)

    def _show_augmented(self, found: DataPreview) -> None:
        self.views.setTabVisible(1, bool(found.augmented) or found.can_augment)
        self.augmented.show_samples(found.augmented, found.augmented_labels)
        if found.augmented:
            self.augmentation.setCurrentWidget(self.augmented)
        else:
            self.augmentation_hint.setText(
                "Training sees every picture as it is. Changed a little in every epoch, pictures teach more."
            )
            self.augmentation.setCurrentWidget(self.no_augmentation)

    def _fill_table(self, found: DataPreview) -> None:
        rows, columns = found.values.shape
        self.table.setRowCount(rows)
        self.table.setColumnCount(columns + 1)
        names = found.feature_names or tuple(f"feature {number}" for number in range(columns))
        self.table.setHorizontalHeaderLabels(["target", *names[:columns]])
        for row in range(rows):
            texts = [found.labels[row], *(f"{value:.4g}" for value in found.values[row])]
            for column, text in enumerate(texts):
                cell(self.table, row, column, text)
        self.table.resizeColumnsToContents()
