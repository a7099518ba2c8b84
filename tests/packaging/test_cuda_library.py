"""The library of the CUDA backend: what it shows, what it needs, where it looks for NVIDIA's wheels."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ravine import _core

PROJECT = Path(__file__).parents[2]
LIBRARY = Path(_core.__file__).parent / "libravine_cuda.so"
WHEELS = {
    "cublaslt": "nvidia-cublas",
    "cudnn": "nvidia-cudnn-cu13",
    "nccl": "nvidia-nccl-cu13",
}

FAT_BINARY = bytes.fromhex("50ed55ba")

pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason="built without CUDA: nvcc was not found")


def told_by(tool: str, *words: str) -> str:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} (binutils) is not installed")
    return subprocess.run([tool, *words, str(LIBRARY)], check=True, capture_output=True, text=True).stdout


def test_it_shows_its_own_functions_alone() -> None:
    shown = {line.split()[-1] for line in told_by("nm", "-D", "--defined-only").splitlines()}
    header = (PROJECT / "core/backend/cuda/interface.h").read_text(encoding="utf-8")
    assert shown == set(re.findall(r"^RAVINE_CUDA_EXPORT [^;]*?(ravine_cuda_\w+)\(", header, re.MULTILINE))
    assert "ravine_cuda_make" in shown


def test_it_needs_nothing_of_nvidia_to_be_opened() -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", told_by("readelf", "-dW"))
    assert needed
    assert not [name for name in needed if re.search("cuda|cublas|cudnn|nccl|nvrtc", name)]


def test_it_looks_into_the_wheels_beside_the_package() -> None:
    (path,) = re.findall(r"\(RUNPATH\).*\[(.*)\]", told_by("readelf", "-dW"))
    wheels = [f"nvidia/{part}/lib" for part in ("cu13", "cudnn", "nccl")]
    assert path.split(":")[:3] == [f"$ORIGIN/../{wheel}" for wheel in wheels]
    others = path.split(":")[3:]  # of an editable install, which lies elsewhere
    assert all(any(other.endswith(wheel) for wheel in wheels) for other in others)


def test_kernels_are_there_for_every_card() -> None:
    """The machine code of each architecture, and PTX, as names in the fat binaries say."""
    if (PROJECT / "build/editable/CMakeCache.txt").exists():
        cache = (PROJECT / "build/editable/CMakeCache.txt").read_text(encoding="utf-8")
        chosen = re.search(r"^CMAKE_CUDA_ARCHITECTURES:\w+=(.*)$", cache, re.MULTILINE)
        if chosen and chosen[1] != "OFF":
            pytest.skip(f"built for {chosen[1]} alone; make test-architectures compiles for all")
    images = set(images_in(LIBRARY.read_bytes()))
    assert {("code", number) for number in (75, 80, 90, 100)} <= images
    assert any(kind == "PTX" for kind, _ in images)


def images_in(library: bytes) -> Iterator[tuple[str, int]]:
    """What nvcc has put into it: "code" or "PTX", and for which architecture.

    A fat binary is a header of 16 bytes (magic number, version, its size, that of the rest), then images:
    each a header (kind at 0, its size at 4, that of the image at 8, architecture at 28), then the code.
    """
    start = library.find(FAT_BINARY)
    while start >= 0:
        header, size = struct.unpack_from("<HQ", library, start + 6)
        place, end = start + header, start + header + size
        while place < end:
            kind, header, size, number = struct.unpack_from("<H2xIQ12xI", library, place)
            yield {1: "PTX", 2: "code"}.get(kind, "other"), number
            place += header + size
        start = library.find(FAT_BINARY, end)


@pytest.mark.parametrize("name", WHEELS)
def test_what_is_declared_of_a_library_was_compared_with_its_header(name: str) -> None:
    source = PROJECT / f"core/backend/cuda/device/check_{name}.cpp"
    if not source.exists():
        pytest.skip(f"{name} is not opened by this version")
    cache = PROJECT / "build/editable/CMakeCache.txt"
    if not cache.exists():
        pytest.skip("not built in this folder")
    found = re.search(
        rf"^RAVINE_CHECKED_{name}:INTERNAL=(.*)$", cache.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found is not None
    if found[1].endswith("NOTFOUND"):
        pytest.skip(f"its header is not here; pip install {WHEELS[name]}, then build again")
    compiled = PROJECT.glob(f"build/editable/core/CMakeFiles/ravine_check_{name}.dir/**/*.o")
    assert list(compiled)


def test_the_extra_names_what_is_opened() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [re.split("[><=]", each)[0] for each in project["optional-dependencies"]["cuda13"]]
    by_cudnn = "nvidia-cuda-nvrtc"  # it compiles some kernels itself
    assert sorted(named) == sorted([*WHEELS.values(), by_cudnn])
    assert all("<" in each for each in project["optional-dependencies"]["cuda13"])
