"""IDX files: what they hold, and what becomes of damaged ones."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.data import read_idx
from ravine.errors import InputError

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
MEGABYTE = 1 << 20


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[array.dtype.name], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx") / "data"


def read(file: Path, content: bytes) -> np.ndarray:
    file.write_bytes(content)
    return read_idx(file)


def message(file: Path, content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(file, content)
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert "\n" not in text
    return text.removeprefix(f"{file}: ")


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5), (2, 3, 4), (2, 1, 2, 1, 3)])
@pytest.mark.parametrize("compress", [False, True])
def test_round_trip(file: Path, dtype: str, shape: tuple[int, ...], compress: bool) -> None:
    array = (np.random.RandomState(0).standard_normal(shape) * 100).astype(dtype)
    content = idx_bytes(array)
    found = read(file, gzip.compress(content) if compress else content)
    assert found.dtype == array.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, array)


def test_concatenated_gzip_members(file: Path) -> None:
    array = np.arange(1000, dtype=np.int32)
    content = idx_bytes(array)
    parts = [gzip.compress(content[i : i + 123]) for i in range(0, len(content), 123)]
    np.testing.assert_array_equal(read(file, b"".join(parts)), array)


def test_mnist(datasets: Path) -> None:
    images = read_idx(datasets / "mnist" / "train-images-idx3-ubyte.gz")
    assert images.shape == (60000, 28, 28)
    # The MD5 of the uncompressed original, from the data set's SOURCE.txt.
    checksum = hashlib.md5(idx_bytes(images), usedforsecurity=False).hexdigest()
    assert checksum == "6bbc9ace898e44ae57da46a324031adb"
    labels = read_idx(datasets / "mnist" / "t10k-labels-idx1-ubyte.gz")
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("compress", [False, True])
def test_every_truncation_is_refused(file: Path, compress: bool) -> None:
    content = idx_bytes(np.arange(60, dtype=np.uint8).reshape(5, 12))
    content = gzip.compress(content) if compress else content
    for length in range(len(content)):
        message(file, content[:length])


def test_messages_name_the_bytes(file: Path) -> None:
    content = idx_bytes(np.random.RandomState(0).randint(0, 256, (50, 100)).astype(np.uint8))
    zipped = gzip.compress(content)
    assert message(file, zipped[:4800]) == ("the gzip file is truncated after 4,800 bytes; download it again")
    assert "promises 5,012 bytes ([50, 100]), but a file of this size holds at most 1,234" in message(
        file, content[:1234]
    )
    assert "end after 4,000 bytes: the header promises 5,012" in message(file, gzip.compress(content[:4000]))
    assert "holds more bytes than the 5,012 that its IDX header promises" in message(file, content + b"\0")
    assert "holds more bytes than the 5,012" in message(file, gzip.compress(content + b"\0"))
    assert "bytes behind its end" in message(file, zipped + b"\0")
    damaged = bytearray(zipped)
    damaged[-6] ^= 1
    assert "the gzip file is damaged" in message(file, bytes(damaged))
    assert "starts with 89 50 4e 47" in message(file, b"\x89PNG\r\n\x1a\n")
    assert "there are no values" in message(file, b"\0\0\x08\x02" + struct.pack(">2I", 0, 2**32 - 1))


@pytest.mark.parametrize("shape", [(2**32 - 1,) * 4, (2**31, 2**31), (10**6, 28, 28)])
@pytest.mark.parametrize("compress", [False, True])
def test_nothing_is_allocated_for_a_promise_that_cannot_be_kept(
    file: Path, shape: tuple[int, ...], compress: bool
) -> None:
    content = struct.pack(f">BBBB{len(shape)}I", 0, 0, 0x0E, len(shape), *shape) + bytes(200_000)
    content = gzip.compress(content) if compress else content
    tracemalloc.start()
    try:
        text = message(file, content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "promises" in text
    assert peak < 2 * MEGABYTE


def test_a_decompression_bomb_is_not_inflated(file: Path) -> None:
    """256 MB of zeros behind a header that promises 1,000 bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as stream:
        stream.write(b"\0\0\x08\x01" + struct.pack(">I", 1000))
        for _ in range(256):
            stream.write(bytes(MEGABYTE))
    tracemalloc.start()
    try:
        text = message(file, packed.getvalue())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "holds more bytes than the 1,008" in text
    assert peak < 4 * MEGABYTE


def test_not_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a regular file"):
        read_idx(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a regular file"):
        read_idx(tmp_path / "pipe")
    (tmp_path / "train-images").write_bytes(b"")
    with pytest.raises(InputError, match="does not exist; did you mean 'train-images'"):
        read_idx(tmp_path / "train-image")
    with pytest.raises(InputError, match="its header ends after 0 of 4 bytes"):
        read_idx(tmp_path / "train-images")


VALID = [
    idx_bytes((np.random.RandomState(1).standard_normal(shape) * 50).astype(dtype))
    for dtype in CODES
    for shape in ((4,), (3, 2, 5))
]


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """A valid file with bytes changed, cut, inserted; inside a gzip file, or the gzip file itself changed."""
    content = bytearray(draw(st.sampled_from(VALID)))
    if draw(st.booleans()):
        content = bytearray(gzip.compress(bytes(content), mtime=0))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "cut", "insert", "start"])):
            case "change":
                content[place : place + 1] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del content[place : place + draw(st.integers(1, 20))]
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=30))
            case "start":
                content[2:12] = draw(st.binary(min_size=10, max_size=10))
    return gzip.compress(bytes(content), mtime=0) if draw(st.booleans()) else bytes(content)


def read_or_refuse(file: Path, content: bytes) -> None:
    """Either an array whose bytes the file can hold, or an InputError; within 2 s."""
    file.write_bytes(content)
    begin = time.process_time()
    with contextlib.suppress(InputError):
        assert 0 < read_idx(file).nbytes <= len(content) * 1032
    assert time.process_time() - begin < 2


@settings(max_examples=2000)
@given(hostile() | st.binary(max_size=200))
def test_fuzz(file: Path, content: bytes) -> None:
    read_or_refuse(file, content)


@pytest.mark.soak
@settings(max_examples=100_000)
@given(hostile() | st.binary(max_size=200))
def test_fuzz_long(file: Path, content: bytes) -> None:
    read_or_refuse(file, content)
