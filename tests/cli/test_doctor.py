"""`ravine doctor`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np


def test_reports_this_machine(ravine) -> None:
    done = ravine("doctor", "--json")
    assert done.code == 0
    assert done.json["ok"] is True
    found = {finding["name"]: finding for finding in done.json["findings"]}
    assert platform.python_version() in found["python"]["detail"]
    assert found["numpy"]["detail"] == np.__version__
    assert found["threads"]["detail"].startswith(f"{len(os.sched_getaffinity(0))} of ")
    for name in ("processor", "memory", "float32", "float64", "OpenBLAS"):
        assert found[name]["status"] == "ok"
    assert "CUDA" in found
    assert {"GPU", "nvcc", "mpirun", "mpi4py"} <= set(found)


def test_missing_options_come_with_a_line_to_type_and_do_not_fail(ravine) -> None:
    done = ravine("doctor", PATH="/nowhere")
    assert done.code == 0
    assert "GPU" in done.out
    assert "everything essential works" in done.out


def test_a_broken_essential_fails(tmp_path: Path) -> None:
    code = (
        "import sys\nimport ravine.commands.doctor as doctor\nfrom ravine.cli import main\n"
        "def packages(): raise ImportError('libdnnl.so.3 is missing')\n"
        "doctor.packages = packages\nsys.exit(main(['doctor']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "broken   packages" in done.stdout
    assert "libdnnl.so.3 is missing" in done.stdout


def test_it_does_not_advise_what_would_not_help(ravine) -> None:
    """There is no CUDA backend yet: neither a compiler nor another build brings one."""
    done = ravine("doctor", PATH="/nowhere")
    assert "this version of Ravine has no CUDA backend" in done.out
    advice = done.out.partition("to get what is missing:")[2]
    assert "CUDA" not in advice
    assert "nvcc" not in advice
