"""Draws every tab of the app, with real runs on the digits, in light and dark: `make screenshots`.

Usage: screenshots.py FOLDER
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image
from PySide6 import QtCore, QtGui, QtWidgets

from ravine.experiment import load_experiment, parse_experiment
from ravine.gui.application import application
from ravine.gui.state.app import App
from ravine.gui.state.draft import Draft, starter
from ravine.gui.state.presets import PRESETS, with_preset
from ravine.gui.widgets.main_window import MainWindow
from ravine.gui.widgets.tabs import (
    CompareTab,
    DataTab,
    LayersTab,
    LiveTab,
    LogTab,
    ModelTab,
    RanksTab,
)
from ravine.training.session import train_experiment

SIZES = ((1280, 800), (1920, 1080))
FRAMES = 24  # of the animated picture
FRAME_MILLISECONDS = 250
AUGMENTED = Path(__file__).parents[1] / "examples" / "cifar_augmented.toml"  # of data that may be missing


def wait(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Lets the window work until a condition holds."""
    deadline = QtCore.QDeadlineTimer(round(seconds * 1000))
    while not condition():
        if deadline.hasExpired():
            raise SystemExit("the window did not come to the state that was to be drawn")
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 20)


def pause(milliseconds: int) -> None:
    """Lets the window work for a while."""
    deadline = QtCore.QDeadlineTimer(milliseconds)
    wait(deadline.hasExpired)


def train_runs(parent: Path) -> None:
    """Runs to compare, a deep one with all statistics, and one of two ranks."""
    for rate in (0.1, 0.02):
        for seed in (1, 2, 3):
            overrides = [
                f"name='rate-{rate}-seed-{seed}'", f"seed={seed}", f"optimizer.learning_rate={rate}",
                "training.epochs=40", "data.split.validation_fraction=0.15",
            ]  # fmt: skip
            train_experiment(load_experiment("digits", overrides), parent=parent)
    table = with_preset(Draft(starter()).table, PRESETS[1], (64,), 10)
    table |= {"name": "deep-tanh", "statistics": {"level": "full", "full_every": 25}}
    table["training"]["epochs"] = 30
    train_experiment(parse_experiment(table, Path()), parent=parent)
    launch = ["ravine", "launch", "-n", "2", "train", "digits", "--runs", str(parent), "--name", "two-ranks"]
    subprocess.run([sys.executable, "-m", *launch, "--set", "training.epochs=20"], check=True)


def ready(window: MainWindow) -> bool:
    """Whether the tab that is shown has its answers."""
    page, app = window.page, window.app
    if isinstance(page, LiveTab):
        return all(one.picture is not None and one.picture.curves for one in (page.loss, page.metric_plot))
    if isinstance(page, LayersTab):
        return len(page.histogram.shares) > 0 and all(one.map.picture is not None for one in page.maps)
    if isinstance(page, CompareTab):
        return page.plot.picture is not None and len(page.plot.picture.curves) == 2
    if isinstance(page, DataTab):
        return page.found is not None
    if isinstance(page, RanksTab):
        return page.table.rowCount() == 2 and page.map.picture is not None
    if isinstance(page, LogTab):
        return bool(page.text.toPlainText())
    return not app.checking


def start_live_run(window: MainWindow) -> None:
    """A run that goes on, with a learning rate that was changed."""
    window.app.draft.set(("training", "epochs"), 3000)
    wait(lambda: not window.app.checking)
    window.commands.start()
    wait(lambda: window.app.status is not None and window.app.status.step > 4000)
    window.app.command("set", name="learning_rate", value=0.03)
    wait(lambda: window.app.status is not None and abs(window.app.status.learning_rate - 0.03) < 1e-6)


def picture_of(window: MainWindow) -> Image.Image:
    """What the window shows."""
    image = window.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    size = (image.width(), image.height())
    return Image.frombytes("RGB", size, bytes(image.constBits()), "raw", "RGB", image.bytesPerLine())


def save(window: MainWindow, path: Path) -> None:
    """Writes what the window shows, in 256 colours of its own: a third of the bytes."""
    picture_of(window).quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def draw(window: MainWindow, folder: Path, theme: str) -> None:
    """Draws the first start and every tab at both sizes."""
    for width, height in SIZES:
        window.resize(width, height)
        window.app.select(None)
        window.tabs.setCurrentIndex(0)
        pause(300)
        save(window, folder / f"app-start-{theme}-{width}.png")
    start_live_run(window)
    live = window.app.current
    for width, height in SIZES:
        window.resize(width, height)
        for number, page in enumerate(window.pages):
            runs = window.app.runs_folder
            shown = {LayersTab: runs / "deep-tanh", RanksTab: runs / "two-ranks"}.get(type(page), live)
            window.app.select(shown)
            wait(partial(window.tabs.isTabVisible, number))
            window.tabs.setCurrentIndex(number)
            wait(lambda: ready(window) and window.app.status is not None)
            pause(500)
            save(window, folder / f"app-{page.TITLE.lower()}-{theme}-{width}.png")
    draw_forms(window, folder, theme)


def show_setting(window: MainWindow, key: str) -> None:
    """Opens the section of a setting alone, and goes there."""
    for section in window.panel.sections:
        section.head.setChecked(section.name == key.split(".")[0])
    window.panel.go_to(key)
    pause(400)


def draw_forms(window: MainWindow, folder: Path, theme: str) -> None:
    """Draws the editors of blocks, groups and augmentation, runs in groups, the choice of a checkpoint."""
    app = window.app
    before, folder_before = app.draft.text, app.draft.folder
    table = dict(app.draft.table)
    block = {"type": "residual", "body": [{"type": "dense", "units": 64}, "batch_normalization", "relu"]}
    table["model"] = {"layers": [{"type": "dense", "units": 64}, block, {"type": "dense", "units": 10}]}
    table["groups"] = [{"match": "*.bias", "l2": 0.0}, {"match": "dense_1.*", "learning_rate": 0.1}]
    app.draft.set_table(table, "a network of blocks")
    model = next(number for number, page in enumerate(window.pages) if isinstance(page, ModelTab))
    for width, height in SIZES:
        window.resize(width, height)
        window.tabs.setCurrentIndex(model)
        wait(lambda: ready(window))
        for name, key in (("blocks", "model.layers.1.body.0.units"), ("groups", "groups.1.learning_rate")):
            show_setting(window, key)
            save(window, folder / f"app-{name}-{theme}-{width}.png")
    if AUGMENTED.exists():
        data = next(page for page in window.pages if isinstance(page, DataTab))
        window.tabs.setCurrentIndex(window.pages.index(data))
        wait(lambda: ready(window))
        shown = data.found
        app.open_experiment(AUGMENTED)
        wait(lambda: data.found is not shown and data.found is not None and not app.checking)
        for width, height in SIZES:
            window.resize(width, height)
            show_setting(window, "data.augmentation.4.size")
            save(window, folder / f"app-augmentation-{theme}-{width}.png")
    app.draft.replace(before, folder_before, "as it was")
    for section in window.panel.sections:
        section.head.setChecked(section.name in ("experiment", "model", "optimizer"))
    window.panel.scroll_area.verticalScrollBar().setValue(0)
    wait(lambda: not app.checking)
    window.resize(*SIZES[0])
    window.tabs.setCurrentIndex(
        next(n for n, page in enumerate(window.pages) if isinstance(page, CompareTab))
    )
    window.run_list.grouped.setChecked(True)
    wait(lambda: bool(app.groups) and ready(window))
    pause(500)
    save(window, folder / f"app-groups-of-runs-{theme}-{SIZES[0][0]}.png")
    window.run_list.grouped.setChecked(False)
    app.select(app.runs_folder / "deep-tanh")
    wait(lambda: app.status is not None)
    window.commands.restore()
    wait(window.commands.restoring.go.isEnabled)
    pause(300)
    window.commands.restoring.grab().save(str(folder / f"app-restore-{theme}.png"))
    window.commands.restoring.close()


def animate(window: MainWindow, folder: Path) -> None:
    """A training run from its first second on, as a GIF."""
    window.resize(*SIZES[0])
    window.tabs.setCurrentIndex(0)
    window.app.draft.set(("training", "epochs"), 8000)
    wait(lambda: not window.app.checking)
    window.commands.start()
    pictures = []
    for _ in range(FRAMES):
        pause(FRAME_MILLISECONDS)
        pictures.append(picture_of(window).resize((960, 600)).quantize(128))
    pictures[0].save(
        folder / "app.gif", save_all=True, append_images=pictures[1:], duration=FRAME_MILLISECONDS, loop=0
    )

    window.commands.stop()
    wait(lambda: not window.app.trainers.running)


def main(words: list[str]) -> None:
    folder = Path(words[0]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    made = application()
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_STATE_HOME"] = place
        os.chdir(place)
        train_runs(Path(place) / "runs")
        for theme in ("light", "dark"):
            app = App(Path(place) / f"{theme}.json", Path("runs"))
            window = MainWindow(app)
            app.preferences.theme = "dark" if theme == "dark" else "light"
            window.set_theme()
            window.show()
            wait(lambda app=app: app.listed and not app.checking)  # type: ignore[misc]
            names = [f"rate-{rate}-seed-{seed}" for rate in (0.1, 0.02) for seed in (1, 2, 3)]
            app.compare([app.runs_folder / name for name in names])
            for page in window.pages:
                if isinstance(page, CompareTab):
                    page.grouped.setChecked(True)
            draw(window, folder, theme)
            if theme == "light":
                animate(window, folder)
            for run in app.trainers.running:
                os.kill(app.trainers.pid(run), signal.SIGKILL)
            wait(lambda app=app: not app.trainers.running)  # type: ignore[misc]
            window.finish()
            window.close()
        made.processEvents()


if __name__ == "__main__":
    main(sys.argv[1:])
