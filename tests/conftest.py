"""Shared by all tests: real data sets where they are there, and hypothesis without a clock or a memory."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ravine import Sequential

# The same examples every time, however slow the machine is; the soak tests look further.
settings.register_profile("ravine", deadline=None, derandomize=True, database=None)
settings.load_profile("ravine")


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of real data sets beside the repository; tests that need it skip where it is missing."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "datasets"
    if not folder.is_dir():
        pytest.skip("needs the real data sets in ../shared/datasets")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--compute", default="", metavar="KEY=VALUE", help="for all networks, as in [compute]")


@pytest.fixture(autouse=True)
def _compute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes all networks compute as --compute says: make test-passes."""
    given = request.config.getoption("--compute")
    if not given:
        return
    options, network = tomllib.loads(given), Sequential.network

    def with_options(*arguments: Any, compute: Any = None, **settings: Any) -> Any:
        return network(*arguments, compute=options | dict(compute or {}), **settings)

    monkeypatch.setattr(Sequential, "network", with_options)
