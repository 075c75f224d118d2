"""Images that people have: transparent, deep, turned, large."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from cifar_utils import image_files
from cifar_utils.classify import read_image


def middle(alpha: int = 255, hidden: int = 0, bands: int = 4) -> np.ndarray:
    """A square in the middle, and all around it a colour that is hidden."""
    pixels = np.full((32, 32, bands), hidden, np.uint8)
    pixels[..., -1] = 0
    pixels[8:24, 8:24] = (200, 100, 40, alpha)[-bands:]
    return pixels


def noise(bands: int) -> np.ndarray:
    pixels = middle(bands=bands)
    around = pixels[..., -1] == 0
    pixels[around, :-1] = np.random.default_rng(0).integers(0, 256, (around.sum(), bands - 1))
    return pixels


@pytest.mark.parametrize("bands", [4, 2])
@pytest.mark.parametrize("ending", ["png", "webp", "tiff", "tga"])
def test_what_transparency_hides_changes_nothing(bands: int, ending: str, tmp_path: Path) -> None:
    seen = []
    for pixels in (middle(bands=bands), middle(bands=bands, hidden=255), noise(bands)):
        path = tmp_path / f"{len(seen)}.{ending}"
        exact = {"lossless": True, "exact": True} if ending == "webp" else {}
        Image.fromarray(pixels).save(path, **exact)
        seen.append(read_image(path))
    assert torch.equal(seen[0], seen[1]) and torch.equal(seen[0], seen[2])
    assert tuple(seen[0][:, 0, 0].tolist()) == image_files.BACKGROUND
    assert seen[0][:, 16, 16].tolist() == ([200, 100, 40] if bands == 4 else [40] * 3)


def test_transparency_is_laid_on_the_background_before_the_picture_is_shrunk(
    tmp_path: Path,
) -> None:
    seen = []
    for hidden in (0, 255):
        pixels = np.full((64, 64, 4), hidden, np.uint8)
        pixels[:, ::2] = (200, 100, 40, 255)
        pixels[:, 1::2, 3] = 0
        Image.fromarray(pixels).save(tmp_path / "stripes.png")
        seen.append(read_image(tmp_path / "stripes.png"))
    assert torch.equal(*seen)
    halfway = (torch.tensor(image_files.BACKGROUND) + torch.tensor([200, 100, 40])) / 2
    assert (seen[0] - halfway[:, None, None]).abs().max() <= 1


def test_half_transparent_is_half_background(tmp_path: Path) -> None:
    Image.fromarray(middle(alpha=128)).save(tmp_path / "half.png")
    expected = (torch.tensor(image_files.BACKGROUND) + torch.tensor([200, 100, 40])) / 2
    assert (read_image(tmp_path / "half.png")[:, 16, 16] - expected).abs().max() <= 1


@pytest.mark.parametrize("ending", ["png", "gif"])
@pytest.mark.parametrize("transparent", [1, bytes([255, 0, 255])])
def test_transparent_entries_of_a_palette(
    ending: str, transparent: int | bytes, tmp_path: Path
) -> None:
    if ending == "gif" and isinstance(transparent, bytes):
        transparent = 1  # all that a GIF can say
    seen = []
    for hidden in (0, 255):
        image = Image.new("P", (32, 32))
        image.putdata([0, 1] * 512)
        image.putpalette([200, 100, 40, hidden, hidden, hidden, 1, 2, 3])
        image.save(tmp_path / f"p.{ending}", transparency=transparent)
        seen.append(read_image(tmp_path / f"p.{ending}"))
    assert torch.equal(*seen)
    assert seen[0][:, 0, 0].tolist() == [200, 100, 40]
    assert tuple(seen[0][:, 0, 1].tolist()) == image_files.BACKGROUND


def png(pixels: bytes, bits: int, colour_type: int, transparent: bytes) -> bytes:
    """A PNG of 32 × 32 pixels at depths that Pillow does not write."""

    def chunk(name: bytes, held: bytes) -> bytes:
        return (
            struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))
        )

    row = len(pixels) // 32
    lines = b"".join(b"\0" + pixels[i * row : (i + 1) * row] for i in range(32))
    head = struct.pack(">IIBBBBB", 32, 32, bits, colour_type, 0, 0, 0)
    parts = (
        (b"IHDR", head),
        (b"tRNS", transparent),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.parametrize(
    ("bits", "colour_type", "pair", "transparent", "seen"),
    [
        (1, 0, None, b"\0\1", 0),
        (2, 0, b"\x0f", b"\0\3", 0),
        (4, 0, b"\x0f", b"\0\x0f", 0),
        (8, 0, b"\x66\xff", b"\0\xff", 0x66),
        (16, 0, b"\x66\x66\xff\xfe", b"\xff\xfe", 0x66),
        (8, 2, b"\x66\x66\x66\xff\xff\xff", b"\0\xff" * 3, 0x66),
        (16, 2, b"\x66" * 6 + b"\xff\xfe" * 3, b"\xff\xfe" * 3, 0x66),
    ],
)
def test_the_transparent_colour_of_a_png_of_any_depth(
    bits: int, colour_type: int, pair: bytes | None, transparent: bytes, seen: int, tmp_path: Path
) -> None:
    channels = 3 if colour_type == 2 else 1
    row = bits * channels * 32 // 8
    pixels = (b"\x55" if pair is None else b"\x33" if bits == 2 else pair) * 32 * row
    (tmp_path / "one.png").write_bytes(png(pixels[: 32 * row], bits, colour_type, transparent))
    with Image.open(tmp_path / "one.png") as image:
        assert isinstance(image, PngImageFile) and "transparency" in image.info
    columns = read_image(tmp_path / "one.png")[:, 0]
    assert {tuple(colour) for colour in columns.T.tolist()} == {(seen,) * 3, image_files.BACKGROUND}


DEEP = (np.arange(1024).reshape(32, 32) * 64).astype("uint16")
AS_BYTES = torch.from_numpy(np.round(DEEP / 257).astype(np.uint8)).expand(3, -1, -1)


@pytest.mark.parametrize("ending", ["png", "tiff", "pgm", "jp2"])
def test_sixteen_bits_are_scaled_to_eight(ending: str, tmp_path: Path) -> None:
    Image.fromarray(DEEP).save(tmp_path / f"deep.{ending}")
    seen = read_image(tmp_path / f"deep.{ending}")
    assert torch.equal(seen, AS_BYTES) and 127 < seen.float().mean() < 128


def test_a_deep_picture_shrinks_to_what_its_eight_bits_shrink_to(tmp_path: Path) -> None:
    large = np.kron(DEEP, np.ones((3, 3), np.uint16))
    Image.fromarray(large).save(tmp_path / "deep.png")
    assert torch.equal(read_image(tmp_path / "deep.png"), AS_BYTES)


def test_big_endian_and_white_is_zero_tiffs(tmp_path: Path) -> None:
    Image.frombytes("I;16B", (32, 32), DEEP.astype(">u2").tobytes()).save(tmp_path / "big.tif")
    assert torch.equal(read_image(tmp_path / "big.tif"), AS_BYTES)
    Image.fromarray(65535 - DEEP).save(tmp_path / "zero.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "zero.tif") as image:
        assert image.tag_v2[262] == 0
    assert torch.equal(read_image(tmp_path / "zero.tif"), AS_BYTES)


@pytest.mark.parametrize("most", [300, 1023, 65535])
def test_a_pgm_has_a_maximum_of_its_own(most: int, tmp_path: Path) -> None:
    values = np.linspace(0, most, 1024).astype(">u2").reshape(32, 32)
    (tmp_path / "one.pgm").write_bytes(b"P5 32 32 %d\n" % most + values.tobytes())
    expected = torch.from_numpy(np.round(255 / most * values.astype(float)).astype(np.uint8))
    seen = read_image(tmp_path / "one.pgm")
    assert (seen.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize(("kind", "words"), [("float32", "floating-point"), ("int32", "32-bit")])
def test_pixels_without_a_known_white_are_refused_by_name(
    kind: str, words: str, tmp_path: Path
) -> None:
    Image.fromarray(DEEP.astype(kind)).save(tmp_path / "deep.tiff")
    with pytest.raises(
        ValueError, match=rf"deep\.tiff has pixels that are {words}.* save it with 8"
    ):
        read_image(tmp_path / "deep.tiff")


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_other_kinds_of_pixels(mode: str, tmp_path: Path) -> None:
    flat = Image.new("RGB", (40, 32), (255, 255, 255))
    image = Image.new("LAB", flat.size) if mode == "LAB" else flat.convert(mode)
    path = tmp_path / ("one.jpg" if mode == "YCbCr" else "one.tif")
    if mode == "HSV":
        pytest.raises(OSError, image.save, path)  # no format holds it
    elif mode == "LAB":
        image.save(path)
        with pytest.raises(ValueError, match="one.tif has pixels that are of the kind LAB"):
            read_image(path)
    else:
        image.save(path)
        assert read_image(path).unique().tolist() == [255]


@pytest.mark.parametrize("size", [(45, 32), (64, 64), (33, 100)])
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff", "avif"])
def test_a_picture_is_turned_as_its_camera_says(
    size: tuple[int, int], ending: str, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3)).astype(np.uint8)
    upright = Image.fromarray(np.kron(pixels, np.ones((3, 3, 1), np.uint8)))
    fast = {"speed": 10} if ending == "avif" else {}
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / f"plain.{ending}", **fast)
    upright.save(tmp_path / f"turned.{ending}", **fast, exif=exif)
    with Image.open(tmp_path / f"plain.{ending}") as image:
        image.convert("RGB").transpose(Image.Transpose.ROTATE_270).save(tmp_path / "by-hand.png")
    seen, expected = map(read_image, (tmp_path / f"turned.{ending}", tmp_path / "by-hand.png"))
    assert torch.equal(seen, expected)
    assert not torch.equal(seen, read_image(tmp_path / f"plain.{ending}"))
