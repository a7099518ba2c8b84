"""The `[data.images]` part of an experiment."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Resize = Literal["stretch", "crop", "pad"]
Colour = Literal["rgb", "grey"]
Pixels = Annotated[int, Meta(ge=1, le=1 << 14)]


class ImageSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What becomes of pictures before the network sees them.

    Args:
        size: [height, width] in pixels, each at most 16,384; empty: pictures stay as they are, and must all
            be of one size.
        resize: how pictures come to that size: "stretch" (the shape of things changes), "crop" (the largest
            part from the middle that has the shape wanted) or "pad" (all of it, with black bars).
        colour: "rgb", three channels, or "grey", one: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
        labels: a CSV file of two columns, the name of a picture and its class, where folders do not say;
            names may leave out the suffix.
        cache: folder that keeps the decoded pixels; empty: ravine/images in the user's cache folder
            ($XDG_CACHE_HOME, or ~/.cache).

    Raises:
        ValueError: a size of one or of three numbers.

    Example:
        >>> ImageSettings(size=(64, 64)).resize
        'stretch'
    """

    size: tuple[Pixels, ...] = ()
    resize: Resize = "stretch"
    colour: Colour = "rgb"
    labels: str = ""
    cache: str = ""

    def __post_init__(self) -> None:
        if len(self.size) not in (0, 2):
            raise ValueError(f"`size` has {len(self.size)} numbers, expected [height, width]")

    @property
    def channels(self) -> int:
        """Values of a pixel."""
        return 3 if self.colour == "rgb" else 1
