"""What the menus do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6 import QtGui, QtWidgets

from ravine.errors import InputError, RavineError
from ravine.experiment import embedded_experiments
from ravine.gui.plots.surface import Surface
from ravine.gui.state.mpi import mpirun_line
from ravine.gui.state.preferences import Theme
from ravine.gui.state.run_list import run_table
from ravine.gui.state.trainers import Launch, as_python
from ravine.gui.state.worker import Failure
from ravine.gui.widgets.actions import Entry, Palette
from ravine.gui.widgets.export import ask_and_export
from ravine.gui.widgets.tabs import TABS, DataTab
from ravine.gui.widgets.trouble import RestoreDialog

if TYPE_CHECKING:
    from ravine.gui.widgets.main_window import MainWindow

DATA_FILES = (
    "Data (*.csv *.tsv *.parquet *.npz *.npy *ubyte *.gz *.tar *.tgz *.zip *.data *.txt);;All files (*)"
)
MPIRUN = "line of mpirun"  # work of the background


class WindowCommands:
    """The actions of a window.

    Args:
        window: which one.
    """

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.app = window.app
        self.app.work_done.connect(self._on_work)

    def entries(self) -> list[Entry]:
        """All actions, in the order of the menus."""
        tabs = [
            Entry(
                f"tab {tab.TITLE}",
                "View",
                f"{tab.TITLE}",
                f"Ctrl+{number}",
                partial(self.show_tab, number - 1),
            )
            for number, tab in enumerate(TABS, 1)
        ]
        themes: list[Theme] = ["system", "light", "dark"]
        return [
            Entry("open", "File", "&Open an experiment…", "Ctrl+O", self.open_experiment),
            Entry("shipped", "File", "Open a &shipped experiment…", "Ctrl+Shift+O", self.open_shipped),
            Entry("open run", "File", "Open a &run…", "Ctrl+Shift+R", self.open_run),
            Entry("save", "File", "&Save the experiment…", "Ctrl+S", self.save),
            Entry("", "File", "", "", self.nothing),
            Entry("export", "File", "&Export a plot…", "Ctrl+Shift+S", self.export_focused),
            Entry("runs folder", "File", "Folder of runs…", "Ctrl+Alt+R", self.choose_runs_folder),
            Entry("quit", "File", "&Quit", "Ctrl+Q", self.window.close),
            Entry("undo", "Edit", "&Undo", "Ctrl+Z", self.app.draft.undo),
            Entry("redo", "Edit", "&Redo", "Ctrl+Shift+Z", self.app.draft.redo),
            Entry("", "Edit", "", "", self.nothing),
            Entry("copy command", "Edit", "Copy as &command", "Ctrl+Alt+C", self.copy_command),
            Entry("copy python", "Edit", "Copy as &Python", "Ctrl+Alt+P", self.copy_python),
            Entry("copy mpirun", "Edit", "Copy as &mpirun", "Ctrl+Alt+M", self.copy_mpirun),
            *tabs,
            Entry("", "View", "", "", self.nothing),
            Entry("show all", "View", "Show &all of the curves", "Ctrl+0", self.show_all),
            *[
                Entry(f"theme {theme}", "View", f"{theme.capitalize()} theme", f"Ctrl+Alt+{key}",
                      partial(self.set_theme, theme))
                for theme, key in zip(themes, "123", strict=True)
            ],
            Entry("start", "Run", "▶ &Start", "Ctrl+Return", self.start, "Train the experiment on the right"),
            Entry("pause", "Run", "❚❚ &Pause", "Ctrl+P", self.pause, "Pause the run"),
            Entry("step", "Run", "⇥ S&tep", "Ctrl+T", self.step, "Do one step, and pause"),
            Entry("stop", "Run", "■ St&op", "Ctrl+.", self.stop, "Save and stop"),
            Entry("resume", "Run", "⟲ &Resume", "Ctrl+R", self.resume, "Go on with the run"),
            Entry("restore", "Run", "Restore a checkpoint…", "Ctrl+Shift+K", self.restore,
                  "Go on from an earlier step, with another learning rate if you like"),
            Entry("longer", "Run", "Train for &longer…", "Ctrl+L", self.train_longer),
            Entry("checkpoint", "Run", "Save a &checkpoint now", "Ctrl+K", self.checkpoint),
            Entry("edit", "Run", "Change a &hyperparameter", "Ctrl+E", self.edit_live),
            Entry("take over", "Run", "&Edit the experiment of this run", "Ctrl+Shift+E", self.take_over),
            Entry("open data", "Data", "&Open data…", "Ctrl+D", self.open_data, "A table, or arrays"),
            Entry("open pictures", "Data", "Open a folder of &pictures…", "Ctrl+Shift+D",
                  self.open_picture_folder, "With a folder for each class"),
            Entry("find run", "Window", "&Find a run", "Ctrl+F", self.find_run),
            Entry("runs", "Window", "Show or hide &runs", "Ctrl+B", partial(self.toggle, "runs_dock")),
            Entry("experiment", "Window", "Show or hide the &experiment", "Ctrl+Shift+B",
                  partial(self.toggle, "experiment_dock")),
            Entry("toml", "Window", "Form or &TOML", "Ctrl+M", self.switch_form),
            Entry("palette", "Help", "&All actions…", "Ctrl+Shift+P", self.show_palette),
            Entry("shortcuts", "Help", "&Shortcuts…", "Ctrl+/", self.show_palette),
        ]  # fmt: skip

    def nothing(self) -> None:
        """Of a line in a menu."""

    # ---- files ----

    def _attempt(self, does: Callable[[], object]) -> bool:
        try:
            does()
        except RavineError as error:
            self.window.report(error)
            return False
        return True

    def open_experiment(self) -> None:
        path = self.window.choose_file("Open an experiment", "Experiments (*.toml);;All files (*)")
        if path is not None:
            self._attempt(partial(self.app.open_experiment, path))

    def open_shipped(self) -> None:
        name, chosen = QtWidgets.QInputDialog.getItem(
            self.window, "Ravine", "A shipped experiment:", embedded_experiments(), 0, False
        )
        if chosen:
            self._attempt(partial(self.app.open_experiment, name))

    def save(self) -> None:
        path, _ = QtWidgets.QFileDialog.getSaveFileName(
            self.window, "Save the experiment", "experiment.toml", "Experiments (*.toml)"
        )
        if path:
            self._attempt(partial(self.app.save_experiment, Path(path)))

    def open_run(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(
            self.window, "Open a run folder", str(self.app.runs_folder)
        )
        if path:
            self.open_paths([Path(path)])

    def open_data(self) -> None:
        path = self.window.choose_file("Open data", DATA_FILES)
        if path is not None:
            self.open_paths([path])

    def open_paths(self, paths: list[Path]) -> None:
        """Opens what was chosen or dropped: runs, experiments, data."""
        for path in paths:
            if path.is_dir() and ((path / "run.db").exists() or (path / "experiment.toml").exists()):
                self.app.open_run(path)
            elif path.suffix == ".toml":
                self._attempt(partial(self.app.open_experiment, path))
            else:
                self._take_data(path)

    def _take_data(self, path: Path) -> None:
        self.app.open_data(path)
        self.show_tab(next(number for number, tab in enumerate(TABS) if tab is DataTab))
        self.window.panel.go_to("data")

    def open_picture_folder(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(self.window, "Open a folder with pictures", "")
        if path:
            self._take_data(Path(path))

    def choose_runs_folder(self) -> None:
        path = QtWidgets.QFileDialog.getExistingDirectory(
            self.window, "Folder of runs", str(self.app.runs_folder)
        )
        if path:
            self.app.select(None)
            self.app.set_runs_folder(Path(path))

    def export(self, surface: Surface) -> None:
        """Exports a plot."""
        self._attempt(partial(ask_and_export, self.app, surface))

    def export_focused(self) -> None:
        """Exports the plot that has the focus, or the first."""
        surfaces = self.window.surfaces()
        focused = [one for one in surfaces if one.isAncestorOf(self.window.focusWidget() or self.window)]
        if surfaces:
            self.export((focused or surfaces)[0])

    # ---- copies ----

    def _copy(self, text: str) -> None:
        QtGui.QGuiApplication.clipboard().setText(text)
        self.window.statusBar().showMessage(f"Copied: {text.splitlines()[0]}", 4000)

    def _saved_launch(self, ranks: int) -> Launch:
        launch = self.app.launch(ranks)
        self.app.write_draft(Path(launch.words[1]))
        return launch

    @property
    def _ranks(self) -> int:
        return int(self.window.toolbar.ranks.currentText())

    def copy_command(self) -> None:
        self._attempt(lambda: self._copy(self._saved_launch(self._ranks).text))

    def copy_mpirun(self) -> None:
        """The line that `ravine launch` runs: what stands in it depends on the mpirun that is there."""
        ranks = max(2, self._ranks)

        def look_for_it() -> None:
            words = self._saved_launch(ranks).words
            self.app.background.submit(MPIRUN, lambda: mpirun_line(words, ranks))

        self._attempt(look_for_it)

    def _on_work(self, key: object, result: object) -> None:
        if key == MPIRUN and isinstance(result, Failure):
            self.window.report(result.error)
        elif key == MPIRUN:
            self._copy(str(result))

    def copy_python(self) -> None:
        launch = self.app.launch()
        path = Path(launch.words[1])
        if self._attempt(partial(self.app.write_draft, path)):
            self._copy(as_python(path, launch.run, []))

    # ---- the run ----

    def start(self) -> None:
        """Trains the draft; what is wrong with it is shown instead."""
        self.window.panel.take_typed()
        errors = [] if self.app.checking else [one for one in self.app.problems if one.level == "error"]
        if errors:
            self.window.report(InputError(errors[0].message, key=errors[0].key or None))
            return
        if self._attempt(partial(self.app.start, self._ranks)):
            self.show_tab(0)

    def pause(self) -> None:
        self.app.command("pause")

    def step(self) -> None:
        self.app.command("step", count=1)

    def stop(self) -> None:
        self.app.command("stop")

    def checkpoint(self) -> None:
        self.app.command("checkpoint")

    def resume(self, run: Path | None = None) -> None:
        """Lets a paused run go on, or starts a trainer for one that has ended."""
        status = self.app.status
        run = run or self.app.current
        if run is None:
            return
        if status is not None and status.run == run and status.state == "paused":
            self.app.command("resume")
        else:
            self._attempt(partial(self.app.resume, run))

    def restore(self, run: Path | None = None) -> None:
        """Goes on from a checkpoint that is asked for, all numbers of which are finite."""
        run = run or self.app.current
        if run is None:
            return
        settings = (run_table(run) or {}).get("optimizer", {})
        rate = settings.get("learning_rate") if isinstance(settings, dict) else None
        broken = any(one.run == run and one.trouble == "not finite" for one in self.app.notices)
        number = float(rate) if isinstance(rate, (int, float)) else None
        self.restoring = RestoreDialog(self.window, self.app, run, number, broken=broken)
        self.restoring.wanted.connect(
            lambda name, changes: self._attempt(partial(self.app.resume, run, changes, name))
        )
        self.restoring.open()

    def train_longer(self) -> None:
        status = self.app.status
        if status is None:
            return
        epochs, chosen = QtWidgets.QInputDialog.getInt(
            self.window,
            "Ravine",
            "Epochs in all:",
            int(status.epochs * 2) or 10,
            int(status.epochs) + 1,
            10**6,
        )
        if chosen:
            self._attempt(partial(self.app.resume, status.run, {"training.epochs": epochs}))

    def edit_live(self) -> None:
        """Goes to the field for a live edit."""
        from ravine.gui.widgets.tabs.live import LiveTab

        self.show_tab(0)
        page = self.window.page
        if isinstance(page, LiveTab):
            page.edit_value.setFocus()

    def take_over(self) -> None:
        if self.app.current is not None:
            self._attempt(partial(self.app.open_experiment, self.app.current))

    # ---- the window ----

    def show_tab(self, number: int) -> None:
        if self.window.tabs.isTabVisible(number):
            self.window.tabs.setCurrentIndex(number)

    def show_all(self) -> None:
        for surface in self.window.surfaces():
            surface.show_all()

    def set_theme(self, theme: Theme) -> None:
        self.app.preferences.theme = theme
        self.window.set_theme()

    def find_run(self) -> None:
        self.window.runs_dock.show()
        self.window.run_list.search.setFocus()

    def toggle(self, name: str) -> None:
        dock: QtWidgets.QDockWidget = getattr(self.window, name)
        dock.setVisible(not dock.isVisible())

    def switch_form(self) -> None:
        tabs = self.window.panel.tabs
        self.window.panel.take_typed()
        tabs.setCurrentIndex(0 if tabs.currentIndex() == 1 else 1)
        tabs.currentWidget().setFocus()

    def show_palette(self) -> None:
        Palette(self.window, "All actions", list(self.window.actions_by_name.values())).open()
