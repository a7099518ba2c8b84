"""What docs/data.md shows can be run, and is what experiments take."""

from __future__ import annotations

import doctest
import re
import tomllib
from pathlib import Path

import pytest

from ravine.checks import check_keys
from ravine.data.settings import DataSettings
from ravine.experiment import parse_experiment

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        if ">>> " not in block:
            exec(compile(block, str(PAGE), "exec"), {})  # what it shows must run
            continue
        test = doctest.DocTestParser().get_doctest(block, {}, "data.md", str(PAGE), 0)
        assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize("block", blocks("toml"))
def test_settings_are_settings(block: str, tmp_path: Path) -> None:
    table = tomllib.loads(block)
    check_keys(DataSettings, table.get("data", {}))
    rest = {"model": {"layers": ["dropout"]}, "optimizer": "adam", **table}
    assert parse_experiment(rest, tmp_path).data != DataSettings()
