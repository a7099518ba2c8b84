"""The rules are device code too: nvcc compiles every one of them, where nvcc is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURES = ("75", "80", "90", "100")


def test_every_rule_compiles_for_every_gpu_architecture(tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not installed")
    targets = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in ARCHITECTURES]
    command = [
        nvcc, "-std=c++20", "--expt-relaxed-constexpr", "-Werror", "all-warnings", *targets, "--threads", "2",
        f"-I{ROOT / 'core'}", "-c", str(ROOT / "tests/device/rules.cu"), "-o", str(tmp_path / "rules.o"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
