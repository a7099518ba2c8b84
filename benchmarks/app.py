"""The desktop app: frames a second, start-up, long lists, memory, and what it costs a trainer to be watched.

    python benchmarks/app.py [--only frames ...] [--seconds 5] [--memory-minutes 10]

The window is the real one, without a screen (QT_QPA_PLATFORM=offscreen) unless that is set otherwise. A
process of its own writes the runs, 1,000 rows a second, and a trainer with one thread keeps a processor busy.
What a frame costs the window's thread is its processor time. The results go to benchmarks/results/.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from reporting import parse, parser, progress, table, write

from ravine.runs import RunFolder, RunReader

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
COLUMNS = ("loss", "accuracy", "dense_1.gradient_norm", "dense_1.activation_variance")
ROWS_A_SECOND = 1000
NAMES = ("frames", "million", "startup", "runs", "layers", "idle", "slowdown", "memory")
START = """
import sys, time
from pathlib import Path
from ravine.gui.application import application
from ravine.gui.state.app import App
from ravine.gui.widgets.main_window import MainWindow
made = application()
app = App(Path(sys.argv[1]), Path(sys.argv[2]))
window = MainWindow(app)
window.set_theme()
window.show()
made.processEvents()
window.grab()
print(time.time())
window.finish()
"""


def write_points(path: Path, points: int, rows_a_second: int) -> None:
    """Fills a run and goes on writing; the benchmark's other process."""
    random = np.random.default_rng(0)
    folder = RunFolder(path)
    with folder.lock(), folder.writer(COLUMNS) as writer:
        writer.set_meta(epochs=1000, steps=10**9, data={"train": 1000})
        writer.set_state("running")
        step = 0

        def add(count: int) -> None:
            nonlocal step
            steps = np.arange(step + 1, step + count + 1)
            values = np.exp(random.normal(-1, 0.3, (count, len(COLUMNS)))).astype(np.float32)
            writer.record_steps(steps, steps / 1e4, steps / 1e3, values)
            step += count

        while step < points:
            add(min(50_000, points - step))
        start, first = time.monotonic(), step
        while True:
            due = first + int((time.monotonic() - start) * rows_a_second)
            if due > step:
                add(due - step)
            time.sleep(0.01)


@contextmanager
def process(*words: object, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end."""
    popen = subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, **settings)
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()


@contextmanager
def window_on(parent: Path, run: Path | None) -> Iterator[Any]:
    """The window, showing a run."""
    from ravine.gui.application import application
    from ravine.gui.state.app import App
    from ravine.gui.widgets.main_window import MainWindow

    application()
    app = App(parent / "preferences.json", parent / "runs")
    window = MainWindow(app)
    window.set_theme()
    window.show()
    if run is not None:
        app.select(run)
    try:
        yield window
    finally:
        window.finish()
        window.close()


def wait(condition: Callable[[], bool], seconds: float = 60.0, every: int = 2) -> float:
    """Lets the window work until a condition holds; returns how long that took.

    Between events the thread sleeps, as it does in the app; it looks at least `every` milliseconds.
    """
    from PySide6 import QtCore, QtWidgets

    start = time.perf_counter()
    waker = QtCore.QTimer(interval=every)
    waker.start()
    while not condition():
        if time.perf_counter() - start > seconds:
            raise TimeoutError("the window did not come to it")
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    return time.perf_counter() - start


def pass_time(seconds: float) -> None:
    """Lets the window work for so long."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() > end, seconds + 60, every=50)


@contextmanager
def busy_trainer(parent: Path) -> Iterator[None]:
    """A trainer with one thread."""
    words = ["--threads", 1, "--set", "training.epochs=1000000", "--set", "statistics.every=100", "--quiet"]
    with process(sys.executable, "-m", "ravine", "train", "digits", "--runs", parent / "other", *words):
        yield


def frames(parent: Path, points: int, seconds: float, repeats: int) -> dict[str, float]:
    """Frames of the window at its own pace, while rows come in; with a frame all four plots are repainted."""
    run = RunFolder.create(parent / "runs", f"points-{points}").path
    with process(sys.executable, __file__, "--write", run, points), busy_trainer(parent):
        time.sleep(1.0)  # the writer's Python starts
        with window_on(parent, run) as window:
            tab = window.pages[0]
            wait(lambda: (status := window.app.status) is not None and status.step >= points, 120.0)
            drawn: list[float] = []
            spent: list[float] = []
            show = tab.show_answers

            def show_and_count(answers: dict[str, Any]) -> None:
                start = time.thread_time()
                show(answers)
                if set(tab.panels) <= set(answers):
                    for surface in tab.surfaces():
                        surface.graphics.viewport().repaint()
                    drawn.append(time.perf_counter())
                    spent.append(time.thread_time() - start)

            tab.show_answers = show_and_count
            rates, costs = [], []
            for _ in range(repeats):
                drawn.clear()
                start = time.process_time()
                pass_time(seconds)
                rates.append(len(drawn) / seconds)
                costs.append((time.process_time() - start) / max(1, len(drawn)))
            return {
                "frames_a_second": max(rates),
                "median_of_frames_a_second": statistics.median(rates),
                "window_milliseconds_a_frame": 1e3 * statistics.median(spent),
                "processor_milliseconds_a_frame": 1e3 * min(costs),
                "points": float(window.app.status.step),
            }


def startup(parent: Path, repeats: int) -> dict[str, float]:
    """From the start of the process to a window that is drawn."""
    found = []
    for _ in range(repeats + 1):
        start = time.time()
        words = [sys.executable, "-c", START, parent / "preferences.json", parent / "none"]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
        found.append(float(done.stdout.split()[-1]) - start)
    return {"seconds": min(found[1:])}


def many_runs(parent: Path, count: int) -> dict[str, float]:
    """Until the newest of so many runs are shown, and until all of them are."""
    first = RunFolder.create(parent / "runs", "run")
    with first.lock(), first.writer(COLUMNS) as writer:
        values = np.ones((50, len(COLUMNS)), np.float32)
        writer.record_steps(np.arange(1, 51), np.arange(50) / 50, np.arange(50) / 50, values)
        writer.record_evaluation(50, 1.0, "validation", {"loss": 0.5, "accuracy": 0.9})
        writer.set_state("finished")
    for number in range(1, count):
        shutil.copytree(first.path, parent / "runs" / f"run-{number:04}")
    with window_on(parent, None) as window:
        window.app.refresh_runs()
        first = wait(lambda: len(window.run_list.model.rows) > 0)
        seconds = first + wait(lambda: len(window.run_list.model.rows) == count)
    return {"seconds": seconds, "seconds_to_the_newest": first, "runs": float(count)}


def many_layers(parent: Path, layers: int, steps: int) -> dict[str, float]:
    """Until the heat maps of a deep run are drawn, and how long they take when a view moves."""
    columns = ["loss"]
    for layer in range(1, layers + 1):
        columns += [
            f"dense_{layer}.{name}"
            for name in ("activation_mean", "activation_variance", "activation_zeros", "gradient_norm",
                         "weight_norm", "update_norm")
        ]  # fmt: skip
    folder = RunFolder.create(parent / "runs", "deep")
    values = np.exp(np.random.default_rng(0).normal(size=(steps, len(columns)))).astype(np.float32)
    with folder.lock(), folder.writer(columns) as writer:
        numbers = np.arange(1, steps + 1)
        writer.record_steps(numbers, numbers / 100, numbers / 1000, values)
        writer.set_meta(epochs=steps / 100, data={"train": 1000})
        writer.set_state("finished")
    with window_on(parent, None) as window:
        window.tabs.setCurrentIndex(1)
        tab = window.pages[1]
        first = tab.maps[0].map
        window.app.select(folder.path)
        opened = wait(lambda: first.picture is not None and len(first.picture.layers) == layers)
        moves, follow, spent = [], [], []
        for move in range(40):
            before, start, cpu = first.picture, time.perf_counter(), time.thread_time()
            if move % 4 < 2:
                first.view.scaleBy((0.8 if move < 20 else 1.25, 1.0))
            else:
                first.view.translateBy(x=steps / 100)
            first.view.sigRangeChangedManually.emit([True, False])  # as a drag or a turn of the wheel does
            first.graphics.viewport().repaint()
            moves.append(time.perf_counter() - start)
            window.tick()
            wait(lambda before=before: first.picture is not before)
            for surface in tab.surfaces():
                surface.graphics.viewport().repaint()
            follow.append(time.perf_counter() - start)
            spent.append(time.thread_time() - cpu)
    return {
        "seconds_to_open": opened,
        "milliseconds_to_move": 1e3 * statistics.median(moves),
        "milliseconds_to_the_new_pictures": 1e3 * statistics.median(follow),
        "window_milliseconds_of_processor": 1e3 * statistics.median(spent),
    }


def trained_steps(parent: Path, seconds: float, watched: bool) -> tuple[float, float]:
    """Steps a second of a trainer with one thread, and the share of a processor of an app that shows it."""
    run = parent / "runs" / "watched"
    shutil.rmtree(run, ignore_errors=True)
    words = ["--threads", 1, "--name", run.name, "--set", "training.epochs=1000000", "--quiet"]
    words += ["--set", "training.batch_size=256", "--set", "model.layers.0.units=1000"]
    with process(sys.executable, "-m", "ravine", "train", "digits", "--runs", run.parent, *words):
        while not (run / "run.db").exists():
            time.sleep(0.05)
        time.sleep(1.0)

        def measured(work: Callable[[], object]) -> float:
            with RunReader(run) as reader:
                first = reader.state()
                work()
                last = reader.state()
            return (last.step - first.step) / (last.seconds - first.seconds)

        if not watched:
            return measured(lambda: time.sleep(seconds)), 0.0
        with window_on(parent, run):
            pass_time(1.0)
            start = time.process_time()
            rate = measured(lambda: pass_time(seconds))
            return rate, (time.process_time() - start) / seconds


def idle(parent: Path, seconds: float) -> dict[str, float]:
    """Share of a processor that a window takes which shows a run that has ended."""
    folder = RunFolder.create(parent / "runs", "ended")
    values = np.ones((10_000, len(COLUMNS)), np.float32)
    with folder.lock(), folder.writer(COLUMNS) as writer:
        numbers = np.arange(1, len(values) + 1)
        writer.record_steps(numbers, numbers / 100, numbers / 1000, values)
        writer.set_state("finished")
    with window_on(parent, folder.path) as window:
        wait(lambda: not window.app.feed.live and not window.app.checking)
        pass_time(1.0)
        start = time.process_time()
        pass_time(seconds)
        return {"share_of_a_processor": (time.process_time() - start) / seconds}


def memory(parent: Path, seconds: float) -> dict[str, float]:
    """Growth of the process while it plots a run live: a line through its size, looked at a hundred times.

    After a tenth of the time the line begins; by then the run is longer than what is kept of it.
    """
    run = RunFolder.create(parent / "runs", "memory").path

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

    def held() -> tuple[int, int, int]:
        """Threads, open files, processes."""
        tasks = [task.name for task in Path("/proc/self/task").iterdir()]
        started = [Path(f"/proc/self/task/{task}/children").read_text().split() for task in tasks]
        return len(tasks), len(list(Path("/proc/self/fd").iterdir())), sum(map(len, started))

    with process(sys.executable, __file__, "--write", run, 600_000):
        time.sleep(1.0)
        with window_on(parent, run) as window:
            wait(lambda: (status := window.app.status) is not None and status.step >= 600_000, 120.0)
            pass_time(seconds / 10)
            before, first = held(), window.app.status.step
            times, sizes = [time.perf_counter()], [resident()]
            for _ in range(100):
                pass_time(seconds / 100)
                times.append(time.perf_counter())
                sizes.append(resident())
            after, last = held(), window.app.status.step
    slope = float(np.polyfit(np.array(times) / 60, sizes, 1)[0])
    return {
        "minutes": seconds / 60,
        "megabytes_at_first": sizes[0],
        "megabytes_at_last": sizes[-1],
        "megabytes_a_minute": slope,
        "rows_that_came": float(last - first),
        "more_threads_files_or_processes": float(
            sum(max(0, b - a) for a, b in zip(before, after, strict=True))
        ),
    }


def main(words: Sequence[str] | None = None) -> None:
    made = parser(__doc__, NAMES)
    made.add_argument("--seconds", type=float, default=5.0, help="that frames are counted for")
    made.add_argument(
        "--memory-minutes",
        type=float,
        default=0.0,
        help="of live plotting, to see whether memory grows; 10 is much",
    )
    chosen = parse(made, words)
    seconds = 0.5 if chosen.quick else chosen.seconds
    small = 0.02 if chosen.quick else 1.0

    def slowdown(parent: Path) -> dict[str, float]:
        pairs = [
            (trained_steps(parent, seconds, False), trained_steps(parent, seconds, True))
            for _ in range(chosen.repeats)
        ]
        return {
            "slower": 1 - statistics.median(watched / alone for (alone, _), (watched, _) in pairs),
            "steps_a_second_alone": statistics.median(alone for (alone, _), _ in pairs),
            "share_of_a_processor_of_the_app": min(share for _, (_, share) in pairs),
        }

    measures: dict[str, Callable[[Path], dict[str, float]]] = {
        "frames": lambda parent: frames(parent, int(100_000 * small), seconds, chosen.repeats),
        "million": lambda parent: frames(parent, int(1_000_000 * small), seconds, chosen.repeats),
        "startup": lambda parent: startup(parent, chosen.repeats),
        "runs": lambda parent: many_runs(parent, int(1000 * small)),
        "layers": lambda parent: many_layers(parent, 50, int(10_000 * small)),
        "idle": lambda parent: idle(parent, seconds),
        "slowdown": slowdown,
        "memory": lambda parent: memory(parent, 1.0 if chosen.quick else 60 * chosen.memory_minutes),
    }
    rows: list[dict[str, Any]] = []
    for name, measure in measures.items():
        if chosen.only and name not in chosen.only:
            continue
        if name == "memory" and not (chosen.quick or chosen.memory_minutes):
            continue
        progress(name)
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"name": name, **measure(Path(folder))})
    body = table(
        ("what", "measured"),
        [
            (
                row["name"],
                ", ".join(
                    f"{key.replace('_', ' ')} {value:.4g}" for key, value in row.items() if key != "name"
                ),
            )
            for row in rows
        ],
    )
    write(chosen, "app", "The desktop app", str(__doc__).partition("\n\n    ")[0], body, rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write_points(Path(sys.argv[2]), int(sys.argv[3]), ROWS_A_SECOND)
    else:
        main()
