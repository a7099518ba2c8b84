"""Class folders become pixels and labels; the cache is never trusted where it could be wrong."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from making_pictures import as_folder, as_tar, classes, encoded, noise
from PIL import Image

from ravine.data.images import cache as cache_module
from ravine.data.images import pictures as module
from ravine.data.images.cache import cache_of, default_folder
from ravine.data.images.pictures import Pictures, read_loose, read_pictures
from ravine.data.images.settings import ImageSettings
from ravine.data.mapping import mapped_file
from ravine.errors import InputError, RavineWarning

EXPECTED = np.stack([noise(10 * label + number) for label in range(3) for number in range(2)])
PLAIN = ImageSettings()


class Decodings:
    """Counts the pictures that are decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        decode = module.decode

        def counted(content: bytes, settings: ImageSettings) -> np.ndarray:
            self.count += 1
            return decode(content, settings)

        monkeypatch.setattr(module, "decode", counted)

    def of(self, root: Path, settings: ImageSettings = ImageSettings(size=(12, 10))) -> tuple[int, Pictures]:  # noqa: B008
        self.count = 0
        found = read_pictures(root, settings)
        return self.count, found


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Decodings:
    return Decodings(monkeypatch)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were just written count as old, so that size and times alone are looked at."""
    monkeypatch.setattr(cache_module, "CLOCK_NANOSECONDS", -(10**15))


def files_in_cache() -> list[Path]:
    return sorted(default_folder().glob("*")) + sorted(default_folder().glob(".*"))


def test_every_container_gives_the_same(pack: Callable[[Mapping[str, bytes]], Path]) -> None:
    files = classes()
    backwards = dict(reversed(files.items()))
    root = pack(backwards)
    for _ in range(2):  # decoded, and from the cache
        found = read_pictures(root, PLAIN, threads=3)
        np.testing.assert_array_equal(found.pixels, EXPECTED)
        np.testing.assert_array_equal(found.labels, [0, 0, 1, 1, 2, 2])
        assert found.labels.dtype == np.int32
        assert found.class_names == ("0", "1", "2")
        assert found.names == tuple(files)


def test_pictures_are_decoded_once(decodings: Decodings, pack: Callable[..., Path]) -> None:
    root = pack(classes())
    assert decodings.of(root)[0] == 6
    assert decodings.of(root)[0] == 0
    assert decodings.of(root, ImageSettings(size=(5, 4)))[0] == 6
    assert decodings.of(root, ImageSettings(size=(5, 4), resize="crop"))[0] == 6
    assert decodings.of(root, ImageSettings(size=(5, 4), resize="crop", colour="grey"))[0] == 6
    assert decodings.of(root, ImageSettings(size=(5, 4), resize="crop", colour="grey"))[0] == 0
    assert decodings.of(root)[0] == 0


def test_a_changed_file_is_seen(decodings: Decodings, tmp_path: Path) -> None:
    root = as_folder(tmp_path / "root", classes())
    decodings.of(root)
    picture = root / "1" / "0.png"
    status = picture.stat()
    other = encoded(noise(77))
    for content in (other, other + b"longer"):
        picture.write_bytes(content)
        os.utime(picture, ns=(status.st_atime_ns, status.st_mtime_ns))  # as some tools set it
        count, found = decodings.of(root)
        assert count == 6
        np.testing.assert_array_equal(found.pixels[2], noise(77))
    picture.rename(root / "1" / "9.png")
    count, found = decodings.of(root)
    assert count == 6
    np.testing.assert_array_equal(found.pixels[3], noise(77))
    (root / "1" / "9.png").unlink()
    assert len(decodings.of(root)[1].pixels) == 5
    shutil.move(root / "2", root / "7")
    assert decodings.of(root)[1].class_names == ("0", "1", "7")


def test_the_same_size_and_times_within_a_tick_of_the_clock(
    decodings: Decodings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may change twice within one tick: until it is older than that, its content is looked at."""
    root = as_folder(tmp_path / "root", classes())
    sizes = {len(encoded(noise(seed))): seed for seed in range(100, 400)}
    old = (root / "1" / "0.png").read_bytes()
    seed = next(seed for size, seed in sizes.items() if size == len(old))
    decodings.of(root)
    stamps = {}
    original = module.stamp_of

    def frozen(status: os.stat_result) -> tuple[int, int, int]:
        return stamps.setdefault(status.st_ino, original(status))

    monkeypatch.setattr("ravine.data.images.containers.stamp_of", frozen)
    assert decodings.of(root)[0] == 0
    (root / "1" / "0.png").write_bytes(encoded(noise(seed)))
    count, found = decodings.of(root)
    assert count == 6
    np.testing.assert_array_equal(found.pixels[2], noise(seed))


def test_new_times_alone_change_nothing(
    decodings: Decodings, pack: Callable[..., Path], coarse: None
) -> None:
    root = pack(classes())
    decodings.of(root)
    index = cache_of(root, ImageSettings(size=(12, 10))).index()
    assert index is not None
    for path in [root, *root.rglob("*.png")]:
        os.utime(path, ns=(10**18, 10**18))
    assert decodings.of(root)[0] == 0
    later = cache_of(root, ImageSettings(size=(12, 10))).index()
    assert later is not None
    assert later.stamps != index.stamps
    assert later.digests == index.digests
    assert decodings.of(root)[0] == 0


def test_a_changed_archive_is_seen(decodings: Decodings, tmp_path: Path) -> None:
    root = as_tar(tmp_path / "data.tar", classes())
    decodings.of(root)
    as_tar(root, classes(each=3))
    assert decodings.of(root)[0] == 9


def test_a_damaged_cache_is_made_anew(decodings: Decodings, tmp_path: Path) -> None:
    root = as_folder(tmp_path / "root", classes())
    cache = cache_of(root, ImageSettings(size=(12, 10)))
    _, expected = decodings.of(root)
    pixels, index = cache.pixels_path.read_bytes(), cache.index_path.read_bytes()
    random = np.random.RandomState(0)
    for path, content in ((cache.pixels_path, pixels), (cache.index_path, index)):
        spoilt = [content[:cut] for cut in (0, 1, 60, len(content) // 2, len(content) - 1)]
        spoilt.append(content + b"\0")
        for _ in range(60):
            place = random.randint(len(content))
            spoilt.append(
                content[:place] + bytes([content[place] ^ (1 << random.randint(8))]) + content[place + 1 :]
            )
        for wrong in spoilt:
            path.write_bytes(wrong)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                count, found = decodings.of(root)
            assert count == 6
            assert len(said) == 1
            assert "the pictures are decoded again" in str(said[0].message)
            np.testing.assert_array_equal(found.pixels, expected.pixels)
            np.testing.assert_array_equal(found.labels, expected.labels)
            assert found.class_names == expected.class_names
            assert decodings.of(root)[0] == 0
    for path in (cache.pixels_path, cache.index_path):
        path.unlink()
        assert decodings.of(root)[0] == 6


def test_pixels_and_index_of_different_times_do_not_go_together(decodings: Decodings, tmp_path: Path) -> None:
    root = as_folder(tmp_path / "root", classes())
    cache = cache_of(root, ImageSettings(size=(12, 10)))
    decodings.of(root)
    pixels = cache.pixels_path.read_bytes()
    (root / "1" / "0.png").write_bytes(encoded(noise(77)))
    decodings.of(root)
    cache.pixels_path.write_bytes(pixels)
    with pytest.warns(RavineWarning, match="its bytes were changed; the pictures are decoded again"):
        count, found = decodings.of(root)
    assert count == 6
    np.testing.assert_array_equal(found.pixels[2], noise(77))


def test_the_cache_is_an_npy_file_and_json(tmp_path: Path) -> None:
    root = as_folder(tmp_path / "my data", classes())
    read_pictures(root, ImageSettings(cache=str(tmp_path / "cache")))
    npy, index = sorted((tmp_path / "cache").iterdir(), key=lambda path: path.suffix, reverse=True)
    assert npy.name.startswith("my_data-")
    np.testing.assert_array_equal(np.load(npy), EXPECTED)
    assert json.loads(index.read_text())["index"]["shape"] == [6, 12, 10, 3]
    assert not files_in_cache()


def test_many_pictures_stay_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = as_folder(tmp_path / "root", classes())
    assert mapped_file(read_pictures(root, PLAIN).pixels) is None
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 1000)
    for _ in range(2):
        pixels = read_pictures(root, PLAIN).pixels
        assert mapped_file(pixels) == cache_of(root, PLAIN).pixels_path
        assert not pixels.flags.writeable
        np.testing.assert_array_equal(pixels, EXPECTED)


def test_few_pictures_are_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 pictures of 300 KB: 90 MB of pixels, of which a few MB are in memory while they are decoded."""
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 1000)
    grey = {
        f"{label}/{number}.png": encoded(np.full((320, 320), number, np.uint8))
        for label in "ab"
        for number in range(150)
    }
    root = as_tar(tmp_path / "data.tar", grey)
    tracemalloc.start()
    pixels = read_pictures(root, PLAIN, threads=2).pixels
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pixels.shape == (300, 320, 320, 3)
    assert (pixels[:, 5, 7, 1] == np.tile(np.arange(150), 2)).all()
    assert peak < 24 << 20


def test_sizes_must_agree_without_a_size(tmp_path: Path) -> None:
    root = as_folder(tmp_path / "root", {**classes(), "1/7.png": encoded(noise(0, 30, 20))})
    with pytest.raises(InputError) as caught:
        read_pictures(root, PLAIN)
    assert str(caught.value) == (
        f"{root}/1/7.png: is 30 x 20 pixels (height x width), 0/0.png is 12 x 10; "
        "set data.images.size = [height, width], to which all are resized"
    )
    assert not files_in_cache()
    assert read_pictures(root, ImageSettings(size=(8, 8))).pixels.shape == (7, 8, 8, 3)


def test_what_cannot_be_decoded_is_named(pack: Callable[..., Path]) -> None:
    good = classes()
    for content, expected in (
        (good["1/1.png"][:90], "is truncated"),
        (b"no picture", "is not a picture in PNG or JPEG"),
    ):
        root = pack({**good, "1/1.png": content})
        with pytest.raises(InputError) as caught:
            read_pictures(root, PLAIN, threads=2)
        text = str(caught.value)
        assert text.startswith(
            f"{root}/1/1.png: {expected}" if root.is_dir() else f"{root}: 1/1.png: {expected}"
        )
        assert "\n" not in text
        assert not files_in_cache()


def test_stray_files_are_named_each_time(pack: Callable[..., Path]) -> None:
    root = pack({**classes(), **{name: b"text" for name in ("README", "0/a.txt", "0/b.txt", "0/c.txt")}})
    for _ in range(2):
        with pytest.warns(RavineWarning) as said:
            read_pictures(root, PLAIN)
        text = f"{root}: 4 files are no pictures and are ignored: 0/a.txt, 0/b.txt, 0/c.txt, ..."
        assert [str(one.message) for one in said] == [text]


def test_a_full_disk_and_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = as_folder(tmp_path / "root", classes())
    with pytest.raises(
        InputError, match=r"the folder for decoded pictures cannot be made or used: .*data.images.cache"
    ):
        read_pictures(root, ImageSettings(cache=str(root / "0" / "0.png" / "cache")))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
        with pytest.raises(InputError, match="decoded pictures need 0 MB, and 0 MB are free; name a folder"):
            read_pictures(root, PLAIN)
    for call in ("pwrite", "truncate", "fsync"):

        def fail(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with pytest.raises(
                InputError, match=r"\.npy: cannot be written: No space left on device; name another"
            ):
                read_pictures(root, PLAIN)
        assert not files_in_cache()
    np.testing.assert_array_equal(read_pictures(root, PLAIN).pixels, EXPECTED)


SLOW = r"""
import os, sys, time
from pathlib import Path
from ravine.data.images import pictures
from ravine.data.images.settings import ImageSettings
decode = pictures.decode
def slow(content, settings):
    os.write(1, b"decoding\n")  # in one piece, whatever other threads write
    time.sleep(0.05)
    return decode(content, settings)
pictures.decode = slow
try:
    pictures.read_pictures(Path(sys.argv[1]), ImageSettings(cache=sys.argv[2], size=(12, 10)), threads=2)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_no_half_cache_is_left_or_used(tmp_path: Path, sent: signal.Signals) -> None:
    root = as_folder(tmp_path / "root", classes(each=60))
    folder = tmp_path / "cache"
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(root), str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(5):
            assert process.stdout.readline() == "decoding\n"
        begun = time.process_time()
        process.send_signal(sent)
        rest = process.stdout.read()
        process.wait()
        assert time.process_time() - begun < 5
    left = sorted(path.name for path in folder.iterdir())
    if sent == signal.SIGINT:
        assert rest.endswith("interrupted\n")
        assert not left
    else:
        assert len(left) == 1
        assert left[0].endswith(".tmp")
    found = read_pictures(root, ImageSettings(cache=str(folder), size=(12, 10)))
    assert len(found.pixels) == 180
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npy"]


def test_loose_pictures(pack: Callable[..., Path], tmp_path: Path) -> None:
    files = {"9.png": encoded(noise(9)), "a/10.png": encoded(noise(10)), "notes.txt": b"text"}
    pixels, names = read_loose(pack(files), ImageSettings(size=(12, 10)), threads=2)
    assert names == ["9.png", "a/10.png"]
    np.testing.assert_array_equal(pixels, [noise(9), noise(10)])
    alone = as_folder(tmp_path / "alone", files) / "9.png"
    pixels, names = read_loose(alone, ImageSettings(size=(12, 10)))
    assert names == ["9.png"]
    np.testing.assert_array_equal(pixels, [noise(9)])
    with pytest.raises(InputError, match=r"does not exist"):
        read_loose(tmp_path / "none.png", ImageSettings(size=(12, 10)))
    with pytest.raises(InputError, match=r"holds no PNG or JPEG pictures"):
        read_loose(as_folder(tmp_path / "texts", {"a.txt": b""}), ImageSettings(size=(12, 10)))


def test_sign_language_from_its_tar(datasets: Path) -> None:
    """Three of its pictures are large, and turned by their EXIF orientation."""
    path = datasets / "sign-language-digits" / "Dataset.tar"
    found = read_pictures(path, ImageSettings(size=(32, 32)), threads=2)
    sizes, counts = {}, dict.fromkeys(found.class_names, 0)
    with tarfile.open(path) as archive:
        for place in (0, 777, 2061, found.names.index("Dataset/7/IMG_5874.JPG")):
            stream = archive.extractfile(found.names[place])
            assert stream is not None
            with Image.open(io.BytesIO(stream.read())) as image:
                sizes[place] = image.size
                turned = (
                    image.transpose(Image.Transpose.ROTATE_270) if image.getexif()[0x0112] == 6 else image
                )
                expected = np.asarray(turned.resize((32, 32), Image.Resampling.BILINEAR))
            np.testing.assert_array_equal(found.pixels[place], expected)
            assert found.class_names[found.labels[place]] == found.names[place].split("/")[1]
        for member in archive.getmembers():
            if member.isfile():
                counts[member.name.split("/")[1]] += 1
    assert (3024, 3024) in sizes.values()
    assert np.bincount(found.labels).tolist() == list(counts.values())
    assert len(found.pixels) == 2062
