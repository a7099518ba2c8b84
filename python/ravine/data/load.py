"""From the `[data]` settings of an experiment to preprocessed training, validation and test samples.

A reader gives sources; their rows are divided; what must be learned from data (the encoder of tables, the
transform) is fitted on the training rows alone and then applied to every part.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ravine.data.augmentation import Augmentation, for_training, test_crops
from ravine.data.corruption import CorruptionSettings, corrupt_pixels, pixel_moments, random_labels
from ravine.data.dataset import Array, Dataset, check_labels, content_hash
from ravine.data.division import divide
from ravine.data.mapping import mapped_file
from ravine.data.preprocessing import Transform, fit
from ravine.data.settings import DataSettings
from ravine.data.source import ArraySource, Encoder, Source, Sources, take_rows
from ravine.data.sources import READERS
from ravine.data.sources.arrays import given
from ravine.data.split import Indices
from ravine.data.targets import fit_targets, transformed
from ravine.errors import InputError


@dataclass(frozen=True)
class DataSummary:
    """What a run records of its data.

    Args:
        source: of the settings.
        task: "classification" or "regression".
        input_shape: of one preprocessed sample.
        outputs: classes, or columns of the targets.
        class_names: one name a class, or empty.
        preprocessing: of the settings.
        train, validation, test: number of samples in each part.
        content_hash: of all parts before preprocessing; a run on other data has another one.
    """

    source: str
    task: str
    input_shape: tuple[int, ...]
    outputs: int
    class_names: tuple[str, ...]
    preprocessing: str
    train: int
    validation: int
    test: int
    content_hash: str

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was learned from training samples before, as a checkpoint holds it; see `DataParts`."""

    transform: Transform
    encoder: Encoder | None = None
    target_transform: Transform | None = None


@dataclass(frozen=True, eq=False)
class DataParts:
    """Preprocessed samples of a run, with what was fitted on the training part.

    Args:
        train, validation, test: the samples; None for a part that there is not.
        transform: of the inputs.
        summary: what a run records.
        encoder: of samples that were no numbers, or None.
        target_transform: of the targets of a regression, or None.
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    transform: Transform
    summary: DataSummary
    encoder: Encoder | None = None
    target_transform: Transform | None = None


@dataclass(frozen=True, eq=False)
class _Part:
    """Samples of one part before the transforms."""

    name: str
    source: Source
    chosen: Indices | None  # rows of the source; None: all
    inputs: Array
    rows: Indices | None  # where the samples lie in `inputs`; None: one after the other
    targets: Array
    weights: Array | None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def sample_rows(self) -> Indices:
        """The row of each sample in its source."""
        return np.arange(len(self), dtype=np.int64) if self.chosen is None else self.chosen

    def content_hash(self) -> str:
        """See `ravine.data.content.content_hash`."""
        return content_hash(self.inputs, self.targets, self.weights, rows=self.rows)


def load(
    settings: DataSettings,
    base_directory: Path,
    *,
    train: Dataset | Source | None = None,
    test: Dataset | Source | None = None,
    classes: int = 0,
    dtype: DTypeLike = np.float32,
    seed: int = 0,
    threads: int = 1,
    fitted: Fitted | None = None,
) -> DataParts:
    """Read, check, divide and preprocess the data of an experiment.

    Args:
        settings: the `[data]` part of the experiment.
        base_directory: where relative paths start: the folder of the experiment file.
        train: the samples, for the source "arrays" only; test samples may be split off them.
        test: test samples, for the source "arrays" only.
        classes: the classes that the network can tell apart, where the settings do not say; a label beyond
            them is an error that names its row. 0: take the largest label.
        dtype: float32 or float64, of the preprocessed inputs and of floating targets.
        seed: of the run, by which pictures are augmented.
        threads: the most threads to preprocess with; the result is the same bits for any number.
        fitted: of a run, to be applied to data that may have changed since; None: learned from these.

    Raises:
        InputError: data that cannot be used, with the file, the key and the row.

    Example:
        >>> load(DataSettings(source="digits"), Path()).summary.train
        1797
    """
    limit = settings.classes or classes
    if settings.source == "arrays" or (settings.source == "table" and train is not None):
        sources = given(train, test)
    elif train is not None or test is not None:
        raise InputError(f'is "{settings.source}", but arrays were given; use "arrays"', key="data.source")
    else:
        sources = READERS[settings.source](settings, base_directory, limit, threads)
    whole = sources.train
    classifies = whole.classes > 0
    outputs = _checked_outputs(sources, limit)
    _check_targets(whole)
    rows = divide(sources, settings.split)
    train_rows = rows.train[: settings.limit] if settings.limit else rows.train
    encoder = whole.fit(train_rows) if fitted is None else fitted.encoder

    def part(source: Source | None, chosen: Indices, name: str) -> _Part | None:
        """Samples of a file of their own, or those divided off."""
        if source is None and not len(chosen):
            return None
        taken = None if source is not None or len(chosen) == len(whole) else chosen
        return _part(source or whole, taken, name, encoder, threads)

    train_part = part(None, train_rows, "train")
    validation_part = part(sources.validation, rows.validation, "validation")
    test_part = part(sources.test, rows.test, "test")
    assert train_part is not None  # a split leaves training rows
    _check_shapes(train_part, (validation_part, sources.validation), (test_part, sources.test))

    digest = hashlib.blake2b(digest_size=32)
    for one in (train_part, validation_part, test_part):
        digest.update(b"-" if one is None else one.content_hash().encode())
    train_part, validation_part, test_part = _corrupted(
        settings.corruption, sources, (train_part, validation_part, test_part), outputs, threads
    )
    augmentation = None
    if settings.augmentation:
        augmentation = for_training(settings.augmentation, seed, train_part.inputs, train_part.rows)
    if fitted is None:
        fitted = _fitted(settings, train_part, encoder, augmentation, threads)
    transform, target_transform = fitted.transform, fitted.target_transform
    class_names = _class_names(whole.class_names, outputs)

    def finish(part: _Part) -> Dataset:
        changed, crops = augmentation, None
        if changed is not None and part.name != "train":
            changed = changed.evaluation()
        if settings.crops.scales and part.name == "test":
            crops = test_crops(settings.crops, part.inputs, transform.input_shape, classifies)
        lazily = part.rows is not None or mapped_file(part.inputs) is not None
        lazily = lazily or changed is not None or crops is not None
        return Dataset(
            part.inputs if lazily else transform.apply(part.inputs, dtype=dtype, threads=threads),
            part.targets if classifies else transformed(target_transform, part.targets, dtype, threads),
            outputs if classifies else 0,
            class_names,
            part.name,
            None if part.weights is None else part.weights.astype(dtype),
            part.rows,
            transform if lazily else None,
            changed,
            target_transform,
            crops,
        )

    summary = DataSummary(
        source=settings.source,
        task="classification" if classifies else "regression",
        input_shape=transform.output_shape,
        outputs=outputs,
        class_names=class_names,
        preprocessing=settings.preprocessing,
        train=len(train_part),
        validation=len(validation_part) if validation_part is not None else 0,
        test=len(test_part) if test_part is not None else 0,
        content_hash=digest.hexdigest(),
    )
    return DataParts(
        finish(train_part),
        finish(validation_part) if validation_part is not None else None,
        finish(test_part) if test_part is not None else None,
        transform,
        summary,
        encoder,
        target_transform,
    )


def _fitted(
    settings: DataSettings,
    train: _Part,
    encoder: Encoder | None,
    augmentation: Augmentation | None,
    threads: int,
) -> Fitted:
    """What is learned of the training samples once they are numbers."""
    transform = fit(
        settings.preprocessing,
        train.inputs,
        divisor=settings.divisor,
        components=settings.components,
        epsilon=settings.epsilon,
        indicators=None if encoder is None else encoder.indicators,
        rows=train.sample_rows if mapped_file(train.inputs) is not None else None,
        threads=threads,
    )
    stored = train.inputs.shape[1:]
    shape = stored if augmentation is None else augmentation.output_shape(stored)
    if shape != stored:  # a pixel has no mean of its own then, but its channel has
        pixels = train.inputs if train.rows is None else train.inputs[train.rows]
        pixels = pixels.reshape(-1, shape[-1])
        channels = fit(settings.preprocessing, pixels, divisor=settings.divisor, threads=threads)
        transform = channels.repeated(shape)
    targets = fit_targets(settings.target_preprocessing, train.targets, threads=threads)
    return Fitted(transform, encoder, targets)


def _part(source: Source, chosen: Indices | None, name: str, encoder: Encoder | None, threads: int) -> _Part:
    """Some samples of a source; rows of a memory map stay where they are."""
    targets, weights = source.targets, source.weights
    if chosen is not None:
        targets = take_rows(targets, chosen, threads)
        weights = None if weights is None else take_rows(weights, chosen, threads)
    if isinstance(source, ArraySource) and mapped_file(source.samples.inputs) is not None:
        return _Part(name, source, chosen, source.samples.inputs, chosen, targets, weights)
    return _Part(name, source, chosen, source.inputs(encoder, chosen, threads), None, targets, weights)


def _corrupted(
    settings: CorruptionSettings,
    sources: Sources,
    parts: tuple[_Part, _Part | None, _Part | None],
    classes: int,
    threads: int,
) -> tuple[_Part, _Part | None, _Part | None]:
    """The parts with what is to be random in them: labels for training only, pixels everywhere."""
    train, validation, test = parts
    if settings.labels > 0:
        if not train.source.classes:
            raise InputError("needs class labels, but the task is regression", key="data.corruption.labels")
        labels = random_labels(train.targets, classes, settings, train.sample_rows)
        train = replace(train, targets=labels)
    if settings.pixels == "keep":
        return train, validation, test
    if mapped_file(train.inputs) is not None:
        raise InputError("needs inputs in memory, and not in a memory map", key="data.corruption.pixels")
    moments = pixel_moments(train.inputs, threads=threads)
    files = (sources.train, sources.validation, sources.test)

    def corrupted(part: _Part) -> _Part:
        file = next(number for number, source in enumerate(files) if source is part.source)
        inputs = corrupt_pixels(part.inputs, settings, part.sample_rows, file, moments)
        return replace(part, inputs=inputs)

    return (
        corrupted(train),
        None if validation is None else corrupted(validation),
        None if test is None else corrupted(test),
    )


def _checked_outputs(sources: Sources, limit: int) -> int:
    """Classes, or columns of the targets, of all sources together."""
    whole = sources.train
    others = {"validation": sources.validation, "test": sources.test}
    there = {name: other for name, other in others.items() if other is not None}
    for name, other in there.items():
        if (other.classes > 0) != (whole.classes > 0):
            tasks = ["classification" if source.classes > 0 else "regression" for source in (other, whole)]
            raise InputError(
                f"{name} samples are for {tasks[0]}, training samples for {tasks[1]}",
                file=other.file,
                key="data",
            )
    if whole.classes > 0:
        for source in (whole, *there.values()) if limit else ():
            check_labels(source.targets, limit, source.name)
        return max(limit, whole.classes, *(other.classes for other in there.values()))
    return int(whole.targets.shape[1])


def _class_names(known: tuple[str, ...], outputs: int) -> tuple[str, ...]:
    """One name an output: those that samples have none of are called by the first numbers that are free."""
    if not known or len(known) > outputs:
        return ()
    names = dict.fromkeys(known)
    number = len(known)
    while len(names) < outputs:
        names.setdefault(str(number))
        number += 1
    return tuple(names)


def _check_targets(whole: Source) -> None:
    """Raise InputError where all targets are the same."""
    if len(whole) > 1 and (whole.targets == whole.targets[:1]).all():
        what, value = ("label", whole.targets[0]) if whole.classes else ("target", whole.targets[0].tolist())
        raise InputError(
            f"all {len(whole):,} samples have the {what} {value}: there is nothing to tell apart",
            file=whole.file,
            key="data",
        )


def _check_shapes(train: _Part, *others: tuple[_Part | None, Source | None]) -> None:
    """Raise InputError where samples of a file of their own have another shape than those for training."""
    shape, outputs = list(train.inputs.shape[1:]), list(train.targets.shape[1:])
    for part, source in others:
        if part is None or source is None:
            continue
        for what, found, expected in (
            ("samples", list(part.inputs.shape[1:]), shape),
            ("targets", list(part.targets.shape[1:]), outputs),
        ):
            if found != expected:
                raise InputError(
                    f"{part.name} {what} are {found}, training {what} {expected}",
                    file=source.file,
                    key="data",
                )
