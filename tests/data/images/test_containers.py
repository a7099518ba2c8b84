"""Folders, tars and zips: what they hold, and what becomes of hostile ones."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making_pictures import CONTAINERS, as_folder, as_tar, as_zip, classes

from ravine.data.images import archives, containers
from ravine.data.images.containers import Folder, open_container
from ravine.errors import InputError

FILES = {"a/1.bin": b"one", "a/sub/2.bin": b"two" * 1000, "b/3.bin": b"", "top.bin": b"top"}


def contents(path: Path, names: list[str]) -> dict[str, bytes]:
    container = open_container(path)
    return {names[place]: load() for place, load in container.contents(names)}


def load_all(path: Path) -> list[str]:
    container = open_container(path)
    for _, load in container.contents(list(container.files)):
        load()
    return sorted(container.files)


def message(path: Path) -> str:
    begun = time.process_time()
    with pytest.raises(InputError) as caught:
        load_all(path)
    assert time.process_time() - begun < 2
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


def test_every_kind_gives_the_same(pack: Callable[[Mapping[str, bytes]], Path]) -> None:
    path = pack(FILES)
    assert sorted(open_container(path).files) == sorted(FILES)
    names = ["b/3.bin", "a/sub/2.bin", "a/1.bin"]
    assert contents(path, names) == {name: FILES[name] for name in names}


def test_a_tar_of_another_program(tmp_path: Path) -> None:
    """With "./" before names, entries for folders, and long names in PAX and GNU headers."""
    source = as_folder(tmp_path / "source", {"a/1.bin": b"1", f"{'d' * 120}/{'e' * 150}.bin": b"2"})
    (source / "empty").mkdir()
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path = tmp_path / f"{kind}.tar"
        with tarfile.open(path, "w", format=kind) as archive:
            archive.add(source, arcname=".")
        container = open_container(path)
        assert sorted(container.files) == ["a/1.bin", f"{'d' * 120}/{'e' * 150}.bin"]
        assert "empty" in container.folders
        assert contents(path, ["a/1.bin"]) == {"a/1.bin": b"1"}


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:/x.png", "a\\..\\x.png", "\\x.png"]
)
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = CONTAINERS[kind](tmp_path, {"a/1.png": b"1", name: b"2"})
    assert "whose name leads out of the archive" in message(path)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (tarfile.SYMTYPE, "has a link 'a/x.png'"),
        (tarfile.LNKTYPE, "has a link 'a/x.png'"),
        (tarfile.FIFOTYPE, "has a member 'a/x.png' that is neither a plain file nor a folder"),
        (tarfile.CHRTYPE, "neither a plain file nor a folder"),
    ],
)
def test_links_and_devices_in_tars_are_refused(tmp_path: Path, mode: str, kind: bytes, expected: str) -> None:
    path = tmp_path / "data.tar"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        member = tarfile.TarInfo("a/x.png")
        member.type = kind
        member.linkname = "/etc/passwd"
        archive.addfile(member)
    assert expected in message(path)


def test_links_and_passwords_in_zips_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("a/x.png")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    assert "has a link 'a/x.png'" in message(path)
    content = bytearray(as_zip(path, {"a/x.png": b"1"}).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    assert "member 'a/x.png' is encrypted" in message(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a/x.png", b"1" * 100)
    assert "uses a compression other than deflate" in message(path)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    with tarfile.open(path, "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("a/x.png"))
    assert "holds 'a/x.png' twice" in message(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(600))
    assert "is neither a folder nor a .tar, .tar.gz or .zip of pictures" in message(path)
    path.write_bytes(b"")
    assert "is neither a folder" in message(path)
    with pytest.raises(InputError, match="does not exist"):
        open_container(tmp_path / "nothing.zip")
    (tmp_path / "data.gz").write_bytes(gzip.compress(b"no tar" * 1000))
    assert "is truncated or damaged" in message(tmp_path / "data.gz")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_truncated_archives_are_never_taken_for_whole(tmp_path: Path, kind: str) -> None:
    path = CONTAINERS[kind](tmp_path, classes(2, 3))
    content = path.read_bytes()
    whole = sorted(open_container(path).files)
    for cut in range(0, len(content), 211):
        path.write_bytes(content[:cut])
        names = whole  # only the empty blocks at the end may be missing
        with contextlib.suppress(InputError):
            names = load_all(path)
        assert names == whole


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    path = as_tar(tmp_path / "data.tar", classes(2, 3))
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        third = archive.getmembers()[2].offset
    content[third + 10] ^= 0xFF
    path.write_bytes(bytes(content))
    assert f"is truncated or damaged at byte {third:,}" in message(path)


def test_damaged_members_are_named(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "data.zip", {"a/x.png": os.urandom(5000)}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(bytes(content))
    assert f"{path}: a/x.png: is damaged" in message(path)
    path = as_tar(tmp_path / "data.tar.gz", {"a/x.png": os.urandom(5000)}, "w:gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(bytes(content))
    assert "is truncated or damaged (CRC check failed" in message(path)


def test_nothing_grows_beyond_what_pictures_do(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        member = tarfile.TarInfo("a/x.png")
        member.size = 3 << 30
        file.write(squeeze.compress(member.tobuf()))
        block = bytes(1 << 20)
        for _ in range(300):
            file.write(squeeze.compress(block))
        file.write(squeeze.flush())
    tracemalloc.start()
    assert "grows to more than 100 times its size" in message(path)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["x", "L", "0"])
@pytest.mark.parametrize("mode", ["plain", "gzip"])
def test_nothing_is_allocated_for_what_a_header_claims(tmp_path: Path, kind: str, mode: str) -> None:
    member = tarfile.TarInfo("a/x.png")
    member.size = 8 << 30
    member.type = kind.encode()
    content = member.tobuf(tarfile.GNU_FORMAT) + bytes(5000)
    path = tmp_path / "data.tar"
    path.write_bytes(content if mode == "plain" else gzip.compress(content))
    tracemalloc.start()
    message(path)
    assert tracemalloc.get_traced_memory()[1] < 50 << 20
    tracemalloc.stop()


def test_a_zip_that_promises_more_than_it_holds(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "data.zip", {"a/x.png": bytes(1000)})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert "promises 1,073,741,824 bytes" in message(path)


def test_a_file_too_large_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (archives, containers):
        monkeypatch.setattr(module, "MAXIMUM_BYTES", 1000)
    for kind in CONTAINERS:
        path = CONTAINERS[kind](tmp_path, {"a/x.png": bytes(1001)})
        assert "has 1,001 bytes, more than any picture that is decoded" in message(path)


def test_folders(tmp_path: Path) -> None:
    root = as_folder(tmp_path / "root", {"a/1.png": b"1", "b/2.png": b"2"})
    elsewhere = as_folder(tmp_path / "elsewhere", {"3.png": b"3"})
    (root / "c").symlink_to(elsewhere)  # as people do whose disks are full
    (root / "b" / "4.png").symlink_to(elsewhere / "3.png")
    assert Folder(root).files == ("a/1.png", "b/2.png", "b/4.png", "c/3.png")
    (root / "a" / "loop").symlink_to(root)
    assert "is a link to a folder that it lies in" in message(root)
    (root / "a" / "loop").unlink()
    os.mkfifo(root / "a" / "pipe.png")
    assert "pipe.png: is not a regular file" in message(root)
    (root / "a" / "pipe.png").unlink()
    (root / "a" / "gone.png").symlink_to("nowhere")
    assert "gone.png: cannot be read" in message(root)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["tar", "gz", "zip"]))
    stream = io.BytesIO()
    files = {"a/1.png": b"x" * draw(st.integers(0, 700)), "b/2.png": b"y"}
    if kind == "zip":
        with zipfile.ZipFile(
            stream, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
        ) as packed:
            for name, content in files.items():
                packed.writestr(zipfile.ZipInfo(name), content)
    else:
        with tarfile.open(fileobj=stream, mode="w", format=draw(st.sampled_from([0, 1, 2]))) as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    content = bytearray(stream.getvalue())
    for _ in range(draw(st.integers(0, 8))):
        content[draw(st.integers(0, min(2000, len(content) - 1)))] = draw(st.integers(0, 255))
    whole = bytes(content[: draw(st.integers(0, len(content)))]) if draw(st.booleans()) else bytes(content)
    return gzip.compress(whole, mtime=0) if kind == "gz" else whole


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "data.tar"


def hostile() -> st.SearchStrategy[bytes]:
    zips = st.binary(max_size=600).map(lambda content: b"PK\x03\x04" + content)
    return st.one_of(spoilt(), st.binary(max_size=400), zips)


def load_or_refuse(file: Path, content: bytes) -> None:
    """Either files or an InputError of one line; within 2 s."""
    file.write_bytes(content)
    begun, text = time.process_time(), ""
    try:
        load_all(file)
    except InputError as error:
        text = str(error)
    assert "\n" not in text
    assert time.process_time() - begun < 2


@settings(max_examples=1000)
@given(hostile())
def test_fuzz(file: Path, content: bytes) -> None:
    load_or_refuse(file, content)


@pytest.mark.soak
@settings(max_examples=100_000)
@given(hostile())
def test_fuzz_long(file: Path, content: bytes) -> None:
    load_or_refuse(file, content)
