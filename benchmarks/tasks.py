"""What is learnt until a share of the test images is right, and by which network."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATASETS = Path(__file__).resolve().parents[2] / "shared" / "datasets"
Epochs = list[tuple[float, float]]  # of each epoch: seconds since the start, share of right test images


@dataclass(frozen=True)
class Task:
    """A data set, the accuracy that ends the training, and the network, of dense layers with ReLU.

    All weights and biases of a layer start uniform in (-b, b), b = sqrt(6 / (inputs + outputs)), as they do
    in scikit-learn, which has no other way; Adam without weight decay.

    Args:
        name: of the data set.
        folder: with its four IDX files, or None for the digits that Ravine ships.
        accuracy: on the test images.
        hidden: units of the hidden layers.
        batch, learning_rate: of Adam.
        most: epochs after which it is given up.
    """

    name: str
    folder: Path | None
    accuracy: float
    hidden: tuple[int, ...] = (512, 256)
    batch: int = 128
    learning_rate: float = 0.001
    most: int = 40

    def file(self, part: str, what: str) -> Path:
        """One of the four: `part` is "train" or "t10k", `what` "images-idx3" or "labels-idx1"."""
        assert self.folder is not None
        return self.folder / f"{part}-{what}-ubyte.gz"

    def quick(self) -> Task:
        """Shipped digits, a small network."""
        return replace(self, folder=None, accuracy=0.8, hidden=(32,), learning_rate=0.01, most=5)


TASKS = {
    "mnist": Task("mnist", DATASETS / "mnist", 0.98),
    "fashion-mnist": Task("fashion-mnist", DATASETS / "fashion-mnist", 0.90),
}


def bound(inputs: int, outputs: int) -> float:
    """Of the initial weights and biases."""
    return sqrt(6 / (inputs + outputs))


def read(task: Task) -> list[NDArray[Any]]:
    """Training images and labels, test images and labels, read as users of PyTorch and scikit-learn do."""
    if task.folder is None:
        from ravine.data import load_digits

        digits = load_digits()
        inputs, labels = digits.inputs.astype(np.float32) / 16, digits.targets.astype(np.int64)
        return [inputs[:1437], labels[:1437], inputs[1437:], labels[1437:]]
    found: list[NDArray[Any]] = []
    for part in ("train", "t10k"):
        pixels = np.frombuffer(
            gzip.decompress(task.file(part, "images-idx3").read_bytes()), np.uint8, offset=16
        )
        labels = np.frombuffer(
            gzip.decompress(task.file(part, "labels-idx1").read_bytes()), np.uint8, offset=8
        )
        found += [pixels.reshape(len(labels), -1).astype(np.float32) / 255, labels.astype(np.int64)]
    return found
