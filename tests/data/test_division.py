"""Parts by columns and groups, alone and beside draws, from files."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ravine.data import DataSettings, as_dataset, load
from ravine.data.division import groups_of, parts_of
from ravine.data.settings import SplitSettings
from ravine.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """40 points; the input says which: sets 1, 2, 3 of 24, 6, 10 points, and 8 patients."""
    random = np.random.RandomState(0)
    np.savez(
        tmp_path / "points.npz",
        inputs=np.arange(40.0)[:, np.newaxis],
        targets=random.standard_normal(40),
        labels=np.arange(40) % 2,
        fold=random.permutation(np.repeat([1, 2, 3], [24, 6, 10])),
        patient=random.randint(0, 8, 40),
        short=np.zeros(39, int),
        wide=np.zeros((40, 2), int),
    )
    return tmp_path


def loaded(folder: Path, split: dict[str, Any], **fields: Any) -> list[list[int]]:
    """The numbers of the points in each part."""
    given = {"source": "npz", "file": "points.npz", "preprocessing": "none", "split": split, **fields}
    parts = load(msgspec.convert(given, DataSettings), folder)
    every = (parts.train, parts.validation, parts.test)
    return [[] if part is None else part.inputs[:, 0].astype(int).tolist() for part in every]


def refused(folder: Path, split: dict[str, Any], **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        loaded(folder, split, **fields)
    return str(caught.value).replace(f"{folder}/", "")


FOLD = {"column": "fold", "train_values": [1], "validation_values": [2], "test_values": [3]}


@pytest.mark.parametrize("way", ["test_fraction", "test_count"])
def test_a_part_of_its_own_is_not_drawn_besides(way: str) -> None:
    """The rows drawn would be neither trained nor tested on."""
    data = as_dataset(np.arange(20.0).reshape(10, 2), np.arange(10) % 2)
    split = SplitSettings(**{way: 0.2 if way == "test_fraction" else 2})
    with pytest.raises(InputError, match=f"data.split.{way}: and test samples of their own exclude each"):
        load(DataSettings(source="arrays", split=split), Path(), train=data, test=data)


def test_a_column_says_the_part(folder: Path) -> None:
    fold = np.load(folder / "points.npz")["fold"]
    assert loaded(folder, FOLD) == [np.flatnonzero(fold == value).tolist() for value in (1, 2, 3)]


def test_a_part_that_the_column_leaves_out_is_drawn_from_training(folder: Path) -> None:
    fold = np.load(folder / "points.npz")["fold"]
    split = {**FOLD, "train_values": [1, 2], "validation_values": ["none"], "validation_fraction": 0.25}
    train, validation, test = loaded(folder, split)
    assert test == np.flatnonzero(fold == 3).tolist()
    assert len(validation) == np.ceil(0.25 * 30)
    assert sorted(train + validation) == np.flatnonzero(fold != 3).tolist()


def test_groups_stay_together(folder: Path) -> None:
    patients = np.load(folder / "points.npz")["patient"]
    parts = loaded(folder, {"group": "patient", "test_count": 2, "validation_fraction": 0.25, "seed": 5})
    assert sorted(itertools.chain(*parts)) == list(range(40))
    sets = [set(patients[rows].tolist()) for rows in parts]
    assert [len(one) for one in sets] == [4, 2, 2]
    assert len(set.union(*sets)) == 8


def test_one_part_only_in_each_case(folder: Path) -> None:
    for split in (
        {"test_count": 5, "validation_count": 7},
        {"test_count": 5, "validation_fraction": 0.3},
        {"test_count": 6, "validation_count": 4, "stratify": True},
    ):
        parts = loaded(folder, split, targets="labels")
        assert sorted(itertools.chain(*parts)) == list(range(40))


def test_a_split_has_a_seed_of_its_own(folder: Path) -> None:
    first = loaded(folder, {"test_count": 5, "seed": 1})
    assert loaded(folder, {"test_count": 5, "seed": 1}) == first
    assert loaded(folder, {"test_count": 5, "seed": 2}) != first


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (
            {**FOLD, "validation_values": []},
            "points.npz: data.split.column: row {two}: '2' is none of the values that stand for a part: "
            "1, 3; name it in train_values, validation_values or test_values",
        ),
        (
            {**FOLD, "test_fraction": 0.5},
            "points.npz: data.split.column: gives 10 samples to test, which has others by a file, fraction "
            "or count; choose one way",
        ),
        ({"column": "fold", "test_values": [1, 2, 3]}, "points.npz: data.split.column: gives no sample to"),
        ({"column": "kind"}, "points.npz: data.file: has no array 'kind'"),
        (
            {"group": "short"},
            "points.npz: data.split.group: array 'short' has shape [39], expected one value for each of",
        ),
        ({"column": "wide"}, "points.npz: data.split.column: array 'wide' has shape [40, 2], expected one"),
        ({**FOLD, "group": "patient"}, "points.npz: data.split.column: row "),
        ({"test_count": 40}, "data.split: takes 40 test and 0 validation samples of 40"),
        (
            {"group": "patient", "test_count": 5, "validation_count": 3},
            "data.split: takes 5 test and 3 validation groups of 8: none is left for training",
        ),
        ({"test_count": 3, "stratify": True}, "data.split.stratify: needs class labels"),
    ],
)
def test_what_cannot_be_divided(folder: Path, split: dict[str, Any], message: str) -> None:
    two = int(np.argmax(np.load(folder / "points.npz")["fold"] == 2))
    assert refused(folder, split).startswith(message.format(two=two))


def test_a_torn_group_is_named_with_both_samples(folder: Path) -> None:
    with np.load(folder / "points.npz") as archive:
        arrays = dict(archive)
    text = refused(folder, {**FOLD, "group": "patient"})
    row = int(text.partition(": row ")[2].partition(":")[0])
    other = int(text.partition("than sample ")[2].split()[0])
    assert arrays["patient"][row] == arrays["patient"][other]
    assert arrays["fold"][row] != arrays["fold"][other]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": {"test_count": 1, "test_fraction": 0.5}}, "`test_fraction` and `test_count` exclude"),
        ({"split": {"group": "a", "stratify": True}, "file": "a"}, "`stratify` keeps shares of classes"),
        (
            {"source": "digits", "file": "", "split": {"group": "a"}},
            '`split.group` names a column, which source = "digits"',
        ),
        ({"split": {"test_count": 3}, "file": "a", "test_file": "b"}, "`split.test_count` and test files"),
        (
            {"split": {"train_values": [1], "test_values": ["1"]}},
            "`test_values` and `train_values` both have",
        ),
        ({"split": {"test_count": -1}}, "test_count"),
    ],
)
def test_settings_that_exclude_each_other(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"source": "npz", "file": "a.npz", **fields}, DataSettings)
    assert message in str(caught.value)


def test_words_of_a_column() -> None:
    settings = SplitSettings(column="set", test_values=("final", 7))
    assert parts_of(["Train ", "VAL", "final", "7"], settings).tolist() == [0, 1, 2, 2]
    assert parts_of(np.array([7.0, 7.0]), settings).tolist() == [2, 2]
    assert groups_of([3.5, 2.0, 3.5]).tolist() == [1, 0, 1]
