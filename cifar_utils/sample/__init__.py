"""7,000 photographs of CIFAR-10 that come with the package: a tenth of it, class by class.

Of each class the first 600 images in the order of the five training batches (500 to train on, 100
to validate on) and the first 100 of the test batch, in two lossless WebP sheets. README.md beside
them says whose they are; `python -m cifar_utils.sample ROOT` makes them again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

FOLDER = Path(__file__).parent
CLASSES, SIDE = 10, 32
TRAIN, VAL, TEST = 500, 100, 100  # images of each class
ROW = 300  # images side by side at most; WebP ends at 16,383 pixels

Pixels = NDArray[np.uint8]


def read() -> tuple[tuple[Tensor, Tensor], ...]:
    """Images (uint8, N×3×32×32) and labels (int64, N) to train, to validate and to test on."""
    pool = _read_sheet("train", TRAIN + VAL)
    test = _read_sheet("test", TEST)
    return tuple(map(_as_tensors, (pool[:, :TRAIN], pool[:, TRAIN:], test)))


def write(pool: tuple[Pixels, NDArray[np.int64]], test: tuple[Pixels, NDArray[np.int64]]) -> None:
    """Make the sheets from the official images (uint8, N×32×32×3) and labels, in their order."""
    for name, (images, labels), count in (("train", pool, TRAIN + VAL), ("test", test, TEST)):
        first = [images[labels == label][:count] for label in range(CLASSES)]
        sheet = Image.fromarray(as_sheet(np.stack(first)))
        sheet.save(_path(name), lossless=True, quality=100, method=6)


def as_sheet(images: Pixels) -> Pixels:
    """Classes × images × 32 × 32 × 3 as one image, whole rows a class."""
    columns = min(ROW, images.shape[1])
    rows = images.reshape(-1, columns, SIDE, SIDE, 3)
    return rows.transpose(0, 2, 1, 3, 4).reshape(len(rows) * SIDE, columns * SIDE, 3)


def from_sheet(sheet: Pixels, count: int) -> Pixels:
    """The opposite of `as_sheet`, for `count` images of each class."""
    columns = sheet.shape[1] // SIDE
    rows = sheet.reshape(-1, SIDE, columns, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return rows.reshape(CLASSES, count, SIDE, SIDE, 3)


def _read_sheet(name: str, count: int) -> Pixels:
    with Image.open(_path(name)) as sheet:
        return from_sheet(np.asarray(sheet.convert("RGB")), count)


def _as_tensors(images: Pixels) -> tuple[Tensor, Tensor]:
    channels_first = images.reshape(-1, SIDE, SIDE, 3).transpose(0, 3, 1, 2)
    labels = torch.arange(CLASSES).repeat_interleave(images.shape[1])
    return torch.from_numpy(channels_first.copy()), labels


def _path(name: str) -> Path:
    return FOLDER / f"{name}.webp"
