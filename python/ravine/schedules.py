"""The schedules of the catalog, as constructors; `ravine catalog schedule` lists them."""

from __future__ import annotations

from ravine.components import constructors

_constructors = constructors("schedule")
globals().update(_constructors)
__all__ = list(_constructors)  # pyright: ignore[reportUnsupportedDunderAll]
