"""The losses of the catalog, as constructors; `ravine catalog loss` lists them."""

from __future__ import annotations

from ravine.components import constructors

_constructors = constructors("loss")
globals().update(_constructors)
__all__ = list(_constructors)  # pyright: ignore[reportUnsupportedDunderAll]
