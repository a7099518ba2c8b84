"""cuDNN takes the graphs of convolutions and has plans for them, on cards that need not be there."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "build" / "editable" / "tests" / "ravine_cudnn_plans"


def libraries() -> str:
    """Where the wheels' libraries are, and what the environment names."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    found = [str(folder / part / "lib") for folder in folders for part in ("cudnn", "cu13")]
    return os.pathsep.join([*found, os.environ.get("LD_LIBRARY_PATH", "")])


@functools.cache
def plans(card: str) -> dict[tuple[str, str, str], str]:
    """By shape, format and kind: the engine, or none."""
    if not PROGRAM.exists():
        pytest.skip("ravine_cudnn_plans is not built: it comes with the twin")
    done = subprocess.run(
        [str(PROGRAM), card],
        env=os.environ | {"LD_LIBRARY_PATH": libraries()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.partition(": ") for line in done.stdout.splitlines() if line.startswith(card)]
    assert len(lines) == 13 * 4 * 4
    return {tuple(key.split(", ")[1:]): plan for key, _, plan in lines}


KINDS = ["forward", "forward with bias and relu", "input gradient", "weight gradient"]


@pytest.mark.parametrize("card", ["sm_75", "sm_80", "sm_90", "sm_100"])
def test_float32(card):
    """Tensors whose channels fill vectors have a plan of every kind, without TF32 and with it."""
    found = plans(card)
    for kind in KINDS:
        for form in ("float32", "tf32"):
            for shape in ("lenet 2", "resnet 64", "groups", "a group a channel"):
                assert found[shape, form, kind].startswith("engine"), (shape, form, kind)


@pytest.mark.parametrize("card", ["sm_80", "sm_90", "sm_100"])
def test_bfloat16(card):
    """Every shape has a plan of every kind; bias and relu are fused by kernels compiled beside a driver."""
    found = plans(card)
    for (shape, form, kind), plan in found.items():
        if form == "bfloat16" and "bias" not in kind:
            assert plan.startswith("engine"), (shape, kind)


def test_tensor_cores_round_float32_only_by_choice():
    found = plans("sm_90")
    engines = {form: found["resnet 64", form, "forward"] for form in ("float32", "tf32")}
    assert engines["float32"] != engines["tf32"]
