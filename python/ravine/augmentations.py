"""The steps of an augmentation, as constructors: `RandomCrop(padding=4)`; see `ravine.data.augmentation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ravine.data.augmentation.settings import (
    Brightness,
    Contrast,
    Cutout,
    GaussianNoise,
    HorizontalFlip,
    LensDistortion,
    Mixup,
    PcaColour,
    RandomCrop,
    RandomResizedCrop,
    Rotation,
    Scaling,
    Shear,
    Step,
    Steps,
    Stretch,
    Translation,
)

__all__ = [
    "Brightness",
    "Contrast",
    "Cutout",
    "GaussianNoise",
    "HorizontalFlip",
    "LensDistortion",
    "Mixup",
    "PcaColour",
    "RandomCrop",
    "RandomResizedCrop",
    "Rotation",
    "Scaling",
    "Shear",
    "Stretch",
    "Translation",
]


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    augmentation: list[Steps]


def checked_steps(steps: Sequence[Step | Mapping[str, Any]]) -> list[Step]:
    """Steps, or tables with a "type" as in experiments, checked: a constructor takes any value.

    Raises:
        InputError: an unknown type or key, or a value out of range; the key is "augmentation.INDEX...".

    Example:
        >>> checked_steps([{"type": "rotation", "degrees": 5}])[0].degrees
        5.0
    """
    from ravine.checks import check_keys, explained

    tables = [step if isinstance(step, Mapping) else msgspec.to_builtins(step) for step in steps]
    table = {"augmentation": tables}
    check_keys(_Given, table)
    try:
        return list(msgspec.convert(table, _Given).augmentation)
    except msgspec.ValidationError as error:
        raise explained(error, table, _Given) from None
