"""Makes tests/reference importable as `reference`; ranks that are processes; an NCCL for the twin."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))


@pytest.fixture
def needs_device(device: str) -> None:
    """For tests that compare a device with the CPU."""
    if device == "cpu":
        pytest.skip("compares a device with the CPU: give it with --device")


def _fixtures_of(folder: str) -> ModuleType:
    name = f"fixtures_of_{folder}"
    spec = importlib.util.spec_from_file_location(name, TESTS / folder / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


mpirun = _fixtures_of("distributed").mpirun


def _fake_nccl() -> None:
    """Lets the twin find NCCL's functions, before anything has looked for them; a card has NCCL itself."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if "twin" not in os.environ.get("RAVINE_CUDA_LIBRARY", "") or compiler is None:
        return
    folder = tempfile.mkdtemp(prefix="ravine-nccl-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library, source = Path(folder) / "libnccl.so.2", Path(__file__).with_name("fake_nccl.c")
    options = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", library, source], check=True)
    os.environ["RAVINE_NCCL_LIBRARY"] = str(library)


_fake_nccl()
