"""`ravine doctor`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


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
    assert {"nvcc", "mpirun", "mpi4py"} <= set(found)


def test_missing_options_come_with_a_line_to_type_and_do_not_fail(ravine) -> None:
    done = ravine("doctor", PATH="/nowhere")
    assert done.code == 0
    assert "nvcc" in done.out
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
    """No line to type brings a card, or a driver for one that may not be there."""
    done = ravine("doctor", PATH="/nowhere")
    assert "CUDA" in done.out
    advice = done.out.partition("to get what is missing:")[2]
    assert "CUDA" not in advice
    assert "nvcc" not in advice


def test_mpi_is_described(ravine) -> None:
    pytest.importorskip("mpi4py")
    found = {one["name"]: one for one in ravine("doctor", "--json").json["findings"]}
    from mpi4py import MPI

    assert found["mpi4py"]["status"] == found["MPI"]["status"] == "ok"
    assert MPI.Get_library_version().startswith(found["MPI"]["detail"].partition(", standard")[0])
    assert found["MPI threads"]["detail"] == "MPI_THREAD_MULTIPLE"
    assert found["mpirun"]["detail"].startswith("/")


SSH = """#!/bin/sh
echo "$@" >>ssh-words
for host; do case $host in far*) break; esac; done
case $host in
  far-away) echo 'ssh: connect to host far-away: No route to host' >&2; exit 255 ;;
  far-unknown) echo 'ssh: Could not resolve hostname far-unknown: Name or service not known' >&2; exit 255 ;;
  far-closed) echo 'far-closed: Permission denied (publickey,password).' >&2; exit 255 ;;
  far-bare) echo 'sh: 1: python: not found' >&2; exit 127 ;;
  far-old) echo '["0.0.1", "far-old"]' ;;
  far-good) echo 'Welcome!'; echo "[\\"$VERSION\\", \\"far-good\\"]" ;;
  far-twin) echo "[\\"$VERSION\\", \\"far-good\\"]" ;;
esac
"""


def test_other_machines_are_checked(ravine, tmp_path) -> None:
    from ravine import _core

    program = tmp_path / "ssh"
    program.write_text(SSH)
    program.chmod(0o755)
    names = ("good", "away", "unknown", "closed", "bare", "old", "twin")
    done = ravine(
        "doctor", "--json", "--hosts", ",".join(f"far-{name}:2" for name in names),
        PATH=f"{tmp_path}:{os.environ['PATH']}", VERSION=_core.__version__,
    )  # fmt: skip
    assert done.code == 1
    found = {one["name"].removeprefix("host far-"): one for one in done.json["findings"]}
    assert found["good"]["status"] == "ok"
    assert found["good"]["detail"] == f"calls itself far-good, has Ravine {_core.__version__}"
    for name, detail, fix in (
        ("away", "ssh does not get there: ssh: connect to host far-away: No route to host", ""),
        ("unknown", "ssh does not get there: ssh: Could not resolve", "add its address to /etc/hosts"),
        ("closed", "ssh does not get there: far-closed: Permission denied", "ssh-copy-id far-closed"),
        ("bare", f"has no Ravine with MPI at {sys.executable}: sh: 1: python: not found", "ssh far-bare"),
        ("old", f"has Ravine 0.0.1, this machine {_core.__version__}", "ssh far-old"),
        ("twin", "calls itself far-good, as host far-good does", "hostnamectl set-hostname"),
    ):
        assert found[name]["status"] == "broken"
        assert found[name]["detail"].startswith(detail)
        assert fix in found[name]["fix"]
    assert "-o BatchMode=yes" in (tmp_path / "ssh-words").read_text()
