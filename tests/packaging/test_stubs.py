"""The typed stubs say what the compiled module and the constructors of the catalog really are."""

from __future__ import annotations

import ast
import importlib
import inspect
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import ravine

PROJECT = Path(__file__).parents[2]
PACKAGE = Path(ravine.__file__).parent
GENERATED = ("activations", "initializers", "layers", "losses", "optimizers", "schedules")

# pybind11's names for what a caller may pass, and the stub's.
SAME = {"SupportsInt": "int", "SupportsFloat": "float", "ndarray": "NDArray"}


class Member(NamedTuple):
    """A name of a stub: what it is, its arguments with defaults, their types and its docstring."""

    kind: str
    arguments: str
    types: dict[str, frozenset[str]]
    documentation: str


def outer_types(annotation: ast.expr | None) -> frozenset[str]:
    """The types of an annotation without what is in brackets: ``list[str] | None`` gives list and None."""
    match annotation:
        case ast.BinOp(left, ast.BitOr(), right):
            return outer_types(left) | outer_types(right)
        case ast.Subscript(ast.Attribute(attr="Annotated"), ast.Tuple([annotated, *_])):
            return outer_types(annotated)
        case ast.Subscript(container):
            return outer_types(container)
        case ast.Name(name) | ast.Attribute(attr=name):
            return frozenset([SAME.get(name, name)]) - {"SupportsIndex"}
        case ast.Constant(None):
            return frozenset(["None"])
        case _:
            return frozenset(["Any"])


def member(node: ast.FunctionDef) -> Member:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    kind = decorators[0] if decorators else "function"
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    types = {argument.arg: outer_types(argument.annotation) for argument in given if argument.arg != "self"}
    for argument in given:
        argument.annotation = None
    documentation = " ".join((ast.get_docstring(node) or "").split())
    if kind.endswith(".setter"):  # its argument has no name in pybind11
        (outer,) = types.values()
        return Member(kind, "", {"value": outer}, documentation)
    return Member(kind, ast.unparse(node.args), {**types, "return": outer_types(node.returns)}, documentation)


def members(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, Member]]:
    for node in body:
        match node:
            case ast.ClassDef(name):
                documentation = " ".join((ast.get_docstring(node) or "").split())
                yield prefix + name, Member("class", "", {}, documentation)
                yield from members(node.body, f"{prefix}{name}.")
            case ast.FunctionDef(name):
                described = member(node)
                setter = ".setter" if described.kind.endswith(".setter") else ""
                yield prefix + name + setter, described
            case ast.AnnAssign(ast.Name(name)) if name != "__all__":
                yield prefix + name, Member("variable", "", {"": outer_types(node.annotation)}, "")


def parsed(file: Path) -> dict[str, Member]:
    return dict(members(ast.parse(file.read_text(encoding="utf-8")).body))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Member]:
    """What pybind11 itself says of the module."""
    folder = tmp_path_factory.mktemp("stubs")
    command = [sys.executable, "-m", "pybind11_stubgen", "ravine._core", "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return parsed(folder / "ravine" / "_core.pyi")


@pytest.fixture(scope="module")
def written() -> dict[str, Member]:
    """Of all files that describe it."""
    return {name: found for file in PACKAGE.glob("_core*.pyi") for name, found in parsed(file).items()}


def test_core_stub_has_the_names_of_the_compiled_module(
    compiled: dict[str, Member], written: dict[str, Member]
) -> None:
    assert {"Network.train", "Network.step.setter", "Optimizer.slots", "catalog"} <= set(compiled)
    assert set(written) == set(compiled)


def test_core_stub_has_the_arguments_and_defaults_of_the_compiled_module(
    compiled: dict[str, Member], written: dict[str, Member]
) -> None:
    assert "schedule={}, budget_seconds=0.0" in compiled["Network.train"].arguments
    assert {name: (found.kind, found.arguments) for name, found in written.items()} == {
        name: (found.kind, found.arguments) for name, found in compiled.items()
    }


def test_core_stub_has_the_types_of_the_compiled_module(
    compiled: dict[str, Member], written: dict[str, Member]
) -> None:
    differences = [
        (name, argument, set(written[name].types[argument]), set(outer))
        for name, found in compiled.items()
        for argument, outer in found.types.items()
        if "Any" not in outer and written[name].types[argument] != outer
    ]
    assert differences == []


def test_core_stub_has_the_docstrings_of_the_compiled_module(
    compiled: dict[str, Member], written: dict[str, Member]
) -> None:
    assert [
        name
        for name, found in compiled.items()
        if not written[name].documentation.startswith(found.documentation)
    ] == []


@pytest.mark.parametrize("module", GENERATED)
def test_generated_stub_is_current(module: str) -> None:
    stubs = runpy.run_path(str(PROJECT / "tools" / "generate_stubs.py"))["stubs"]()
    file = PACKAGE / f"{module}.pyi"
    assert {path.stem for path in stubs} == set(GENERATED)
    assert file.read_text(encoding="utf-8") == stubs[file], "the catalog has changed: run `make stubs`"


@pytest.mark.parametrize("module", GENERATED)
def test_generated_stub_has_the_signatures_of_the_constructors(module: str) -> None:
    def signature(function: ast.FunctionDef) -> list[tuple[str, bool, Any]]:
        missing = [None] * (len(function.args.args) - len(function.args.defaults))
        positional = zip(function.args.args, [*missing, *function.args.defaults], strict=True)
        keyword = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        return [
            (argument.arg, only, ast.literal_eval(default) if default else inspect.Parameter.empty)
            for arguments, only in ((positional, False), (keyword, True))
            for argument, default in arguments
        ]

    tree = ast.parse((PACKAGE / f"{module}.pyi").read_text(encoding="utf-8"))
    stubs = {node.name: signature(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    real = importlib.import_module(f"ravine.{module}")
    assert stubs == {
        name: [
            (parameter.name, parameter.kind is parameter.KEYWORD_ONLY, parameter.default)
            for parameter in inspect.signature(getattr(real, name)).parameters.values()
        ]
        for name in real.__all__
    }
