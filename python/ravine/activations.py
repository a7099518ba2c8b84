"""The activations of the catalog, as constructors; `ravine catalog activation` lists them."""

from __future__ import annotations

from ravine.components import constructors

_constructors = constructors("activation")
globals().update(_constructors)
__all__ = list(_constructors)  # pyright: ignore[reportUnsupportedDunderAll]
