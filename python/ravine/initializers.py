"""The initializers of the catalog, as constructors; `ravine catalog initializer` lists them."""

from __future__ import annotations

from ravine.components import constructors

_constructors = constructors("initializer")
globals().update(_constructors)
__all__ = list(_constructors)  # pyright: ignore[reportUnsupportedDunderAll]
