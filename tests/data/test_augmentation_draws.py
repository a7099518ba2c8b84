"""What augmentations draw: the numbers of Philox, and the distributions that the settings promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import augmentation as reference
from scipy import stats

from ravine import _core
from ravine import augmentations as steps
from ravine.data.augmentation import Augmentation
from ravine.data.augmentation._philox import philox_words

SAMPLES = np.arange(20_000)
SHAPE = (40, 50, 3)
WORD = st.integers(0, 2**32 - 1)
UNLIKELY = 1e-4  # seeds are fixed: a draw that is right passes always


def drawn(step: Any, seed: int = 11, epoch: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Whether each of many samples gets a step, and its numbers."""
    axes = np.eye(3)
    given, numbers = Augmentation([step], seed, SHAPE, axes).draws(SAMPLES, epoch)
    return given[:, 0], numbers[:, 0]


@given(st.tuples(WORD, WORD, WORD, WORD), st.tuples(WORD, WORD))
def test_philox_is_that_of_the_core(counter: Any, key: Any) -> None:
    assert list(philox_words(counter, key)) == list(_core.philox(counter, key))


def test_keys_are_seed_epoch_sample_and_place() -> None:
    """The words of each, recomputed by NumPy."""
    seed, epoch = (5 << 32) + 9, 3
    samples = np.array([0, 7, 2**32 - 2])
    augmentation = Augmentation(
        [steps.Rotation(30.0), steps.Brightness(0.5), steps.Rotation(20.0)], seed, SHAPE
    )
    _, numbers = augmentation.draws(samples, epoch)
    for place, low, high in ((0, -30, 30), (1, 0.5, 1.5), (2, -20, 20)):
        uniform = reference.uniforms(seed, epoch, place, samples)[:, 1]
        np.testing.assert_allclose(numbers[:, place, 0], low + (high - low) * uniform, rtol=1e-14)


UNIFORM: list[tuple[Any, int, float, float]] = [
    (steps.Translation(0.2, 0.1), 0, -0.2, 0.2),
    (steps.Translation(0.2, 0.1), 1, -0.1, 0.1),
    (steps.Rotation(40.0), 0, -40, 40),
    (steps.Shear(20.0, 10.0), 0, -20, 20),
    (steps.Shear(20.0, 10.0), 1, -10, 10),
    (steps.LensDistortion(-0.2, 0.5), 0, -0.2, 0.5),
    (steps.Brightness(0.3), 0, 0.7, 1.3),
    (steps.Contrast(0.4), 0, 0.6, 1.4),
]


@pytest.mark.parametrize(("step", "number", "low", "high"), UNIFORM)
def test_uniform_numbers(step: Any, number: int, low: float, high: float) -> None:
    given, numbers = drawn(step)
    assert given.all()
    assert stats.kstest(numbers[:, number], stats.uniform(low, high - low).cdf).pvalue > UNLIKELY


@pytest.mark.parametrize("step", [steps.Scaling(0.5, 3.0), steps.Stretch(0.5, 3.0)])
def test_factors_are_log_uniform(step: Any) -> None:
    _, numbers = drawn(step)
    for number in (0, 1):
        assert stats.kstest(numbers[:, number], stats.loguniform(0.5, 3.0).cdf).pvalue > UNLIKELY
    same = np.array_equal(numbers[:, 0], numbers[:, 1])
    assert same == isinstance(step, steps.Scaling)
    if not same:
        assert abs(np.corrcoef(numbers[:, 0], numbers[:, 1])[0, 1]) < 0.03


def uniform_counts(values: np.ndarray, low: int, high: int) -> float:
    """The probability of a chi-square as large as that of whole numbers in low .. high."""
    counts = np.bincount((values - low).astype(int), minlength=high - low + 1)
    assert len(counts) == high - low + 1
    assert values.min() >= low
    return float(stats.chisquare(counts).pvalue)


def test_windows_lie_anywhere() -> None:
    given, numbers = drawn(steps.RandomCrop([32, 30], padding=4))
    assert given.all()
    assert (numbers[:, :2] == [40, 50]).all()
    assert uniform_counts(numbers[:, 2], -4, 40 + 4 - 32) > UNLIKELY
    assert uniform_counts(numbers[:, 3], -4, 50 + 4 - 30) > UNLIKELY


def test_resized_windows() -> None:
    _, numbers = drawn(steps.RandomResizedCrop(48, 60, 90))
    assert uniform_counts(numbers[:, 0], 60, 90) > UNLIKELY
    np.testing.assert_array_equal(numbers[:, 1], np.floor(numbers[:, 0] * 50 / 40 + 0.5))
    for length in (60, 75):
        those = numbers[numbers[:, 0] == length]
        assert uniform_counts(those[:, 2], 0, length - 48) > UNLIKELY
        assert uniform_counts(those[:, 3], 0, int(those[0, 1]) - 48) > UNLIKELY


def test_colour_and_cutout() -> None:
    _, numbers = drawn(steps.PcaColour(0.1))
    for number in range(3):
        assert stats.kstest(numbers[:, number], stats.norm.cdf).pvalue > UNLIKELY
    assert np.abs(np.corrcoef(numbers[:, :3].T) - np.eye(3)).max() < 0.03
    _, numbers = drawn(steps.Cutout(8))
    assert uniform_counts(numbers[:, 0], 0, 39) > UNLIKELY
    assert uniform_counts(numbers[:, 1], 0, 49) > UNLIKELY


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("step", [steps.HorizontalFlip, steps.Rotation, steps.GaussianNoise])
def test_probabilities(step: Any, probability: float) -> None:
    given, _ = drawn(step(probability=probability))
    assert stats.binomtest(int(given.sum()), len(given), probability).pvalue > UNLIKELY


@pytest.mark.parametrize("alpha", [0.001, 0.1, 0.4, 1.0, 2.5, 50.0])
def test_shares_of_mixtures(alpha: float) -> None:
    augmentation = Augmentation([steps.Mixup(alpha)], 3, SHAPE)
    mixing = augmentation.mixing(SAMPLES, 1, 64)
    assert mixing is not None
    assert ((mixing.shares >= 0) & (mixing.shares <= 1)).all()
    if alpha >= 0.1:  # below, nearly all are 0 or 1 to the last digit
        assert stats.kstest(mixing.shares, stats.beta(alpha, alpha).cdf).pvalue > UNLIKELY
    assert stats.binomtest(int((mixing.shares > 0.5).sum()), len(SAMPLES), 0.5).pvalue > UNLIKELY
    assert uniform_counts(mixing.partners, 0, 63) > UNLIKELY


def test_epochs_seeds_and_steps_differ() -> None:
    step = steps.Rotation(40.0)
    _, first = drawn(step, 11, 2)
    for seed, epoch in ((11, 3), (12, 2), (11 + (1 << 32), 2)):
        _, other = drawn(step, seed, epoch)
        assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 0.03
    _, both = Augmentation([step, step], 11, SHAPE).draws(SAMPLES, 2)
    np.testing.assert_array_equal(both[:, 0], first)
    assert abs(np.corrcoef(both[:, 0, 0], both[:, 1, 0])[0, 1]) < 0.03


def test_draws_know_nothing_of_the_batch() -> None:
    augmentation = Augmentation([steps.Shear(), steps.Mixup(0.4)], 1, SHAPE)
    order = np.random.default_rng(0).permutation(100)
    _, numbers = augmentation.draws(np.arange(100), 0)
    np.testing.assert_array_equal(augmentation.draws(order, 0)[1], numbers[order])
    whole, part = augmentation.mixing(np.arange(100), 0, 100), augmentation.mixing(order[:7], 0, 100)
    assert whole is not None
    assert part is not None
    np.testing.assert_array_equal(whole.shares[order[:7]], part.shares)
    np.testing.assert_array_equal(whole.partners[order[:7]], part.partners)
