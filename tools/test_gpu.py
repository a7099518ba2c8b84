"""The tests that need a GPU, one part after the other, and a summary: `make test-gpu`.

Usage: test_gpu.py [--check] [PART ...]

    --check  says whether there is a GPU, in one line, and does nothing else
    PART     build, cuda, contracts, memcheck, racecheck, initcheck; without any, all of them

Nothing is installed or fetched: the Python that runs this has what it needs, or a line says what it lacks.
Logs and the summary are left in build/test-gpu. Returns 0 where all is well, 1 where a part failed, 2 where
it cannot begin.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "test-gpu"
NEEDED = (
    "numpy", "pybind11", "Cython", "scipy_openblas32", "setuptools", "msgspec", "tomli_w", "safetensors",
    "rich", "pytest", "hypothesis",
)  # fmt: skip
TESTED = ("tests/cuda", "tests/contracts")
# Tests that together run every kernel: the sanitizers slow every thread down by tens of times.
SANITIZED = (
    "every_layer", "every_loss_with_all_its_settings", "every_activation", "every_rule", "fused_forms",
    "every_normalization_in_a_training", "gradients_that_meet", "windows_of_a_whole_image",
    "sums_of_many_rows", "penalties_clipping_and_groups", "parts_of_a_batch_weights_and_mixtures", "averages",
    "what_is_not_finite", "trains_as_the_cpu_does", "an_epoch_with_a_smaller_last_batch", "full_batch_rules",
    "by_hand",
)  # fmt: skip
SANITIZERS = {
    "memcheck": ["--leak-check", "no"],
    "racecheck": ["--racecheck-report", "all"],
    "initcheck": [],
}
PARTS = ("build", "cuda", "contracts", *SANITIZERS)
FOUND = 99  # what compute-sanitizer returns where it has found something
FAILED, UNREADY = 1, 2


@dataclass(frozen=True)
class Outcome:
    """How a part went: "ok", or what was wrong; its last line of output, and its seconds."""

    part: str
    result: str
    detail: str
    seconds: float


def why_no_gpu() -> str:
    """Nothing where the driver shows a GPU, or where a library of the backend is named, as tests do."""
    if os.environ.get("RAVINE_CUDA_LIBRARY"):
        return ""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver here (libcuda.so.1 was not found)"
    count = ctypes.c_int()
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "the NVIDIA driver shows no GPU here"
    return ""


def why_not_ready(parts: Sequence[str]) -> str:
    """What is missing to run these parts; nothing where all is there."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        return f"{sys.executable} lacks {', '.join(absent)}"
    for tool in ("cmake", "ninja", "g++", "nvcc"):
        if "build" in parts and shutil.which(tool) is None:
            return f"{tool} is not on PATH, which building needs"
    if set(parts) & set(SANITIZERS) and not sanitizer():
        return "compute-sanitizer is not on PATH; it comes with the CUDA toolkit (nvidia-cuda-sanitizer-api)"
    return ""


def sanitizer() -> str:
    """compute-sanitizer: on PATH, or beside nvcc; nothing where it is not."""
    beside = Path(shutil.which("nvcc") or "nvcc").resolve().parent / "compute-sanitizer"
    return shutil.which("compute-sanitizer") or (str(beside) if beside.is_file() else "")


def command(part: str) -> list[str]:
    """What a part runs."""
    pytest = [sys.executable, "-m", "pytest", "-q", "--device", "cuda"]
    if part == "build":
        return [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    if part in SANITIZERS:
        checked = [sanitizer(), "--tool", part, "--error-exitcode", str(FOUND), *SANITIZERS[part]]
        return [
            *checked,
            *pytest,
            "-p",
            "no:xdist",
            "tests/cuda",
            "-k",
            " or ".join(f"test_{name}" for name in SANITIZED),
        ]
    # Several processes share the card, for most of a small test is its host.
    several = ["--numprocesses=4"] if importlib.util.find_spec("xdist") else []
    return [*pytest, *several, f"tests/{part}"]


def start_part(part: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Its process, with both streams in one."""
    return subprocess.Popen(
        command(part), cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def run(part: str) -> Outcome:
    """Runs a part, and shows what it prints."""
    print(f"\033[1m== {part}\033[0m", flush=True)
    start = time.monotonic()
    log = LOGS / f"{part}.log"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python"), "PYTHONUNBUFFERED": "1"}
    last = ""
    with log.open("w", encoding="utf-8") as file, start_part(part, environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            print(line, end="", flush=True)
            last = line.strip() or last
    code = process.returncode
    result = "ok" if code == 0 else f"failed ({code})"
    if code == FOUND:
        result = f"{part} has found something"
    return Outcome(part, result, last.strip("= "), time.monotonic() - start)


def card() -> str:
    """What the built backend says of cuda:0; nothing where it cannot be used."""
    code = (
        "from ravine.devices import gpus; print(*(f'{one.name}: {one.detail}' for one in gpus()), sep='; ')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def summary(outcomes: Sequence[Outcome], cards: str) -> str:
    """A table in Markdown."""
    rows = [f"| {one.part} | {one.result} | {one.detail} | {one.seconds:.0f} |" for one in outcomes]
    head = ["| part | result | last line | seconds |", "| --- | --- | --- | --- |"]
    return "\n".join([f"On {cards or 'no GPU that can be used'}:", "", *head, *rows])


def main(words: Sequence[str]) -> int:
    parts = [word for word in words if word != "--check"] or list(PARTS)
    unknown = [part for part in parts if part not in PARTS]
    missing = f"there is no part {unknown[0]}; there are {', '.join(PARTS)}" if unknown else why_no_gpu()
    if not missing and "--check" not in words:
        missing = why_not_ready(parts)
    if missing:
        print(f"test-gpu: {missing}", file=sys.stderr)
        return UNREADY
    if "--check" in words:
        return 0
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    LOGS.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for part in parts:
        outcomes.append(run(part))
        if part == "build" and outcomes[-1].result != "ok":
            break
        if part == "build" and not card():
            outcomes.append(Outcome("card", "failed", "see `ravine doctor`", 0))
            break
    text = summary(outcomes, card())
    (LOGS / "summary.md").write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}")
    return FAILED if any(one.result != "ok" for one in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
