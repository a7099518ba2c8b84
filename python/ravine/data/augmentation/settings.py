"""The steps of an augmentation: entries of `[[data.augmentation]]`, classes of `ravine.augmentations`.

Coordinates count pixels from the centre of the top left one: x to the right, y down. Grey levels run from 0
to 255.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

MOST = 4096  # pixels of a side
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Level = Annotated[float, Meta(ge=0.0, le=255.0)]
Factor = Annotated[float, Meta(ge=0.1, le=10.0)]
Side = Annotated[int, Meta(ge=1, le=MOST)]
_Sides = Annotated[list[Side], Meta(min_length=2, max_length=2)]
Size = Side | _Sides
Border = Literal["constant", "edge", "reflect"]


def height_and_width(size: int | list[int]) -> tuple[int, int]:
    """A size as the settings give it: one number for a square, or [height, width]."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


class Step(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="type"):
    """What all steps share.

    Args:
        probability: with which a picture gets the step at all.
    """

    probability: Share = 1.0
    # What the step cannot do without, said by errors; None: any number of channels.
    channels: ClassVar[int | None] = None


class _Geometry(Step, frozen=True, kw_only=True):
    """Moves pixels. Neighbours in the list with the same border are one map with one sampling.

    Args:
        border: what lies outside of the picture: "constant", the level `fill`; "edge", the nearest pixel;
            "reflect", the picture mirrored at its edge, (c b a | a b c | c b a).
        fill: grey level of the constant border.
    """

    border: Border = "constant"
    fill: Level = 0.0


def _increasing(low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"`low` is {low:g}, more than `high`, which is {high:g}")


class Translation(_Geometry, frozen=True, tag="translation"):
    """Moves the picture: x' = x + a width, y' = y + b height, a ~ U(-horizontal, horizontal), b alike.

    Args:
        horizontal: largest share of the width, 0 to 1.
        vertical: largest share of the height, 0 to 1.

    Source: lecture L3.
    """

    horizontal: Share = 0.1
    vertical: Share = 0.1


class Scaling(_Geometry, frozen=True, tag="scaling"):
    """Enlarges the picture about its centre by s, log s ~ U(log low, log high).

    Args:
        low, high: the factors, 0.1 to 10; below 1 the picture shrinks.

    Source: lecture L3.
    """

    low: Factor = 0.8
    high: Factor = 1.25

    def __post_init__(self) -> None:
        _increasing(self.low, self.high)


class Rotation(_Geometry, frozen=True, tag="rotation"):
    """Turns the picture counterclockwise about its centre by an angle ~ U(-degrees, degrees).

    Args:
        degrees: largest angle, 0 to 180.

    Source: lecture L3.
    """

    degrees: Annotated[float, Meta(ge=0.0, le=180.0)] = 15.0


class Stretch(_Geometry, frozen=True, tag="stretch"):
    """Enlarges width and height by factors of their own, log s ~ U(log low, log high) each.

    Args:
        low, high: the factors, 0.1 to 10.

    Source: lecture L3.
    """

    low: Factor = 0.8
    high: Factor = 1.25

    def __post_init__(self) -> None:
        _increasing(self.low, self.high)


class Shear(_Geometry, frozen=True, tag="shear"):
    """Slants the picture about its centre: x' = x + tan(a) y, y' = y + tan(b) x.

    Args:
        horizontal: a ~ U(-horizontal, horizontal), degrees, 0 to 44.
        vertical: b ~ U(-vertical, vertical), degrees, 0 to 44.

    Source: lecture L3.
    """

    horizontal: Annotated[float, Meta(ge=0.0, le=44.0)] = 10.0
    vertical: Annotated[float, Meta(ge=0.0, le=44.0)] = 0.0


class LensDistortion(_Geometry, frozen=True, tag="lens_distortion"):
    """A lens's radial distortion: a point at radius r shows what was at r (1 + k r^2), k ~ U(low, high).

    r is 1 at the corners. k > 0 is a barrel (the picture's edge comes in), k < 0 a pincushion.

    Args:
        low, high: of k, -0.3 to 1; below -1/3 the map would fold.

    Source: lecture L3; D. C. Brown, "Decentering distortion of lenses", 1966.
    """

    low: Annotated[float, Meta(ge=-0.3, le=1.0)] = -0.2
    high: Annotated[float, Meta(ge=-0.3, le=1.0)] = 0.2

    def __post_init__(self) -> None:
        _increasing(self.low, self.high)


class HorizontalFlip(Step, frozen=True, tag="horizontal_flip"):
    """Mirrors the picture: x' = width - 1 - x.

    Source: lecture L3; A. Krizhevsky et al., NIPS 2012.
    """

    probability: Share = 0.5


class RandomCrop(_Geometry, frozen=True, tag="random_crop"):
    """Cuts out a window at a uniformly drawn place, in the picture with a border of `padding` pixels.

    Without augmentation (validation, test, prediction) it is the window in the middle.

    Args:
        size: of the window, a side or [height, width]; 0: the picture's own.
        padding: pixels around the picture before the window is cut out.

    Source: lecture L3; K. He et al., CVPR 2016: 4 pixels around 32 x 32.
    """

    size: Annotated[int, Meta(ge=0, le=MOST)] | _Sides = 0
    padding: Annotated[int, Meta(ge=0, le=MOST)] = 4


class _Resizing(_Geometry, frozen=True, kw_only=True):
    border: Border = "edge"


class RandomResizedCrop(_Resizing, frozen=True, tag="random_resized_crop"):
    """Resizes the short side to L ~ U{shortest, .., longest} and cuts out a window at a uniform place.

    Pixels are sampled bilinearly without a filter before: keep pictures at about the size of L. Without
    augmentation L is the middle of its range (VGG's Q) and the window lies in the middle.

    Args:
        size: of the window, a side or [height, width].
        shortest, longest: of L; the window must fit into the picture of the shortest.

    Source: lecture L3; A. Krizhevsky et al., NIPS 2012: L = 256; K. Simonyan and A. Zisserman, ICLR 2015:
    scale jitter, L in [256, 512] (the lecture has [256, 480]).
    """

    size: Size = 224
    shortest: Side = 256
    longest: Side = 480

    def __post_init__(self) -> None:
        if self.shortest > self.longest:
            raise ValueError(f"`shortest` is {self.shortest}, more than `longest`, which is {self.longest}")
        if self.shortest < min(height_and_width(self.size)):
            window = list(height_and_width(self.size))
            raise ValueError(f"`shortest` is {self.shortest}, too short for a window of {window}")


class Brightness(Step, frozen=True, tag="brightness"):
    """Multiplies all values by f ~ U(1 - strength, 1 + strength), and keeps them in [0, 255].

    Args:
        strength: 0 to 1.

    Source: lecture L3.
    """

    strength: Share = 0.2


class Contrast(Step, frozen=True, tag="contrast"):
    """Moves values from the mean grey m or towards it: x' = m + f (x - m), f ~ U(1 - strength, 1 + strength).

    m is the picture's mean of 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), or of its channels where they are
    not three; x' is kept in [0, 255].

    Args:
        strength: 0 to 1.

    Source: lecture L3.
    """

    strength: Share = 0.2


class PcaColour(Step, frozen=True, tag="pca_colour"):
    """Adds 255 sum_i a_i lambda_i p_i to every pixel, a_i ~ N(0, deviation), and keeps values in [0, 255].

    lambda_i and p_i are the eigenvalues and eigenvectors of the covariance of R, G, B over all pixels of the
    training part, on the scale from 0 to 1.

    Args:
        deviation: of the a_i, 0 to 10.

    Source: lecture L3; A. Krizhevsky et al., NIPS 2012, with 0.1.
    """

    deviation: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.1
    channels: ClassVar[int | None] = 3


class GaussianNoise(Step, frozen=True, tag="gaussian_noise"):
    """Adds n ~ N(0, deviation) to every value, and keeps values in [0, 255].

    Args:
        deviation: in grey levels.

    Source: lecture L3.
    """

    deviation: Level = 10.0


class Cutout(Step, frozen=True, tag="cutout"):
    """Fills a square whose centre is uniform over the picture; what lies outside is cut off.

    Args:
        size: its side in pixels.
        fill: its grey level.

    Source: T. DeVries and G. W. Taylor, arXiv:1708.04552, with 16 on 32 x 32.
    """

    size: Side = 8
    fill: Level = 127.5


class Mixup(Step, frozen=True, tag="mixup"):
    """Mixes samples by twos: x = c x_i + (1 - c) x_j, y = c y_i + (1 - c) y_j, c ~ Beta(alpha, alpha).

    j is uniform over the training part. It comes last, and the loss must be able to take shares of two
    targets.

    Args:
        alpha: small: nearly always one of the two; 1: any share is as likely.

    Source: H. Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018.
    """

    alpha: Annotated[float, Meta(ge=1e-3, le=100.0)] = 0.2


Steps = (
    Translation
    | Scaling
    | Rotation
    | Stretch
    | Shear
    | LensDistortion
    | HorizontalFlip
    | RandomCrop
    | RandomResizedCrop
    | Brightness
    | Contrast
    | PcaColour
    | GaussianNoise
    | Cutout
    | Mixup
)


class CropSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Several windows of each test picture, over whose answers is averaged (`[data.crops]`).

    At each scale the short side is resized to it; the windows are the four corners and the middle, and the
    same mirrored: 10 crops.

    Args:
        scales: short sides in pixels, at least the sides of the network's input; empty: no crops, each
            picture counts as it is.
        mirrored: with the mirrored windows.

    Source: lecture L3, with {224, 256, 384, 480, 640}; A. Krizhevsky et al., NIPS 2012.
    """

    scales: list[Side] = []
    mirrored: bool = True
