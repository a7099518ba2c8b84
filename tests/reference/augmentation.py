"""Augmentations from their formulas, in NumPy and SciPy: random numbers, maps, what becomes of a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from reference import philox
from scipy import ndimage

AUGMENTATION = 4  # the purpose
BORDERS = {"constant": "grid-constant", "edge": "nearest", "reflect": "reflect"}

Window = tuple[int, int, int, int, int, int]  # resized height, width, first y, x, height, width of the window


def words(seed: int, epoch: int, place: int, samples: np.ndarray, call: int = 0) -> np.ndarray:
    """Four words of each sample, [samples, 4]."""
    return philox.words(seed, AUGMENTATION, place, epoch, np.full(len(samples), call), samples)


def uniforms(seed: int, epoch: int, place: int, samples: np.ndarray, call: int = 0) -> np.ndarray:
    return philox.uniform(words(seed, epoch, place, samples, call))


def about_centre(matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    """A linear map of (x, y) about the centre of a picture, as a 3 x 3 matrix."""
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    whole = np.eye(3)
    whole[:2, :2] = matrix
    whole[:2, 2] = centre - matrix @ centre
    return whole


def forward_matrix(kind: str, numbers: Sequence[float], height: int, width: int) -> np.ndarray:
    """Where a step moves the points (x, y, 1) of a picture."""
    if kind == "translation":
        return np.array([[1, 0, numbers[0] * width], [0, 1, numbers[1] * height], [0, 0, 1.0]])
    if kind == "horizontal_flip":
        return np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1.0]])
    if kind in ("scaling", "stretch"):
        return about_centre(np.diag([numbers[0], numbers[1]]), height, width)
    if kind == "rotation":  # counterclockwise to the eye: y points down
        c, s = np.cos(np.radians(numbers[0])), np.sin(np.radians(numbers[0]))
        return about_centre(np.array([[c, s], [-s, c]]), height, width)
    if kind == "shear":
        a, b = np.tan(np.radians(numbers[0])), np.tan(np.radians(numbers[1]))
        return about_centre(np.array([[1, a], [b, 1]]), height, width)
    assert kind in ("random_crop", "random_resized_crop")
    down, across = numbers[0] / height, numbers[1] / width  # pixels' edges, not centres, are scaled
    shift = np.array([[1, 0, -numbers[3]], [0, 1, -numbers[2]], [0, 0, 1.0]])
    return shift @ np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5], [0, 0, 1.0]])


def source_points(
    steps: Sequence[tuple[str, Sequence[float]]], sizes: Sequence[tuple[int, int]], out: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """x and y in the source of each pixel of the result, [height, width] each.

    Args:
        steps: kinds and numbers, in the order in which they change the picture.
        sizes: height and width of the picture before each.
        out: height and width after the last.
    """
    y, x = np.mgrid[0 : out[0], 0 : out[1]].astype(float)
    for (kind, numbers), (height, width) in zip(reversed(steps), reversed(sizes), strict=True):
        if kind == "lens_distortion":
            centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
            square = ((x - centre_x) ** 2 + (y - centre_y) ** 2) / (centre_x**2 + centre_y**2)
            factor = 1 + numbers[0] * square
            x, y = centre_x + factor * (x - centre_x), centre_y + factor * (y - centre_y)
        else:
            back = np.linalg.inv(forward_matrix(kind, numbers, height, width))
            x, y = back[0, 0] * x + back[0, 1] * y + back[0, 2], back[1, 0] * x + back[1, 1] * y + back[1, 2]
    return x, y


def sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray, border: str, fill: float) -> np.ndarray:
    """A picture [height, width, channels] at points, bilinearly."""
    channels = [
        ndimage.map_coordinates(
            picture[..., channel].astype(float), [y, x], order=1, mode=BORDERS[border], cval=fill
        )
        for channel in range(picture.shape[2])
    ]
    return np.stack(channels, axis=-1)


def brightness(picture: np.ndarray, factor: float) -> np.ndarray:
    return np.clip(picture * factor, 0, 255)


def contrast(picture: np.ndarray, factor: float) -> np.ndarray:
    grey = picture @ [0.299, 0.587, 0.114] if picture.shape[2] == 3 else picture
    return np.clip(grey.mean() + factor * (picture - grey.mean()), 0, 255)


def colour_offset(pictures: np.ndarray, normals: np.ndarray, deviation: float) -> np.ndarray:
    """What is added to R, G and B: 255 P (a lambda), from the covariance of all pixels."""
    covariance = np.cov(pictures.reshape(-1, 3).T / 255.0, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(3)])
    return 255.0 * vectors @ (deviation * normals * values)


def noise(seed: int, epoch: int, place: int, sample: int, count: int) -> np.ndarray:
    """Normal numbers: the middle quantile of each of 2^16 cells, eight of them a call, low halves first."""
    from scipy import special

    calls = np.arange(1, (count + 7) // 8 + 1)
    bits = philox.words(seed, AUGMENTATION, place, epoch, calls, np.full(len(calls), sample))
    halves = np.stack([bits & np.uint64(0xFFFF), bits >> np.uint64(16)], axis=-1).reshape(-1)[:count]
    return special.ndtri((halves.astype(float) + 0.5) / 65536)


def mixed_cross_entropy(
    logits: np.ndarray,
    labels: np.ndarray,
    others: np.ndarray,
    shares: np.ndarray,
    smoothing: float = 0.0,
    weights: np.ndarray | None = None,
) -> float:
    """Mean of -sum_j target_j log softmax_j; of the target a share is the label, the rest the other."""
    classes = logits.shape[1]
    target = shares[:, None] * np.eye(classes)[labels] + (1 - shares)[:, None] * np.eye(classes)[others]
    counts = np.ones(len(labels)) if weights is None else target @ weights
    target = (1 - smoothing) * target + smoothing / classes
    if weights is not None:
        target = target * weights
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-(target * log_probability).sum() / counts.sum())
