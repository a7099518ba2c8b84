"""Random labels and pixels: their shares, moments and keys, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ravine import _core
from ravine.data import DataParts, Dataset, DataSettings, load
from ravine.data.corruption import CorruptionSettings, corrupt_pixels, philox, pixel_moments, random_labels
from ravine.errors import InputError

stats = pytest.importorskip("scipy.stats")
RANDOM = np.random.default_rng(2)
IMAGES = RANDOM.integers(0, 256, (90, 6, 5, 3), np.uint8)
LABELS = (np.arange(90) % 3).astype(np.int32)


def loaded(corruption: dict[str, Any], images: Any = IMAGES, **fields: Any) -> DataParts:
    split = {"test_fraction": 0.2, "validation_fraction": 0.2, "seed": 1}
    given = {"source": "arrays", "preprocessing": "none", "split": split, "corruption": corruption, **fields}
    return load(msgspec.convert(given, DataSettings), Path(), train=Dataset(images, LABELS, 3))


def test_words_are_those_of_the_core() -> None:
    index, row = np.arange(40), np.arange(40)[::-1].copy() + (1 << 31)
    words = philox((5 << 32) + 99, index, row, 2, 7)
    for place in range(40):
        expected = _core.philox([int(index[place]), int(row[place]), 2, 7], [99, 5])
        assert [int(word[place]) for word in words] == expected


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_labels_are_random_with_the_probability(share: float) -> None:
    labels = np.repeat(np.arange(10, dtype=np.int32), 3000)
    drawn = random_labels(labels, 10, CorruptionSettings(labels=share, seed=5), np.arange(30000))
    # A drawn label is the true one in one case of ten.
    changed = (drawn != labels).mean()
    expected = 0.9 * share
    assert abs(changed - expected) <= 4 * np.sqrt(expected * (1 - expected) / 30000)
    if share == 1.0:
        for label in range(10):
            counts = np.bincount(drawn[labels == label], minlength=10)
            assert stats.chisquare(counts).pvalue > 1e-4


def test_labels_of_training_only() -> None:
    plain, parts = loaded({}), loaded({"labels": 1.0})
    assert (parts.train.targets != plain.train.targets).mean() > 0.4
    for name in ("validation", "test"):
        np.testing.assert_array_equal(getattr(parts, name).targets, getattr(plain, name).targets)
    np.testing.assert_array_equal(parts.train.inputs, plain.train.inputs)
    assert parts.summary == plain.summary


def test_a_sample_keeps_its_label_in_any_split() -> None:
    first = loaded({"labels": 1.0})
    other = loaded({"labels": 1.0}, limit=7)
    np.testing.assert_array_equal(other.train.targets, first.train.targets[:7])
    assert not np.array_equal(loaded({"labels": 1.0, "seed": 3}).train.targets, first.train.targets)


def pixels(images: Any) -> Any:
    return images.reshape(len(images), 30, 3)


def test_shuffled_pixels_have_one_order_in_all_parts() -> None:
    plain, parts = loaded({}), loaded({"pixels": "shuffled"})
    orders = set()
    for name in ("train", "validation", "test"):
        before, after = pixels(getattr(plain, name).inputs), pixels(getattr(parts, name).inputs)
        for one, other in zip(before, after, strict=True):
            orders.add(tuple(int(np.flatnonzero((one == pixel).all(1))[0]) for pixel in other))
    (order,) = orders
    assert sorted(order) == list(range(30))
    assert order != tuple(range(30))


def test_random_pixels_have_an_order_of_each_sample() -> None:
    plain, parts = loaded({}), loaded({"pixels": "random"})
    orders = []
    for name in ("train", "validation", "test"):
        before, after = pixels(getattr(plain, name).inputs), pixels(getattr(parts, name).inputs)
        for one, other in zip(before, after, strict=True):
            orders.append(tuple(int(np.flatnonzero((one == pixel).all(1))[0]) for pixel in other))
    assert all(sorted(order) == list(range(30)) for order in orders)
    assert len(set(orders)) == len(orders) == 90
    # A place takes each of the others alike.
    counts = np.bincount([order[0] for order in orders], minlength=30)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_gaussian_pixels_have_the_moments_of_training() -> None:
    plain, parts = loaded({}), loaded({"pixels": "gaussian"})
    values = plain.train.inputs.astype(np.float64)
    drawn = np.concatenate([part.inputs.ravel() for part in (parts.train, parts.validation, parts.test)])
    normal = (drawn - values.mean()) / values.std()
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert len(np.unique(drawn)) > 0.99 * len(drawn)
    neighbours = np.corrcoef(normal[:-1], normal[1:])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(len(normal))


def test_moments() -> None:
    mean, deviation = pixel_moments(IMAGES, threads=2)
    np.testing.assert_allclose([mean, deviation], [IMAGES.mean(), IMAGES.std()], rtol=1e-12)


@pytest.mark.parametrize("kind", ["shuffled", "random", "gaussian"])
def test_samples_are_keyed_by_their_row_and_file(kind: Any) -> None:
    settings, rows = CorruptionSettings(pixels=kind), np.arange(90)
    every = corrupt_pixels(IMAGES, settings, rows, 0, (1.0, 2.0))
    some = corrupt_pixels(IMAGES[40:50], settings, rows[40:50], 0, (1.0, 2.0))
    assert some.tobytes() == every[40:50].tobytes()
    other = corrupt_pixels(IMAGES, settings, rows, 2, (1.0, 2.0))
    assert (other.tobytes() == every.tobytes()) == (kind == "shuffled")


def test_features_in_a_row_are_pixels_too() -> None:
    flat = IMAGES.reshape(90, -1)
    parts, plain = loaded({"pixels": "random"}, flat), loaded({}, flat)
    np.testing.assert_array_equal(np.sort(parts.train.inputs), np.sort(plain.train.inputs))
    assert not np.array_equal(parts.train.inputs, plain.train.inputs)


def test_what_cannot_be_corrupted(tmp_path: Path) -> None:
    settings = msgspec.convert({"source": "arrays", "corruption": {"labels": 0.5}}, DataSettings)
    with pytest.raises(InputError, match=r"data\.corruption\.labels: needs class labels"):
        load(settings, Path(), train=Dataset(np.zeros((3, 1)), np.arange(3.0)[:, np.newaxis]))
    np.save(tmp_path / "images.npy", IMAGES)
    with pytest.raises(InputError, match=r"data\.corruption\.pixels: needs inputs in memory"):
        loaded({"pixels": "random"}, np.load(tmp_path / "images.npy", mmap_mode="r"))
    for fields in ({"labels": 1.5}, {"pixels": "noise"}, {"seed": -1}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(fields, CorruptionSettings)
