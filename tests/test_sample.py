"""The photographs that come with the package: whole, the official ones, and quick to read."""

import hashlib
import runpy
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_data import make_cifar10, needs_cifar10
from torch import Tensor
from torchvision.datasets import CIFAR10

from cifar_utils import data, official, sample

PIXELS = "1b898aec307294846ee645cb9f387aebd3c532e746167f21c38e061b7cfa3521"  # SHA-256
COUNTS = {"train": 500, "val": 100, "test": 100}


@pytest.fixture(scope="module")
def parts() -> tuple[tuple[Tensor, Tensor], ...]:
    return sample.read()


def by_class(images: Tensor | np.ndarray, labels: Tensor | np.ndarray, count: int) -> np.ndarray:
    """The first `count` images of each class, in their order: 10 × count × 3 × 32 × 32."""
    images, labels = np.asarray(images), np.asarray(labels)
    return np.stack([images[labels == label][:count] for label in range(10)])


def test_each_class_has_its_images_and_no_image_is_there_twice(
    parts: tuple[tuple[Tensor, Tensor], ...],
) -> None:
    for (images, labels), count in zip(parts, COUNTS.values(), strict=True):
        assert images.shape == (10 * count, 3, 32, 32) and labels.shape == (10 * count,)
        assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
        assert images.is_contiguous()
        assert torch.bincount(labels).tolist() == [count] * 10
    every = [image.numpy().tobytes() for images, _ in parts for image in images]
    assert len(set(every)) == 7_000


def test_the_pixels_are_those_that_were_made_once(
    parts: tuple[tuple[Tensor, Tensor], ...],
) -> None:
    found = hashlib.sha256()
    for images, labels in parts:
        found.update(images.numpy().data)
        found.update(labels.numpy().data)
    assert found.hexdigest() == PIXELS


@needs_cifar10
def test_every_image_is_the_official_one_at_its_place(
    parts: tuple[tuple[Tensor, Tensor], ...],
) -> None:
    root = data.locate("cifar10")
    pool, official = (CIFAR10(root, train=train) for train in (True, False))
    first, last = (
        by_class(each.data.transpose(0, 3, 1, 2), each.targets, count)
        for each, count in ((pool, 600), (official, 100))
    )
    train, val, test = (
        by_class(*part, count) for part, count in zip(parts, COUNTS.values(), strict=True)
    )
    assert np.array_equal(train, first[:, :500])
    assert np.array_equal(val, first[:, 500:])
    assert np.array_equal(test, last)


@pytest.mark.parametrize(
    ("count", "rows"), [(1, 1), (100, 1), (300, 1), (600, 2)], ids=lambda number: str(number)
)
def test_a_sheet_has_whole_rows_a_class_and_gives_its_images_back(count: int, rows: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, count, 32, 32, 3), np.uint8)
    sheet = sample.as_sheet(images)
    columns = count // rows
    assert sheet.shape == (10 * rows * 32, columns * 32, 3) and max(sheet.shape) < 16_383
    for label in range(10):
        for number in {0, columns - 1, count - 1}:
            row, column = label * rows + number // columns, number % columns
            there = sheet[32 * row : 32 * (row + 1), 32 * column : 32 * (column + 1)]
            assert np.array_equal(there, images[label, number])
    assert np.array_equal(sample.from_sheet(sheet, count), images)


@pytest.fixture
def small_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for sheets of 4 images and 1 a class, at most 2 of them in a row."""
    for name, value in {"TRAIN": 3, "VAL": 1, "TEST": 1, "ROW": 2, "FOLDER": tmp_path}.items():
        monkeypatch.setattr(sample, name, value)
    return tmp_path


def test_what_is_made_from_the_official_files_is_read_again_without_loss(
    small_sheets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cifar10(small_sheets, monkeypatch, levels=4)  # noise takes seconds to compress
    monkeypatch.setattr(sys, "argv", ["cifar_utils.sample", str(small_sheets)])
    runpy.run_module("cifar_utils.sample", run_name="__main__")
    sizes = {name: Image.open(small_sheets / f"{name}.webp") for name in ("train", "test")}
    assert {name: (each.format, each.size) for name, each in sizes.items()} == {
        "train": ("WEBP", (64, 640)), "test": ("WEBP", (32, 320)),
    }  # fmt: skip
    pool, rest = (data.Split(*part) for part in official.read(small_sheets))
    train, val, test = (
        by_class(*part, count) for part, count in zip(sample.read(), (3, 1, 1), strict=True)
    )
    first = by_class(pool.images, pool.labels, 4)
    assert np.array_equal(train, first[:, :3]) and np.array_equal(val, first[:, 3:])
    assert np.array_equal(test, by_class(rest.images, rest.labels, 1))


def test_to_make_it_without_a_folder_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["cifar_utils.sample"])
    with pytest.raises(SystemExit, match="usage: python -m cifar_utils.sample ROOT"):
        runpy.run_module("cifar_utils.sample", run_name="__main__")


def test_it_is_read_in_half_a_second() -> None:
    """Of the processor's time, which other work on the machine lengthens, hence the double."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        data.load("sample")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1
