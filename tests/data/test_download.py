"""Downloading from mirrors that break off, lie, or are not there: against a server on this machine."""

from __future__ import annotations

import errno
import gzip
import hashlib
import http.server
import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from ravine.cli import main
from ravine.data import DataSettings, load, published
from ravine.data import download as module
from ravine.data.download import RemoteDataset, RemoteFile, by_hand, download
from ravine.errors import InputError

CONTENT = np.random.RandomState(5).bytes(300_000)


class Server:
    """Serves CONTENT at any path, as the first part of the path says; remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                how = self.path.split("/")[1]
                wanted = self.headers.get("Range")
                server.asked.append((how, wanted))
                if how == "missing":
                    self.send_error(404)
                    return
                content = CONTENT[::-1] if how == "other" else CONTENT
                begin = 0
                if wanted is not None and how != "norange":
                    match = re.fullmatch(r"bytes=(\d+)-", wanted)
                    assert match is not None
                    begin = int(match[1])
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
                else:
                    self.send_response(200)
                body = content[begin:] + (b"more" if how == "longer" else b"")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if how == "cut":
                    self.wfile.write(body[: len(body) // 3])
                    self.wfile.flush()
                    self.connection.close()
                else:
                    self.wfile.write(body)

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, how: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{how}/data.bin"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


def dataset(*urls: str, sha256: str = "") -> RemoteDataset:
    hashed = sha256 or hashlib.sha256(CONTENT).hexdigest()
    return RemoteDataset("noise", "noise", (RemoteFile("data.bin", len(CONTENT), hashed, urls),), "", "none")


def test_a_file_comes_once(server: Server, tmp_path: Path) -> None:
    what = dataset(server.url("plain"))
    folder = tmp_path / "a" / "b"
    assert download(what, folder) == [folder / "data.bin"]
    assert (folder / "data.bin").read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == ["data.bin"]
    download(what, folder)
    assert server.asked == [("plain", None)]


def test_the_next_mirror_goes_on_where_one_broke_off(server: Server, tmp_path: Path) -> None:
    download(dataset(server.url("cut"), server.url("plain")), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.asked == [("cut", None), ("plain", f"bytes={len(CONTENT) // 3}-")]


def test_the_next_call_goes_on_where_one_broke_off(server: Server, tmp_path: Path) -> None:
    what = dataset(server.url("cut"))
    for part in (1, 2):
        with pytest.raises(InputError, match=r"the connection broke off after [0-9,]+ of 300,000 bytes"):
            download(what, tmp_path)
        expected = len(CONTENT) - round(len(CONTENT) * (2 / 3) ** part)
        assert abs((tmp_path / "data.bin.part").stat().st_size - expected) < 5
    download(dataset(server.url("plain")), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    download(dataset(server.url("norange")), tmp_path)
    assert server.asked == [("norange", "bytes=1000-")]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_what_was_begun_of_another_file_is_begun_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    download(dataset(server.url("plain")), tmp_path)
    assert server.asked == [("plain", "bytes=1000-"), ("plain", None)]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("how", ["missing", "other", "longer"])
def test_a_mirror_that_has_something_else_is_passed_over(server: Server, tmp_path: Path, how: str) -> None:
    download(dataset(server.url(how), server.url("plain")), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert [asked for asked, _ in server.asked][-1] == "plain"


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("missing", "the server answers 404 Not Found"),
        ("other", "its SHA-256 is not that of the published file"),
        ("longer", "it has 300,004 bytes, expected 300,000"),
    ],
)
def test_nothing_gets_the_name_that_is_not_the_file(
    server: Server, tmp_path: Path, how: str, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        download(dataset(server.url(how)), tmp_path)
    text = str(caught.value)
    assert expected in text
    assert f"place it by hand as {tmp_path / 'data.bin'} (300,000 bytes, SHA-256 " in text
    assert "\n" not in text
    assert not (tmp_path / "data.bin").exists()
    assert not (tmp_path / "data.bin.part").exists()


def test_no_network(tmp_path: Path, server: Server) -> None:
    url = server.url("plain")
    server.stop()
    with pytest.raises(InputError, match="Connection refused"):
        download(dataset(url), tmp_path)
    server.__init__()  # type: ignore[misc]  # so that the fixture can stop it


def test_a_file_placed_by_hand_is_taken_if_it_is_the_right_one(tmp_path: Path) -> None:
    what = dataset("http://127.0.0.1:9/nothing")
    (tmp_path / "data.bin").write_bytes(CONTENT)
    assert download(what, tmp_path) == [tmp_path / "data.bin"]
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(InputError, match="is there, but is not the file that was published"):
        download(what, tmp_path)
    assert (tmp_path / "data.bin").read_bytes().endswith(b"?")
    text = by_hand(what, tmp_path)
    for part in (str(tmp_path), "data.bin", "300,000", what.files[0].sha256, what.files[0].urls[0]):
        assert part in text


class FullDisk:
    """A file that takes so many bytes and no more."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def write(self, block: bytes) -> int:
        if self.file.tell() + len(block) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self.file.write(block))


def test_a_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = dataset(server.url("plain"))
    opened: Callable[..., Any] = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(
            Path,
            "open",
            lambda path, mode="r": FullDisk(opened(path, mode), 150_000) if "b" in mode else None,
        )
        with pytest.raises(InputError, match="cannot be written: No space left on device"):
            download(what, tmp_path)
    begun = (tmp_path / "data.bin.part").stat().st_size
    assert 0 < begun <= 150_000
    download(what, tmp_path)
    assert server.asked[-1] == ("plain", f"bytes={begun}-")
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(InputError, match="0 MB free, and 0 MB are missing"):
        download(what, tmp_path / "elsewhere")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        download(dataset("http://127.0.0.1:9/nothing"), tmp_path / "file" / "folder")


def real_content(datasets: Path, name: str, file: RemoteFile) -> bytes:
    places = {"adult": "uci-adult", "wine-quality": "uci-wine-quality"}
    path = datasets / places.get(name, name) / file.name
    return (
        path.read_bytes()
        if path.exists()
        else gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
    )


@pytest.mark.parametrize("name", published.DATASETS)
def test_published_sums_and_sections_fit_the_real_files(datasets: Path, tmp_path: Path, name: str) -> None:
    what = published.DATASETS[name]
    for file in what.files:
        content = real_content(datasets, name, file)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256), file.name
        assert all(url.startswith("https://") for url in file.urls)
        (tmp_path / file.name).write_bytes(content)
    section = tomllib.loads(what.section.replace("{folder}", str(tmp_path)))["data"]
    parts = load(msgspec.convert(section, DataSettings), Path())
    samples = {"mnist": 70_000, "fashion-mnist": 70_000, "california-housing": 20_640, "adult": 48_842}
    summary = parts.summary
    assert summary.train + summary.validation + summary.test == samples.get(name, 4_898)
    assert summary.test > 0


def test_the_command(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = RemoteFile("data.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), (server.url("plain"),))
    section = '[data]\nsource = "npz"\nfile = "{folder}/data.bin"\n'
    monkeypatch.setitem(
        published.DATASETS, "noise", RemoteDataset("noise", "noise", (file,), section, "none")
    )
    monkeypatch.setenv("RAVINE_DATA", str(tmp_path / "$money"))
    assert main(["data", "get", "noise"]) == 0
    out = capsys.readouterr().out
    assert out == section.replace("{folder}", f"{tmp_path}/$$money/noise")
    assert (tmp_path / "$money" / "noise" / "data.bin").read_bytes() == CONTENT
    assert main(["data", "get"]) == 0
    assert "fashion-mnist" in capsys.readouterr().out
    assert main(["data", "get", "mnits"]) == 2
    assert "did you mean 'mnist'?" in capsys.readouterr().err
    assert main(["data", "get", "cifar10"]) == 2
    assert "is not offered" in capsys.readouterr().err
    assert main(["data", "get", "adult", "--by-hand"]) == 0
    assert "archive.ics.uci.edu" in capsys.readouterr().out


def test_the_command_without_a_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(published.DATASETS, "noise", dataset(server.url("missing")))
    assert main(["data", "get", "noise", "--to", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"put them into {tmp_path}:" in error
    assert server.url("missing") in error
    assert error.splitlines()[-1].startswith("ravine: error: data.bin: noise: could not be downloaded")
