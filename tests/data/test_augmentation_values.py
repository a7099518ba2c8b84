"""Steps that change values, the last pass, and that the bits know nothing of threads and batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import augmentation as reference
from scipy import stats

from ravine import augmentations as steps
from ravine.data import fit
from ravine.data.augmentation import Augmentation, Crops, CropSettings, colour_axes, for_training

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (15, 18, 23, 3), np.uint8)
ALL = np.arange(len(PICTURES))
SEED, EPOCH = 4, 1
CLOSE = {"rtol": 0.0, "atol": 1e-4}
EVERYTHING: list[Any] = [
    steps.RandomCrop([16, 20], 4), steps.HorizontalFlip(), steps.Rotation(border="reflect"),
    steps.LensDistortion(border="reflect"), steps.Brightness(), steps.Contrast(), steps.PcaColour(),
    steps.GaussianNoise(), steps.Cutout(), steps.Mixup(0.5),
]  # fmt: skip


def augmented(given: list[Any], pictures: np.ndarray = PICTURES) -> np.ndarray:
    augmentation = for_training(given, SEED, pictures)
    out = np.empty((len(pictures), *augmentation.output_shape(pictures.shape[1:])))
    augmentation.apply(pictures, np.arange(len(pictures)), EPOCH, None, None, out)
    return out


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("step", [steps.Brightness(0.9), steps.Contrast(0.9)])
def test_brightness_and_contrast(step: Any, channels: int) -> None:
    pictures = RANDOM.integers(0, 256, (9, 31, 37, channels), np.uint8)  # no whole number of vectors
    numbers = for_training([step], SEED, pictures).draws(np.arange(9), EPOCH)[1][:, 0, 0]
    formula = reference.brightness if isinstance(step, steps.Brightness) else reference.contrast
    for found, picture, factor in zip(augmented([step], pictures), pictures, numbers, strict=True):
        np.testing.assert_allclose(found, formula(picture.astype(float), factor), **CLOSE)


def test_contrast_is_that_of_pillow() -> None:
    """ImageEnhance.Contrast rounds the mean grey and the result to whole levels."""
    enhance = pytest.importorskip("PIL.ImageEnhance")
    image = pytest.importorskip("PIL.Image")
    step = steps.Contrast(0.5)
    numbers = for_training([step], SEED, PICTURES).draws(ALL, EPOCH)[1][:, 0, 0]
    for found, picture, factor in zip(augmented([step]), PICTURES, numbers, strict=True):
        there = np.asarray(enhance.Contrast(image.fromarray(picture)).enhance(float(factor)), float)
        assert np.abs(found - there).max() < 1.0 + 0.5 * abs(1 - factor)


def test_a_large_picture_keeps_its_mean() -> None:
    picture = RANDOM.integers(0, 256, (1, 700, 900, 3), np.uint8)
    factor = for_training([steps.Contrast()], SEED, picture).draws(np.arange(1), EPOCH)[1][0, 0, 0]
    found = augmented([steps.Contrast()], picture)[0]
    np.testing.assert_allclose(found, reference.contrast(picture[0].astype(float), factor), **CLOSE)


def test_colour_offsets() -> None:
    correlated = PICTURES // 2 + PICTURES[..., :1] // 2
    step = steps.PcaColour(0.3)
    numbers = for_training([step], SEED, correlated).draws(ALL, EPOCH)[1][:, 0, :3]
    for found, picture, normals in zip(augmented([step], correlated), correlated, numbers, strict=True):
        offset = reference.colour_offset(correlated, normals, 0.3)
        np.testing.assert_allclose(found, np.clip(picture + offset, 0, 255), **CLOSE)


def test_colour_axes_are_orthogonal_and_as_long_as_the_variances() -> None:
    axes = colour_axes(PICTURES)
    lengths = np.linalg.norm(axes, axis=0)
    assert (np.diff(lengths) <= 0).all()
    np.testing.assert_allclose(axes.T @ axes, np.diag(lengths**2), atol=1e-9)
    np.testing.assert_allclose(lengths.sum(), 255 * (PICTURES / 255.0).reshape(-1, 3).var(axis=0).sum())


def test_noise() -> None:
    step = steps.GaussianNoise(25.0)
    for sample, found in enumerate(augmented([step])):
        numbers = reference.noise(SEED, EPOCH, 0, sample, PICTURES[0].size).reshape(PICTURES[0].shape)
        np.testing.assert_allclose(found, np.clip(PICTURES[sample] + 25 * numbers, 0, 255), **CLOSE)


def test_noise_is_normal() -> None:
    """On grey pictures that no noise leads out of the levels."""
    grey = np.full((4, 120, 120, 3), 127, np.uint8)
    values = (augmented([steps.GaussianNoise(8.0)], grey) - 127) / 8
    assert stats.kstest(values.ravel(), stats.norm.cdf).pvalue > 1e-4
    assert stats.kstest(values[0].ravel(), stats.norm.cdf).pvalue > 1e-4
    assert abs(np.corrcoef(values[0].ravel(), values[1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(values[0, :, 1:, 0].ravel(), values[0, :, :-1, 0].ravel())[0, 1]) < 0.03


@pytest.mark.parametrize("size", [1, 2, 7, 60])
def test_cutout(size: int) -> None:
    step = steps.Cutout(size, fill=12.0)
    centres = for_training([step], SEED, PICTURES).draws(ALL, EPOCH)[1][:, 0, :2]
    for found, picture, (y, x) in zip(augmented([step]), PICTURES, centres, strict=True):
        rows, columns = np.mgrid[0:18, 0:23]
        top, left = y - size // 2, x - size // 2
        square = (rows >= top) & (rows < top + size) & (columns >= left) & (columns < left + size)
        assert square.any()
        np.testing.assert_array_equal(found, np.where(square[..., None], 12.0, picture))


def test_mixup_mixes_augmented_pictures() -> None:
    given = [steps.RandomCrop(), steps.HorizontalFlip(), steps.Brightness()]
    plain = augmented(given)
    augmentation = for_training([*given, steps.Mixup(0.5, probability=0.8)], SEED, PICTURES)
    mixing = augmentation.mixing(ALL, EPOCH, len(PICTURES))
    assert mixing is not None
    assert 0 < (mixing.shares == 1).sum() < len(PICTURES)
    out = np.empty(PICTURES.shape)
    augmentation.apply(PICTURES, ALL, EPOCH, None, None, out, mixing=mixing)
    share = mixing.shares[:, None, None, None]
    np.testing.assert_allclose(out, share * plain + (1 - share) * plain[mixing.partners], **CLOSE)


def test_the_last_pass_normalizes() -> None:
    given = [steps.RandomCrop(), steps.Contrast()]
    plain = augmented(given)
    transform = fit("standardize", PICTURES)
    augmentation = for_training(given, SEED, PICTURES)
    for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 1e-6)):
        out = np.empty(PICTURES.shape, dtype)
        augmentation.apply(PICTURES, ALL, EPOCH, transform.mean, 1 / transform.deviation, out)
        value = (plain - transform.mean) / transform.deviation
        np.testing.assert_allclose(out, value, rtol=tolerance, atol=tolerance)
    # Without a step it is the transform itself, to the bit.
    out = np.empty(PICTURES.shape, np.float32)
    nothing = for_training([], SEED, PICTURES)
    nothing.apply(PICTURES, ALL, EPOCH, transform.mean, 1 / transform.deviation, out)
    assert out.tobytes() == transform.apply(PICTURES).tobytes()


def test_bytes_are_rounded() -> None:
    given = [steps.Rotation(), steps.GaussianNoise()]
    out = np.empty(PICTURES.shape, np.uint8)
    for_training(given, SEED, PICTURES).apply(PICTURES, ALL, EPOCH, None, None, out)
    np.testing.assert_array_equal(out, np.floor(augmented(given) + 0.5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_equal_bits_for_threads_batches_and_places(dtype: Any) -> None:
    augmentation = for_training(EVERYTHING, SEED, PICTURES)
    order = RANDOM.permutation(np.repeat(ALL, 3))
    mean = None if dtype == np.uint8 else RANDOM.uniform(0, 255, (16, 20, 3))
    scale = None if dtype == np.uint8 else RANDOM.uniform(0.01, 1, (16, 20, 3))

    def made(indices: Any, threads: int = 1, source: Any = PICTURES, rows: Any = None) -> np.ndarray:
        out = np.empty((len(indices), 16, 20, 3), dtype)
        mixing = augmentation.mixing(indices, EPOCH, len(PICTURES), rows=None if rows is None else rows)
        here = None if rows is None else rows[indices]
        augmentation.apply(source, indices, EPOCH, mean, scale, out, threads, here, mixing)
        return out

    one = made(ALL)
    for threads in (1, 2, 4, 64):
        assert made(order, threads).tobytes() == one[order].tobytes()
    cut = np.concatenate([made(order[:7]), made(order[7:8]), made(order[8:], 2)])
    assert cut.tobytes() == one[order].tobytes()
    # The samples lie elsewhere: what is drawn goes by the sample.
    rows = RANDOM.permutation(len(PICTURES))
    source = np.empty_like(PICTURES)
    source[rows] = PICTURES
    assert made(order, 2, source, rows).tobytes() == one[order].tobytes()


def test_ten_crops() -> None:
    """Corners and middle, and mirrored, of the picture at its own size; then of one that is resized."""
    crops = Crops(CropSettings(scales=[18, 36]), PICTURES.shape[1:], (16, 20))
    assert len(crops) == 20
    views = np.empty((20, 15, 16, 20, 3))
    for view in range(20):
        crops.apply(view, PICTURES, ALL, None, None, views[view])
    places = [(0, 0), (0, 3), (2, 0), (2, 3), (1, 1)]
    for view, (y, x) in enumerate(places):
        window = PICTURES[:, y : y + 16, x : x + 20]
        np.testing.assert_array_equal(views[view], window)
        np.testing.assert_array_equal(views[view + 5], window[:, :, ::-1])
    x, y = reference.source_points([("random_crop", [36, 46, 20, 26])], [(18, 23)], (16, 20))
    np.testing.assert_allclose(views[13][4], reference.sampled(PICTURES[4], x, y, "edge", 0.0), **CLOSE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": PICTURES.astype(np.float32)}, "source is float32, expected uint8"),
        ({"source": PICTURES[:, :9]}, "source must be a C-contiguous"),
        ({"source": PICTURES[:, :9].copy()}, r"source has shape \(15, 9, 23, 3\)"),
        ({"indices": np.array([0, 15])}, r"indices\[1\] is 15, outside the 15 samples"),
        ({"indices": np.array([0, -1])}, r"indices\[1\] is -1"),
        ({"indices": np.array([0, 1], np.int32)}, "indices is int32"),
        ({"rows": np.array([0, 15])}, r"rows\[1\] is 15"),
        ({"out": np.empty((3, 18, 23, 3))}, r"out has shape \(3, 18, 23, 3\), expected \(2, 18, 23, 3\)"),
        ({"out": np.empty((2, 18, 23, 3), np.int32)}, "out is int32, expected uint8, float32 or float64"),
        ({"mean": np.zeros(3), "scale": np.ones(3)}, r"mean has shape \(3,\)"),
        ({"epoch": -1}, "epoch is -1"),
    ],
)
def test_arrays_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    settings = {
        "source": PICTURES, "indices": np.array([0, 1]), "epoch": 0, "mean": None, "scale": None,
        "out": np.empty((2, 18, 23, 3)),
    }  # fmt: skip
    with pytest.raises((ValueError, IndexError), match=message):
        Augmentation([steps.Rotation()], 0, PICTURES.shape[1:]).apply(**(settings | change))
