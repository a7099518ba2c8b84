"""Hosts in namespaces; tests that ask for them are skipped, visibly, where this machine has none."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
BIN = Path(sys.executable).parent


def module() -> ModuleType:
    """tools/hosts.py."""
    if "hosts" not in sys.modules:
        found = importlib.util.spec_from_file_location("hosts", TOOLS / "hosts.py")
        assert found is not None
        assert found.loader is not None
        sys.modules["hosts"] = importlib.util.module_from_spec(found)
        found.loader.exec_module(sys.modules["hosts"])
    return sys.modules["hosts"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder have the mark `hosts`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.hosts)


@pytest.fixture
def make_hosts() -> Iterator[Callable[..., Any]]:
    """Starts hosts: make_hosts(3, sshd=True, latency=0.001); they end with the test."""
    with ExitStack() as stack:

        def make(count: int = 3, **settings: Any) -> Any:
            if reason := module().why_not(bool(settings.get("sshd")), bool(settings.get("latency"))):
                pytest.skip(reason)
            return stack.enter_context(module().Hosts(count, **settings))

        yield make


@pytest.fixture
def mpirun_words() -> list[str | Path]:
    """mpirun, and the options that hosts ask for."""
    if not (BIN / "mpirun").exists() or importlib.util.find_spec("mpi4py") is None:
        pytest.skip('needs mpirun and mpi4py in this environment: pip install "ravine[mpi]"')
    # More ranks than cores: who waits must give its core to who works.
    return [BIN / "mpirun", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]
