"""`ravine data sheet`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

EXPERIMENT = """
optimizer = "adam"
[data]
source = "npz"
file = "pictures.npz"
augmentation = [
  { type = "horizontal_flip", probability = 1.0 },
  { type = "random_crop", size = 24, padding = 0 },
]
[[model.layers]]
type = "flatten"
[[model.layers]]
type = "dense"
units = 3
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    pictures = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "pictures.npz", inputs=pictures, targets=np.arange(30) % 3)
    (tmp_path / "e.toml").write_text(EXPERIMENT)
    return tmp_path / "e.toml"


def test_pictures_and_what_steps_make_of_them(ravine, experiment: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    done = ravine("data", "sheet", "e.toml", "--columns", "3", "--output", "out.png")
    assert done.code == 0, done.err
    with np.load(tmp_path / "pictures.npz") as arrays:
        pictures = arrays["inputs"]
    sheet = np.asarray(image.open(tmp_path / "out.png"))
    # Four lines: the originals, two steps alone, both together; pictures at twice their size.
    assert sheet.shape == (4 * 68 + 4, 128 + 3 * 68 + 4, 3)
    for column in range(3):
        left = 128 + 68 * column
        enlarged = pictures[column].repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(sheet[4 : 4 + 64, left : left + 64], enlarged)
        np.testing.assert_array_equal(sheet[72 : 72 + 64, left : left + 64], enlarged[:, ::-1])
        window = sheet[140 : 140 + 48, left : left + 48][::2, ::2]
        places = [(y, x) for y in range(9) for x in range(9)]
        assert any(np.array_equal(pictures[column, y : y + 24, x : x + 24], window) for y, x in places)
        assert (sheet[140 + 48 : 140 + 64, left : left + 64] == 255).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--output", "out.jpg"), "out.jpg: --output: must end in .png"),
        (("--columns", "0"), "--columns: is 0, expected at least 1"),
        (("--set", "data.augmentation=[]"), "e.toml: data.augmentation: has no steps to show"),
        (("--output", "no/such/folder/out.png"), "--output: cannot be written"),
        (("--set", "data.augmentation.1.size=99"), "data.augmentation.1.size: is [99, 99], larger than"),
    ],
)
def test_errors(ravine, experiment: Path, words: tuple[str, ...], message: str) -> None:
    done = ravine("data", "sheet", "e.toml", *words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
