"""The UCI handwritten digits, shipped with the package: see digits.txt for their source and licence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ravine.data.dataset import Dataset
from ravine.data.npz import read_npz
from ravine.errors import InputError

FILE = Path(__file__).with_name("digits.npz")
SHA256 = "cbd6fa869a6d1637652cd0f08dd181b1b12a409733a426460073cbff7e1ef93e"


def load_digits() -> Dataset:
    """The UCI test set: 1,797 images of 8x8 pixels as uint8 [1797, 64] in 0..16, row by row, and 10 classes.

    Raises:
        InputError: the shipped file is missing or was changed.

    Example:
        >>> load_digits().inputs.shape
        (1797, 64)
    """
    try:
        found = hashlib.sha256(FILE.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); install Ravine again", file=FILE) from error
    if found != SHA256:
        raise InputError(f"was changed: its SHA-256 is {found}; install Ravine again", file=FILE)
    arrays = read_npz(FILE, ["inputs", "targets"])
    return Dataset(
        arrays["inputs"],
        arrays["targets"].astype(np.int32),
        classes=10,
        class_names=tuple("0123456789"),
        name="data",
    )
