"""benchmarks/gpu.py: its parts, and a whole run of tiny sizes. Nothing here looks at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def times(minimum: float, median: float) -> dict[str, float]:
    return {"minimum": minimum, "median": median}


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, imported as it runs."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return __import__("gpu")


def test_the_row_of_a_workload_has_the_fastest_form(gpu: Any) -> None:
    comparison = gpu.COMPARISONS["resnet20"]
    measured = {"Ravine": times(10, 12), "compiled": times(40, 44), "compiled, graphs": times(15, 30)}
    row = gpu.cells("resnet20", comparison, measured)
    assert row == ["resnet20", "512", "10.0", "12.0", "15.0 compiled, graphs", "30.0", "1.50", "2.50", "1.2"]
    alone = gpu.cells("resnet20", comparison, {"Ravine": times(10, 12)})
    assert len(alone) == len(row)
    assert alone[4] == "-"


def test_adam_is_given_in_bytes_a_second(gpu: Any) -> None:
    """700 MB in a millisecond, and 2 GiB in two."""
    rows = gpu.adam_cells({"Ravine": times(1000, 1100), "copy": times(2000, 2000)})
    assert rows[0] == ["Ravine", "1,000.0", "1,100.0", "700", "65%"]
    assert rows[1][3:] == ["1,074", "100%"]
    assert gpu.adam_cells({"Ravine": times(1000, 1100)})[0][-1] == "-"


def test_both_tables_are_written(gpu: Any) -> None:
    text = gpu.body({"lenet": {"Ravine": times(1, 1)}, gpu.ADAM: {"Ravine": times(1, 1)}})
    first, second = text.split("\n\n")
    for part in (first, second):
        assert len({line.count("|") for line in part.splitlines()}) == 1
    assert "lenet" in first
    assert "goal 85%" in second


def test_without_a_card_it_says_so_in_one_line(tmp_path: Path) -> None:
    words = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cuda:77", "--output", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("bench-gpu: there is no cuda:77 that can be used")
    assert not list(tmp_path.glob("gpu.*"))


def test_pytorch_does_the_same_steps(gpu: Any) -> None:
    """On the processor, since its GPU may be missing; with autocast, too."""
    pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
    in_pytorch_cuda = __import__("in_pytorch_cuda")
    for dtype in ("float32", "bfloat16"):
        workload = replace(gpu.BY_NAME["digits_mlp"].quick(), dtype=dtype)
        assert in_pytorch_cuda.prepare(workload, "cpu")() == 2


def test_a_whole_run(device: str, tmp_path: Path) -> None:
    if device == "cpu":
        pytest.skip("runs on a device: give it with --device")
    words = ["--quick", "--without-peers", "--only", "digits_mlp", "--output", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "gpu.py"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "gpu.json").read_text())
    assert list(results["rows"]) == ["digits_mlp"]
    text = (tmp_path / "gpu.md").read_text()
    assert "cuda:0 is " in text
    assert "compute capability" in text
