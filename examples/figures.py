"""What the scripts that draw figures share: options, data and saving."""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray

from ravine import data
from ravine.errors import InputError

matplotlib.use("Agg")  # draws into files, needs no screen
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

BESIDE = "../shared/datasets/mnist"  # as seen from the project's folder
MNIST = (Path(__file__).resolve().parents[1] / BESIDE).resolve()
# Okabe and Ito's colours, which the colour-blind tell apart too.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#888888"

plt.rcParams.update(
    {
        "figure.dpi": 110, "font.size": 9, "axes.titlesize": 9.5, "axes.spines.top": False,
        "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6,
        "axes.axisbelow": True, "legend.frameon": False,
    }
)  # fmt: skip

Part = tuple[NDArray[np.float32], NDArray[np.int32]]  # inputs [samples, features], labels [samples]


@dataclass
class Samples:
    """A data set in three parts, with the shape of one image."""

    name: str
    train: Part
    validation: Part
    test: Part
    image: tuple[int, int]


def options(documentation: str | None, words: Sequence[str] | None) -> argparse.Namespace:
    """The options that every script has: data, out, quick."""
    parser = argparse.ArgumentParser(
        description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with the four files of MNIST, or 'digits' for the small digits that Ravine ships "
        f"(default: {BESIDE}, seen from the project's folder; digits with --quick)",
    )
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="for the figure")
    parser.add_argument("--quick", action="store_true", help="seconds, to see that it works")
    chosen = parser.parse_args(words)
    chosen.data = chosen.data or ("digits" if chosen.quick else str(MNIST))
    return chosen


def load(source: str, preprocessing: data.Kind = "scale") -> Samples:
    """MNIST from a folder (the last 10,000 training samples are for validation), or the shipped digits."""
    if source == "digits":
        digits = data.load_digits()
        rows = data.split(len(digits), validation_fraction=0.2, test_fraction=0.2, seed=37)
        parts = [
            (digits.inputs[part], digits.targets[part]) for part in (rows.train, rows.validation, rows.test)
        ]
        name, image, largest = "digits", (8, 8), 16
    else:
        inputs, labels = (
            read(source, f"train-{what}") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
        )
        test = tuple(read(source, f"t10k-{what}") for what in ("images-idx3-ubyte", "labels-idx1-ubyte"))
        parts = [(inputs[:50_000], labels[:50_000]), (inputs[50_000:], labels[50_000:]), test]
        name, image, largest = "MNIST", (28, 28), 255
    transform = data.fit(preprocessing, parts[0][0], divisor=largest)
    ready = [
        (transform.apply(inputs).reshape(len(inputs), -1), labels.astype(np.int32))
        for inputs, labels in parts
    ]
    return Samples(name, *ready, image)


def read(folder: str, name: str) -> NDArray[np.uint8]:
    """One file of MNIST, plain or gzip."""
    for path in (Path(folder) / name, Path(folder) / f"{name}.gz"):
        if path.is_file():
            try:
                return data.read_idx(path)
            except InputError as error:
                raise SystemExit(str(error)) from None
    raise SystemExit(
        f"{folder}: there is no {name}[.gz] of MNIST; name the folder that has the four files by --data DIR, "
        "or try it on the small digits that Ravine ships by --data digits"
    )


def smoothed(
    values: NDArray[np.floating], points: int = 60
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """A noisy curve as means of equal parts, with the middle of each: (steps, means)."""
    width = max(1, len(values) // points)
    means = values[: len(values) // width * width].reshape(-1, width).mean(axis=1)
    return width * (np.arange(len(means)) + 0.5), means


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Writes the figure as a PNG with 64 colours, a third of the usual size; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", bbox_inches="tight")
    plt.close(figure)
    path = folder / f"{name}.png"
    # The colours that keep the largest error small: few pixels are a curve.
    reduced = Image.open(drawn).convert("RGB").quantize(64, Image.Quantize.MAXCOVERAGE)
    reduced.save(path, optimize=True)
    print(f"\nfigure: {path}")
    return path
