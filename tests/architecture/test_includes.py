"""Who may include whom in core/, and where headers of other libraries and #ifdef CUDA may stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = {"layers", "losses", "initializers", "optimizers", "schedules"}
LOWER = {"base", "rules", "communication", "backend"}
MAY_INCLUDE = {
    "base": set(),
    "rules": {"base"},
    "communication": {"base"},
    "backend": {"base", "rules", "communication"},
    **{component: LOWER for component in COMPONENTS},
    "network": LOWER | COMPONENTS,
    "catalog": LOWER | COMPONENTS | {"network"},
}
# Which headers belong to which folder alone.
OWNED = [
    (re.compile(r"(oneapi/)?dnnl|.*cblas|omp\.h|.*lapack"), "backend/cpu"),
    (
        re.compile(
            r"cuda|cublas|cudnn|cufft|curand|cusparse|nvrtc|nvtx|nccl|cooperative_groups|thrust/|cub/"
        ),
        "backend/cuda",
    ),
    (re.compile(r"Python\.h|pybind11/|numpy/|mpi\.h"), "(nowhere in core)"),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif|elifdef)\b.*(CUDA|NVCC)")
MAY_ASK_FOR_CUDA = {"base/host_device.h"}  # where one macro hides the difference


def include_faults(core: Path) -> list[str]:
    """Every line of core/ that breaks a rule, as "file:line: what"."""
    faults = []
    for path in sorted(p for p in core.rglob("*") if p.suffix in {".h", ".cpp", ".cu", ".cuh"}):
        name = path.relative_to(core).as_posix()
        layer = name.split("/")[0]
        if layer not in MAY_INCLUDE:
            faults.append(f"{name}: '{layer}' is no layer of the architecture")
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if (
                CONDITIONAL.match(line)
                and name not in MAY_ASK_FOR_CUDA
                and not name.startswith("backend/cuda/")
            ):
                faults.append(f"{name}:{number}: asks for CUDA; CMake chooses the folder instead")
            found = INCLUDE.match(line)
            if not found:
                continue
            quote, target = found.groups()
            own = target.split("/")[0]
            if quote == '"' and own not in {layer} | MAY_INCLUDE[layer]:
                faults.append(f"{name}:{number}: {layer} must not include {target}")
            for pattern, owner in OWNED:
                if pattern.match(target) and not name.startswith(owner + "/"):
                    faults.append(f"{name}:{number}: only {owner} includes {target}")
    return faults


def test_includes_of_the_core():
    assert include_faults(ROOT / "core") == []
    assert len(list((ROOT / "core").rglob("*.h"))) > 20


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        ("rules/a.h", '#include "backend/backend.h"', "rules must not include"),
        ("backend/a.h", '#include "layers/layer.h"', "backend must not include"),
        ("layers/a.cpp", '  #  include "optimizers/optimizer.h"', "layers must not include"),
        ("layers/a.cpp", '#include "network/graph.h"', "layers must not include"),
        ("communication/a.cpp", '#include "backend/backend.h"', "communication must not include"),
        ("communication/a.cpp", "#include <mpi.h>", "nowhere"),
        ("network/a.cpp", '#include "catalog/catalog.h"', "network must not include"),
        ("layers/a.cpp", "#include <omp.h>", "only backend/cpu includes"),
        ("backend/a.cpp", "#include <cblas.h>", "only backend/cpu includes"),
        ("backend/cuda/a.cu", "#include <oneapi/dnnl/dnnl.hpp>", "only backend/cpu includes"),
        ("backend/cpu/a.cpp", "#include <cuda_runtime.h>", "only backend/cuda includes"),
        ("base/a.cpp", "#include <pybind11/pybind11.h>", "nowhere"),
        ("layers/a.cpp", "#ifdef RAVINE_CUDA", "asks for CUDA"),
        ("network/a.cpp", "#if defined(__CUDACC__)", "asks for CUDA"),
        ("other/a.h", "", "no layer"),
    ],
)
def test_a_fault_is_found(tmp_path, file, line, fault):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f"// a comment\n{line}\n")
    assert len(include_faults(tmp_path)) == 1
    assert fault in include_faults(tmp_path)[0]


def test_allowed_lines(tmp_path):
    for file, line in [
        ("catalog/a.cpp", '#include "network/spec.h"'),
        ("backend/cpu/a.cpp", "#include <omp.h>"),
        ("backend/cuda/a.cu", "#include <cublas_v2.h>"),
        ("rules/a.h", '// like #include "network/graph.h"'),
    ]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(line + "\n")
    assert include_faults(tmp_path) == []
