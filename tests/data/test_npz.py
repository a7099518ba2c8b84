"""NPZ and NPY files: what they hold, and what becomes of damaged ones."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.data import npz_names, read_npy, read_npz
from ravine.errors import InputError

TYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "<u2",
    ">i4",
    "int64",
    "uint64",
    "float16",
    ">f4",
    "float32",
    "<f8",
]
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("npz") / "data.npz"


def npy_bytes(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version, allow_pickle=True)
    return stream.getvalue()


def npz_bytes(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def raw_npy(header: str, values: bytes = b"", version: int = 1) -> bytes:
    text = header.encode("latin-1") + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + values


def message(file: Path, content: bytes, read: Callable[[Path], object] = read_npy) -> str:
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(file)
    text = str(caught.value)
    assert text.startswith(f"{file}: ")
    assert "\n" not in text
    return text.removeprefix(f"{file}: ")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_round_trip(file: Path, dtype: str, order: str, save: Callable[..., None]) -> None:
    array = np.asarray(np.random.RandomState(0).random_sample((5, 4, 3)) * 9, dtype=dtype, order=order)  # type: ignore[call-overload]
    save(file, inputs=array, targets=array[:, 0, 0].copy())
    found = read_npz(file, ["inputs", "targets"])
    assert npz_names(file) == ["inputs", "targets"]
    assert found["inputs"].dtype.isnative
    assert found["inputs"].dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found["inputs"], array)
    np.testing.assert_array_equal(found["targets"], array[:, 0, 0])


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(), (1,), (3, 4)])
def test_npy_versions(file: Path, version: tuple[int, int], shape: tuple[int, ...]) -> None:
    array = np.random.RandomState(0).standard_normal(shape)
    file.write_bytes(npy_bytes(np.asarray(array), version))
    found = read_npy(file)
    assert found.shape == shape
    np.testing.assert_array_equal(found, array)


def test_a_missing_name_lists_those_there(file: Path) -> None:
    np.savez(file, input=np.zeros(3), labels=np.zeros(3))
    with pytest.raises(InputError, match=r"did you mean 'input'\? it holds 'input', 'labels'"):
        read_npz(file, ["inputs"])


class Trap:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.place), "w"))


def test_pickles_are_refused_and_not_run(file: Path, tmp_path: Path) -> None:
    trap = Trap(tmp_path / "trap")
    content = npy_bytes(np.array([trap], object))
    assert "Python objects" in message(file, content)
    assert "Python objects" in message(
        file, npz_bytes({"inputs.npy": content}), lambda path: read_npz(path, ["inputs"])
    )
    assert "NPY format" in message(file, pickle.dumps(trap))
    assert not (tmp_path / "trap").exists()


def test_messages(file: Path) -> None:
    plain = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"
    assert "is truncated: its header promises 48 bytes (float64 [2, 3]), there are 47" in message(
        file, raw_npy(plain, bytes(47))
    )
    assert "bytes to spare" in message(file, raw_npy(plain, bytes(49)))
    assert "structured array" in message(file, npy_bytes(np.zeros(2, [("a", "f4"), ("b", "i4")])))
    assert "has type '<c16'" in message(file, npy_bytes(np.zeros(2, complex)))
    assert "has type '<U3'" in message(file, npy_bytes(np.array(["abc"])))
    assert "has type '<M8[s]'" in message(file, npy_bytes(np.zeros(2, "M8[s]")))
    assert "has type '<f1'" in message(file, raw_npy(plain.replace("f8", "f1"), bytes(6)))
    assert "there are no values" in message(file, npy_bytes(np.zeros((0, 3))))
    assert "header" in message(file, raw_npy(plain.replace("(2, 3)", "(-2, 3)"), bytes(48)))
    assert "header" in message(file, raw_npy(plain.replace("'shape'", "'descr'"), bytes(48)))
    assert "header" in message(file, raw_npy("__import__('os').abort()"))
    assert "header of 100,001 bytes" in message(file, raw_npy(" " * 100_000, version=2) + bytes(10))
    assert "is not a whole NPZ file" in message(file, b"PK\x03\x04nonsense", npz_names)


@pytest.mark.parametrize("shape", ["(4611686018427387904,)", "(4294967296, 4294967296, 16)", "(1000000000,)"])
@pytest.mark.parametrize("archive", [False, True])
def test_nothing_is_allocated_for_a_promise_that_cannot_be_kept(
    file: Path, shape: str, archive: bool
) -> None:
    content = raw_npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}", bytes(80_000))
    if archive:
        file.write_bytes(npz_bytes({"inputs.npy": content}))
    else:
        file.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="promises"):
            read_npz(file, ["inputs"]) if archive else read_npy(file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * MEGABYTE


def test_a_member_that_lies_about_its_size_is_refused(file: Path) -> None:
    array = npy_bytes(np.zeros(1000))
    content = bytearray(npz_bytes({"inputs.npy": array}))
    sizes = struct.pack("<I", len(array))
    directory = content.rindex(b"PK\x01\x02")
    place = content.index(sizes, directory)
    content[place : place + 4] = struct.pack("<I", 2**31)
    text = message(file, bytes(content), lambda path: read_npz(path, ["inputs"]))
    assert "promises 2,147,483,648 bytes" in text


def test_a_changed_value_is_found_by_its_checksum(file: Path) -> None:
    array = npy_bytes(np.arange(1000.0))
    content = bytearray(npz_bytes({"inputs.npy": array}, zipfile.ZIP_STORED))
    content[content.index(array) + 500] ^= 1
    assert "'inputs' is damaged" in message(file, bytes(content), lambda path: read_npz(path, ["inputs"]))


def test_other_compressions_are_refused(file: Path) -> None:
    content = npz_bytes({"inputs.npy": npy_bytes(np.zeros(9))}, zipfile.ZIP_LZMA)
    assert "compression" in message(file, content, lambda path: read_npz(path, ["inputs"]))


VALID = [
    npz_bytes(
        {"inputs.npy": npy_bytes(np.arange(40.0).reshape(8, 5)), "targets.npy": npy_bytes(np.arange(8))}, kind
    )
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
]


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """A valid archive with bytes changed, cut or inserted, or a valid archive around such an array."""
    inside = draw(st.booleans())
    content = bytearray(npy_bytes(np.arange(30.0)) if inside else draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        match draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                content[place : place + 1] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del content[place : place + draw(st.integers(1, 20))]
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=30))
    return npz_bytes({"inputs.npy": bytes(content)}) if inside else bytes(content)


header_text = st.text(
    st.sampled_from("{}()[]'\", :<>|=biufcOSUV0123456789descrfotan_hpTrueFalseL-\\\n"), max_size=90
)


def read_or_refuse(file: Path, content: bytes) -> None:
    """Either arrays whose bytes the file can hold, or an InputError; within 2 s."""
    file.write_bytes(content)
    begin = time.process_time()
    readers: tuple[Callable[[], list[np.ndarray]], ...] = (
        lambda: list(read_npz(file, npz_names(file)).values()),
        lambda: [read_npy(file)],
    )
    for reader in readers:
        with contextlib.suppress(InputError):
            assert sum(array.nbytes for array in reader()) <= len(content) * 1032
    assert time.process_time() - begin < 2


@settings(max_examples=2000)
@given(hostile() | st.binary(max_size=200) | header_text.map(lambda text: raw_npy(text, bytes(48))))
def test_fuzz(file: Path, content: bytes) -> None:
    read_or_refuse(file, content)


@pytest.mark.soak
@settings(max_examples=100_000)
@given(hostile() | st.binary(max_size=200) | header_text.map(lambda text: raw_npy(text, bytes(48))))
def test_fuzz_long(file: Path, content: bytes) -> None:
    read_or_refuse(file, content)
