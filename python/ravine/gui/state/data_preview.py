"""What the Data tab shows: samples, classes, and features before and after preprocessing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.data import DataParts, Dataset, load
from ravine.experiment import Experiment

SAMPLES = 60
STATISTICS_ROWS = 20_000  # that the statistics of features are taken from
PARTS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Mean, deviation, minimum and maximum of each feature [features]."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DataPreview:
    """Some of the data of an experiment.

    Args:
        task: "classification" or "regression".
        class_names: one a class; empty for regression.
        counts: samples of each class in each part [parts, classes]; [parts, 1] for regression.
        pictures: uint8 [samples, height, width, 3], or None where samples are no pictures.
        values: raw inputs of the same samples [samples, features], at most 40 features.
        labels: what stands under each sample.
        before, after: of the training samples, without preprocessing and with it.
        preprocessing: how it is called.
    """

    task: str
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    pictures: NDArray[np.uint8] | None
    values: NDArray[np.float64]
    labels: tuple[str, ...]
    before: FeatureStatistics
    after: FeatureStatistics
    preprocessing: str


def preview(experiment: Experiment, parts: DataParts) -> DataPreview:
    """Reads the data once more, without preprocessing.

    Args:
        experiment: resolved.
        parts: its data, preprocessed.

    Raises:
        InputError: the data cannot be read any more.
    """
    plain = msgspec.structs.replace(experiment.data, preprocessing="none")
    raw = load(plain, Path(), dtype=np.float32, threads=_core.available_processors()).train
    inputs = np.asarray(raw.inputs[:SAMPLES], np.float64)
    return DataPreview(
        parts.summary.task,
        class_names(parts),
        np.stack(
            [_counts(part, parts.summary.outputs) for part in (parts.train, parts.validation, parts.test)]
        ),
        pictures_of(inputs, parts.summary.input_shape),
        inputs.reshape(len(inputs), -1)[:, :40],
        tuple(_label(raw, row, class_names(parts)) for row in range(len(inputs))),
        statistics_of(raw.inputs),
        statistics_of(parts.train.inputs),
        parts.summary.preprocessing,
    )


def class_names(parts: DataParts) -> tuple[str, ...]:
    """The names of the classes, or their numbers."""
    if parts.summary.task != "classification":
        return ()
    return parts.summary.class_names or tuple(map(str, range(parts.summary.outputs)))


def _counts(part: Dataset | None, classes: int) -> NDArray[np.int64]:
    if part is None:
        return np.zeros(max(1, classes), np.int64)
    if part.task != "classification":
        return np.array([len(part)] + [0] * (max(1, classes) - 1), np.int64)
    return np.bincount(part.targets, minlength=classes).astype(np.int64)


def _label(data: Dataset, row: int, names: tuple[str, ...]) -> str:
    if data.task == "classification":
        return names[int(data.targets[row])]
    return ", ".join(f"{value:.3g}" for value in data.targets[row][:3])


def statistics_of(inputs: NDArray[np.generic]) -> FeatureStatistics:
    """Of each feature, over at most `STATISTICS_ROWS` samples at even distances."""
    every = max(1, len(inputs) // STATISTICS_ROWS)
    values = np.asarray(inputs[::every], np.float64).reshape(len(inputs[::every]), -1)
    return FeatureStatistics(values.mean(0), values.std(0), values.min(0), values.max(0))


def pictures_of(inputs: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """Samples as pictures: of images as they are, of a flat square as grey values; None of anything else."""
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    if len(shape) == 1 and side * side == shape[0] and side >= 6:
        shape = (side, side)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] not in (1, 3):
        return None
    images = inputs.reshape(len(inputs), *shape)
    low, high = float(images.min()), float(images.max())
    grey = (255 * (images - low) / max(high - low, 1e-12)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey, (*grey.shape[:3], 3)) if shape[2] == 1 else grey)
