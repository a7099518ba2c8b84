"""A wheel built here must run on an older x86-64: newer instructions only behind the run-time dispatch."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

WIDE_REGISTER = re.compile(r"%[yz]mm\d")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="dispatch concerns x86-64 only")


def functions_with_wide_registers(file: Path) -> Iterator[str]:
    if shutil.which("objdump") is None:
        pytest.skip("objdump (binutils) is not installed")
    command = ["objdump", "-d", "--no-show-raw-insn", file]
    name = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as disassembly:
        assert disassembly.stdout is not None
        for line in disassembly.stdout:
            if header := FUNCTION.match(line):
                name = header[1]
            elif WIDE_REGISTER.search(line):
                yield name


@pytest.fixture(scope="module")
def simd_objects() -> Path:
    folder = Path(__file__).parents[2] / "build" / "editable" / "core"
    if not (folder / "simd_avx512.o").exists():
        pytest.skip("no build folder here: run make build")
    return folder


@pytest.mark.parametrize("level", ["avx2", "avx512"])
def test_level_exports_only_its_own_namespace(simd_objects: Path, level: str) -> None:
    symbols = subprocess.run(
        ["nm", "--defined-only", "--extern-only", simd_objects / f"simd_{level}.o"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    code = [line.split()[-1] for line in symbols.splitlines() if line.split()[-2] in "TW"]
    assert code
    assert [name for name in code if f"{len(level)}{level}" not in name] == []


@pytest.mark.parametrize("level", ["avx2", "avx512"])
def test_level_uses_its_registers(simd_objects: Path, level: str) -> None:
    assert any(functions_with_wide_registers(simd_objects / f"simd_{level}.o"))


def test_the_rest_is_baseline(simd_objects: Path) -> None:
    objects = [path for path in simd_objects.rglob("*.cpp.o") if "ravine_simd_avx" not in str(path)]
    assert objects
    assert [(path.name, name) for path in objects for name in functions_with_wide_registers(path)] == []
