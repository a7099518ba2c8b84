"""From the bytes of a PNG or JPEG file to pixels, by Pillow."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ravine.data.images.settings import ImageSettings
from ravine.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG")
MAXIMUM_BYTES = 1 << 29  # more than any PNG within Pillow's limit of pixels needs
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_BIT_DEPTH = 24  # where the header chunk, which comes first, has it
_EXPLAINED = {
    "CMYK": "has CMYK colours, as for print; convert it to RGB",
    "LAB": "has CIELAB colours; convert it to RGB",
    "YCbCr": "has YCbCr colours that were not converted; convert it to RGB",
    "HSV": "has HSV colours; convert it to RGB",
}
_SIXTEEN_BITS = "has 16 bits a channel; convert it to 8 bits"


def decode(content: bytes, settings: ImageSettings) -> NDArray[np.uint8]:
    """Pixels of a picture, upright, in the colours and of the size that the settings ask for.

    A picture turned by its EXIF orientation is turned back. What is transparent is laid over white. Resizing
    is bilinear over the whole area that a pixel covers (Pillow's BILINEAR), as photographs are made smaller.

    Args:
        content: of a PNG or JPEG file.
        settings: size, way of resizing, colours.

    Returns:
        uint8 [height, width, channels].

    Raises:
        InputError: not a PNG or JPEG file, truncated or damaged, larger than Pillow's limit of pixels
            (`PIL.Image.MAX_IMAGE_PIXELS`), animated, with 16 bits a channel, or in CMYK.

    Example:
        >>> picture = decode(Path("cat.png").read_bytes(), ImageSettings(size=(64, 64)))  # doctest: +SKIP
    """
    image_module = pillow()
    from PIL import ImageOps

    try:
        with image_module.open(io.BytesIO(content), formats=FORMATS) as image:
            _refuse(image, content)
            image.load()
            upright = _upright(image)
            coloured = _coloured(upright, settings)
            if settings.size:
                size = (settings.size[1], settings.size[0])
                bilinear = image_module.Resampling.BILINEAR
                if coloured.size == size:
                    pass
                elif settings.resize == "stretch":
                    coloured = coloured.resize(size, bilinear)
                elif settings.resize == "crop":
                    coloured = ImageOps.fit(coloured, size, bilinear)
                else:
                    coloured = ImageOps.pad(coloured, size, bilinear)
            pixels: NDArray[np.uint8] = np.asarray(coloured, np.uint8)
    except InputError:
        raise
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning) as error:
        raise InputError(
            f"has more than the {image_module.MAX_IMAGE_PIXELS:,} pixels that are decoded "
            f"({_promised(error)}); if you trust it, make it smaller with a picture editor; else remove it"
        ) from error
    except MemoryError as error:
        raise InputError("does not fit in memory; make it smaller with a picture editor") from error
    except image_module.UnidentifiedImageError as error:
        raise InputError(
            f"is not a picture in PNG or JPEG format (it starts with {content[:8].hex(' ') or 'nothing'}); "
            "convert or remove it"
        ) from error
    except Exception as error:  # Pillow's decoders raise many kinds for damaged files
        what = "is truncated" if "truncated" in str(error).lower() else f"is damaged ({error})"
        raise InputError(f"{what}; copy it again or remove it") from error
    return pixels.reshape(*pixels.shape[:2], settings.channels)


def pillow() -> Any:
    """The module PIL.Image.

    Raises:
        InputError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError('reading pictures needs Pillow: pip install "ravine[data]"') from error
    return Image


@contextmanager
def bombs_are_errors() -> Iterator[None]:
    """Makes Pillow's warning of too many pixels an error; around all threads, since filters are global."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow says of harmless oddities, such as odd EXIF
        warnings.simplefilter("error", pillow().DecompressionBombWarning)
        yield


def _promised(error: Exception) -> str:
    """The number of pixels in Pillow's message, "Image size (N pixels) exceeds limit of ..."."""
    digits = "".join(filter(str.isdigit, str(error).partition("pixels")[0]))
    return f"its header says {int(digits):,}" if digits else "its header says more"


def _refuse(image: Image.Image, content: bytes) -> None:
    """Raises InputError for pictures that have no one meaning as 8-bit pixels."""
    limit = pillow().MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:  # where warnings are not errors
        raise pillow().DecompressionBombError(f"({image.width * image.height} pixels)")
    if image.format == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise InputError("is animated; save the frame that counts as a picture of its own")
    depth = content[_PNG_BIT_DEPTH] if content.startswith(_PNG_START) else 8
    if depth == 16 or image.mode.startswith("I") or image.mode == "F":
        raise InputError(_SIXTEEN_BITS)
    if image.mode in _EXPLAINED:
        raise InputError(_EXPLAINED[image.mode])


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        turned = ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF says nothing: viewers show such pictures as they are stored
        return image
    return turned if turned is not None else image


def _coloured(image: Image.Image, settings: ImageSettings) -> Image.Image:
    mode = "RGB" if settings.colour == "rgb" else "L"
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = pillow().new("RGBA", layer.size, (255, 255, 255, 255))
        image = pillow().alpha_composite(white, layer).convert("RGB")
    return image if image.mode == mode else image.convert(mode)
