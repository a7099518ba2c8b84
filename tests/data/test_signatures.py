"""The first bytes of files as their own libraries write them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from ravine.data.signatures import kind_of


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "text")
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("table.csv"))
    return file.getvalue()


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, kind)
    return file.getvalue()


FILES = {
    "npy": npy(),
    "zip": zipped("table.csv"),
    "zip without entries": zipped(),
    "gzip": gzip.compress(b"text"),
    "tar": tar(),
    "png": picture("PNG"),
    "jpeg": picture("JPEG"),
    "parquet": pandas.DataFrame({"a": [1]}).to_parquet(),
    "idx": b"\0\0\x08\x01\0\0\0\0",
    "": b"PK,price\n1,2\n",  # a table whose first column is a primary key
}


@pytest.mark.parametrize("kind", FILES)
def test_kinds(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(FILES[kind])
    assert kind_of(file) == kind.partition(" ")[0]


def test_an_empty_file_is_of_no_kind(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert kind_of(tmp_path / "empty") == ""
