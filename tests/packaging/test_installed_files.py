from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import ravine
from ravine import _core

PROJECT = Path(__file__).parents[2]
PACKAGE = Path(ravine.__file__).parent
MODULE = Path(_core.__file__)


def dynamic_entries(name: str) -> list[str]:
    if shutil.which("readelf") is None:
        pytest.skip("readelf (binutils) is not installed")
    table = subprocess.run(["readelf", "-dW", MODULE], check=True, capture_output=True, text=True).stdout
    return re.findall(rf"\({name}\).*\[(.*)\]", table)


def library_path() -> list[str]:
    (entry,) = dynamic_entries("RUNPATH")
    return entry.split(":")


def test_library_path_holds_nothing_of_the_build() -> None:
    site = {Path(sysconfig.get_path("platlib"), "scipy_openblas32", "lib"), Path(sys.prefix, "lib")}
    foreign = [
        entry for entry in library_path() if not entry.startswith("$ORIGIN/") and Path(entry) not in site
    ]
    assert foreign == []


def test_library_path_is_relative_to_an_installed_module() -> None:
    assert library_path()[:2] == ["$ORIGIN/../../..", "$ORIGIN/../scipy_openblas32/lib"]


def test_every_needed_library_is_found() -> None:
    assert dynamic_entries("NEEDED")
    listing = subprocess.run(["ldd", MODULE], check=True, capture_output=True, text=True).stdout
    assert "not found" not in listing


def test_versions_agree() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert version("ravine") == declared
    assert ravine.__version__ == declared
    assert _core.__version__ == declared


@pytest.mark.parametrize("name", ["py.typed", "_core.pyi", "examples/digits.toml", "data/digits.npz"])
def test_package_holds(name: str) -> None:
    assert (PACKAGE / name).is_file()


def test_embedded_examples_are_those_of_the_project() -> None:
    examples = PACKAGE / "examples"
    assert {file.name for file in examples.glob("*.toml")} == {
        file.name for file in (PROJECT / "examples").glob("*.toml")
    }
    for file in examples.glob("*.toml"):
        assert file.read_bytes() == (PROJECT / "examples" / file.name).read_bytes()
