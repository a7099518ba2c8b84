"""`ravine data inspect` of pictures: what it tells is what is there, and what it suggests works."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from making_pictures import as_folder, as_tar, classes, encoded, noise

from ravine.cli import main
from ravine.data import DataSettings, load


def told(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, object]:
    assert main(["data", "inspect", str(path), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def suggested(report: dict[str, object]) -> DataSettings:
    return msgspec.convert(tomllib.loads(str(report["suggestion"]))["data"], DataSettings)


def test_pictures(pack: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    files = {**classes(3, 12), "README.txt": b"text"}
    report = told(capsys, pack(files))
    assert report["classes"] == {str(label): {"train": 12} for label in range(3)}
    assert report["sizes"] == {"12 x 10": 36}
    assert report["ignored"] == ["README.txt"]
    settings = suggested(report)
    with pytest.warns(UserWarning, match=r"README.txt"):
        parts = load(settings, Path())
    assert parts.summary.input_shape == (12, 10, 3)
    assert parts.summary.test == 4
    assert settings.split.stratify


def test_several_sizes_and_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grey = {
        f"{part}/{name}/{seed}.png": encoded(noise(seed, 400 + seed, 200, 1))
        for part in ("train", "test")
        for name in "ab"
        for seed in range(3)
    }
    root = as_tar(tmp_path / "data.tar", {**grey, "train/b/5.png": b"no picture"})
    report = told(capsys, root)
    assert report["classes"] == {"a": {"train": 3, "test": 3}, "b": {"train": 4, "test": 3}}
    assert report["unreadable"] == ["train/b/5.png"]
    settings = suggested(report)
    assert settings.images.size == (224, 112)
    assert settings.images.colour == "grey"
    assert settings.split.test_fraction == 0
    assert main(["data", "inspect", str(root)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("data.tar: 13 pictures in 2 classes\n")
    assert "sizes (height x width): 4 of 400 x 200, 4 of 401 x 200, 4 of 402 x 200" in text
    assert "1 cannot be read, such as train/b/5.png" in text


def test_other_archives_are_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = as_tar(tmp_path / "data.tar", {"prices.csv": b"a,b\n1,2\n3,4\n"})
    assert main(["data", "inspect", str(root)]) == 0
    assert "a table of 2 rows" in capsys.readouterr().out
    empty = as_folder(tmp_path / "folder", {"a.txt": b""})
    assert main(["data", "inspect", str(empty)]) == 2
    assert "holds no PNG or JPEG pictures" in capsys.readouterr().err
