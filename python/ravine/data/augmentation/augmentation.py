"""Augmentation of pictures: the steps of an experiment, keyed by seed, epoch and sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ravine.data.augmentation._pipeline import Pipeline, mixtures
from ravine.data.augmentation.pipeline import (
    NativeSteps,
    centred,
    check_size,
    native_steps,
    normal_quantiles,
    size_after,
)
from ravine.data.augmentation.settings import Mixup, PcaColour, Step
from ravine.errors import InputError

Array = NDArray[Any]
Indices = NDArray[np.int64]
KEY = "data.augmentation"
BLOCK = 1 << 20  # pixels of which products are summed at once


class Mixing(NamedTuple):
    """Sample i becomes shares[i] of itself and the rest of sample partners[i], at partner_rows[i]."""

    partners: Indices
    partner_rows: Indices
    shares: NDArray[np.float64]


class Augmentation:
    """Steps over pictures; what is drawn is a pure function of (seed, epoch, sample, place of the step).

    A sample's picture is the same bits in any batch, for any number of threads and after a resume. Random
    numbers are counter-based (Philox4x32-10).

    Args:
        steps: in their order, see `ravine.augmentations`.
        seed: of the run.
        input_shape: height, width and channels of the stored pictures.
        colour_axes: [3, 3] from `colour_axes`, where a step adds colour offsets.

    Raises:
        InputError: samples that are no pictures, or steps that do not fit them; the key is
            "data.augmentation.INDEX...".

    Example:
        >>> from ravine.augmentations import HorizontalFlip, RandomCrop
        >>> augmentation = Augmentation([RandomCrop(24), HorizontalFlip()], 0, (32, 32, 3))
        >>> augmentation.output_shape((32, 32, 3))
        (24, 24, 3)
        >>> out = np.empty((2, 24, 24, 3), np.float32)
        >>> pictures = np.zeros((10, 32, 32, 3), np.uint8)
        >>> augmentation.apply(pictures, np.array([7, 3]), 0, None, None, out)
    """

    def __init__(
        self,
        steps: Sequence[Step],
        seed: int,
        input_shape: tuple[int, ...],
        colour_axes: NDArray[np.float64] | None = None,
    ) -> None:
        self.input_shape = check_pictures(input_shape)
        self.steps = tuple(steps)
        self.seed = seed
        self.mixup: Mixup | None = None
        height, width, channels = self.input_shape
        for index, step in enumerate(self.steps):
            key = f"{KEY}.{index}"
            if isinstance(step, Mixup):
                if index + 1 < len(self.steps):
                    raise InputError("mixup comes last; move it to the end of the list", key=key)
                self.mixup = step
            if step.channels is not None and step.channels != channels:
                raise InputError(
                    f"needs pictures of {step.channels} channels, but these have {channels}", key=key
                )
            check_size(step, height, width, key)
            height, width = size_after(step, height, width)
        if colour_axes is None and self.needs_colour_axes(self.steps):
            raise InputError("needs the colours of the training pictures", key=KEY)
        drawn = [(place, step) for place, step in enumerate(self.steps) if not isinstance(step, Mixup)]
        self.native: NativeSteps = native_steps(drawn, seed, self.input_shape, colour_axes)
        self._pipeline = Pipeline(self.native[0], seed, *self.input_shape, normal_quantiles())

    @staticmethod
    def needs_colour_axes(steps: Sequence[Step]) -> bool:
        """Whether a step depends on the colours of the training pictures."""
        return any(isinstance(step, PcaColour) for step in steps)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of a picture after all steps.

        Raises:
            InputError: the stored pictures have another shape than those that this was made for.
        """
        if tuple(input_shape) != self.input_shape:
            raise InputError(f"is for pictures of {list(self.input_shape)}, not {list(input_shape)}", key=KEY)
        return self._pipeline.output_shape

    def apply(
        self,
        source: Array,
        indices: Indices,
        epoch: int,
        mean: NDArray[np.float64] | None,
        scale: NDArray[np.float64] | None,
        out: Array,
        threads: int = 1,
        rows: Indices | None = None,
        mixing: Mixing | None = None,
    ) -> None:
        """out[i] = (augmented picture of sample indices[i] - mean) * scale, in one pass over each picture.

        Args:
            source: uint8 [stored, *input_shape], C-contiguous.
            indices: int64 [count], the samples' places in the training part: what is drawn is keyed by them.
            epoch: counted from 0.
            mean, scale: float64, of the output's shape; None: grey levels from 0 to 255.
            out: float32, float64, or without a mean uint8 (rounded) [count, *output_shape].
            threads: the most threads to use; the result is the same bits for any number.
            rows: int64 [count], where the samples lie in the source; None: at their indices.
            mixing: of `mixing`, where samples are mixed.

        Raises:
            IndexError: a row is outside the source.
            ValueError: types or shapes do not fit.
        """
        partners, partner_rows, shares = mixing or (None, None, None)
        self._pipeline.apply(
            source, indices, epoch, out, rows=rows, mean=mean, scale=scale,
            partners=partners, partner_rows=partner_rows, shares=shares, threads=threads,
        )  # fmt: skip

    def mixing(
        self, indices: Indices, epoch: int, samples: int, rows: Indices | None = None
    ) -> Mixing | None:
        """With which samples others are mixed, and what share they keep; None without mixup.

        Args:
            indices: int64 [count].
            epoch: counted from 0.
            samples: of the training part; each is as likely a partner.
            rows: int64 [samples], where they lie in the source; None: at their indices.
        """
        if self.mixup is None:
            return None
        place = len(self.steps) - 1
        alpha, probability = self.mixup.alpha, self.mixup.probability
        partners, shares = mixtures(self.seed, epoch, indices, place, alpha, probability, samples)
        return Mixing(partners, partners if rows is None else rows[partners], shares)

    def draws(self, indices: Indices, epoch: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which steps samples get [rows, steps], and their numbers [rows, steps, 4]; without mixup."""
        return self._pipeline.draws(indices, epoch)

    def evaluation(self) -> Augmentation:
        """What stands for the steps where nothing is random: windows in the middle, to the same shape.

        Validation and test pictures, and those to predict for, come to the network's size by it.
        """
        return without_chance(self.steps, self.input_shape)


def without_chance(steps: Sequence[Step], input_shape: tuple[int, ...]) -> Augmentation:
    """What stands for steps where nothing is random: windows in the middle, to the same shape.

    Raises:
        InputError: samples that are no pictures, or too small ones.
    """
    height, width = check_pictures(input_shape)[:2]
    windows: list[Step] = []
    for index, step in enumerate(steps):
        check_size(step, height, width, f"{KEY}.{index}")
        window = centred(step, height, width)
        if window is not None and (window.size != (height, width) or window.window[:2] != window.size):
            windows.append(window)
        height, width = size_after(step, height, width)
    return Augmentation(windows, 0, input_shape)


def check_pictures(input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels of samples; InputError where they are no pictures."""
    if len(input_shape) != 3:
        raise InputError(
            f"needs pictures [height, width, channels], but a sample has shape {list(input_shape)}", key=KEY
        )
    return input_shape[0], input_shape[1], input_shape[2]


def colour_axes(pictures: Array, rows: Indices | None = None) -> NDArray[np.float64]:
    """The axes 255 lambda_i p_i of the pixels' colours, [3, 3], a column each, the largest first.

    lambda_i and p_i are the eigenvalues and eigenvectors of the covariance of R, G, B on the scale from 0 to
    1. An axis points to where its largest number is positive.

    Args:
        pictures: uint8 [stored, height, width, 3].
        rows: int64 [samples], which of them are the training part; None: all.

    Source: A. Krizhevsky et al., NIPS 2012, section 4.1.
    """
    samples = len(pictures) if rows is None else len(rows)
    at_once = max(1, BLOCK // (pictures.shape[1] * pictures.shape[2]))
    total, products = np.zeros(3), np.zeros((3, 3))
    for begin in range(0, samples, at_once):  # sums of whole numbers below 2^53: exact in any order
        part = slice(begin, begin + at_once)
        block = pictures[part if rows is None else rows[part]].reshape(-1, 3).astype(np.float64)
        total += block.sum(axis=0)
        products += block.T @ block
    pixels = samples * pictures.shape[1] * pictures.shape[2]
    mean = total / pixels
    covariance = (products / pixels - np.outer(mean, mean)) / 255.0**2
    values, vectors = np.linalg.eigh(covariance)
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(3)])
    axes: NDArray[np.float64] = 255.0 * np.maximum(values, 0.0) * vectors * signs
    return np.ascontiguousarray(axes[:, ::-1])


def for_training(
    steps: Sequence[Step], seed: int, pictures: Array, rows: Indices | None = None
) -> Augmentation:
    """The augmentation of training pictures, with what it must know of them.

    Args:
        steps: in their order.
        seed: of the run.
        pictures: uint8 [stored, height, width, channels].
        rows: int64 [samples], which of them are the training part; None: all.

    Raises:
        InputError: no pictures of bytes, or steps that do not fit them.
    """
    if pictures.dtype != np.uint8 or pictures.ndim != 4:
        raise InputError(
            "needs pictures of bytes, uint8 [samples, height, width, channels], but the inputs are "
            f"{pictures.dtype} {list(pictures.shape)}",
            key=KEY,
        )
    needs = Augmentation.needs_colour_axes(steps) and pictures.shape[3] == 3
    return Augmentation(steps, seed, pictures.shape[1:], colour_axes(pictures, rows) if needs else None)
