"""No file grows past what can be read in one sitting, and a new rule costs four places."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 450
FOLDERS = ("core", "python", "tests", "examples", "benchmarks", "tools", "docs")
CODE = {".h", ".cpp", ".cu", ".cuh", ".py", ".pyx", ".pxd", ".pyi", ".cmake"}
SKIPPED = {"__pycache__", "build", ".mypy_cache"}
GENERATED = "do not edit"  # in the first line of files that a tool writes


def code_files(root: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in CODE or not path.is_file() or SKIPPED & set(path.relative_to(root).parts):
                continue
            if GENERATED not in path.read_text(encoding="utf-8")[:200]:
                yield path


def long_files(root: Path) -> list[str]:
    faults = []
    for path in code_files(root, FOLDERS):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LONGEST:
            faults.append(f"{path.relative_to(root).as_posix()}: {lines} lines, at most {LONGEST}")
    return faults


def test_file_sizes():
    assert long_files(ROOT) == []


def test_a_long_file_is_found(tmp_path):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "a.cpp").write_text("\n" * (LONGEST + 1))
    (tmp_path / "core" / "b.cpp").write_text("\n" * LONGEST)
    assert long_files(tmp_path) == [f"core/a.cpp: {LONGEST + 1} lines, at most {LONGEST}"]


# The families of rules: folder of core/rules, kind in the catalog.
FAMILIES = [
    ("activations", "activation"),
    ("losses", "loss"),
    ("updates", "optimizer"),
    ("schedules", "schedule"),
]
NAME = re.compile(r'static constexpr std::string_view name = "(\w+)"')
STRUCT = re.compile(r"^struct (\w+) ", re.MULTILINE)
# Rules that are used by name for what they are; no new rule needs a line there.
OTHER_USES = {
    "core/layers/dense.cpp": "identity means no activation",
    "python/ravine/observation.py": "squared_error leaves the output as it is",
    "python/ravine/lab/descent.py": "the gradient is of the output, whatever the loss",
    "core/catalog/layers.cpp": "identity is the default activation",
    "core/catalog/optimizer_parameters.h": "momentum is a setting there",
    "core/catalog/image_layers.cpp": "identity is the default activation",
    "core/layers/convolution.cpp": "identity needs no operation",
    "core/backend/cpu/column_normalization.cpp": "identity stands in where no activation is merged",
    "core/backend/cpu/simd/column_normalization.cpp": "identity stands in where no activation is merged",
    "core/backend/cuda/column_normalization.cu": "identity stands in where no activation is merged",
    "core/backend/cuda/product.cpp": "identity stands in for a bias without activation",
    "core/backend/cuda/convolution.cpp": "identity needs no pass of its own, relu is part of one",
    "core/backend/cuda/convolution_forward.cu": "relu is part of the pass, as cuDNN has it",
    "core/backend/cuda/convolution_input_gradient.cu": "the derivative of relu is part of the pass",
    "core/backend/cuda/pooling.cu": "the derivative of a relu before it is part of the pass",
    "core/backend/cpu/convolution.cpp": "identity stands in for a bias without activation",
    "core/losses/elementwise.cpp": "the sigmoid turns logits into probabilities",
    "core/backend/cpu/product.cpp": "identity stands in for a bias without activation",
    "python/ravine/training/schedules.py": "on_plateau and bold_driver keep their state there",
    "python/ravine/commands/doctor.py": "computes a small network to see whether the core works",
    "python/ravine/gui/state/data_files.py": "the loss that suits each task",
    "python/ravine/gui/state/trouble.py": "which entry of the catalog explains a trouble",
    "python/ravine/gui/state/presets.py": "networks to begin with, like those of the examples",
}
SHARED_WORDS = {"constant"}  # an initializer and a choice too: only the class of the rule is looked for


def rules(root: Path) -> list[tuple[str, str, str, str]]:
    """Name, class, rule file and kind of every rule."""
    found = []
    for folder, kind in FAMILIES:
        for path in sorted((root / "core" / "rules" / folder).glob("*.h")):
            text = path.read_text(encoding="utf-8")
            for name, struct in zip(NAME.findall(text), STRUCT.findall(text), strict=True):
                found.append((name, struct, path.relative_to(root).as_posix(), kind))
    return found


def without_comments(text: str) -> str:
    """A C++ file without comments and raw strings, which hold the catalog's examples."""
    return re.sub(r"//.*", "", re.sub(r'R"\(.*?\)"', '""', text, flags=re.DOTALL))


def without_docstrings(text: str) -> str:
    """The string constants and names of a Python file, one a line, without its docstrings."""
    tree = ast.parse(text)
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    parts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            parts.append(f'"{node.value}"')
        elif isinstance(node, ast.Name):
            parts.append(node.id)
    return "\n".join(parts)


def cost_faults(root: Path) -> list[str]:
    """Rules that are mentioned anywhere but in their four places, or not in one of these."""
    texts = {}
    for path in code_files(root, ("core", "python")):
        text = path.read_text(encoding="utf-8")
        text = without_docstrings(text) if path.suffix in {".py", ".pyi"} else without_comments(text)
        texts[path.relative_to(root).as_posix()] = text
    faults = []
    for name, struct, file, kind in rules(root):
        row = re.compile(rf'\{{\s*Kind::{kind},\s*"{name}",')
        tables = [path for path in texts if path.startswith("core/catalog/") and row.search(texts[path])]
        table = tables[0] if tables else "core/catalog"
        listed = f"{Path(file).parent.as_posix()}/list.h"
        reference = f"tests/reference/{kind}/{name}.py"
        # A setting may be called like a rule: settings.real("momentum").
        literal = re.compile(rf'(?<!real\()(?<!boolean\()(?<!fraction\()"{name}"|/{Path(file).name}"')
        mentions = {
            path
            for path, text in texts.items()
            if (name in text and literal.search(text) and (name not in SHARED_WORDS or path == table))
            or (struct in text and re.search(rf"\b{struct}\b", re.sub(r'"[^"\n]*"', "", text)))
        } - set(OTHER_USES)
        expected = {file, listed, table}
        faults += [f"{name}: also mentioned in {path}" for path in sorted(mentions - expected)]
        faults += [f"{name}: missing in {path}" for path in sorted(expected - mentions)]
        if not (root / reference).is_file():
            faults.append(f"{name}: add {reference}")
        rows = sum(len(row.findall(texts[path])) for path in tables)
        if rows != 1:
            faults.append(f"{name}: {rows} rows in {table}")
        if len(re.findall(rf"[<,\s]{struct}\s*[,>]", texts.get(listed, ""))) != 1:
            faults.append(f"{name}: not listed once in {listed}")
    return faults


def test_cost_of_a_rule():
    """One rule file, one list line, one catalog row, one NumPy reference; CONTRIBUTING.md says so."""
    assert len(rules(ROOT)) >= 22
    assert cost_faults(ROOT) == []


def small_tree(root: Path) -> None:
    for file, text in {
        "core/rules/updates/lion.h": 'struct Lion {\n static constexpr std::string_view name = "lion";\n};\n',
        "core/rules/updates/list.h": '#include "rules/updates/lion.h"\nusing UpdateRules = RuleList<Lion>;\n',
        "core/catalog/optimizers.cpp": '{Kind::optimizer, "lion", "Signs.", R"(>>> f("lion"))"},\n',
        "tests/reference/optimizer/lion.py": "",
        "core/other.cpp": '// "lion"\nsettings.real("lion");\n',
        "python/ravine/a.py": '"""A "lion"."""\n',
    }.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("core/layers/a.cpp", 'if (rule == "lion") return;\n', "lion: also mentioned in core/layers/a.cpp"),
        ("core/layers/a.cpp", "Lion<float> rule(settings);\n", "lion: also mentioned in core/layers/a.cpp"),
        ("python/ravine/a.py", 'DEFAULT = "lion"\n', "lion: also mentioned in python/ravine/a.py"),
        ("core/rules/updates/list.h", "\n", "lion: missing in core/rules/updates/list.h"),
        ("core/catalog/optimizers.cpp", "\n", "lion: 0 rows in core/catalog"),
        ("tests/reference/optimizer/lion.py", None, "lion: add tests/reference/optimizer/lion.py"),
    ],
)
def test_a_cost_is_found(tmp_path, file, text, fault):
    small_tree(tmp_path)
    assert cost_faults(tmp_path) == []
    if text is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    assert fault in cost_faults(tmp_path)
