"""`source = "images"` and "sprites" in experiments: parts, labels, what a run records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from making_pictures import as_folder, as_tar, classes, encoded, noise

from ravine.data import DataParts, DataSettings, load
from ravine.errors import InputError
from ravine.experiment import load_experiment, parse_experiment, to_toml


def loaded(root: Path, **settings: Any) -> DataParts:
    table = {"source": "images", "file": str(root), "preprocessing": "none", **settings}
    return load(msgspec.convert(table, DataSettings), Path(), dtype=np.float32)


def message(root: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        loaded(root, **settings)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_class_folders(pack: Callable[..., Path]) -> None:
    parts = loaded(pack(classes()))
    np.testing.assert_array_equal(
        parts.train.prepared(0, 6, np.float32),
        [noise(10 * label + number) for label in range(3) for number in (0, 1)],
    )
    np.testing.assert_array_equal(parts.train.targets, [0, 0, 1, 1, 2, 2])
    assert parts.summary.class_names == ("0", "1", "2")
    assert parts.summary.input_shape == (12, 10, 3)


def test_part_folders(pack: Callable[..., Path]) -> None:
    files = {
        f"{part}/{name}": content for part in ("train", "val", "test") for name, content in classes().items()
    }
    del files["test/0/0.png"]
    parts = loaded(pack(files))
    assert parts.validation is not None
    assert parts.test is not None
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [6, 6, 5]
    np.testing.assert_array_equal(parts.test.targets, [0, 1, 1, 2, 2])
    np.testing.assert_array_equal(parts.test.prepared(0, 1, np.float32)[0], noise(1))
    assert "data.split.test_fraction: and test samples of their own exclude each other" in message(
        pack(files), split={"test_fraction": 0.2}
    )


def test_files_of_parts(tmp_path: Path) -> None:
    root = as_folder(tmp_path / "train", classes())
    other = as_tar(tmp_path / "test.tar", {"2/5.png": encoded(noise(5)), "0/6.png": encoded(noise(6))})
    parts = loaded(root, test_file=str(other), split={"validation_fraction": 0.3})
    assert parts.test is not None
    np.testing.assert_array_equal(parts.test.targets, [0, 2])
    np.testing.assert_array_equal(parts.test.prepared(0, 2, np.float32), [noise(6), noise(5)])
    strange = as_folder(tmp_path / "strange", classes(4))
    text = message(root, test_file=str(strange))
    assert (
        text == f"{strange}: data.test_file: has a class folder '3'; the classes trained on are '0', '1', '2'"
    )
    both = as_folder(
        tmp_path / "both",
        {f"{part}/{name}": one for part in ("train", "test") for name, one in classes().items()},
    )
    assert "data.test_file: gives test pictures, but `data.file` holds a folder of them too" in message(
        both, test_file=str(root)
    )


def test_messages(tmp_path: Path) -> None:
    root = as_folder(tmp_path / "one", {"cats/1.png": encoded(noise(0))})
    assert message(root).startswith(f"{root}: data.file: holds one class folder only, 'cats'")
    assert message(tmp_path / "non").startswith(
        f"{tmp_path / 'non'}: data.file: does not exist; did you mean 'one'?"
    )
    with pytest.raises(msgspec.ValidationError, match="`size` has 1 numbers"):
        loaded(root, images={"size": [64]})
    with pytest.raises(msgspec.ValidationError, match='`images` belongs to source = "images"'):
        msgspec.convert({"source": "npz", "file": "a.npz", "images": {"size": [4, 4]}}, DataSettings)
    with pytest.raises(msgspec.ValidationError, match='source = "images" needs `file`'):
        msgspec.convert({"source": "images"}, DataSettings)


def test_equal_pictures_give_an_equal_hash(tmp_path: Path) -> None:
    """Wherever they are packed; another picture, another hash."""
    folder, tar = as_folder(tmp_path / "a", classes()), as_tar(tmp_path / "b.tar", classes())
    changed = as_folder(tmp_path / "c", {**classes(), "1/1.png": encoded(noise(99))})
    hashes = [loaded(root).summary.content_hash for root in (folder, tar, changed)]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_paths_start_at_the_experiment(tmp_path: Path) -> None:
    table = {
        "data": {"source": "images", "file": "pictures", "images": {"cache": "$$cache", "size": [4, 4]}},
        "model": {"layers": ["flatten", {"type": "dense", "units": 3}]},
        "loss": "softmax_cross_entropy",
        "optimizer": {"type": "adam"},
    }
    experiment = parse_experiment(table, tmp_path)
    assert experiment.data.file == str(tmp_path / "pictures")
    assert experiment.data.images.cache == str(tmp_path / "$cache")
    file = tmp_path / "again.toml"
    file.write_text(to_toml(experiment))
    assert load_experiment(file).data == experiment.data
    as_folder(tmp_path / "pictures", classes())
    load(experiment.data, Path())
    assert len(list((tmp_path / "$cache").iterdir())) == 2


SHEET = np.random.RandomState(0).randint(0, 256, (7, 3 * 5, 3)).astype(np.uint8)  # 7 images of 3 x 5


def sprites(folder: Path, **changes: Any) -> DataParts:
    settings = {
        "source": "sprites",
        "train_images": str(folder / "part_*.png"),
        "train_labels": str(folder / "labels"),
        "images": {"size": [3, 5]},
        "preprocessing": "none",
        **changes,
    }
    return load(msgspec.convert(settings, DataSettings), Path())


def test_sprites(tmp_path: Path) -> None:
    labels = np.array([1, 0, 2, 2, 1, 0, 1], np.uint8)
    as_folder(
        tmp_path,
        {"part_2.png": encoded(SHEET[:4]), "part_10.png": encoded(SHEET[4:]), "labels": labels.tobytes()},
    )
    parts = sprites(tmp_path)
    expected = [[[SHEET[image, 5 * y + x] for x in range(5)] for y in range(3)] for image in range(7)]
    np.testing.assert_array_equal(parts.train.prepared(0, 7, np.float32), expected)
    np.testing.assert_array_equal(parts.train.targets, labels)
    test = {"test_images": str(tmp_path / "part_2.png"), "test_labels": str(tmp_path / "labels")}
    for changes, expected_text in (
        (test, "data.test_labels: holds 7 labels (bytes), and there are 4 images in 1 pictures"),
        (
            {"images": {"size": [4, 4]}},
            "part_2.png: data.train_images: is 15 pixels wide, expected 16: an image of 4 x 4 a row",
        ),
        ({"images": {}}, 'data.images.size: source = "sprites" needs the size of an image'),
        (
            {"train_images": str(tmp_path / "other_*.png")},
            "data.train_images: no file has a name of this pattern",
        ),
    ):
        with pytest.raises(InputError) as caught:
            sprites(tmp_path, **changes)
        assert expected_text in str(caught.value)


def test_cifar_sprites(datasets: Path) -> None:
    """The same images as the script of the earlier example made, read here in NumPy and Pillow."""
    from PIL import Image

    folder = datasets / "cifar10"
    parts = sprites(
        folder,
        train_images=str(folder / "train_png_sprites" / "cifar10_batch_50.png"),
        train_labels=str(folder / "labels_test_1000.u8"),
        images={"size": [32, 32]},
    )
    with Image.open(folder / "train_png_sprites" / "cifar10_batch_50.png") as sheet:
        expected = np.asarray(sheet.convert("RGB")).reshape(1000, 32, 32, 3)
    np.testing.assert_array_equal(parts.train.prepared(0, 1000, np.float32), expected)
    np.testing.assert_array_equal(parts.train.targets, np.fromfile(folder / "labels_test_1000.u8", np.uint8))
