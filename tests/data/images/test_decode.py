"""Pictures become pixels as Pillow and plain NumPy say, or one line that says why not."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making_pictures import encoded, noise
from PIL import Image, features

from ravine.data.images import decode as module
from ravine.data.images.decode import bombs_are_errors, decode
from ravine.data.images.settings import ImageSettings
from ravine.errors import InputError

PLAIN = ImageSettings()
ORIENTATIONS = {  # what viewers do with pixels of each orientation (EXIF 2.3, tag 0x0112)
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


def resized(
    pixels: np.ndarray, height: int, width: int, box: tuple[float, float, float, float]
) -> np.ndarray:
    """The box (top, left, bottom, right) of pixels under a triangle as wide as an output pixel."""

    def weights(outputs: int, begin: float, end: float, inputs: int) -> np.ndarray:
        scale = (end - begin) / outputs
        reach = max(scale, 1.0)
        centres = begin + (np.arange(outputs) + 0.5) * scale
        distance = np.abs(np.arange(inputs) + 0.5 - centres[:, None]) / reach
        matrix = np.maximum(0.0, 1.0 - distance)
        return matrix / matrix.sum(axis=1, keepdims=True)

    rows = weights(height, box[0], box[2], pixels.shape[0])
    columns = weights(width, box[1], box[3], pixels.shape[1])
    return np.einsum("yi,xj,ijc->yxc", rows, columns, pixels.astype(float))


def message(content: bytes, options: ImageSettings = PLAIN) -> str:
    with pytest.raises(InputError) as caught:
        decode(content, options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_png_gives_the_very_pixels() -> None:
    pixels = noise(0)
    np.testing.assert_array_equal(decode(encoded(pixels), PLAIN), pixels)
    grey = noise(1, channels=1)
    np.testing.assert_array_equal(decode(encoded(grey), PLAIN), np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(decode(encoded(grey), ImageSettings(colour="grey")), grey[..., None])
    bits = noise(2, channels=1) > 127
    expected = np.repeat(bits[..., None].astype(np.uint8) * 255, 3, axis=2)
    np.testing.assert_array_equal(decode(encoded(bits), PLAIN), expected)


def test_jpeg_is_what_pillow_decodes() -> None:
    content = encoded(noise(0, 40, 30), "JPEG", quality=90)
    np.testing.assert_array_equal(decode(content, PLAIN), np.asarray(Image.open(io.BytesIO(content))))
    grey = encoded(noise(0, 40, 30, 1), "JPEG")
    expected = np.asarray(Image.open(io.BytesIO(grey)))
    np.testing.assert_array_equal(decode(grey, ImageSettings(colour="grey"))[..., 0], expected)


def test_grey_is_the_luma() -> None:
    pixels = noise(3)
    expected = pixels.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(decode(encoded(pixels), ImageSettings(colour="grey"))[..., 0] - expected).max() <= 0.51


def test_what_is_transparent_lies_over_white() -> None:
    pixels = noise(4, channels=4)
    alpha = pixels[..., 3:] / 255.0
    expected = pixels[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(decode(encoded(pixels), PLAIN) - expected).max() <= 1
    both = noise(5, channels=1)
    layered = Image.merge("LA", (Image.fromarray(both), Image.fromarray(pixels[..., 3])))
    stream = io.BytesIO()
    layered.save(stream, "PNG")
    expected = both[..., None] * alpha + 255 * (1 - alpha)
    assert np.abs(decode(stream.getvalue(), PLAIN) - expected).max() <= 1
    opaque = pixels.copy()
    opaque[..., 3] = 255
    np.testing.assert_array_equal(decode(encoded(opaque), PLAIN), pixels[..., :3])
    # One colour of a palette, and one of an RGB file, may be transparent too.
    palette = Image.fromarray(noise(6)).quantize(8)
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=3)
    expected = np.asarray(palette.convert("RGB")).copy()
    expected[np.asarray(palette) == 3] = 255
    np.testing.assert_array_equal(decode(stream.getvalue(), PLAIN), expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pictures_stand_upright(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(noise(7, 16, 24), kind, exif=exif)
    stored = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(decode(content, PLAIN), ORIENTATIONS[orientation](stored))


def test_damaged_exif_does_not_matter() -> None:
    pixels = noise(8)
    np.testing.assert_array_equal(
        decode(encoded(pixels, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"), PLAIN), pixels
    )


@pytest.mark.parametrize("size", [(5, 7), (31, 17), (12, 10), (3, 40)])
def test_sizes(size: tuple[int, int]) -> None:
    pixels = noise(9, 24, 20)
    height, width = size
    stretched = decode(encoded(pixels), ImageSettings(size=size))
    assert np.abs(stretched - resized(pixels, height, width, (0, 0, 24, 20))).max() < 1.01

    scale = max(height / 24, width / 20)  # the whole of the output is covered
    tall, wide = height / scale, width / scale
    box = ((24 - tall) / 2, (20 - wide) / 2, (24 + tall) / 2, (20 + wide) / 2)
    cropped = decode(encoded(pixels), ImageSettings(size=size, resize="crop"))
    assert np.abs(cropped - resized(pixels, height, width, box)).max() < 1.01

    scale = min(height / 24, width / 20)  # the whole of the input is seen
    tall, wide = round(24 * scale), round(20 * scale)
    padded = decode(encoded(pixels), ImageSettings(size=size, resize="pad")).copy()
    top, left = round((height - tall) / 2), round((width - wide) / 2)
    seen = padded[top : top + tall, left : left + wide]
    assert np.abs(seen - resized(pixels, tall, wide, (0, 0, 24, 20))).max() < 1.01
    padded[top : top + tall, left : left + wide] = 0
    assert not padded.any()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_messages() -> None:
    good = encoded(noise(10, 40, 40))
    assert "is truncated" in message(good[: len(good) // 2])
    assert "is truncated" in message(encoded(noise(10, 40, 40), "JPEG")[:600])
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 0xFF
    assert "is damaged" in message(bytes(damaged))
    assert "is not a picture in PNG or JPEG format (it starts with 68 65 6c 6c 6f)" in message(b"hello")
    assert "it starts with nothing" in message(b"")
    for other in ("GIF", "BMP", "TIFF"):
        assert "is not a picture in PNG or JPEG format" in message(encoded(noise(0), other))
    assert "CMYK" in message(encoded(noise(0), "JPEG", "CMYK"))
    sixteen = np.arange(120, dtype=np.uint16).reshape(12, 10) * 500
    assert "has 16 bits a channel" in message(encoded(sixteen))
    rgb = png(2, 1, 16, 2, b"\0" + bytes(range(12)))
    assert "has 16 bits a channel" in message(rgb)
    frames = [Image.fromarray(noise(seed)) for seed in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, "PNG", save_all=True, append_images=frames[1:])
    assert "is animated" in message(stream.getvalue())


def test_a_photograph_with_a_second_picture_is_its_first() -> None:
    """As telephones store them: MPO, a JPEG file with a depth map or a second view behind it."""
    frames = [Image.fromarray(noise(seed, 20, 20)) for seed in range(2)]
    stream = io.BytesIO()
    frames[0].save(stream, "MPO", save_all=True, append_images=frames[1:])
    expected = encoded(noise(0, 20, 20), "JPEG")
    np.testing.assert_array_equal(decode(stream.getvalue(), PLAIN), decode(expected, PLAIN))


@pytest.mark.parametrize("side", [9_500, 14_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    """Beyond Pillow's limit it warns, beyond twice the limit it raises."""
    content = png(side, side, 8, 2, bytes(1000))
    begun = time.process_time()
    with bombs_are_errors():
        text = message(content)
    assert time.process_time() - begun < 2
    assert "has more than the 89,478,485 pixels that are decoded" in text
    assert f"its header says {side * side:,}" in text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where the program's filters say otherwise
        assert "has more than the 89,478,485 pixels" in message(content)


def test_as_many_pixels_as_the_limit_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 120)
    with bombs_are_errors():
        assert decode(encoded(noise(0, 12, 10)), PLAIN).shape == (12, 10, 3)
        assert "has more than the 120 pixels" in message(encoded(noise(0, 11, 11)))


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r'reading pictures needs Pillow: pip install "ravine\[data\]"'):
        module.pillow()


def test_this_pillow_can_read_jpeg() -> None:
    assert features.check("jpg")


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A picture file with some bytes changed, cut off, or repeated."""
    kind = draw(st.sampled_from(["PNG", "JPEG"]))
    content = bytearray(encoded(noise(draw(st.integers(0, 3)), 9, 11), kind))
    for _ in range(draw(st.integers(0, 6))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(content)))
    return bytes(content[:cut]) if draw(st.booleans()) else bytes(content)


def hostile() -> st.SearchStrategy[bytes]:
    rows = st.binary(max_size=200).map(lambda content: png(3, 3, 8, 2, content))
    return st.one_of(spoilt(), st.binary(max_size=300), rows)


def decode_or_refuse(content: bytes) -> None:
    """Either pixels or an InputError of one line; within 2 s."""
    begun, pixels, text = time.process_time(), np.zeros((4, 4, 3), np.uint8), ""
    with bombs_are_errors():
        try:
            pixels = decode(content, ImageSettings(size=(4, 4)))
        except InputError as error:
            text = str(error)
    assert "\n" not in text
    assert pixels.shape == (4, 4, 3)
    assert pixels.dtype == np.uint8
    assert time.process_time() - begun < 2


@settings(max_examples=1000)
@given(hostile())
def test_fuzz(content: bytes) -> None:
    decode_or_refuse(content)


@pytest.mark.soak
@settings(max_examples=100_000)
@given(hostile())
def test_fuzz_long(content: bytes) -> None:
    decode_or_refuse(content)
