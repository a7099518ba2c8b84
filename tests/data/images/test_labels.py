"""Classes from a CSV file beside a flat folder of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from making_pictures import as_folder, as_tar, encoded, noise

from ravine.data.images.labels import arrange_by_labels, read_labels
from ravine.data.images.pictures import Pictures, read_pictures
from ravine.data.images.settings import ImageSettings
from ravine.errors import InputError
from ravine.experiment import parse_experiment

FILES = {f"{number}.png": encoded(noise(number)) for number in (1, 2, 10)}
ROWS = "1,cat\n10,dog\n2,cat\n"


def read(root: Path, labels: Path) -> Pictures:
    return read_pictures(root, ImageSettings(labels=str(labels)))


@pytest.mark.parametrize("header", ["", "id,breed\n", "\ufefffile name,class\n"])
@pytest.mark.parametrize("suffix", ["", ".png"])
def test_names_with_and_without_what_can_be_left_out(tmp_path: Path, header: str, suffix: str) -> None:
    (tmp_path / "labels.csv").write_text(header + ROWS.replace(",", f"{suffix},"), encoding="utf-8")
    for root in (
        as_folder(tmp_path / "flat", FILES),
        as_folder(tmp_path / "deep", {f"a/b/{name}": content for name, content in FILES.items()}),
        as_tar(tmp_path / "data.tar", {f"all/{name}": content for name, content in FILES.items()}),
    ):
        for _ in range(2):
            found = read(root, tmp_path / "labels.csv")
            assert found.class_names == ("cat", "dog")
            np.testing.assert_array_equal(found.labels, [0, 0, 1])
            np.testing.assert_array_equal(found.pixels, [noise(1), noise(2), noise(10)])


def test_a_changed_file_of_labels_is_seen(tmp_path: Path) -> None:
    """Also beside an archive, and in the folder itself, where it is no stray file."""
    for root in (as_folder(tmp_path / "flat", FILES), as_tar(tmp_path / "data.tar", FILES)):
        labels = (root if root.is_dir() else tmp_path) / "labels.csv"
        labels.write_text(ROWS)
        read(root, labels)
        labels.write_text(ROWS.replace("1,cat", "1,dog"))
        found = read(root, labels)
        assert [Path(name).stem for name in found.names] == ["2", "1", "10"]
        np.testing.assert_array_equal(found.labels, [0, 1, 1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ROWS + "3,cat\n", "labels.csv: line 4 names a picture '3', which is not there"),
        (ROWS + "2.png,cat\n", "labels.csv: line 4 names the picture '2.png' a second time"),
        ("1,cat\n10,dog\n", "labels.csv: has no label for 1 of the pictures, such as 2.png"),
        ("1,cat\n10,cat\n2,cat\n", "flat: holds one class only, 'cat'"),
        ("1,cat\n10\n", "labels.csv: line 2 has 1 values, expected two"),
        ("1,cat,x\n", "labels.csv: line 1 has 3 values, expected two"),
        ("1,\n", "expected two"),
        ("", "labels.csv: is empty"),
        ('1,"cat\n', "labels.csv: has no label for"),
    ],
)
def test_messages(tmp_path: Path, text: str, expected: str) -> None:
    root = as_folder(tmp_path / "flat", FILES)
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read(root, tmp_path / "labels.csv")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"1,caf\xe9\n")
    with pytest.raises(InputError, match=r"is not text in UTF-8 \(byte 5\)"):
        read_labels(tmp_path / "labels.csv")
    with pytest.raises(InputError, match="does not exist"):
        read(as_folder(tmp_path / "flat", FILES), tmp_path / "none.csv")


def test_a_short_name_of_two_pictures_means_none() -> None:
    files = ["a/1.png", "b/1.png"]
    rows = [(1, "a/1", "cat"), (2, "b/1.png", "dog")]
    assert arrange_by_labels(files, rows, Path("labels.csv")).class_names == ("cat", "dog")
    with pytest.raises(InputError, match="line 2 names a picture '1', which is not there"):
        arrange_by_labels(files, [*rows[:1], (2, "1", "dog")], Path("labels.csv"))


def test_the_path_starts_at_the_experiment(tmp_path: Path) -> None:
    table = {
        "data": {"source": "images", "file": "pictures", "images": {"labels": "labels.csv"}},
        "model": {"layers": ["flatten", {"type": "dense", "units": 3}]},
        "loss": "softmax_cross_entropy",
        "optimizer": {"type": "adam"},
    }
    assert parse_experiment(table, tmp_path).data.images.labels == str(tmp_path / "labels.csv")
