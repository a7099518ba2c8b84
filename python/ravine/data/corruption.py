"""Random labels and random pixels: how much of a network's success is memory.

C. Zhang, S. Bengio, M. Hardt, B. Recht, O. Vinyals, "Understanding deep learning requires rethinking
generalization", ICLR 2017 (L2). Random numbers are counter-based (Philox4x32-10), keyed by a seed of their
own, the file and the row of a sample: neither the split, nor batches or threads, nor the seed of the run
change them.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from ravine.data._gather import column_statistics
from ravine.data.dataset import Array, Indices
from ravine.errors import InputError

Pixels = Literal["keep", "shuffled", "random", "gaussian"]

LABELS, GAUSSIAN = 1, 2  # what numbers are for
# Seeds of runs are below 2^63, so that no order of samples is a permutation of pixels.
OWN = 1 << 63
FILE_ROWS = 1 << 30  # rows of a file that can be told apart
BLOCK_VALUES = 1 << 18


class CorruptionSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is made random, after Zhang et al. (2017).

    Args:
        labels: the probability, 0 to 1, with which each training sample gets a label drawn from all classes
            alike; labels of validation and test stay true.
        pixels: of the samples of all parts. "shuffled": one permutation of the pixels for all samples, under
            which an image keeps its information, but not its neighbourhoods; "random": another one for each
            sample; "gaussian": pixels drawn from a normal distribution with mean and variance of the training
            pixels.
        seed: of what is drawn; not the seed of the run.

    Example:
        >>> CorruptionSettings(labels=1.0).pixels
        'keep'
    """

    labels: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    pixels: Pixels = "keep"
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


def random_labels(
    labels: NDArray[np.int32], classes: int, settings: CorruptionSettings, rows: Indices
) -> NDArray[np.int32]:
    """Labels of which each is, with the probability `settings.labels`, drawn anew from all classes.

    Args:
        labels: int32 [samples].
        classes: how many there are.
        settings: with the probability and the seed.
        rows: of the samples in their file [samples].

    Example:
        >>> labels = np.zeros(1000, np.int32)
        >>> drawn = random_labels(labels, 10, CorruptionSettings(labels=0.5), np.arange(1000))
        >>> int((drawn > 0).sum())
        450
    """
    words = philox(settings.seed | OWN, np.zeros_like(rows), rows, 0, LABELS)
    chosen = words[0] < np.uint64(round(settings.labels * 2.0**32))
    drawn = (words[1] * np.uint64(classes)) >> np.uint64(32)
    return np.where(chosen, drawn.astype(np.int32), labels)


def corrupt_pixels(
    inputs: Array, settings: CorruptionSettings, rows: Indices, file: int, moments: tuple[float, float]
) -> Array:
    """Inputs [samples, *shape] with random pixels, float32 if "gaussian", or else of their own type.

    A pixel is a place of an image [height, width, channels], whose channels stay together, or else a feature.

    Args:
        inputs: of a part.
        settings: what is done.
        rows: of the samples in their file [samples].
        file: 0 for that of the training samples, 1 for one of validation, 2 for one of test.
        moments: mean and standard deviation of the training pixels, see `pixel_moments`.

    Example:
        >>> shuffled = CorruptionSettings(pixels="shuffled")
        >>> corrupt_pixels(np.arange(8).reshape(2, 4), shuffled, np.arange(2), 0, (0.0, 1.0)).tolist()
        [[3, 2, 0, 1], [7, 6, 4, 5]]
    """
    if settings.pixels == "gaussian":
        return _gaussian(inputs.shape, settings, rows, file, moments)
    if settings.pixels != "random":
        return shuffled_pixels(inputs, settings)
    from ravine._core import permutation  # here, so that reading data needs no native network code

    pixels = _pixels(inputs)
    out = np.empty_like(pixels)
    for place, row in enumerate(rows.tolist()):
        order = permutation(settings.seed | OWN, 1 + file * FILE_ROWS + row, pixels.shape[1])
        np.take(pixels[place], order, axis=0, out=out[place], mode="clip")
    return out.reshape(inputs.shape)


def shuffled_pixels(inputs: Array, settings: CorruptionSettings) -> Array:
    """Inputs [samples, *shape] with pixels in the one order that "shuffled" asks for, or as they are.

    What is predicted for goes through it too.
    """
    if settings.pixels != "shuffled":
        return inputs
    from ravine._core import permutation

    pixels = _pixels(inputs)
    order = permutation(settings.seed | OWN, 0, pixels.shape[1])
    return np.take(pixels, order, axis=1).reshape(inputs.shape)


def _pixels(inputs: Array) -> Array:
    """Inputs as [samples, places, channels]."""
    places = math.prod(inputs.shape[1:3]) if inputs.ndim == 4 else math.prod(inputs.shape[1:])
    return inputs.reshape(len(inputs), places, -1)


def pixel_moments(inputs: Array, *, threads: int = 1) -> tuple[float, float]:
    """Mean and population standard deviation of all values of inputs [samples, *shape] together."""
    values = inputs.reshape(len(inputs), -1)
    means, variances = np.empty(values.shape[1]), np.empty(values.shape[1])
    column_statistics(values, means, variances, threads)
    mean = float(means.mean())
    variance = float((variances + (means - mean) ** 2).mean())
    if not math.isfinite(variance):
        raise InputError("the values are too large for a variance", key="data.corruption.pixels")
    return mean, math.sqrt(variance)


def _gaussian(
    shape: tuple[int, ...],
    settings: CorruptionSettings,
    rows: Indices,
    file: int,
    moments: tuple[float, float],
) -> Array:
    """Normal numbers of these moments, by the transform of Box and Muller (1958)."""
    features = math.prod(shape[1:])
    out = np.empty((shape[0], features), np.float32)
    pairs = np.arange(-(-features // 4), dtype=np.int64)
    block = max(1, BLOCK_VALUES // features)
    for begin in range(0, shape[0], block):
        some = rows[begin : begin + block, np.newaxis]
        index, row = np.broadcast_arrays(pairs, some)
        words = philox(settings.seed | OWN, index, row, file, GAUSSIAN)
        uniform = [(word.astype(np.float64) + 0.5) * 2.0**-32 for word in words]
        numbers = np.empty((*row.shape, 4))
        for first in (0, 2):
            radius = np.sqrt(-2.0 * np.log(uniform[first]))
            angle = 2.0 * np.pi * uniform[first + 1]
            numbers[..., first], numbers[..., first + 1] = radius * np.cos(angle), radius * np.sin(angle)
        drawn = numbers.reshape(len(some), -1)[:, :features]
        out[begin : begin + block] = moments[0] + moments[1] * drawn
    return out.reshape(shape)


def philox(
    seed: int, index: Indices, row: Indices, file: int, purpose: int
) -> tuple[NDArray[np.uint64], ...]:
    """Philox4x32-10 for many counters (index, row, file, purpose): four arrays of words in [0, 2^32).

    J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; `ravine._core.philox` for one.

    Example:
        >>> from ravine._core import philox as one
        >>> many = philox(7, np.array([3]), np.array([5]), 0, 1)
        >>> [int(word[0]) for word in many] == one([3, 5, 0, 1], [7, 0])
        True
    """
    low, high = np.uint64(0xFFFFFFFF), np.uint64(32)
    words = [
        np.asarray(index, np.uint64) & low,
        np.asarray(row, np.uint64) & low,
        np.full(np.shape(row), file, np.uint64),
        np.full(np.shape(row), purpose, np.uint64),
    ]
    keys = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        first, second = words[0] * np.uint64(0xD2511F53), words[2] * np.uint64(0xCD9E8D57)
        words = [
            (second >> high) ^ words[1] ^ np.uint64(keys[0]),
            second & low,
            (first >> high) ^ words[3] ^ np.uint64(keys[1]),
            first & low,
        ]
        keys = [(keys[0] + 0x9E3779B9) & 0xFFFFFFFF, (keys[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return tuple(words)
