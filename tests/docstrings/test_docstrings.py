"""The examples in docstrings run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from typing import Any

import numpy as np
import pytest

import ravine
from ravine import _core, components

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ravine.__path__, "ravine.")
    if not module.name.endswith(("__main__", "._core", ".libravine_cuda"))  # the last is no module
)


@pytest.mark.parametrize("name", ["ravine", *MODULES])
def test_examples(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    # A compiled module does not show the names that it imports.
    names = {} if inspect.getfile(module).endswith(".py") else {"np": np}
    result = doctest.testmod(module, extraglobs=names)
    assert result.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    counts = {
        name: sum(len(test.examples) for test in finder.find(importlib.import_module(name)))
        for name in MODULES
        if inspect.getfile(importlib.import_module(name)).endswith(".py")
    }
    assert sum(counts.values()) > 40
    for name in ("ravine.model", "ravine.experiment", "ravine.training.trainer", "ravine.training.session"):
        assert counts[name] > 0


@pytest.mark.parametrize("entry", _core.catalog(), ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_every_component_is_documented(entry: Any) -> None:
    text = components.docstring(entry)
    assert entry.summary in text
    assert entry.formula in text
    for parameter in entry.parameters:
        assert f"{parameter.name}: " in text
