"""All points of a plot as CSV, and a Matplotlib script that draws them again."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from ravine.errors import InputError
from ravine.gui.state.points import Series
from ravine.runs import files

HEAD = ("run", "curve", "x", "y")


@dataclass(frozen=True)
class Labels:
    """What stands around a plot: title, names of the axes, and which of them are logarithmic."""

    title: str
    x: str
    y: str
    log_x: bool = False
    log_y: bool = False


def csv_text(series: list[Series]) -> str:
    """One line a point: run, curve, x, y; values read back to the same bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEAD)
    for one in series:
        # The shortest digits that give the recorded float32 again.
        values = (str(value) for value in one.y)
        writer.writerows(
            (one.run, one.label, repr(x), y) for x, y in zip(one.x.tolist(), values, strict=True)
        )
    return text.getvalue()


def script_text(data: str, labels: Labels) -> str:
    """A script that draws the CSV file `data`, which lies beside it."""
    return f'''"""Draws {data}; needs Matplotlib."""

import csv
from pathlib import Path

import matplotlib.pyplot as plt

curves = {{}}
with (Path(__file__).parent / {data!r}).open(newline="") as file:
    for row in csv.DictReader(file):
        x, y = curves.setdefault((row["run"], row["curve"]), ([], []))
        x.append(float(row["x"]))
        y.append(float(row["y"]))

runs = {{run for run, _ in curves}}
figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
for (run, curve), (x, y) in curves.items():
    axes.plot(x, y, linewidth=1, label=curve if len(runs) == 1 else f"{{run}}: {{curve}}")
axes.set_title({labels.title!r})
axes.set_xlabel({labels.x!r})
axes.set_ylabel({labels.y!r})
axes.set_xscale({"log" if labels.log_x else "linear"!r})
axes.set_yscale({"log" if labels.log_y else "linear"!r})
if len(curves) <= 12:
    axes.legend()
figure.savefig(Path(__file__).with_suffix(".png"), dpi=150)
'''


def save_points(series: list[Series], path: Path, labels: Labels) -> None:
    """Writes .csv, or .py with a .csv of the same name beside it.

    Raises:
        InputError: another ending, or a file that cannot be written.
    """
    if path.suffix not in (".csv", ".py"):
        raise InputError("end the name with .csv or .py", file=path)
    try:
        data = path.with_suffix(".csv")
        files.write_whole(data, csv_text(series).encode())
        if path.suffix == ".py":
            files.write_whole(path, script_text(data.name, labels).encode())
    except OSError as error:
        raise InputError(f"cannot be written: {files.cause(error)}", file=path) from error
