"""From the `[data]` settings of an experiment to preprocessed training, validation and test samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ravine.data.dataset import Dataset, as_dataset
from ravine.data.digits import load_digits
from ravine.data.files import locate
from ravine.data.idx import read_idx
from ravine.data.npz import npz_names, read_npz
from ravine.data.preprocessing import Transform, fit
from ravine.data.settings import DataSettings
from ravine.data.split import Split, split
from ravine.errors import InputError

DEFAULT_INPUTS = ("inputs", "x", "X")
DEFAULT_TARGETS = ("targets", "y", "Y")


@dataclass(frozen=True)
class DataSummary:
    """What a run records of its data.

    Args:
        source: of the settings.
        task: "classification" or "regression".
        input_shape: of one sample.
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
class DataParts:
    """Preprocessed samples of a run, with the transform that was fitted on the training part."""

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    transform: Transform
    summary: DataSummary


def load(
    settings: DataSettings,
    base_directory: Path,
    *,
    train: Dataset | None = None,
    test: Dataset | None = None,
    classes: int = 0,
    dtype: DTypeLike = np.float32,
    threads: int = 1,
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
        threads: the most threads to preprocess with; the result is the same bits for any number.

    Raises:
        InputError: data that cannot be used, with the file, the key and the row.

    Example:
        >>> load(DataSettings(source="digits"), Path()).summary.train
        1797
    """
    limit = settings.classes or classes
    whole, test_part = _read(settings, base_directory, train, test, limit)
    if limit and whole.task == "classification":
        whole.require_classes(limit)
        if test_part is not None:
            test_part.require_classes(limit)
    outputs = max(limit, whole.outputs, test_part.outputs if test_part is not None else 0)
    rows = _divide(whole, settings)
    train_rows = rows.train[: settings.limit] if settings.limit else rows.train
    everything = len(train_rows) == len(whole)
    train_part = whole if everything else whole.take(train_rows, name="train", threads=threads)
    validation_part = (
        whole.take(rows.validation, name="validation", threads=threads) if len(rows.validation) else None
    )
    if len(rows.test):
        test_part = whole.take(rows.test, name="test", threads=threads)

    parts = (train_part, validation_part, test_part)
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        digest.update((part.content_hash() if part is not None else "-").encode())
    with _named("data.preprocessing"):
        transform = fit(settings.preprocessing, train_part.inputs, divisor=settings.divisor, threads=threads)

    def finish(part: Dataset, name: str) -> Dataset:
        labels = part.task == "classification"
        return Dataset(
            transform.apply(part.inputs, dtype=dtype, threads=threads),
            part.targets if labels else part.targets.astype(dtype),
            outputs if labels else 0,
            part.class_names if len(part.class_names) == outputs else (),
            name,
            None if part.weights is None else part.weights.astype(dtype),
        )

    summary = DataSummary(
        source=settings.source,
        task=whole.task,
        input_shape=whole.input_shape,
        outputs=outputs,
        class_names=whole.class_names if len(whole.class_names) == outputs else (),
        preprocessing=settings.preprocessing,
        train=len(train_part),
        validation=len(validation_part) if validation_part is not None else 0,
        test=len(test_part) if test_part is not None else 0,
        content_hash=digest.hexdigest(),
    )
    return DataParts(
        finish(train_part, "train"),
        finish(validation_part, "validation") if validation_part is not None else None,
        finish(test_part, "test") if test_part is not None else None,
        transform,
        summary,
    )


@contextmanager
def _named(key: str, file: Path | None = None) -> Iterator[None]:
    """Give errors from below the key of the setting and the file that they are about."""
    try:
        yield
    except InputError as error:
        raise InputError(error.message, file=error.file or file, key=key, row=error.row) from error


def _read(
    settings: DataSettings, base: Path, train: Dataset | None, test: Dataset | None, classes: int
) -> tuple[Dataset, Dataset | None]:
    """The samples of the source, and its test samples where it has some of its own."""
    if settings.source == "arrays":
        if train is None:
            raise InputError(
                'is "arrays": give the arrays in Python, as data=(inputs, targets), or name files here',
                key="data.source",
            )
    elif train is not None or test is not None:
        raise InputError(f'is "{settings.source}", but arrays were given; use "arrays"', key="data.source")
    elif settings.source == "digits":
        train = load_digits()
    elif settings.source == "idx":
        train = _read_idx_pair(settings, base, "train", classes)
        test = _read_idx_pair(settings, base, "test", classes) if settings.test_images else None
    else:
        train = _read_npz(settings, base, "file", classes)
        test = _read_npz(settings, base, "test_file", classes) if settings.test_file else None
    if test is not None and (test.input_shape != train.input_shape or test.task != train.task):
        raise InputError(
            f"test samples are {list(test.input_shape)} for {test.task}, "
            f"training samples {list(train.input_shape)} for {train.task}",
            key="data",
        )
    return train, test


def _read_idx_pair(settings: DataSettings, base: Path, part: str, classes: int) -> Dataset:
    files, arrays = [], []
    for what in ("images", "labels"):
        with _named(f"data.{part}_{what}"):
            files.append(locate(getattr(settings, f"{part}_{what}"), base))
            arrays.append(read_idx(files[-1]))
    inputs, targets = arrays
    if inputs.ndim < 2:
        raise InputError(
            f"holds {list(inputs.shape)} values, expected images [samples, height, width]",
            file=files[0],
            key=f"data.{part}_images",
        )
    # Only the labels can be at fault from here on, or, in floating files, a value that is not finite.
    bytes_only = inputs.dtype == np.uint8
    with _named(f"data.{part}_labels" if bytes_only else f"data.{part}", files[1 if bytes_only else 0]):
        return as_dataset(inputs, targets, task=settings.task, classes=classes, name=part)


def _read_npz(settings: DataSettings, base: Path, field: str, classes: int) -> Dataset:
    key = f"data.{field}"
    with _named(key):
        file = locate(getattr(settings, field), base)
        names = npz_names(file)
        chosen = []
        for asked, defaults in ((settings.inputs, DEFAULT_INPUTS), (settings.targets, DEFAULT_TARGETS)):
            chosen.append(asked or next((name for name in defaults if name in names), defaults[0]))
        if settings.weights and (field == "file" or settings.weights in names):
            chosen.append(settings.weights)
        arrays = read_npz(file, chosen)
    with _named(key, file):
        return as_dataset(
            *(arrays[name] for name in chosen), task=settings.task, classes=classes, name="data"
        )


def _divide(whole: Dataset, settings: DataSettings) -> Split:
    if settings.split.stratify and whole.task != "classification":
        raise InputError("needs class labels, but the task is regression", key="data.split.stratify")
    try:
        return split(
            whole.targets if whole.task == "classification" else len(whole),
            validation_fraction=settings.split.validation_fraction,
            test_fraction=settings.split.test_fraction,
            seed=settings.split.seed,
            stratify=settings.split.stratify,
        )
    except InputError as error:
        raise InputError(error.message, key=f"data.{error.key}") from error
