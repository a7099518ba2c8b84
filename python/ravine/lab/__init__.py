"""The laboratory: what optimizers and schedules do, seen apart from networks."""

from __future__ import annotations

from ravine._core import schedule_values
from ravine.lab.descent import descend

__all__ = ["descend", "schedule_values"]
