"""Several windows of each picture, over whose answers is averaged: `[data.crops]`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ravine.data.augmentation.augmentation import Array, Augmentation, Indices
from ravine.data.augmentation.pipeline import FixedCrop, resized_to
from ravine.data.augmentation.settings import CropSettings, HorizontalFlip, Step
from ravine.errors import InputError

KEY = "data.crops.scales"


class Crops:
    """The corners and the middle of a picture at some scales, and the same mirrored.

    Args:
        settings: scales, and whether windows are mirrored too.
        input_shape: height, width and channels of the stored pictures.
        size: height and width of the windows: of the network's input.

    Raises:
        InputError: no pictures, or a scale that is smaller than the window.

    Example:
        >>> len(Crops(CropSettings(scales=[32, 40]), (32, 32, 3), (28, 28)))
        20
    """

    def __init__(self, settings: CropSettings, input_shape: tuple[int, ...], size: Sequence[int]) -> None:
        if len(input_shape) != 3:
            raise InputError(
                f"needs pictures [height, width, channels], but a sample has shape {list(input_shape)}",
                key="data.crops",
            )
        height, width = size[0], size[1]
        self.shape = (height, width, input_shape[2])
        self._views: list[Augmentation] = []
        for index, scale in enumerate(settings.scales):
            resized = resized_to(input_shape[0], input_shape[1], scale)
            down, across = resized[0] - height, resized[1] - width
            if down < 0 or across < 0:
                raise InputError(
                    f"pictures of {list(resized)} are smaller than the windows of {[height, width]}; use at "
                    f"least {max(height, width)}",
                    key=f"{KEY}.{index}",
                )
            places = [(0, 0), (0, across), (down, 0), (down, across), (down // 2, across // 2)]
            for mirrored in (False, True) if settings.mirrored else (False,):
                for place in places:
                    steps: list[Step] = [FixedCrop(window=(*resized, *place), size=(height, width))]
                    if mirrored:
                        steps.append(HorizontalFlip(1.0))
                    self._views.append(Augmentation(steps, 0, input_shape))

    def __len__(self) -> int:
        """Windows of a picture."""
        return len(self._views)

    def apply(
        self,
        view: int,
        source: Array,
        rows: Indices,
        mean: NDArray[np.float64] | None,
        scale: NDArray[np.float64] | None,
        out: Array,
        threads: int = 1,
    ) -> None:
        """Writes one window of some pictures, (window - mean) * scale.

        Args:
            view: below the number of windows.
            source: uint8 [stored, height, width, channels].
            rows: int64 [count], of the source.
            mean, scale: float64, of the window's shape; None: grey levels.
            out: float32, float64 or uint8 [count, *shape].
            threads: the most threads to use.
        """
        places = np.zeros(len(rows), np.int64)  # nothing is drawn: any key will do
        self._views[view].apply(source, places, 0, mean, scale, out, threads, rows)


def test_crops(
    settings: CropSettings, pictures: Array, window_shape: tuple[int, ...], classifies: bool
) -> Crops:
    """The windows of stored test pictures.

    Args:
        settings: with at least one scale.
        pictures: uint8 [samples, height, width, channels].
        window_shape: of the network's input.
        classifies: whether the answers are class probabilities.

    Raises:
        InputError: no pictures of bytes, no classes, or a scale that is too small.
    """
    if not classifies:
        raise InputError(
            "averages class probabilities, but the task is regression; remove it", key="data.crops"
        )
    if pictures.dtype != np.uint8 or pictures.ndim != 4:
        raise InputError(
            "needs pictures of bytes, uint8 [samples, height, width, channels], but the inputs are "
            f"{pictures.dtype} {list(pictures.shape)}",
            key="data.crops",
        )
    return Crops(settings, pictures.shape[1:], window_shape)
