"""Whatever a file holds: an answer, or one sentence with its name."""

import io
import logging
import random
import re
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from cifar_utils import image_files
from cifar_utils.classify import read_image

SAVED = {
    "AVIF": "RGBA", "BMP": "RGB", "DDS": "RGBA", "DIB": "RGB", "GIF": "P", "ICNS": "RGBA",
    "ICO": "RGBA", "IM": "RGB", "JPEG": "CMYK", "JPEG2000": "RGB", "MPO": "RGB", "MSP": "1",
    "PCX": "P", "PNG": "I;16", "PPM": "I;16", "QOI": "RGBA", "SGI": "RGB", "TGA": "LA",
    "TIFF": "RGB", "WEBP": "RGBA", "XBM": "1",
}  # fmt: skip
OPTIONS = {"TIFF": {"compression": "jpeg"}, "TGA": {"compression": "tga_rle"}}
# A sound image's EXIF block: turned by 90 degrees, and a second entry that points nowhere.
BAD_EXIF = (
    b"Exif\0\0II*\0\x08\0\0\0\x02\0"
    + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    + b"\x1a\x01\x02\0\x01\0\0\0H\0\0\0"
    + b"\0\0\0\0"
)


def noisy(width: int = 24, height: int = 20, mode: str = "RGB") -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    if mode == "I;16":
        return Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    return Image.fromarray(values).convert(mode)


def saved(kind: str) -> bytes:
    held = io.BytesIO()
    if kind == "ICNS":  # Pillow writes ten sizes of it, large ones too
        noisy(128, 128).save(held, "PNG")
        icon = b"ic07" + struct.pack(">I", 8 + held.tell()) + held.getvalue()
        return b"icns" + struct.pack(">I", 8 + len(icon)) + icon
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        noisy(mode=SAVED[kind]).save(held, kind, **OPTIONS.get(kind, {}))
    return held.getvalue()


@pytest.mark.parametrize("kind", SAVED)
def test_a_file_damaged_at_random_is_an_answer_or_a_sentence(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "PIXELS", 2**20)  # a header may say anything: no time for it
    sound = saved(kind)
    draw = random.Random(0)
    path = tmp_path / f"damaged.{kind}"
    path.write_bytes(sound)
    assert read_image(path).shape == (3, 32, 32)
    for _ in range(40):
        path.write_bytes(damaged(sound, draw))
        try:
            image = read_image(path)
        except ValueError as error:
            assert re.match(rf"\S+/damaged\.{kind} (is|has|says) [^\n]+$", str(error))
        else:
            assert image.shape == (3, 32, 32) and image.dtype == torch.uint8
    assert capfd.readouterr() == ("", "")


def damaged(held: bytes, draw: random.Random) -> bytes:
    """Cut short, or with wrong bytes in its head or anywhere."""
    if draw.random() < 0.3:
        return held[: draw.randrange(len(held))]
    spoilt = bytearray(held)
    reach = draw.choice([40, 200, len(held)])
    for _ in range(draw.randint(1, 8)):
        spoilt[draw.randrange(min(reach, len(held)))] = draw.randrange(256)
    return bytes(spoilt)


@pytest.fixture(autouse=True)
def no_warning(recwarn: pytest.WarningsRecorder) -> object:
    yield
    assert not [str(warning) for warning in recwarn]


def test_warnings_of_pillow_stay_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More pixels than Pillow likes, and bytes of transparency in a palette: both warn."""
    noisy().convert("P").save(tmp_path / "p.png", transparency=b"\x00\x80" * 128)
    monkeypatch.setattr(image_files, "PIXELS", 500)
    read_image(tmp_path / "p.png")


def test_what_pillow_logs_stays_inside(capsys: pytest.CaptureFixture) -> None:
    handlers = logging.getLogger("PIL").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("a.ppm", b"P6\n"),
        ("a.pgm", b"P5 3 3 70000\n123456789"),
        ("a.png", b""),
        ("a.txt", b"a text"),
    ],
)
def test_what_is_no_picture_is_named(name: str, held: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(held)
    with pytest.raises(ValueError, match=rf"^\S+/{name} is (not an image|empty)"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("held", [b"a text", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"])
def test_the_formats_that_read_are_named(held: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.eps").write_bytes(held)  # no format that starts another program is read
    with pytest.raises(ValueError, match="formats AVIF, BMP, .*, JPEG, .*, PNG, .*, WEBP"):
        read_image(tmp_path / "a.eps")


def test_an_avif_without_its_end(tmp_path: Path) -> None:
    noisy().save(tmp_path / "a.avif", speed=10)
    (tmp_path / "a.avif").write_bytes((tmp_path / "a.avif").read_bytes()[:-10])
    with pytest.raises(ValueError, match=r"a\.avif is not an image that can be decoded"):
        read_image(tmp_path / "a.avif")


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_picture_whose_exif_block_is_bad_is_read_without_it(ending: str, tmp_path: Path) -> None:
    noisy(48, 36).save(tmp_path / f"plain.{ending}")
    noisy(48, 36).save(tmp_path / f"bad.{ending}", exif=BAD_EXIF)
    assert BAD_EXIF[6:] in (tmp_path / f"bad.{ending}").read_bytes()
    seen, plain = (read_image(tmp_path / f"{name}.{ending}") for name in ("bad", "plain"))
    assert torch.equal(seen, plain)


BAD_BLOCKS = {
    "no header": b"XX" + BAD_EXIF[8:],
    "directory nowhere": BAD_EXIF[6:10] + b"\xff\xff\xff\x7f" + BAD_EXIF[14:],
    "too many entries": BAD_EXIF[6:14] + b"\xff\xff" + BAD_EXIF[16:],
    "an entry that points nowhere": BAD_EXIF[6:],
}


@pytest.mark.parametrize("bad", BAD_BLOCKS)
def test_an_avif_is_turned_by_its_container_whatever_its_exif_block_holds(
    bad: str, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description " * 4  # Pillow puts the turn into the container
    noisy(48, 36).save(tmp_path / "turned.avif", speed=10, exif=exif)
    held = (tmp_path / "turned.avif").read_bytes()
    block = held.index(b"MM\0*")
    spoilt = held[:block] + BAD_BLOCKS[bad] + held[block + len(BAD_BLOCKS[bad]) :]
    (tmp_path / "bad.avif").write_bytes(spoilt)
    noisy(48, 36).save(tmp_path / "plain.avif", speed=10)
    seen, turned, plain = (read_image(tmp_path / f"{n}.avif") for n in ("bad", "turned", "plain"))
    assert torch.equal(seen, turned) and not torch.equal(seen, plain)


@pytest.mark.parametrize("where", [5, 8, 0x7FFFFFFF])
def test_a_tiff_is_turned_by_its_own_tag_whatever_its_exif_block_holds(
    where: int, tmp_path: Path
) -> None:
    turn = {0x0112: 6}
    noisy(48, 36).save(tmp_path / "turned.tiff", tiffinfo=turn)
    told = ImageFileDirectory_v2()
    told.update(turn)
    told.tagtype[0x8769] = 4
    told[0x8769] = where  # of the EXIF block: in the midst of something else, or past the end
    noisy(48, 36).save(tmp_path / "bad.tiff", tiffinfo=told)
    with Image.open(tmp_path / "bad.tiff") as image:
        assert image.tag_v2[0x8769] == where
    seen, turned = (read_image(tmp_path / f"{name}.tiff") for name in ("bad", "turned"))
    assert torch.equal(seen, turned)


def test_a_large_photograph_is_decoded_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 megapixels: far above the size at which Pillow suspects an attack."""
    Image.new("L", (16320, 12240), 77).save(tmp_path / "panorama.jpg")
    widths, convert = [], image_files._on_background
    monkeypatch.setattr(
        image_files, "_on_background", lambda strip: widths.append(strip.width) or convert(strip)
    )
    assert read_image(tmp_path / "panorama.jpg").unique().tolist() == [77]
    assert max(widths) < 2 * image_files.ENOUGH


def test_a_large_picture_is_shrunk_strip_by_strip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = np.array(noisy(32, 32))
    Image.fromarray(np.kron(small, np.ones((16, 16, 1), np.uint8))).save(tmp_path / "a.png")
    monkeypatch.setattr(image_files, "ENOUGH", 64)
    monkeypatch.setattr(image_files, "STRIP", 5000)
    assert torch.equal(read_image(tmp_path / "a.png"), torch.from_numpy(small).permute(2, 0, 1))


def test_too_many_pixels_are_refused_and_pillow_s_own_limit_stays(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    (tmp_path / "a.pgm").write_bytes(b"P5 16385 16385 255\n")
    with pytest.raises(ValueError, match="a.pgm says that it has more than 268,435,456 pixels"):
        read_image(tmp_path / "a.pgm")
    assert Image.MAX_IMAGE_PIXELS == before
