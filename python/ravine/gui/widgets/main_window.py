"""The window: toolbar, runs, tabs, experiment, problems and status."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ravine.errors import RavineError
from ravine.gui.plots.surface import Surface
from ravine.gui.state.app import App, Notice, crash_notice
from ravine.gui.state.feed import Query
from ravine.gui.state.pace import FASTEST, Pace
from ravine.gui.state.preferences import packed, unpacked
from ravine.gui.state.status import RunStatus, StatusQuery, count, duration
from ravine.gui.state.worker import Failure
from ravine.gui.widgets.actions import add_actions
from ravine.gui.widgets.closing import ask_before_closing
from ravine.gui.widgets.commands import WindowCommands
from ravine.gui.widgets.enabling import enable, reasons
from ravine.gui.widgets.experiment_panel import ExperimentPanel
from ravine.gui.widgets.problems import ProblemsBar
from ravine.gui.widgets.run_list import RunList
from ravine.gui.widgets.start import StartCards
from ravine.gui.widgets.tabs import TABS, DataTab
from ravine.gui.widgets.tabs.base import Tab
from ravine.gui.widgets.theme import apply_theme
from ravine.gui.widgets.toolbar import RunToolbar

IDLE_SECONDS = 1.0  # between two looks at a run that has ended, or that no window shows
STOP_SECONDS = 30.0  # that closing waits for trainers which were told to stop


class MainWindow(QtWidgets.QMainWindow):
    """The one window of the app.

    Args:
        app: the state that it shows.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self.app = app
        self.setWindowTitle("Ravine")
        self.resize(1280, 800)
        self.setDockNestingEnabled(False)
        self.commands = WindowCommands(self)
        self.actions_by_name = add_actions(self, self.commands.entries())
        self._tips = {name: action.toolTip() for name, action in self.actions_by_name.items()}
        names = ("start", "pause", "step", "stop", "resume")
        self.toolbar = RunToolbar(app, [self.actions_by_name[name] for name in names])
        self.addToolBar(self.toolbar)
        self.run_list = RunList(app)
        self.panel = ExperimentPanel(app)
        self.runs_dock = self._dock("Runs", self.run_list, QtCore.Qt.DockWidgetArea.LeftDockWidgetArea)
        self.experiment_dock = self._dock(
            "Experiment", self.panel, QtCore.Qt.DockWidgetArea.RightDockWidgetArea
        )
        self.resizeDocks([self.runs_dock, self.experiment_dock], [250, 365], QtCore.Qt.Orientation.Horizontal)
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        self.cards = StartCards()
        self.pages: list[Tab] = [kind(app) for kind in TABS]
        self._stacks: list[QtWidgets.QStackedWidget] = []
        for page in self.pages:
            stack = QtWidgets.QStackedWidget()
            stack.addWidget(page)
            self._stacks.append(stack)
            self.tabs.addTab(stack, page.TITLE)
        self.problems = ProblemsBar(app)
        middle = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tabs, 1)
        column.addWidget(self.problems)
        self.setCentralWidget(middle)
        self.status_text = QtWidgets.QLabel()
        self.status_text.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.statusBar().addWidget(self.status_text, 1)
        self.statusBar().setSizeGripEnabled(False)
        self._connect()
        self._restore()
        self._closing = False
        self.pace = Pace()
        self._asked: dict[str, Query] = {}
        self._asked_at = 0.0
        self._spent = time.thread_time()
        self._changed = True
        self.timer = QtCore.QTimer(self, interval=round(1000 * FASTEST))
        self.timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.tick)
        self.timer.start()
        self.show_tabs()
        self.show_current()

    def _dock(
        self, title: str, widget: QtWidgets.QWidget, area: QtCore.Qt.DockWidgetArea
    ) -> QtWidgets.QDockWidget:
        dock = QtWidgets.QDockWidget(title, self)
        dock.setObjectName(title)
        dock.setWidget(widget)
        features = QtWidgets.QDockWidget.DockWidgetFeature
        dock.setFeatures(features.DockWidgetClosable | features.DockWidgetMovable)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        app, commands = self.app, self.commands
        app.feed.answered.connect(self._on_answers)
        app.current_changed.connect(self.show_current)
        app.status_changed.connect(self.show_status)
        app.status_changed.connect(self.show_tabs)
        app.runs_changed.connect(self._find_running)
        app.checked.connect(self._name_experiment)
        changes = (app.checked, app.draft_changed, app.status_changed, app.current_changed)
        for signal in (*changes, app.compared_changed, app.work_done):
            signal.connect(self.enable_actions)  # no lambda: it would outlive the window
        self.cards.wants_training.connect(commands.start)
        self.cards.wants_data.connect(commands.open_data)
        self.cards.wants_run.connect(commands.open_run)
        self.cards.dropped.connect(commands.open_paths)
        self.run_list.wants_start.connect(commands.start)
        self.problems.wants_key.connect(self.panel.go_to)
        self.problems.wants_resume.connect(commands.resume)
        self.problems.wants_restore.connect(commands.restore)
        self.problems.wants_run.connect(app.select)
        self.tabs.currentChanged.connect(lambda _: self.show_current())
        for page in self.pages:
            if isinstance(page, DataTab):
                page.wants_data.connect(commands.open_data)
            for surface in page.all_surfaces():
                surface.wants_export.connect(commands.export)
                surface.view_changed.connect(self.hurry)

    def _restore(self) -> None:
        preferences = self.app.preferences
        if preferences.geometry:
            self.restoreGeometry(QtCore.QByteArray(unpacked(preferences.geometry)))
        if preferences.layout:
            self.restoreState(QtCore.QByteArray(unpacked(preferences.layout)))

    # ---- what is shown ----

    @property
    def page(self) -> Tab:
        """The tab that is shown."""
        return self.pages[max(0, self.tabs.currentIndex())]

    def surfaces(self) -> list[Surface]:
        """The plots that are shown."""
        return self.page.surfaces()

    def tick(self) -> None:
        """The one timer: looks after processes, asks for what the visible tab shows, sets its pace."""
        self.app.tick()
        queries: dict[str, Query] = {}
        now, shown = time.monotonic(), self.isVisible() and not self.isMinimized()
        if self.app.current is not None:
            queries["status"] = StatusQuery(self.app.current, int(now) if self.app.feed.live else 0)
        if shown:
            queries |= self.page.queries()
        other = queries.keys() != self._asked.keys() or queries != self._asked
        watched = shown and self.app.feed.live
        if queries and (other or watched or now - self._asked_at > IDLE_SECONDS):
            self._asked, self._asked_at = queries, now
            self.app.feed.ask(queries)
        spent = time.thread_time() + self.app.feed.seconds
        wait = self.pace.next(self._changed or other, spent - self._spent)
        self._changed, self._spent = False, spent
        if round(1000 * wait) != self.timer.interval():
            self.timer.setInterval(round(1000 * wait))

    def hurry(self) -> None:
        """Looks again soon: the view has changed."""
        if self.timer.isActive() and self.timer.remainingTime() > round(1000 * FASTEST):
            self.timer.start(round(1000 * FASTEST))

    def _on_answers(self, answers: dict[str, Any]) -> None:
        failure = answers.get("failure")
        if isinstance(failure, Failure):
            self.app.notify(Notice("error", str(failure.error), self.app.current))
            return
        status = answers.get("status")
        if isinstance(status, RunStatus):
            self.app.set_status(status)
        if answers.keys() != {"status"}:
            self._changed = True
        for page in self.pages:  # what was asked for may come when another tab is shown
            page.show_answers(answers)

    def show_current(self) -> None:
        """Shows the tab, or the cards where it needs a run and none is chosen."""
        stack = self._stacks[max(0, self.tabs.currentIndex())]
        if self.app.current is None and self.page.NEEDS_RUN:
            stack.addWidget(self.cards)
            stack.setCurrentWidget(self.cards)
            self._name_experiment()
        else:
            stack.setCurrentWidget(self.page)
        name = self.app.current.name if self.app.current else ""
        self.setWindowTitle(f"{name} - Ravine" if name else "Ravine")
        self.page.opened()
        self.show_status()
        self.enable_actions()

    def show_tabs(self) -> None:
        """Shows the tabs that have something to show."""
        for number, page in enumerate(self.pages):
            if self.tabs.isTabVisible(number) != page.wanted:
                self.tabs.setTabVisible(number, page.wanted)
            self.actions_by_name[f"tab {page.TITLE}"].setVisible(page.wanted)

    def _name_experiment(self) -> None:
        check = self.app.check
        name = f"“{check.experiment.name}”" if check and check.experiment else "An experiment"
        self.cards.about.setText(f"{name} stands ready on the right. Change what you like, or just start.")

    def _find_running(self) -> None:
        """At the start: a run that is going on, or the newest that crashed, is shown again."""
        for run in self.app.runs:
            if run.path in self.app.trainers:  # resumed since the folder was looked at
                continue
            if run.state == "crashed" and not any(notice.run == run.path for notice in self.app.notices):
                recent = str(run.path) in self.app.preferences.recent[:5]
                if recent:
                    self.app.notify(crash_notice(run.path, run.reason, level="warning"))
                    self.app.preferences.recent.remove(str(run.path))
        if self.app.current is None and not self.app.trainers.running:
            for run in self.app.runs:
                if run.state in ("running", "paused"):
                    self.app.select(run.path)
                    return

    def show_status(self) -> None:
        """Writes the line at the bottom."""
        status = self.app.status
        if status is None:
            self.status_text.setText("Ready")
            return
        threads = (
            self.app.check.experiment.compute.threads if self.app.check and self.app.check.experiment else ""
        )
        parts = [f"{status.run.name}: {status.state}", f"CPU, threads {threads}", f"step {status.step:,}"]
        if math.isfinite(status.samples_per_second):
            parts.append(f"{count(status.samples_per_second)} samples/s")
        if math.isfinite(status.learning_rate):
            parts.append(f"learning rate {status.learning_rate:.4g}")
        if math.isfinite(status.statistics_cost):
            parts.append(f"statistics cost {100 * status.statistics_cost:.1f} %")
        if math.isfinite(status.checkpoint_seconds) and status.training:
            parts.append(f"checkpoint {duration(status.checkpoint_seconds)} ago")
        text = " · ".join(parts)
        if text != self.status_text.text():
            self.status_text.setText(text)

    def enable_actions(self) -> None:
        """What can be done now, can be chosen; of the rest the tooltips say why not."""
        actions, draft = self.actions_by_name, self.app.draft
        enable(actions, self._tips, reasons(self.app, self.surfaces()))
        for name, label in (("undo", draft.undo_label), ("redo", draft.redo_label)):
            actions[name].setText(f"&{name.capitalize()} {label}".rstrip())

    def report(self, error: RavineError) -> None:
        """Shows an error in the problems bar."""
        self.app.notify(Notice("error", str(error)))

    def set_theme(self) -> None:
        """Gives the window the theme of the preferences."""
        application = QtWidgets.QApplication.instance()
        assert isinstance(application, QtWidgets.QApplication)
        apply_theme(application, self.app.preferences.theme)

    # ---- closing ----

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:  # noqa: N802
        if self._closing:
            event.accept()
            return
        running = self.app.trainers.running
        choice = ask_before_closing(self, [run.name for run in running]) if running else "keep"
        if choice == "cancel":
            event.ignore()
            return
        if choice == "stop":
            event.ignore()
            self._stop_and_close()
            return
        self.finish()
        event.accept()

    def _stop_and_close(self) -> None:
        """Tells the trainers to stop, and closes when they have saved and ended."""
        self.app.stop_all()
        self.setEnabled(False)
        self.statusBar().showMessage("Stopping and saving…")
        deadline = QtCore.QDeadlineTimer(round(STOP_SECONDS * 1000))

        def look() -> None:
            if self.app.trainers.running and not deadline.hasExpired():
                return
            waiting.stop()
            self.setEnabled(True)
            if self.app.trainers.running:
                names = ", ".join(run.name for run in self.app.trainers.running)
                self.statusBar().clearMessage()
                self.app.notify(Notice("error", f"{names}: did not stop within {STOP_SECONDS:g} seconds"))
                return
            self.finish()
            self.close()

        waiting = QtCore.QTimer(self, interval=50)
        waiting.timeout.connect(look)
        waiting.start()

    def finish(self) -> None:
        """Writes what is remembered and ends the threads; a second time does nothing."""
        if self._closing:
            return
        self._closing = True
        self.timer.stop()
        self.panel.take_typed()
        preferences = self.app.preferences
        preferences.geometry = packed(bytes(self.saveGeometry().data()))
        preferences.layout = packed(bytes(self.saveState().data()))
        self.app.save_preferences()
        self.app.close()

    def choose_file(self, title: str, patterns: str) -> Path | None:
        """Asks for a file to be opened."""
        path, _ = QtWidgets.QFileDialog.getOpenFileName(self, title, "", patterns)
        return Path(path) if path else None
