"""The optimizers of the catalog, as constructors; `ravine catalog optimizer` lists them."""

from __future__ import annotations

from ravine.components import constructors

_constructors = constructors("optimizer")
globals().update(_constructors)
__all__ = list(_constructors)  # pyright: ignore[reportUnsupportedDunderAll]
