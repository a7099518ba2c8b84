"""What `ravine doctor` says of training on GPUs: driver, cards, NVIDIA's libraries, compiler."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from ravine.commands.finding import Finding

LIBRARIES = {
    "cuBLASLt": "products",
    "cuDNN": "convolutions, which are slower without it",
    "NCCL": "training on several GPUs, which is slower without it",
}
INSTALL = f"{sys.executable} -m pip install 'ravine[cuda13]'"
DRIVER = Path("/proc/driver/nvidia/version")
BUS = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAYS = "0x10de", ("0x0300", "0x0302")  # PCI vendor and classes


def is_of_gpus(name: str) -> bool:
    """Whether a line of the core's report is about GPUs."""
    return name == "CUDA" or name.startswith("cuda:") or name in LIBRARIES


def gpu() -> list[Finding]:
    """All of it is optional; a line to type is given where it would help."""
    from ravine import _core

    report = [row for row in _core.report() if is_of_gpus(row[0])]
    driver, cards = driver_version(), cards_on_bus()
    there = bool(driver) or any(name.startswith("cuda:") for name, _, _ in report)
    findings = []
    if driver:
        findings.append(Finding("NVIDIA driver", "ok", driver))
    elif cards and not there:
        seen = f"there is none, but {cards} GPU{'s' if cards > 1 else ''} of NVIDIA on the PCI bus"
        findings.append(
            Finding("NVIDIA driver", "missing", seen, "install NVIDIA's driver 580 or newer, then restart")
        )
    elif not there:
        findings.append(Finding("NVIDIA driver", "missing", "there is none; training uses the processor"))
    for name, available, detail in report:
        fix = ""
        if there and not available:
            fix = remedy(name, detail)
        if name in LIBRARIES and not available:
            detail = f"{detail.partition(':')[0]}; for {LIBRARIES[name]}"
        findings.append(Finding(name, "ok" if available else "missing", detail, fix))
    nvcc = shutil.which("nvcc")
    findings.append(
        Finding("nvcc", "ok" if nvcc else "missing", nvcc or "only needed to build the CUDA backend")
    )
    return findings


def remedy(name: str, detail: str) -> str:
    """What to type, or to do, where a machine with a driver lacks something."""
    if name in LIBRARIES:
        return INSTALL
    for words, fix in (
        ("built without", "put nvcc of CUDA 13 on PATH, then build again: make build"),
        ("cannot be opened", f"{sys.executable} -m pip install --force-reinstall ravine"),
        ("another build", f"{sys.executable} -m pip install --force-reinstall ravine"),
        ("serves CUDA", "install NVIDIA's driver 580 or newer, then restart"),
        ("shows no card", "unset CUDA_VISIBLE_DEVICES"),
    ):
        if words in detail:
            return fix
    return ""


def driver_version() -> str:
    """Of the kernel module that is loaded, or in the words of nvidia-smi; nothing without a driver."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        text = DRIVER.read_text()
    except OSError:
        try:
            text = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            return ""
    found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", text)
    return found[0] if found else ""


def cards_on_bus() -> int:
    """GPUs of NVIDIA that the machine has, with a driver or without."""
    try:
        return sum(
            (device / "vendor").read_text().strip() == NVIDIA
            and (device / "class").read_text().startswith(DISPLAYS)
            for device in BUS.iterdir()
        )
    except OSError:
        return 0
