"""Makes tests/reference importable as `reference`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def needs_device(device: str) -> None:
    """For tests that compare a device with the CPU."""
    if device == "cpu":
        pytest.skip("compares a device with the CPU: give it with --device")
