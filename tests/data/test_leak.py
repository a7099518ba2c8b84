"""Nothing of validation and test samples reaches what training sees: they may be anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ravine.data import DataParts, Dataset, DataSettings, load, preprocessing
from ravine.data.corruption import CorruptionSettings
from ravine.data.preprocessing import KINDS
from ravine.data.source import ArraySource
from ravine.errors import InputError

RANDOM = np.random.default_rng(3)
SAMPLES, FEATURES = 120, 5


class Imputed:
    """Stands in for a table: its encoder learns a mean that takes the place of the value -999."""

    file = None

    def __init__(self, inputs: Any, targets: Any) -> None:
        self.values = inputs
        self.name, self.classes, self.class_names, self.weights = "table", 0, (), None
        self.targets, self.groups, self.parts = targets, np.arange(SAMPLES) // 4, None

    def __len__(self) -> int:
        return SAMPLES

    def fit(self, rows: Any) -> Any:
        known = self.values[rows] != -999.0
        return Means(np.where(known, self.values[rows], 0).sum(0) / known.sum(0))

    def inputs(self, encoder: Any, rows: Any, threads: int = 1) -> Any:
        values = self.values if rows is None else self.values[rows]
        return np.where(values == -999.0, encoder.means, values)


class Means:
    feature_names = ("a", "b", "c", "d", "e")
    indicators = np.zeros(FEATURES, bool)

    def __init__(self, means: Any) -> None:
        self.means = means

    def state(self) -> dict[str, Any]:
        return {"means": self.means.tolist()}


def settings(**fields: Any) -> DataSettings:
    split = {"test_fraction": 0.2, "validation_count": 6, "seed": 4, **fields.pop("split", {})}
    return msgspec.convert({"source": "arrays", "split": split, **fields}, DataSettings)


def seen_in_training(parts: DataParts) -> list[Any]:
    """All bits that training can see."""
    found = [parts.train.inputs.tobytes(), parts.train.targets.tobytes()]
    for transform in (parts.transform, parts.target_transform):
        found += [array.tobytes() for array in transform.state().values()] if transform is not None else []
    return found if parts.encoder is None else [*found, parts.encoder.state()]


def training_rows(given: DataSettings, source: Any) -> Any:
    """Which samples are for training, found by numbering them."""
    numbers = Dataset(
        np.arange(SAMPLES, dtype=np.float64)[:, np.newaxis], source.targets, source.classes, name="numbers"
    )
    plain = msgspec.structs.replace(
        given, preprocessing="none", target_preprocessing="none", corruption=CorruptionSettings()
    )
    parts = load(plain, Path(), train=ArraySource(numbers, groups=source.groups), dtype=np.float64)
    return parts.train.inputs[:, 0].astype(int)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [Imputed, "arrays"])
def test_other_samples_change_no_bit_of_training(kind: str, make: Any) -> None:
    inputs = RANDOM.normal(size=(SAMPLES, FEATURES))
    if make is Imputed:
        inputs[RANDOM.random((SAMPLES, FEATURES)) < 0.1] = -999.0
    targets = RANDOM.normal(size=(SAMPLES, 2))
    given = settings(preprocessing=kind, target_preprocessing="standardize")

    def source(inputs: Any, targets: Any) -> Any:
        return make(inputs, targets) if make is Imputed else ArraySource(Dataset(inputs, targets))

    first = load(given, Path(), train=source(inputs, targets))
    others = np.setdiff1d(np.arange(SAMPLES), training_rows(given, source(inputs, targets)))
    assert 25 < len(others) < 60
    changed_inputs, changed_targets = inputs.copy(), targets.copy()
    changed_inputs[others] = 1e6 * RANDOM.standard_cauchy((len(others), FEATURES))
    changed_targets[others] = -1e6 * RANDOM.random((len(others), 2))
    again = load(given, Path(), train=source(changed_inputs, changed_targets))
    assert seen_in_training(again) == seen_in_training(first)
    assert again.summary.content_hash != first.summary.content_hash
    assert again.test is not None
    assert not np.array_equal(again.test.inputs, first.test.inputs)
    # The test can fail: one training sample changes what is fitted.
    changed_inputs[np.setdiff1d(np.arange(SAMPLES), others)[0]] += 1.0
    changed = load(given, Path(), train=source(changed_inputs, changed_targets))
    assert seen_in_training(changed) != seen_in_training(first)


@pytest.mark.parametrize("kind", ["standardize", "zca"])
def test_pictures_of_others_change_no_bit(kind: str, tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (SAMPLES, 4, 5, 3), np.uint8)
    labels = (np.arange(SAMPLES) % 3).astype(np.int32)
    given = settings(preprocessing=kind, split={"stratify": True}, corruption={"pixels": "gaussian"})
    source = ArraySource(Dataset(images, labels, 3))
    first = load(given, Path(), train=source)
    others = np.setdiff1d(np.arange(SAMPLES), training_rows(given, source))
    changed = images.copy()
    changed[others] = 255 - changed[others]
    assert seen_in_training(load(given, Path(), train=Dataset(changed, labels, 3))) == seen_in_training(first)


def test_files_of_other_parts_change_no_bit(tmp_path: Path) -> None:
    for name in ("train", "test", "validation"):
        np.savez(tmp_path / name, inputs=RANDOM.normal(size=(40, 3)), targets=RANDOM.normal(size=40))
    given = DataSettings(
        source="npz", file="train.npz", test_file="test.npz", validation_file="validation.npz",
        preprocessing="pca_whitening", target_preprocessing="min_max",
    )  # fmt: skip
    first = load(given, tmp_path)
    for name in ("test", "validation"):
        np.savez(tmp_path / name, inputs=1e9 * RANDOM.normal(size=(7, 3)), targets=RANDOM.normal(size=7))
    assert seen_in_training(load(given, tmp_path)) == seen_in_training(first)


def test_a_memory_map_is_fitted_and_prepared_as_its_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocessing, "BLOCK_BYTES", 500)  # 25 rows
    values = RANDOM.normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    targets = RANDOM.normal(size=(SAMPLES, 1))
    for kind in KINDS:
        copied, stays = (
            load(settings(preprocessing=kind), Path(), train=Dataset(inputs, targets), dtype=np.float64)
            for inputs in (values, mapped)
        )
        assert stays.summary == copied.summary
        assert isinstance(stays.train.inputs, np.memmap)
        for part in ("train", "validation", "test"):
            one, other = getattr(copied, part), getattr(stays, part)
            np.testing.assert_allclose(
                other.prepared(0, SAMPLES, np.float64), one.prepared(0, SAMPLES, np.float64),
                rtol=1e-12, atol=1e-12,
            )  # fmt: skip
            assert other.input_shape == one.input_shape


def test_a_memory_map_is_looked_at_for_values_that_are_not_finite(tmp_path: Path) -> None:
    values = np.ones((SAMPLES, 2))
    values[77, 1] = np.nan
    np.save(tmp_path / "values.npy", values)
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    given = DataSettings(source="arrays")
    with pytest.raises(InputError, match=r"values\.npy: inputs: row 77: inputs\[1\] is NaN"):
        load(given, Path(), train=Dataset(mapped, np.arange(SAMPLES * 1.0)[:, np.newaxis]))


TABLE = {
    "source": "table",
    "file": "table.csv",
    "target_preprocessing": "standardize",
    "table": {"target": "price", "drop": ["set"], "missing": {"size": "mean", "*": "most_frequent"}},
    "split": {"column": "set"},
}


def write_table(file: Path, rows: list[tuple[str, ...]]) -> None:
    lines = ["set,size,district,price", *[",".join(row) for row in rows]]
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("missing", ["mean", "median", "most_frequent"])
def test_rows_of_a_table_change_no_bit(tmp_path: Path, missing: str) -> None:
    """Neither the values that fill gaps, nor the categories, nor any scale come from other rows."""
    pytest.importorskip("pyarrow")
    table = {**TABLE["table"], "missing": {"size": missing, "*": "most_frequent"}}
    given = msgspec.convert({**TABLE, "table": table}, DataSettings)
    sets = RANDOM.permutation(np.repeat(["train", "val", "test"], [80, 20, 20]))
    rows = [
        (part, "" if index % 7 == 0 else f"{index % 13}", "abc"[index % 3], f"{index % 5}.5")
        for index, part in enumerate(sets)
    ]
    write_table(tmp_path / "table.csv", rows)
    first = load(given, tmp_path)
    changed = [
        row if row[0] == "train" else (row[0], "1e7" if index % 2 else "", "xyz"[index % 3], f"{1e6 * index}")
        for index, row in enumerate(rows)
    ]
    write_table(tmp_path / "table.csv", changed)
    again = load(given, tmp_path)
    assert seen_in_training(again) == seen_in_training(first)
    assert again.encoder is not None
    assert "x" not in str(again.encoder.state()["columns"])
    assert again.summary.content_hash != first.summary.content_hash
