"""What the Data tab shows: samples, classes, and features before and after preprocessing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ravine import _core
from ravine.data import DataParts, Dataset, load
from ravine.data.targets import restored
from ravine.experiment import Experiment

SAMPLES = 60
AUGMENTED, EPOCHS = 10, 4  # pictures, and how often each is augmented
STATISTICS_ROWS = 20_000  # that the statistics of features are taken from
STATISTICS_VALUES = 16_000_000  # that they are taken from at most
MOST_COLUMNS = 40
BINS = 12  # of the values of a regression
MOST_POINTS = 1024  # that a plot of features draws
PARTS = ("train", "validation", "test")
Pictures = Sequence[NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Mean, deviation, minimum and maximum of each feature [features]."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    def thinned(self, most: int = MOST_POINTS) -> tuple[NDArray[np.float64], FeatureStatistics]:
        """Places and statistics of groups of neighbours, where there are more features than can be drawn."""
        features = len(self.mean)
        starts = np.unique(np.linspace(0, features, min(features, most), endpoint=False).astype(np.intp))
        sizes = np.diff([*starts, features])
        found = FeatureStatistics(
            np.add.reduceat(self.mean, starts) / sizes,
            np.add.reduceat(self.deviation, starts) / sizes,
            np.minimum.reduceat(self.minimum, starts),
            np.maximum.reduceat(self.maximum, starts),
        )
        return starts.astype(np.float64), found


@dataclass(frozen=True, eq=False)
class DataPreview:
    """Some of the data of an experiment.

    Args:
        task: "classification" or "regression".
        class_names: one a class; of a regression the ranges of its values.
        counts: samples of each class, or with values in each range, in each part [parts, classes].
        pictures: uint8 [height, width, 3] each, or empty where samples are no pictures.
        values: raw inputs of the same samples [samples, features], at most 40 features.
        feature_names: of all features, or empty.
        labels: what stands under each sample.
        before, after: of the training samples, without preprocessing and with it.
        preprocessing: how it is called.
        shape: of a preprocessed sample.
        augmented: pictures in rows: the original, then what training sees of it in four epochs; empty without
            augmentation.
        augmented_labels: what stands under each of them.
        can_augment: whether samples are pictures of bytes, as augmentation needs them.
    """

    task: str
    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    pictures: Pictures
    values: NDArray[np.float64]
    feature_names: tuple[str, ...]
    labels: tuple[str, ...]
    before: FeatureStatistics
    after: FeatureStatistics
    preprocessing: str
    shape: tuple[int, ...]
    augmented: Pictures
    augmented_labels: tuple[str, ...]
    can_augment: bool


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
    inputs = raw.prepared(0, SAMPLES, np.float64)
    names, counts = balance_of(parts)
    labels = tuple(_label(raw, row, names) for row in range(len(inputs)))
    of_table = experiment.data.source == "table"
    augmented = augmented_pictures(parts.train)
    return DataPreview(
        parts.summary.task, names, counts,
        () if of_table else pictures_of(inputs, raw.input_shape),
        inputs.reshape(len(inputs), -1)[:, :MOST_COLUMNS],
        () if parts.encoder is None else tuple(parts.encoder.feature_names),
        labels,
        statistics_of(raw),
        statistics_of(parts.train),
        parts.summary.preprocessing,
        parts.summary.input_shape,
        augmented,
        tuple(f"epoch {place % (EPOCHS + 1)}" if place % (EPOCHS + 1) else labels[place // (EPOCHS + 1)]
              for place in range(len(augmented))),
        inputs.ndim == 4 and bool(((inputs % 1 == 0) & (inputs >= 0) & (inputs <= 255)).all()),
    )  # fmt: skip


def augmented_pictures(train: Dataset) -> Pictures:
    """Training pictures, each followed by what it becomes in the first epochs of this experiment's run."""
    augmentation, stored = train.augmentation, train.inputs
    if augmentation is None or stored.shape[-1] not in (1, 3):
        return ()
    indices = np.arange(min(AUGMENTED, len(train)), dtype=np.int64)
    rows = indices if train.rows is None else train.rows[indices]
    columns = [list(stored[rows])]
    for epoch in range(EPOCHS):
        out = np.empty((len(indices), *augmentation.output_shape(stored.shape[1:])), np.uint8)
        mixing = train.mixing(indices, epoch)
        augmentation.apply(stored, indices, epoch, None, None, out, 1, rows, mixing)
        columns.append(list(out))
    return [coloured(one) for row in zip(*columns, strict=True) for one in row]


def balance_of(parts: DataParts) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names of classes and their samples in each part; of a regression, ranges of its first target."""
    each = (parts.train, parts.validation, parts.test)
    names = class_names(parts)
    if names:
        size = len(names)
        counts = [
            np.zeros(size, np.int64) if part is None else np.bincount(part.targets, minlength=size)
            for part in each
        ]
        return names, np.stack(counts).astype(np.int64)
    values = [np.empty(0) if part is None else _values(part)[:, 0] for part in each]
    low, high = min(one.min() for one in values if len(one)), max(one.max() for one in values if len(one))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = [np.histogram(one, edges)[0] for one in values]
    return tuple(f"{start:.3g}" for start in edges[:-1]), np.stack(counts).astype(np.int64)


def _values(data: Dataset) -> NDArray[np.float64]:
    """Targets of a regression in the units that they were given in."""
    targets = np.asarray(data.targets, np.float64)
    return np.asarray(restored(data.target_transform, targets), np.float64)


def class_names(parts: DataParts) -> tuple[str, ...]:
    """The names of the classes, or their numbers."""
    if parts.summary.task != "classification":
        return ()
    return parts.summary.class_names or tuple(map(str, range(parts.summary.outputs)))


def _label(data: Dataset, row: int, names: tuple[str, ...]) -> str:
    if data.task == "classification":
        return names[int(data.targets[row])]
    return ", ".join(f"{value:.5g}" for value in _values(data)[row][:3])


def statistics_of(data: Dataset) -> FeatureStatistics:
    """Of each feature, over samples at even distances, prepared as an evaluation sees them."""
    features = math.prod(data.input_shape)
    most = max(1, min(STATISTICS_ROWS, STATISTICS_VALUES // features))
    rows = np.arange(0, len(data), max(1, -(-len(data) // most)), dtype=np.int64)
    values = np.empty((len(rows), *data.input_shape), np.float32)
    data.gather(rows, values, threads=_core.available_processors())
    values = values.reshape(len(rows), features)
    mean = values.mean(0, dtype=np.float64)
    return FeatureStatistics(
        mean, values.std(0, dtype=np.float64), values.min(0).astype(np.float64),
        values.max(0).astype(np.float64),
    )  # fmt: skip


def pictures_of(inputs: NDArray[np.float64], shape: tuple[int, ...]) -> Pictures:
    """Samples as pictures: of images as they are, of a flat square as grey values; none of anything else."""
    side = math.isqrt(shape[0]) if len(shape) == 1 else 0
    if len(shape) == 1 and side * side == shape[0] and side >= 6:
        shape = (side, side)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] not in (1, 3):
        return ()
    images = inputs.reshape(len(inputs), *shape)
    low, high = float(images.min()), float(images.max())
    levels = (255 * (images - low) / max(high - low, 1e-12)).astype(np.uint8)
    return [coloured(one) for one in levels]


def coloured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [height, width, 1 or 3] with three channels."""
    return np.ascontiguousarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
