"""The layers of the catalog, as constructors; `ravine catalog layer` lists them."""

from __future__ import annotations

from ravine.components import constructors

_constructors = constructors("layer")
globals().update(_constructors)
__all__ = list(_constructors)  # pyright: ignore[reportUnsupportedDunderAll]
