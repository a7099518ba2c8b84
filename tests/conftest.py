"""Shared by all tests: real data sets where they are there, and hypothesis without a clock or a memory."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ravine import Sequential
from ravine.errors import DeviceError

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
    parser.addoption("--device", default="cpu", help="for all networks that name none: cpu, cuda or cuda:N")


def pytest_configure(config: pytest.Config) -> None:
    os.environ["RAVINE_TEST_DEVICE"] = str(config.getoption("--device"))  # for tests/reference/network.py


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that needs what the device of --device has not is skipped, with the device's own words."""
    try:
        yield
    except DeviceError as error:
        if item.config.getoption("--device") == "cpu" or " yet" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """Where networks are that name no device."""
    return str(request.config.getoption("--device"))


@pytest.fixture(autouse=True)
def _compute(request: pytest.FixtureRequest, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes all networks compute as --compute says, and where --device does: make test-passes, test-gpu."""
    given = request.config.getoption("--compute")
    if not given and device == "cpu":
        return
    options, network = tomllib.loads(given), Sequential.network

    def with_options(*arguments: Any, compute: Any = None, **settings: Any) -> Any:
        return network(*arguments, compute=options | dict(compute or {}), **({"device": device} | settings))

    monkeypatch.setattr(Sequential, "network", with_options)
