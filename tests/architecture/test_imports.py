"""Who may import whom in Python, and what nobody may."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What a part of the package may import of Ravine beside itself; the front (model, cli, ...) is free.
MAY_IMPORT = {
    "ravine.errors": set(),
    "ravine.data": {"ravine.errors", "ravine._core"},
    "ravine.distributions": {"ravine.errors"},
    "ravine.runs": {"ravine.errors", "ravine.distributions"},
    "ravine.distributed": {"ravine.errors", "ravine._core"},
}
WIDGETS = ("PySide6.QtWidgets", "PySide6.QtGui", "PySide6.QtSvg", "PySide6.QtOpenGL", "pyqtgraph")
MUST_NOT_IMPORT = {
    "ravine.training": {"ravine.lab", "ravine.commands", "ravine.cli"},
    "ravine.lab": {"ravine.commands", "ravine.cli"},
    "ravine.gui.state": {"ravine.gui.widgets", "ravine.gui.plots", "ravine.gui.exports", *WIDGETS},
    "ravine.gui.plots": {"ravine.gui.widgets"},
    "ravine": {"ravine.gui"},
}
MAY_USE_THE_APP = ("ravine.gui", "ravine.commands.app")
APP = ("python/ravine/gui/", "benchmarks/app.py", "tools/screenshots.py")
ONLY_IN = {  # a library, and the places that import it
    "mpi4py": ("python/ravine/distributed/mpi.py",),
    **dict.fromkeys(["PySide6", "PySide2", "PyQt6", "PyQt5", "pyqtgraph", "qtpy", "shiboken6"], APP),
}
NOWHERE = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "joblib", "marshal"}
CYTHON_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import\s+(.*)|c?import\s+([\w.]+))")


def inside(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def module_of(path: Path, package_root: Path) -> str:
    parts = path.relative_to(package_root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, module: str) -> list[tuple[int, str]]:
    """Every import of a file, with the line; `from a import b` counts as a.b, which may be a module."""
    text = path.read_text(encoding="utf-8")
    found = []
    if path.suffix != ".py":
        for number, line in enumerate(text.splitlines(), 1):
            if match := CYTHON_IMPORT.match(line):
                found.append((number, match[3] or match[1]))
                found += [
                    (number, f"{match[1]}.{name.split()[0]}")
                    for name in (match[2] or "").split(",")
                    if name.strip()
                ]
        return found
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            found += [(node.lineno, f"{base}.{name.name}") for name in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            first = node.args[0] if node.args else None
            if name in {"import_module", "__import__"} and isinstance(first, ast.Constant):
                found.append((node.lineno, str(first.value)))
            if any(
                k.arg == "allow_pickle" and getattr(k.value, "value", True) is not False
                for k in node.keywords
            ):
                found.append((node.lineno, "pickle"))
    return found


def import_faults(root: Path) -> list[str]:
    """Every import below root/python, examples, benchmarks and tools that breaks a rule."""
    faults = []
    for folder in ("python", "examples", "benchmarks", "tools"):
        for path in sorted(p for p in (root / folder).rglob("*") if p.suffix in {".py", ".pyx", ".pxd"}):
            name = path.relative_to(root).as_posix()
            module = module_of(path, root / folder)
            for line, target in imports_of(path, module):
                where = f"{name}:{line}"
                top = target.split(".")[0]
                if top in NOWHERE:
                    faults.append(f"{where}: nobody imports {top}: it runs what it reads")
                if top in ONLY_IN and not name.startswith(ONLY_IN[top]):
                    faults.append(f"{where}: only {ONLY_IN[top][0]} imports {top}")
                for part, allowed in MAY_IMPORT.items():
                    own = inside(module, part) and top == "ravine"
                    if own and not any(inside(target, other) for other in {part} | allowed):
                        faults.append(f"{where}: {part} must not import {target}")
                app = any(inside(module, part) for part in MAY_USE_THE_APP)
                for part, forbidden in MUST_NOT_IMPORT.items():
                    if part == "ravine" and app:
                        continue
                    if inside(module, part) and any(inside(target, other) for other in forbidden):
                        faults.append(f"{where}: {part} must not import {target}")
    return faults


def test_imports():
    assert import_faults(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "fault"),
    [
        (
            "python/ravine/data/a.py",
            "from ravine.runs import store",
            "ravine.data must not import ravine.runs",
        ),
        ("python/ravine/data/a.py", "from .. import training", "ravine.data must not import ravine.training"),
        (
            "python/ravine/data/__init__.py",
            "from ..runs.store import x",
            "ravine.data must not import ravine.runs",
        ),
        (
            "python/ravine/data/_a.pyx",
            "from ravine.runs cimport x",
            "ravine.data must not import ravine.runs",
        ),
        ("python/ravine/runs/a.py", "import ravine.data.idx", "ravine.runs must not import ravine.data"),
        ("python/ravine/runs/a.py", "def f():\n    import ravine.training", "ravine.runs must not import"),
        (
            "python/ravine/runs/a.py",
            "import importlib\nimportlib.import_module('ravine.data')",
            "ravine.runs must not",
        ),
        ("python/ravine/errors.py", "import ravine.data", "ravine.errors must not import"),
        (
            "python/ravine/training/a.py",
            "from ravine import lab",
            "ravine.training must not import ravine.lab",
        ),
        (
            "python/ravine/training/a.py",
            "from ravine.commands.train import x",
            "ravine.training must not import",
        ),
        ("python/ravine/model.py", "import ravine.gui.state", "ravine must not import ravine.gui"),
        ("python/ravine/model.py", "from PySide6 import QtCore", "only python/ravine/gui/ imports PySide6"),
        ("python/ravine/gui/state/a.py", "from PySide6 import QtWidgets", "ravine.gui.state must not import"),
        ("python/ravine/gui/state/a.py", "import pyqtgraph", "ravine.gui.state must not import pyqtgraph"),
        (
            "python/ravine/gui/state/a.py",
            "from ravine.gui.widgets import form",
            "ravine.gui.state must not import ravine.gui.widgets",
        ),
        ("python/ravine/distributed/serial.py", "from mpi4py import MPI", "mpi.py imports mpi4py"),
        ("python/ravine/training/a.py", "import pickle as p", "nobody imports pickle"),
        ("tools/a.py", "from joblib import load", "nobody imports joblib"),
        (
            "python/ravine/data/a.py",
            "import numpy\nnumpy.load('a', allow_pickle=True)",
            "nobody imports pickle",
        ),
    ],
)
def test_a_fault_is_found(tmp_path, file, line, fault):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")
    faults = import_faults(tmp_path)
    assert faults
    assert all(fault in found for found in faults)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (
            "python/ravine/data/a.py",
            "from ravine import _core\nfrom ravine.errors import InputError\nfrom .b import c",
        ),
        ("python/ravine/training/a.py", "from ravine.data.idx import read\nfrom ravine.runs import store"),
        ("python/ravine/distributed/mpi.py", "from mpi4py import MPI"),
        ("python/ravine/gui/widgets/a.py", "from PySide6 import QtWidgets\nfrom ravine.gui import state"),
        ("python/ravine/gui/state/a.py", "from PySide6 import QtCore"),
        ("python/ravine/commands/app.py", "from ravine.gui.application import start"),
        ("python/ravine/data/a.py", "import numpy\nnumpy.load('a', allow_pickle=False)  # import pickle"),
    ],
)
def test_allowed_imports(tmp_path, file, line):
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(line + "\n")
    assert import_faults(tmp_path) == []
