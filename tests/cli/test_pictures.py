"""Training on pictures, and giving pictures to `predict` and `evaluate`."""

from __future__ import annotations

import csv
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ravine.cli import main

EXPERIMENT = """
name = "colours"
loss = "softmax_cross_entropy"
[data]
source = "images"
file = "colours"
preprocessing = "scale"
[data.images]
size = [4, 6]
cache = "cache"
[model]
layers = ["flatten", { type = "dense", units = 3 }]
[optimizer]
type = "adam"
learning_rate = 0.05
[training]
epochs = 30
batch_size = 8
[compute]
threads = 1
"""
COLOURS = {"blue": (20, 30, 220), "green": (10, 200, 30), "red": (230, 20, 10)}


def picture(colour: str, seed: int) -> bytes:
    noise = np.random.RandomState(seed).randint(-9, 10, (9, 7, 3))
    stream = io.BytesIO()
    Image.fromarray(np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on pictures of three colours, and the pictures."""
    place = tmp_path_factory.mktemp("pictures")
    for colour in COLOURS:
        (place / "colours" / colour).mkdir(parents=True)
        for seed in range(8):
            (place / "colours" / colour / f"{seed}.png").write_bytes(picture(colour, seed))
    (place / "colours.toml").write_text(EXPERIMENT)
    assert main(["train", str(place / "colours.toml"), "--runs", str(place / "runs"), "--quiet"]) == 0
    return place


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_what_a_run_on_pictures_takes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--runs", str(tmp_path), "--set", "training.epochs=1", "--quiet"]
    assert main(["train", str(folder / "colours.toml"), *words]) == 0
    assert "colours PICTURES --output predictions.csv" in capsys.readouterr().out
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    assert main(["evaluate", str(tmp_path / "colours"), "--data", str(tmp_path / "rows.csv")]) == 2
    assert (
        "the run was not trained on a table; give pictures in class folders (folder, tar, zip), an NPZ file"
        in capsys.readouterr().err
    )


def test_one_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(folder / "runs" / "colours")
    assert main(["predict", run, str(folder / "colours" / "green" / "3.png")]) == 0
    (row,) = rows(capsys.readouterr().out)
    assert (row["row"], row["file"], row["class"]) == ("0", "3.png", "green")
    assert sum(float(row[f"probability_{name}"]) for name in COLOURS) == pytest.approx(1)


def test_folders_and_archives(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(folder / "runs" / "colours")
    files = {
        "red/10.png": picture("red", 50),
        "red/9.png": picture("red", 51),
        "blue/1.png": picture("blue", 52),
    }
    for name, content in files.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "folder", arcname="inside")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    for place, prefix in (("folder", ""), ("data.tar.gz", "inside/"), ("data.zip", "")):
        assert main(["predict", run, str(tmp_path / place)]) == 0
        found = [(row["file"], row["class"]) for row in rows(capsys.readouterr().out)]
        assert found == [
            (f"{prefix}blue/1.png", "blue"), (f"{prefix}red/9.png", "red"), (f"{prefix}red/10.png", "red")
        ]  # fmt: skip
        assert main(["evaluate", run, "--data", str(tmp_path / place)]) == 0
        assert "accuracy 1.0000" in capsys.readouterr().out
    assert main(["predict", run, str(tmp_path / "folder"), "--output", str(tmp_path / "out.npz")]) == 0
    with np.load(tmp_path / "out.npz") as out:
        assert out["files"].tolist() == ["blue/1.png", "red/9.png", "red/10.png"]
        assert out["classes"].tolist() == [0, 2, 2]


def test_classes_from_a_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flat").mkdir()
    for name, colour in (("1", "red"), ("2", "blue"), ("3", "green")):
        (tmp_path / "flat" / f"{name}.png").write_bytes(picture(colour, 60))
    (tmp_path / "labels.csv").write_text("name,colour\n1,red\n2,blue\n3,blue\n")
    words = ["evaluate", str(folder / "runs" / "colours"), "--data", str(tmp_path / "flat")]
    assert main([*words, "--labels", str(tmp_path / "labels.csv")]) == 0
    assert "accuracy 0.6667" in capsys.readouterr().out


def test_the_runs_own_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder / "runs" / "colours"), "--split", "train"]) == 0
    assert "train accuracy 1.0000" in capsys.readouterr().out
    assert (folder / "cache").is_dir()


def test_arrays_are_taken_too(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.broadcast_to(np.array(COLOURS["blue"], np.uint8), (2, 4, 6, 3))
    np.savez(tmp_path / "a.npz", inputs=pixels)
    assert main(["predict", str(folder / "runs" / "colours"), str(tmp_path / "a.npz")]) == 0
    assert [row["class"] for row in rows(capsys.readouterr().out)] == ["blue", "blue"]


def test_messages(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(folder / "runs" / "colours")

    def message(*words: str) -> str:
        assert main(list(words)) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    (tmp_path / "empty").mkdir()
    assert "empty: holds no PNG or JPEG pictures" in message("predict", run, str(tmp_path / "empty"))
    (tmp_path / "bad.png").write_bytes(picture("red", 0)[:50])
    assert "bad.png: is " in message("predict", run, str(tmp_path / "bad.png"))
    for colour in ("green", "pink"):
        (tmp_path / "other" / colour).mkdir(parents=True)
        (tmp_path / "other" / colour / "1.png").write_bytes(picture("green", 0))
    text = message("evaluate", run, "--data", str(tmp_path / "other"))
    assert "has a class folder 'pink'; the classes trained on are 'blue', 'green', 'red'" in text
    assert "does not exist" in message("predict", run, str(tmp_path / "gone"))
    assert main(["train", "digits", "--runs", str(tmp_path), "--set", "training.epochs=1", "--quiet"]) == 0
    capsys.readouterr()
    text = message("predict", str(tmp_path / "digits"), str(tmp_path / "other"))
    assert "holds pictures, but the run was trained on samples of shape [64]" in text
