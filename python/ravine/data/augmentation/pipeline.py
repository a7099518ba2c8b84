"""From the settings of steps to the native pipeline: sizes of the pictures, and which steps share a map."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ravine.data.augmentation._pipeline import Pipeline
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
    Stretch,
    Translation,
    height_and_width,
)
from ravine.errors import InputError

KINDS = (
    *("translation", "scaling", "rotation", "stretch", "shear", "lens_distortion", "horizontal_flip"),
    *("random_crop", "random_resized_crop", "fixed_crop"),
    *("brightness", "contrast", "pca_colour", "gaussian_noise", "cutout"),
)
BORDERS = ("constant", "edge", "reflect")
MOST_STEPS = 64
MOST_LENSES = 4  # of one map
QUANTILES = 1 << 16
GEOMETRY = KINDS.index("fixed_crop")  # the last of the kinds that move pixels

# steps, seed, and the shapes of a stored picture and of a result
NativeSteps = tuple[list["NativeStep"], int, tuple[int, int, int], tuple[int, int, int]]
# kind, end of its map, border, place, height, width, height and width after it, fill, probability, settings
NativeStep = tuple[int, int, int, int, int, int, int, int, float, float, Sequence[float]]
Window = tuple[
    int, int, int, int
]  # height and width that the picture is resized to, and where it begins: y, x
Border = tuple[str, float]


class FixedCrop(Step, frozen=True, tag="fixed_crop"):
    """A window that is not drawn: what stands for a random crop where nothing is random.

    Args:
        window: height and width that the picture is resized to, and where the window begins in it: y, x.
        size: height and width of the window.
    """

    window: Window = (1, 1, 0, 0)
    size: tuple[int, int] = (1, 1)


@functools.cache
def normal_quantiles() -> NDArray[np.float32]:
    """The middles of 2^16 equally likely parts of the normal distribution, up to 4.3 deviations."""
    upper = [NormalDist().inv_cdf((index + 0.5) / QUANTILES) for index in range(QUANTILES // 2, QUANTILES)]
    half = np.array(upper, np.float32)
    return np.concatenate([-half[::-1], half])


def size_after(step: Step, height: int, width: int) -> tuple[int, int]:
    """Height and width of a picture after a step."""
    if isinstance(step, RandomResizedCrop):
        return height_and_width(step.size)
    if isinstance(step, RandomCrop) and step.size:
        return height_and_width(step.size)
    if isinstance(step, FixedCrop):
        return step.size
    return height, width


def check_size(step: Step, height: int, width: int, key: str) -> None:
    """Raise InputError where a window is larger than the picture that it is cut from."""
    if isinstance(step, RandomCrop):
        new = size_after(step, height, width)
        room = 2 * step.padding
        if new[0] > height + room or new[1] > width + room:
            raise InputError(
                f"is {list(new)}, larger than the pictures of {[height, width]} with {step.padding} pixels "
                "of padding; use a smaller size or more padding",
                key=f"{key}.size",
            )
    elif isinstance(step, RandomResizedCrop):
        window, smallest = height_and_width(step.size), resized_to(height, width, step.shortest)
        if window[0] > smallest[0] or window[1] > smallest[1]:
            raise InputError(
                f"is {step.shortest}: pictures of {[height, width]} become {list(smallest)}, too small for a "
                f"window of {list(window)}",
                key=f"{key}.shortest",
            )


def centred(step: Step, height: int, width: int) -> FixedCrop | None:
    """The window in the middle that stands for a random crop of a picture; None for all other steps."""
    if isinstance(step, FixedCrop):
        return step
    new = size_after(step, height, width)
    if isinstance(step, RandomResizedCrop):
        resized = resized_to(height, width, (step.shortest + step.longest) // 2)
    elif isinstance(step, RandomCrop):
        resized = (height, width)
    else:
        return None
    window = (*resized, (resized[0] - new[0]) // 2, (resized[1] - new[1]) // 2)
    return FixedCrop(window=window, size=new)


def resized_to(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width with that short side and the same shape, rounded."""
    short = min(height, width)
    return (2 * short_side * height + short) // (2 * short), (2 * short_side * width + short) // (2 * short)


def compile_steps(
    steps: Sequence[tuple[int, Step]],
    seed: int,
    shape: tuple[int, int, int],
    colour_axes: NDArray[np.float64] | None = None,
) -> Pipeline:
    """The native form of steps; see `native_steps`."""
    native = native_steps(steps, seed, shape, colour_axes)
    return Pipeline(native[0], seed, *shape, normal_quantiles())


def native_steps(
    steps: Sequence[tuple[int, Step]],
    seed: int,
    shape: tuple[int, int, int],
    colour_axes: NDArray[np.float64] | None = None,
) -> NativeSteps:
    """Steps as native code takes them, on the host and on a device.

    Args:
        steps: each with its place in the list of settings, which is part of its key.
        seed: of the run.
        shape: height, width and channels of the source.
        colour_axes: [3, 3], columns 255 lambda_i p_i, for colour offsets.

    Raises:
        InputError: too many steps.
    """
    if len(steps) > MOST_STEPS:
        raise InputError(f"has {len(steps)} steps, at most {MOST_STEPS}", key="data.augmentation")
    ends, borders = groups([step for _, step in steps])
    native: list[NativeStep] = []
    height, width = shape[:2]
    for (place, step), end, (border, fill) in zip(steps, ends, borders, strict=True):
        new = size_after(step, height, width)
        settings = native_settings(step, colour_axes)
        kind = KINDS.index(type(step).__struct_config__.tag)
        sizes = (height, width, *new)
        native.append((kind, end, BORDERS.index(border), place, *sizes, fill, step.probability, settings))
        height, width = new
    return native, seed, shape, (height, width, shape[2])


def groups(steps: Sequence[Step]) -> tuple[list[int], list[Border]]:
    """Of each step: behind which step its map ends (0: it moves nothing), and the border of the map."""
    ends, borders = [0] * len(steps), [("constant", 0.0)] * len(steps)
    begin, lenses = 0, 0
    agreed: Border | None = None

    def close(end: int) -> None:
        for index in range(begin, end):
            ends[index] = end
            borders[index] = agreed or ("constant", 0.0)

    for index, step in enumerate(steps):
        kind = KINDS.index(type(step).__struct_config__.tag)
        if kind > GEOMETRY:
            close(index)
            begin, lenses, agreed = index + 1, 0, None
            if isinstance(step, Cutout):
                borders[index] = ("constant", step.fill)
            continue
        border = border_of(step)
        lens = isinstance(step, LensDistortion)
        if lenses + lens > MOST_LENSES or (agreed and border and border != agreed):
            close(index)
            begin, lenses, agreed = index, 0, None
        lenses += lens
        agreed = agreed or border
    close(len(steps))
    return ends, borders


def border_of(step: Step) -> Border | None:
    """What lies outside of the picture; None where a step never looks there."""
    if isinstance(step, FixedCrop):
        return "edge", 0.0
    if isinstance(step, HorizontalFlip) or (isinstance(step, RandomCrop) and step.padding == 0):
        return None
    border, fill = step.border, step.fill  # type: ignore[attr-defined]
    return border, fill if border == "constant" else 0.0


def native_settings(step: Step, colour_axes: NDArray[np.float64] | None) -> tuple[float, ...]:
    """The numbers of a step in the order in which the native code reads them."""
    match step:
        case Translation():
            return step.horizontal, step.vertical
        case Scaling() | Stretch() | LensDistortion():
            return step.low, step.high
        case Rotation():
            return (step.degrees,)
        case Shear():
            return step.horizontal, step.vertical
        case RandomCrop():
            return (step.padding,)
        case RandomResizedCrop():
            return step.shortest, step.longest
        case FixedCrop():
            return step.window
        case Brightness() | Contrast():
            return (step.strength,)
        case GaussianNoise():
            return (step.deviation,)
        case Cutout():
            return (step.size,)
        case PcaColour():
            if colour_axes is None:
                raise ValueError("colour offsets need the axes of the training pixels")
            return tuple((step.deviation * colour_axes).ravel().tolist())
        case Mixup():
            raise ValueError("samples are mixed after all steps")
    return ()
