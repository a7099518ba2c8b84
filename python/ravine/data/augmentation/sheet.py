"""A contact sheet: pictures beside what each step makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ravine.data.augmentation.augmentation import Array, Indices, for_training
from ravine.data.augmentation.settings import Step
from ravine.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

GAP, LEFT, TEXT = 4, 128, 12  # pixels
LEAST_SIDE = 64  # small pictures are enlarged by a whole number


def contact_sheet(
    pictures: Array, steps: Sequence[Step], seed: int = 0, *, rows: Indices | None = None, columns: int = 8
) -> Image:
    """The first pictures of a training part, and what each step alone and all together make of them.

    Args:
        pictures: uint8 [stored, height, width, channels], 1 or 3 channels.
        steps: in their order.
        seed: of the run.
        rows: int64 [samples], which of the stored pictures are the training part; None: all.
        columns: how many pictures.

    Raises:
        InputError: Pillow is missing, or the steps do not fit the pictures.

    Example:
        >>> from ravine.augmentations import Rotation
        >>> contact_sheet(np.zeros((3, 32, 32, 3), np.uint8), [Rotation()]).size
        (336, 140)
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        raise InputError('needs Pillow to draw: pip install "ravine[data]"') from None
    channels = pictures.shape[-1]
    if channels not in (1, 3):
        raise InputError(f"draws pictures of 1 or 3 channels, but these have {channels}")
    samples = len(pictures) if rows is None else len(rows)
    columns = min(columns, samples)
    together = [("all together", list(steps))] if len(steps) > 1 else []
    lines = [
        ("original", []),
        *((str(type(step).__struct_config__.tag), [step]) for step in steps),
        *together,
    ]
    made: list[Array] = []
    for _, chosen in lines:
        augmentation = for_training(chosen, seed, pictures, rows)
        indices = np.arange(columns, dtype=np.int64)
        out = np.empty((columns, *augmentation.output_shape(pictures.shape[1:])), np.uint8)
        mixing = augmentation.mixing(indices, 0, samples, rows)
        here = None if rows is None else rows[:columns]
        augmentation.apply(pictures, indices, 0, None, None, out, rows=here, mixing=mixing)
        made.append(out)
    largest = max(max(out.shape[1:3]) for out in made)
    factor = max(1, LEAST_SIDE // largest)
    cell = factor * largest + GAP
    sheet = Image.new("RGB", (LEFT + columns * cell + GAP, len(lines) * cell + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for line, ((name, _), out) in enumerate(zip(lines, made, strict=True)):
        top = GAP + line * cell
        draw.text((GAP, top + (cell - GAP - TEXT) // 2), name.replace("_", " "), fill="black")
        for column, picture in enumerate(out):
            image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
            image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
            sheet.paste(image, (LEFT + column * cell, top))
    return sheet
