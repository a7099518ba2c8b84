"""From settings to preprocessed parts, and the messages of everything that can be wrong on the way."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ravine.data import Dataset, DataSettings, as_dataset, load
from ravine.errors import InputError


def settings(**fields: Any) -> DataSettings:
    return msgspec.convert(fields, DataSettings)


def write_idx(path: Path, array: np.ndarray, compress: bool = False) -> None:
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content) if compress else content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 + 10 images of 4x5 pixels in 3 classes, plain and gzip; 40 points as NPZ."""
    random = np.random.RandomState(0)
    write_idx(tmp_path / "train-images", random.randint(0, 256, (30, 4, 5)).astype(np.uint8))
    write_idx(tmp_path / "train-labels.gz", (np.arange(30) % 3).astype(np.uint8), compress=True)
    write_idx(tmp_path / "test-images.gz", random.randint(0, 256, (10, 4, 5)).astype(np.uint8), compress=True)
    write_idx(tmp_path / "test-labels", (np.arange(10) % 3).astype(np.uint8))
    np.savez(
        tmp_path / "points.npz", inputs=random.standard_normal((40, 2)), targets=random.standard_normal(40)
    )
    return tmp_path


IDX = {
    "source": "idx", "train_images": "train-images", "train_labels": "train-labels",
    "test_images": "test-images", "test_labels": "test-labels",
}  # fmt: skip


def test_digits_as_in_the_worked_example() -> None:
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    bunch = sklearn_datasets.load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        bunch.data, bunch.target, test_size=0.15, random_state=37
    )
    scaler = StandardScaler().fit(x_train)
    parts = load(settings(source="digits", split={"test_fraction": 0.15, "seed": 37}), Path())
    assert parts.test is not None
    assert parts.validation is None
    assert parts.train.inputs.dtype == np.float32
    np.testing.assert_allclose(parts.train.inputs, scaler.transform(x_train), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(parts.test.inputs, scaler.transform(x_test), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(parts.train.targets, y_train)
    np.testing.assert_array_equal(parts.test.targets, y_test)
    assert (parts.summary.train, parts.summary.test, parts.summary.outputs) == (1527, 270, 10)


def test_idx(folder: Path) -> None:
    parts = load(settings(**IDX, preprocessing="scale"), folder)
    assert parts.train.inputs.shape == (30, 4, 5, 1)
    assert parts.test is not None
    assert parts.test.inputs.shape == (10, 4, 5, 1)
    raw = np.frombuffer((folder / "train-images").read_bytes()[16:], np.uint8).reshape(30, 4, 5, 1)
    np.testing.assert_allclose(parts.train.inputs, raw / 255, rtol=1e-6)
    assert parts.train.targets.tolist() == [row % 3 for row in range(30)]
    assert parts.summary.as_dict()["task"] == "classification"


def test_mnist(datasets: Path) -> None:
    fields = {
        "source": "idx",
        "train_images": "mnist/train-images-idx3-ubyte",
        "train_labels": "mnist/train-labels-idx1-ubyte",
        "split": {"validation_fraction": 0.1, "stratify": True},
        "limit": 2000,
    }
    parts = load(settings(**fields), datasets, classes=10, threads=2)
    assert parts.validation is not None
    assert (len(parts.train), len(parts.validation), parts.test) == (2000, 6000, None)
    np.testing.assert_allclose(parts.train.inputs.mean(0, dtype=np.float64), 0, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_npz_regression(folder: Path, dtype: type) -> None:
    fields = {
        "source": "npz",
        "file": "points.npz",
        "split": {"test_fraction": 0.25, "validation_fraction": 0.25},
    }
    parts = load(settings(**fields), folder, dtype=dtype)
    assert parts.validation is not None
    assert parts.test is not None
    assert parts.train.task == "regression"
    assert parts.train.inputs.dtype == parts.train.targets.dtype == dtype
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [20, 10, 10]
    whole = np.load(folder / "points.npz")
    back = parts.validation.inputs * parts.transform.deviation + parts.transform.mean
    for row, target in zip(back, parts.validation.targets[:, 0], strict=True):
        original = np.argmin(np.abs(whole["inputs"] - row).sum(1))
        np.testing.assert_allclose(whole["inputs"][original], row, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(whole["targets"][original], target, rtol=1e-6)


def test_npz_names(folder: Path) -> None:
    np.savez(folder / "other.npz", x=np.zeros((4, 2)), y=np.arange(4), z=np.arange(4) % 2)
    assert load(settings(source="npz", file="other.npz"), folder).summary.outputs == 4
    assert load(settings(source="npz", file="other.npz", targets="z"), folder).summary.outputs == 2
    with pytest.raises(
        InputError, match=r"other\.npz: data\.file: has no array 'w'; .*it holds 'x', 'y', 'z'"
    ):
        load(settings(source="npz", file="other.npz", inputs="w"), folder)


def test_paths_are_taken_literally(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user writes is expanded once, where the experiment is read: see tests/experiment."""
    monkeypatch.setenv("HOME", "/nowhere")
    for name in ("$HOME.npz", "~.npz", "$$.npz"):
        (folder / name).write_bytes((folder / "points.npz").read_bytes())
        assert load(settings(source="npz", file=name), folder).summary.train == 40
        assert load(settings(source="npz", file=str(folder / name)), folder).summary.train == 40


def test_limit_comes_before_fitting(folder: Path) -> None:
    parts = load(settings(**IDX, limit=6), folder, dtype=np.float64)
    assert len(parts.train) == 6
    np.testing.assert_allclose(parts.train.inputs.mean(0), 0, atol=1e-12)


def test_arrays_from_python() -> None:
    data = as_dataset(np.arange(20.0).reshape(10, 2), np.arange(10) % 2, class_names=("even", "odd"))
    parts = load(settings(source="arrays", split={"validation_fraction": 0.2}), Path(), train=data, test=data)
    assert parts.summary.class_names == ("even", "odd")
    assert (parts.summary.train, parts.summary.validation, parts.summary.test) == (8, 2, 10)
    with pytest.raises(InputError, match="give the arrays in Python"):
        load(settings(source="arrays"), Path())
    with pytest.raises(InputError, match='use "arrays"'):
        load(settings(source="digits"), Path(), train=data)


def test_a_network_may_have_more_outputs_than_there_are_names() -> None:
    labels = np.arange(10) % 2
    for names, expected in ((("even", "odd"), ("even", "odd", "2", "3")), (("2", "7"), ("2", "7", "3", "4"))):
        data = as_dataset(np.arange(20.0).reshape(10, 2), labels, class_names=names)
        parts = load(settings(source="arrays"), Path(), train=data, classes=4)
        assert parts.summary.class_names == parts.train.class_names == expected


def test_test_labels_may_show_more_classes(folder: Path) -> None:
    write_idx(folder / "test-labels", np.full(10, 4, np.uint8))
    parts = load(settings(**IDX), folder)
    assert parts.test is not None
    assert parts.train.classes == parts.test.classes == parts.summary.outputs == 5


def test_content_hash_tells_data_apart(folder: Path) -> None:
    first = load(settings(**IDX), folder).summary.content_hash
    assert load(settings(**IDX), folder, dtype=np.float64, threads=2).summary.content_hash == first
    content = bytearray((folder / "train-images").read_bytes())
    content[-1] ^= 1
    (folder / "train-images").write_bytes(content)
    assert load(settings(**IDX), folder).summary.content_hash != first


def test_same_bits_for_any_number_of_threads(folder: Path) -> None:
    runs = [load(settings(source="digits"), folder, threads=threads) for threads in (1, 2, 4)]
    assert len({run.train.content_hash() for run in runs}) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "csv"}, "source"),
        ({"batch": 3}, "batch"),
        ({"source": "idx"}, 'source = "idx" needs `train_images`'),
        ({"source": "npz"}, 'source = "npz" needs `file`'),
        ({"source": "digits", "file": "a.npz"}, '`file` belongs to source = "npz"'),
        ({**IDX, "test_labels": ""}, "belong together"),
        ({**IDX, "split": {"test_fraction": 0.1}}, "exclude each other"),
        ({"split": {"test_fraction": 1.0}}, "test_fraction"),
        ({"split": {"seed": -1}}, "seed"),
        ({"preprocessing": "whiten"}, "preprocessing"),
        ({"divisor": 0.0}, "divisor"),
        ({"limit": "all"}, "limit"),
    ],
)
def test_settings_are_strict(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        settings(**fields)


def refused(fields: dict[str, Any], folder: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(settings(**fields), folder, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(f"{folder}/", "")


def test_a_missing_file_is_named_with_its_key(folder: Path) -> None:
    text = refused({**IDX, "train_images": "train-imges"}, folder)
    assert text == "train-imges: data.train_images: does not exist; did you mean 'train-images'?"
    assert "nowhere does not exist either" in refused({"source": "npz", "file": "nowhere/a.npz"}, folder)
    assert "points.npz: data.train_images: is not an IDX file" in refused(
        {**IDX, "train_images": "points.npz"}, folder
    )
    assert "data.file: is not a whole NPZ file" in refused({"source": "npz", "file": "train-images"}, folder)
    (folder / "folder.npz").mkdir()
    assert "is not a regular file" in refused({"source": "npz", "file": "folder.npz"}, folder)
    assert "data.file: " in refused({"source": "npz", "file": "nul\0l"}, folder)


def test_a_truncated_gzip_file(folder: Path) -> None:
    content = (folder / "test-images.gz").read_bytes()
    (folder / "test-images.gz").write_bytes(content[:150])
    assert refused(IDX, folder) == (
        "test-images.gz: data.test_images: the gzip file is truncated after 150 bytes; download it again"
    )


def test_labels_out_of_range_are_named_by_row(folder: Path) -> None:
    labels = (np.arange(10) % 3).astype(np.uint8)
    labels[7] = 200
    write_idx(folder / "test-labels", labels)
    expected = "test-labels: data.test_labels: row 7: label 200 is outside 0..2 (3 classes)"
    assert refused({**IDX, "classes": 3}, folder) == expected
    assert refused(IDX, folder, classes=3) == expected
    digits = refused({"source": "digits"}, folder, classes=5)
    assert digits == "data: row 5: label 5 is outside 0..4 (5 classes)"


def test_unequal_files(folder: Path) -> None:
    write_idx(folder / "test-labels", np.zeros(9, np.uint8))
    assert refused(IDX, folder) == (
        "test-labels: data.test_labels: there are 10 inputs and 9 targets; give one target a sample"
    )
    write_idx(folder / "test-labels", np.zeros(10, np.uint8))
    write_idx(folder / "test-images", np.zeros((10, 5, 5), np.uint8))
    assert "test samples are [5, 5, 1]" in refused(IDX, folder)
    assert "expected images [samples, height, width]" in refused(
        {**IDX, "train_images": "test-labels"}, folder
    )


def test_nan_is_named_by_file_and_row(folder: Path) -> None:
    inputs = np.zeros((40, 2))
    inputs[33, 1] = np.nan
    np.savez(folder / "points.npz", inputs=inputs, targets=np.zeros(40))
    text = refused({"source": "npz", "file": "points.npz"}, folder)
    assert text.startswith("points.npz: data.file: row 33: inputs[1] is NaN")


def test_a_split_that_leaves_nothing(folder: Path) -> None:
    split = {"test_fraction": 0.6, "validation_fraction": 0.5}
    assert refused({"source": "npz", "file": "points.npz", "split": split}, folder).startswith(
        "data.split: takes 24"
    )
    split = {"test_fraction": 0.5, "stratify": True}
    assert "data.split.stratify: needs class labels" in refused(
        {"source": "npz", "file": "points.npz", "split": split}, folder
    )


def test_parts_are_data_sets() -> None:
    parts = load(settings(source="digits"), Path())
    assert isinstance(parts.train, Dataset)
    assert parts.train.name == "train"


def test_validation_files(folder: Path) -> None:
    random = np.random.RandomState(1)
    write_idx(folder / "validation-images", random.randint(0, 256, (5, 4, 5)).astype(np.uint8))
    write_idx(folder / "validation-labels", (np.arange(5) % 3).astype(np.uint8))
    files = {"validation_images": "validation-images", "validation_labels": "validation-labels"}
    parts = load(settings(**IDX, **files, preprocessing="none"), folder)
    assert parts.validation is not None
    raw = np.frombuffer((folder / "validation-images").read_bytes()[16:], np.uint8).reshape(5, 4, 5, 1)
    np.testing.assert_array_equal(parts.validation.inputs, raw)
    assert (parts.summary.train, parts.summary.validation, parts.summary.test) == (30, 5, 10)

    np.savez(folder / "other.npz", inputs=np.full((3, 2), 7.0), targets=np.zeros(3))
    files = {"file": "points.npz", "validation_file": "other.npz"}
    parts = load(settings(source="npz", **files, preprocessing="centre"), folder)
    assert parts.validation is not None
    mean = np.load(folder / "points.npz")["inputs"].mean(0)
    np.testing.assert_allclose(parts.validation.inputs, np.full((3, 2), 7.0) - mean, rtol=1e-6)
    np.savez(folder / "other.npz", inputs=np.zeros((3, 4)), targets=np.zeros(3))
    assert refused({"source": "npz", **files}, folder) == (
        "other.npz: data: validation samples are [4], training samples [2]"
    )
    np.savez(folder / "other.npz", inputs=np.zeros((3, 2)), targets=np.zeros(3, int))
    assert refused({"source": "npz", **files}, folder) == (
        "other.npz: data: validation samples are for classification, training samples for regression"
    )
