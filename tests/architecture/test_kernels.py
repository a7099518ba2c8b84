"""An operation of a plan has its kernel, or docs/gpu.md says that a GPU lacks it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = re.compile(r"using Operation =\s*std::variant<([^;]*)>;")
PREPARED = re.compile(r"Prepared operator\(\)\(const (?:ravine::)?(\w+)& o\)")


def kernel_faults(program: str, prepared: str, page: str) -> list[str]:
    """Operations of program.h that neither program.cpp of the CUDA backend prepares nor its page names."""
    listed = LIST.search(program)
    assert listed is not None
    operations = re.findall(r"\w+", listed[1])
    there = set(PREPARED.findall(prepared))
    lacking = page.partition("\n## What is not there\n")[2].partition("\n## ")[0]
    faults = [
        f"{name}: add its kernel to core/backend/cuda, or say in docs/gpu.md that it lacks"
        for name in operations
        if name not in there and f"`{name}`" not in lacking
    ]
    faults += [
        f"{name}: docs/gpu.md says that it lacks"
        for name in operations
        if name in there and f"`{name}`" in lacking
    ]
    return faults


def test_an_operation_has_its_kernel() -> None:
    texts = [
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("core/backend/program.h", "core/backend/cuda/program.cpp", "docs/gpu.md")
    ]
    assert kernel_faults(*texts) == []
    assert len(PREPARED.findall(texts[1])) >= 28


def test_what_lacks_is_found() -> None:
    program = "using Operation =\n    std::variant<Add, Fold, Unfold>;\n"
    prepared = "Prepared operator()(const Add& o) const {"
    page = "# GPU\n\n## What is not there\n\n`Fold`.\n\n## Other\n\n`Unfold`\n"
    assert [fault.split(":")[0] for fault in kernel_faults(program, prepared, page)] == ["Unfold"]
    both = prepared + "Prepared operator()(const ravine::Fold& o) const {"
    assert kernel_faults(program, both, page)[-1] == "Fold: docs/gpu.md says that it lacks"
