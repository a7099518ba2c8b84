"""`ravine doctor`: what this machine offers, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ravine.commands.doctor_gpu import gpu, is_of_gpus
from ravine.commands.doctor_mpi import mpi, other_hosts
from ravine.commands.finding import Finding
from ravine.commands.output import byte_count, print_json

HELP = "check processor, libraries, threads, GPU and MPI, and say what is missing"
EXAMPLE = "ravine doctor --json"
BROKEN = 1
# Features that the four levels of the x86-64 psABI add, under the kernel's names.
LEVELS = {
    "x86-64-v2": {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"},
    "x86-64-v3": {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    machines = parser.add_mutually_exclusive_group()
    machines.add_argument("--hosts", metavar="A,B", help="also check machines to train on, over ssh")
    machines.add_argument("--hostfile", type=Path, metavar="FILE", help="the same, those of a file")


def run(arguments: argparse.Namespace) -> int:
    checks = (machine, packages, backends, threads, arithmetic, gpu, mpi)
    findings = [finding for check in checks for finding in guarded(check)]
    findings += other_hosts(arguments.hosts, arguments.hostfile)
    broken = [finding for finding in findings if finding.status == "broken"]
    if arguments.json:
        print_json({"ok": not broken, "findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{finding.status:<7}  {finding.name:<{width}}  {finding.detail}")
        if fixes := [finding for finding in findings if finding.fix]:
            print("\nto get what is missing:")
            for finding in fixes:
                print(f"  {finding.name}: {finding.fix}")
        print(
            f"\n{'broken: ' + ', '.join(f.name for f in broken) if broken else 'everything essential works'}"
        )
    return BROKEN if broken else 0


def guarded(check: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings of a check; one that fails is itself a finding."""
    try:
        return check()
    except Exception as error:
        fix = f"{sys.executable} -m pip install --force-reinstall ravine"
        return [Finding(check.__name__, "broken", f"{type(error).__name__}: {error}", fix)]


def machine() -> list[Finding]:
    """Processor, memory, system and Python."""
    model, flags = processor()
    level = "x86-64"
    for name, features in LEVELS.items():
        if not features <= flags:
            break
        level = name
    if platform.machine() not in ("x86_64", "AMD64"):
        level = platform.machine()
    total, free = memory()
    return [
        Finding("processor", "ok", f"{model}, level {level}"),
        Finding("memory", "ok", f"{byte_count(total)}, {byte_count(free)} available"),
        Finding("system", "ok", f"{platform.system()} {platform.release()}"),
        Finding("python", "ok", f"{platform.python_version()} in {sys.prefix}"),
    ]


def processor() -> tuple[str, set[str]]:
    """Model and features of the first processor, as Linux tells them."""
    model, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            elif key.strip() == "flags":
                flags = set(value.split())
                break
    except OSError:
        pass
    return model, flags


def memory() -> tuple[int, int]:
    """Bytes in the machine, or in the share that a container may use, and bytes available."""
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = 1024 * int(line.split()[1])
    except OSError:
        pass
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):  # no container, or "max"
        return total, free
    return min(total, limit), min(free, max(0, limit - used))


def packages() -> list[Finding]:
    """The Python packages that Ravine needs, and those that some data need."""
    import importlib.metadata

    from ravine import _core

    findings = [Finding("ravine", "ok", _core.__version__)]
    for name in ("numpy", "msgspec", "tomli-w", "safetensors", "rich"):
        try:
            findings.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            fix = f"{sys.executable} -m pip install {name}"
            findings.append(Finding(name, "broken", "is not installed", fix))
    for name, use in (("pyarrow", "tables"), ("Pillow", "pictures")):
        try:
            findings.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            fix = f'{sys.executable} -m pip install "ravine[data]"'
            findings.append(Finding(name, "missing", f"only needed to read {use}", fix))
    return findings


def backends() -> list[Finding]:
    """What the core was built with for processors."""
    from ravine import _core

    fixes = {
        "oneDNN": f"{sys.executable} -m pip install onednn-cpu-gomp onednn-devel-cpu-gomp, then build again",
    }
    return [
        Finding(name, "ok" if there else "missing", detail, "" if there else fixes.get(name, ""))
        for name, there, detail in _core.report()
        if not is_of_gpus(name)
    ]


def threads() -> list[Finding]:
    """How many workers training may use."""
    from ravine import _core

    count = _core.available_processors()
    cores = f"{count} of {os.cpu_count() or count} processors may be used"
    return [Finding("threads", "ok", f'{cores}; "auto" takes up to {count}, as many as are the fastest')]


def arithmetic() -> list[Finding]:
    """A small network of both types gives what NumPy gives."""
    import numpy as np

    from ravine import _core

    findings = []
    for dtype, tolerance in (("float32", 1e-5), ("float64", 1e-12)):
        spec = _core.NetworkSpec([37])
        spec.add({"type": "dense", "units": 19, "activation": "tanh"})
        network = _core.Network(
            spec, "squared_error", batch_size=8, dtype=dtype, device="cpu", threads=1, seed=1
        )
        inputs = np.linspace(-1, 1, 8 * 37).reshape(8, 37).astype(dtype)
        weight, bias = network.parameters.values()
        difference = float(np.abs(network.forward(inputs) - np.tanh(inputs @ weight.T + bias)).max())
        right = difference < tolerance
        detail = (
            f"agrees with NumPy to {difference:.0e}" if right else f"differs from NumPy by {difference:.0e}"
        )
        findings.append(Finding(dtype, "ok" if right else "broken", detail))
    return findings
