"""Shared by all tests: real data sets where they are there, and hypothesis without a clock or a memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

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
