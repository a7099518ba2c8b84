"""Augmentation of images: random changes that keep what a picture shows."""

from __future__ import annotations

from ravine.data.augmentation.augmentation import (
    Augmentation,
    Mixing,
    colour_axes,
    for_training,
    without_chance,
)
from ravine.data.augmentation.crops import Crops, test_crops
from ravine.data.augmentation.settings import CropSettings, Step, Steps

__all__ = [
    "Augmentation",
    "CropSettings",
    "Crops",
    "Mixing",
    "Step",
    "Steps",
    "colour_axes",
    "for_training",
    "test_crops",
    "without_chance",
]
