"""Geometric steps against SciPy and Pillow: one map, one bilinear sampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference import augmentation as reference
from scipy import ndimage

from ravine import augmentations as steps
from ravine.data.augmentation import Augmentation, without_chance

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (12, 20, 26, 3), np.uint8)
ALL = np.arange(len(PICTURES))
SEED, EPOCH = 4, 1
# float32 pictures of levels up to 255: 2^-24 of them for each of some roundings
CLOSE = {"rtol": 0.0, "atol": 2e-4}


def augmented(
    given: list[Any], pictures: np.ndarray = PICTURES, dtype: Any = np.float64, **more: Any
) -> np.ndarray:
    augmentation = Augmentation(given, SEED, pictures.shape[1:], np.eye(3))
    out = np.empty((len(pictures), *augmentation.output_shape(pictures.shape[1:])), dtype)
    augmentation.apply(pictures, np.arange(len(pictures)), EPOCH, None, None, out, **more)
    return out


def expected(given: list[Any], pictures: np.ndarray = PICTURES) -> np.ndarray:
    """By SciPy, from the numbers that were drawn and the formulas of the settings."""
    augmentation = Augmentation(given, SEED, pictures.shape[1:])
    taken, numbers = augmentation.draws(np.arange(len(pictures)), EPOCH)
    out = augmentation.output_shape(pictures.shape[1:])[:2]
    border = next((step.border for step in given if hasattr(step, "border")), "constant")
    fill = next((step.fill for step in given if hasattr(step, "fill")), 0.0)
    results = []
    for sample, picture in enumerate(pictures):
        size, sizes, done = picture.shape[:2], [], []
        for place, step in enumerate(given):
            kind = type(step).__struct_config__.tag
            if taken[sample, place] or kind.endswith("crop"):
                done.append((kind, numbers[sample, place]))
                sizes.append(size)
            wanted = getattr(step, "size", 0) or size
            size = (wanted, wanted) if isinstance(wanted, int) else tuple(wanted)
        x, y = reference.source_points(done, sizes, out)
        results.append(reference.sampled(picture, x, y, border, fill))
    return np.stack(results)


BORDERS: list[dict[str, Any]] = [
    {"border": "constant"}, {"border": "constant", "fill": 77.5}, {"border": "edge"}, {"border": "reflect"},
]  # fmt: skip
CASES = [
    [(steps.Translation, {"horizontal": 0.3, "vertical": 0.4})],
    [(steps.Scaling, {"low": 0.3, "high": 3.0})],
    [(steps.Rotation, {"degrees": 180.0})],
    [(steps.Stretch, {"low": 0.5, "high": 2.0})],
    [(steps.Shear, {"horizontal": 40.0, "vertical": 30.0})],
    [(steps.LensDistortion, {"low": -0.3, "high": 1.0})],
    [(steps.RandomCrop, {"size": [17, 31], "padding": 9})],
    [(steps.RandomResizedCrop, {"size": [18, 16], "shortest": 18, "longest": 40})],
    [
        (steps.Rotation, {"degrees": 30.0}),
        (steps.HorizontalFlip, {}),
        (steps.Scaling, {"low": 0.7, "high": 1.5}),
        (steps.LensDistortion, {}),
        (steps.Shear, {"vertical": 5.0}),
        (steps.Translation, {}),
        (steps.LensDistortion, {"low": 0.1, "high": 0.4}),
        (steps.RandomCrop, {"size": 15, "padding": 3}),
    ],
    [
        (steps.RandomResizedCrop, {"size": 16, "shortest": 20, "longest": 30}),
        (steps.Rotation, {"probability": 0.5}),
    ],
]


@pytest.mark.parametrize("border", BORDERS, ids=lambda border: "-".join(map(str, border.values())))
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(one[0].__name__ for one in case))
def test_maps_are_those_of_scipy(case: Any, border: dict[str, Any]) -> None:
    given = [
        kind(**settings, **(border if kind is not steps.HorizontalFlip else {})) for kind, settings in case
    ]
    np.testing.assert_allclose(augmented(given), expected(given), **CLOSE)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_numbers_of_channels(channels: int) -> None:
    pictures = RANDOM.integers(0, 256, (6, 9, 7, channels), np.uint8)
    for given in ([steps.Rotation(90.0)], [steps.RandomCrop(padding=3), steps.HorizontalFlip()]):
        np.testing.assert_allclose(augmented(given, pictures), expected(given, pictures), **CLOSE)


def test_an_affine_map_is_that_of_affine_transform() -> None:
    """The same by SciPy's other function, whose matrix is of (row, column)."""
    given = [steps.Rotation(50.0), steps.Scaling()]
    _, numbers = Augmentation(given, SEED, PICTURES.shape[1:]).draws(ALL, EPOCH)
    angle, factor = np.radians(numbers[:, 0, 0]), numbers[:, 1, 0]
    centre = np.array([9.5, 12.5])
    for sample, found in enumerate(augmented(given)):
        cosine, sine = np.cos(angle[sample]), np.sin(angle[sample])
        matrix = np.array([[cosine, sine], [-sine, cosine]]) / factor[sample]
        for channel in range(3):
            there = ndimage.affine_transform(
                PICTURES[sample, ..., channel].astype(float), matrix, centre - matrix @ centre, order=1,
                mode="grid-constant",
            )  # fmt: skip
            np.testing.assert_allclose(found[..., channel], there, **CLOSE)


def test_a_positive_angle_turns_counterclockwise() -> None:
    """As Pillow's rotate does, whose bilinear sampling rounds to bytes."""
    image = pytest.importorskip("PIL.Image")
    pictures = np.repeat(
        ndimage.gaussian_filter(RANDOM.uniform(0, 255, (33, 33)), 4)[None, ..., None], 8, axis=0
    )
    pictures = ((pictures - pictures.min()) * 255 / np.ptp(pictures)).astype(np.uint8)
    _, numbers = Augmentation([steps.Rotation(60.0)], SEED, (33, 33, 1)).draws(np.arange(8), EPOCH)
    for found, angle in zip(augmented([steps.Rotation(60.0)], pictures), numbers[:, 0, 0], strict=True):
        turned = image.fromarray(pictures[0, ..., 0]).rotate(float(angle), resample=image.Resampling.BILINEAR)
        inner = (slice(9, 24), slice(9, 24))
        assert np.abs(found[..., 0][inner] - np.asarray(turned, float)[inner]).max() < 1.01


def test_enlarging_is_that_of_pillow() -> None:
    image = pytest.importorskip("PIL.Image")
    step = steps.RandomResizedCrop([40, 52], 40, 40)
    for found, picture in zip(augmented([step]), PICTURES, strict=True):
        resized = image.fromarray(picture).resize((52, 40), image.Resampling.BILINEAR)
        assert np.abs(found - np.asarray(resized, float)).max() < 1.01  # Pillow rounds, in each direction


@pytest.mark.parametrize("border", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("padding", [0, 1, 5, 45])
def test_windows_are_those_of_numpy(border: Any, padding: int) -> None:
    """Exactly: no arithmetic touches a pixel; padding goes beyond the picture's own size."""
    mode: dict[str, Any] = {
        "constant": {"mode": "constant", "constant_values": 9}, "edge": {"mode": "edge"},
        "reflect": {"mode": "symmetric"},
    }[border]  # fmt: skip
    crop = steps.RandomCrop([19, 22], padding, border=border, fill=9.0)
    given = [crop, steps.HorizontalFlip()]
    taken, numbers = Augmentation(given, SEED, PICTURES.shape[1:]).draws(ALL, EPOCH)
    assert taken[:, 1].any()
    assert not taken[:, 1].all()
    bytes_out = augmented(given, dtype=np.uint8)
    for sample, found in enumerate(augmented(given)):
        padded = np.pad(PICTURES[sample], [(padding, padding), (padding, padding), (0, 0)], **mode)
        y, x = (numbers[sample, 0, 2:] + padding).astype(int)
        window = padded[y : y + 19, x : x + 22]
        window = window[:, ::-1] if taken[sample, 1] else window
        np.testing.assert_array_equal(found, window)
        np.testing.assert_array_equal(bytes_out[sample], window)


def test_steps_with_other_borders_are_maps_of_their_own() -> None:
    """Two samplings, one behind the other, where the second's border is another one."""
    given = [steps.Rotation(30.0, border="edge"), steps.Translation(0.3, 0.3, fill=50.0)]
    _, numbers = Augmentation(given, SEED, PICTURES.shape[1:]).draws(ALL, EPOCH)
    for sample, found in enumerate(augmented(given)):
        size = PICTURES.shape[1:3]
        x, y = reference.source_points([("rotation", numbers[sample, 0])], [size], size)
        turned = reference.sampled(PICTURES[sample], x, y, "edge", 0.0)
        x, y = reference.source_points([("translation", numbers[sample, 1])], [size], size)
        np.testing.assert_allclose(
            found, reference.sampled(turned, x, y, "constant", 50.0), rtol=0, atol=5e-4
        )


def test_the_counterpart_without_chance() -> None:
    """The window in the middle of the picture, resized to the middle of the lengths."""
    random = [steps.RandomCrop(14), steps.HorizontalFlip(), steps.Brightness(), steps.Mixup()]
    centre = without_chance(random, PICTURES.shape[1:])
    out = np.empty((12, 14, 14, 3))
    for epoch in (0, 5):
        centre.apply(PICTURES, ALL, epoch, None, None, out)
        np.testing.assert_array_equal(out, PICTURES[:, 3:17, 6:20])
    resized = without_chance([steps.RandomResizedCrop(16, 20, 41)], PICTURES.shape[1:])
    out = np.empty((12, 16, 16, 3))
    resized.apply(PICTURES, ALL, 0, None, None, out)
    x, y = reference.source_points([("random_resized_crop", [30, 39, 7, 11])], [(20, 26)], (16, 16))
    for sample in ALL:
        np.testing.assert_allclose(out[sample], reference.sampled(PICTURES[sample], x, y, "edge", 0), **CLOSE)
    same = without_chance([steps.RandomCrop(), steps.Rotation()], PICTURES.shape[1:])
    out = np.empty(PICTURES.shape)
    same.apply(PICTURES, ALL, 0, None, None, out)
    np.testing.assert_array_equal(out, PICTURES)
