"""Images as people have them, made one plain square each.

Whatever Pillow may raise or warn of stays in here: there is a square, or a sentence why not.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError
from PIL.ImageFile import ImageFile

# All that Pillow decodes by itself and whose pixels are colours: no EPS, which starts Ghostscript.
Image.init()
FORMATS = tuple(kind for kind in (
    "AVIF", "BMP", "CUR", "DDS", "DIB", "GIF", "ICNS", "ICO", "IM", "JPEG", "JPEG2000", "MSP",
    "PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM",
) if kind in Image.OPEN)  # fmt: skip
AVIF_BEGINS = (b"ftypavif", b"ftypavis", b"ftypmif1", b"ftypmsf1")  # from its fifth byte on
PIXELS = 2**28  # the most that an image may have: 1 GiB at Pillow's 4 bytes a pixel
BYTES = 2**30  # the most that is taken from a pipe
ENOUGH = 1024  # pixels a side from which an image is shrunk to a network's input
STRIP = 2**22  # pixels that are converted at a time
BACKGROUND = (125, 123, 114)  # behind transparency: CIFAR-10's mean colour, near 0 to a network
COLOURS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors go to stderr


class Unreadable(ValueError):
    """An image can't be read; the sentence names it and says why."""


def middle_square(path: str | Path, side: int) -> Image.Image:
    """The middle square of an image, upright, shrunk to `side` pixels: RGB. "-": standard input.

    What is transparent shows BACKGROUND, whatever colours are hidden there; pixels of 16 bits are
    scaled to 8; of several frames or pages the first counts.

    Raises:
        Unreadable: a ValueError.
    """
    name = shown(path)
    with _opened(path, name) as stream, _pillow_contained():
        try:
            with Image.open(stream, formats=FORMATS) as image:
                upright = _upright(_plain_square(image, name), image)
                return ImageOps.fit(upright, (side, side), Image.Resampling.BOX)
        except Unreadable:
            raise
        except UnidentifiedImageError as error:
            raise Unreadable(
                f"{name} is not an image in one of the formats {', '.join(FORMATS)}, or is damaged"
            ) from error
        except Image.DecompressionBombError as error:
            raise Unreadable(
                f"{name} says that it has more than {PIXELS:,} pixels, the most that are read; "
                "make it smaller first"
            ) from error
        except Exception as error:  # of a damaged file Pillow raises nearly anything
            raise Unreadable(f"{name} is not an image that can be decoded: damaged") from error


def shown(path: str | Path) -> str:
    """What a message calls it: readable though the name be no UTF-8."""
    is_input = str(path) == "-"
    return "standard input" if is_input else os.fsencode(path).decode("utf-8", "replace")


def suffixes() -> set[str]:
    """How the names of image files end: ".jpg", …"""
    known = (*FORMATS, "MPO")  # several JPEGs in one file, of which Pillow opens the first
    return {end for end, kind in Image.registered_extensions().items() if kind in known}


@contextlib.contextmanager
def _opened(path: str | Path, name: str) -> Iterator[BinaryIO]:
    """The file, or standard input, as something in which Pillow can go back and forth."""
    try:
        with contextlib.ExitStack() as stack:
            from_shell = str(path) == "-"
            stream = sys.stdin.buffer if from_shell else stack.enter_context(open(path, "rb"))
            if not stream.seekable():
                held = stream.read(BYTES + 1)
                if len(held) > BYTES:
                    raise Unreadable(f"{name} has more than {BYTES:,} bytes, the most that is read")
                stream = io.BytesIO(held)
            if not stream.read(1):
                raise Unreadable(f"{name} is empty")
            stream.seek(0)
            yield _without_exif(stream)
    except FileNotFoundError as error:
        raise Unreadable(f"{name} is not there") from error
    except OSError as error:
        raise Unreadable(f"{name} can't be opened: {error.strerror or error}") from error


def _without_exif(stream: BinaryIO) -> BinaryIO:
    """An AVIF without its EXIF block; whatever else it is, the stream itself.

    An AVIF's container says how to turn it, so the block is of no use, and Pillow fails at a bad
    one. Under another name in the container's list of items no decoder looks for it.
    """
    head = stream.read(12)
    stream.seek(0)
    if head[4:] not in AVIF_BEGINS:
        return stream
    return io.BytesIO(stream.read().replace(b"Exif", b"void", 1))


@contextlib.contextmanager
def _pillow_contained() -> Iterator[None]:
    """Pillow without its warnings, and with PIXELS as the most that it decodes."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = PIXELS // 2  # an error from twice this on
    try:
        with warnings.catch_warnings(), _silent_libraries():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def _silent_libraries() -> Iterator[None]:
    """Without what libtiff, written in C, says of damaged files past Python's own stderr."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without stderr
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _plain_square(image: ImageFile, name: str) -> Image.Image:
    """The middle square as RGB, at most 2·ENOUGH pixels a side; one more where the middle is half.

    Strip by strip, so that beside the decoded image little memory is needed.
    """
    image.draft(None, (ENOUGH, ENOUGH))  # a JPEG's decoder can shrink as it decodes
    _scale_transparent_colour(image)
    image.load()
    white = _white(image, name)
    left, top = ((edge - min(image.size)) // 2 for edge in image.size)
    right, bottom = image.width - left, image.height - top
    factor = max(1, min(image.size) // ENOUGH)
    rows = factor * max(1, STRIP // (factor * (right - left)))
    size = (-(-(right - left) // factor), -(-(bottom - top) // factor))  # rounded up
    square = Image.new("RGB", size)
    for y in range(top, bottom, rows):
        strip = image.crop((left, y, right, min(y + rows, bottom)))
        plain = _on_background(_scaled(strip, white) if white else strip)
        square.paste(plain.reduce(factor), (0, (y - top) // factor))
    return square


def _upright(square: Image.Image, image: Image.Image) -> Image.Image:
    """Turned as its EXIF block says; a block that does not read is as good as none."""
    square.info = dict(image.info)
    try:
        return ImageOps.exif_transpose(square)
    except Exception:
        return square


def _on_background(strip: Image.Image) -> Image.Image:
    if not strip.has_transparency_data:
        return strip.convert("RGB")
    ground = Image.new("RGBA", strip.size, BACKGROUND)
    return Image.alpha_composite(ground, strip.convert("RGBA")).convert("RGB")


def _white(image: ImageFile, name: str) -> int:
    """The value of white where a pixel has more than 8 bits (negative where that is black); or 0.

    Raises:
        Unreadable: nothing says which value is white.
    """
    tags = getattr(image, "tag_v2", {})
    if image.mode in COLOURS:
        return 0
    if image.mode.startswith("I;16"):
        bits = int(tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0])
        white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
        return (1 - (1 << bits)) if white_is_zero else ((1 << bits) - 1)
    if image.mode == "I" and image.format == "PPM":
        return 65535  # Pillow scales a PGM's own maximum to it
    kinds = {"I": "32-bit integers", "F": "floating-point numbers"}
    kind = kinds.get(image.mode, f"of the kind {image.mode}")
    raise Unreadable(
        f"{name} has pixels that are {kind}, and nothing says which value is white; save it with "
        "8 or 16 bits a channel"
    )


def _scaled(strip: Image.Image, white: int) -> Image.Image:
    """Deep grey pixels as 8 bits, with the transparent value, if there is one, as an alpha."""
    values = np.asarray(strip).astype(np.float32)
    share = (values if white > 0 else values + white) / white
    grey = Image.fromarray(np.round(255 * share).astype(np.uint8))
    transparent = strip.info.get("transparency")
    if transparent is not None:
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _scale_transparent_colour(image: ImageFile) -> None:
    """A PNG names its transparent colour in its own depth; Pillow's pixels have 8 bits."""
    colour = image.info.get("transparency")
    raw = image.tile[0].args if image.tile else None
    if raw in ("L;2", "L;4"):
        image.info["transparency"] = colour and colour * {"L;2": 85, "L;4": 17}[raw]
    elif raw == "RGB;16B" and colour:
        image.info["transparency"] = tuple(channel >> 8 for channel in colour)
