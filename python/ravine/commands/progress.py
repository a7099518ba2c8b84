"""The progress of training: a live display on a terminal, otherwise one plain line an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ravine.commands.output import duration, metrics_text, number

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ravine.training.progress import Progress

Listener = Callable[["Progress"], None]
REFRESH_SECONDS = 0.04
MOST_ROWS = 40  # of epochs that stay on the screen above the live display


@contextmanager
def progress_listener(stream: TextIO, *, quiet: bool = False, live: bool = True) -> Iterator[Listener | None]:
    """What training reports to while the block runs: None if quiet.

    Training goes on when the reader of the stream has gone away.

    Args:
        stream: where to show it; rich is loaded only if it is a terminal.
        quiet: show nothing.
        live: a terminal may be drawn on; what mpirun gives its ranks looks like one, wherever its own output
            goes.
    """
    if quiet:
        yield None
    elif live and stream.isatty():
        with live_listener(stream) as listener:
            yield surviving(listener)
    else:
        yield surviving(plain_listener(stream))


def surviving(listener: Listener) -> Listener:
    """A listener that falls silent when its stream is closed, instead of ending the training."""
    is_open = True

    def listen(progress: Progress) -> None:
        nonlocal is_open
        if is_open:
            try:
                listener(progress)
            except OSError:
                is_open = False

    return listen


def plain_listener(stream: TextIO) -> Listener:
    """Prints a line at the end of each epoch and when training pauses."""
    was_paused = False

    def listen(progress: Progress) -> None:
        nonlocal was_paused
        paused = progress.state == "paused"
        if has_epoch(progress):
            print(epoch_text(progress), file=stream, flush=True)
        if paused and not was_paused:
            print(f"paused after step {progress.step:,}", file=stream, flush=True)
        was_paused = paused

    return listen


def has_epoch(progress: Progress) -> bool:
    """Whether an epoch has just ended; the last report of all only repeats one."""
    return progress.epoch_ended and progress.state == "training"


def epoch_text(progress: Progress) -> str:
    """An epoch in one line."""
    width = len(str(progress.epochs))
    parts = [
        f"epoch {progress.epoch:{width}}/{progress.epochs}",
        f"step {progress.step:{len(f'{progress.steps:,}')},}",
        training_text(progress),
    ]
    if progress.validation:
        parts.append(f"validation: {metrics_text(progress.validation)}")
    parts.append(f"{progress.samples_per_second:9,.0f} samples/s")
    return "  ".join(parts)


def training_text(progress: Progress) -> str:
    """Loss and accuracy of the epoch's batches so far."""
    accuracy = "" if progress.accuracy is None else f"  accuracy {number(progress.accuracy)}"
    return f"loss {number(progress.loss)}{accuracy}"


@contextmanager
def live_listener(stream: TextIO) -> Iterator[Listener]:
    """Two lines that follow the training, under a line for each epoch that has ended."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, highlight=False)
    # No thread of its own: training reports often enough, and a refresh must not fall into its steps.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        last_refresh = 0.0

        def listen(progress: Progress) -> None:
            nonlocal last_refresh
            every = -(-progress.epochs // MOST_ROWS)
            if has_epoch(progress) and (progress.epoch % every == 0 or progress.epoch == progress.epochs):
                console.print(epoch_text(progress), soft_wrap=True)
            # Epochs may be shorter than it takes to draw.
            if (now := time.monotonic()) - last_refresh > REFRESH_SECONDS:
                live.update(live_lines(progress), refresh=True)
                last_refresh = now

        yield listen


def live_lines(progress: Progress) -> RenderableType:
    """Bar and time left over the figures of the moment."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    steps_per_epoch = max(1.0, progress.steps / max(1, progress.epochs))
    done = min(steps_per_epoch, max(0.0, progress.step - (progress.epoch - 1) * steps_per_epoch))
    upper = Table.grid(padding=(0, 1))
    upper.add_row(
        Text(f"epoch {progress.epoch}/{progress.epochs}", style="bold"),
        ProgressBar(
            total=steps_per_epoch, completed=done, width=24, complete_style="cyan", finished_style="cyan"
        ),
        Text(f"step {progress.step:,}/{progress.steps:,}"),
        Text(f"{progress.samples_per_second:,.0f} samples/s"),
        Text(progress.state if progress.state == "paused" else f"{duration(progress.seconds_left)} left"),
    )
    figures = training_text(progress)
    if progress.validation:
        figures += f"  validation: {metrics_text(progress.validation)}"
    return Group(upper, Text(figures, no_wrap=True, overflow="ellipsis"))
