"""What is said where a device cannot be used: one line, at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
from ravine import _core
spec = _core.NetworkSpec([2])
spec.add({"type": "dense", "units": 1})
print(_core.report())
_core.Network(spec, "squared_error", batch_size=1, dtype="float32", device="cuda:0", threads=1, seed=0)
"""


def asked(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "RAVINE_CUDA_LIBRARY"}
    command = [sys.executable, "-c", ASK]
    return subprocess.run(
        command, env=inherited | environment, capture_output=True, text=True, timeout=60, check=False
    )


def built_with_cuda() -> bool:
    from ravine import _core

    return not any("built without" in detail for _, _, detail in _core.report())


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    if not built_with_cuda():
        pytest.skip("built without CUDA")
    done = asked(RAVINE_CUDA_LIBRARY=str(tmp_path / "absent.so"))
    assert "cannot be opened" in done.stdout
    assert "absent.so" in done.stdout
    assert "DeviceError" in done.stderr
    assert "use device cpu" in done.stderr


def test_a_machine_without_a_driver() -> None:
    if not built_with_cuda():
        pytest.skip("built without CUDA")
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is a driver")
    done = asked()
    assert "there is no NVIDIA driver" in done.stdout
    assert "cuda:0 was asked for, but there is no NVIDIA driver" in done.stderr
