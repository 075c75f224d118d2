"""CIFAR-10, or the sample of it that comes along, as tensors in memory; the splits; the batches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from cifar_utils import sample
from cifar_utils.files import whole_path

PROJECT = Path(__file__).resolve().parent.parent
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
TITLES = {"sample": "CIFAR-10 sample", "cifar10": "CIFAR-10"}
NORMALISATIONS = ("own", "half", "none")
POOL = 50_000  # training images of the whole
VALIDATION = 5_000  # of them, those that val_size=0 sets aside
SAMPLE_TRAINING, SAMPLE_VALIDATION = 5_000, 1_000


@dataclass(frozen=True)
class Split:
    """Images (uint8, N×3×32×32) and their labels (int64, N)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, repr=False)
class Data:
    """Three splits, what they are called, and the training split's channel statistics."""

    name: str
    train: Split
    val: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    source: str
    classes: tuple[str, ...] = CLASSES

    def __repr__(self) -> str:
        splits = ((self.train, "training"), (self.val, "validation"), (self.test, "test images"))
        return f"{self.title}: " + ", ".join(f"{len(split):,} {name}" for split, name in splits)

    @property
    def title(self) -> str:
        """What figures call the data."""
        return TITLES[self.name]

    def normalise(self, images: Tensor) -> Tensor:
        """`normalise` with the statistics of the training split."""
        return normalise(images, self.mean, self.std)

    def with_normalisation(self, kind: str) -> Data:
        """The same images under other statistics.

        "own": the training split's; "half": mean and std 0.5; "none": pixels stay in 0…1.
        """
        if kind == "own":
            mean, std = channel_statistics(self.train.images)
        elif kind in NORMALISATIONS:
            mean, std = {"half": ((0.5,) * 3, (0.5,) * 3), "none": ((0.0,) * 3, (1.0,) * 3)}[kind]
        else:
            raise ValueError(
                f"unknown normalisation {kind!r}; there are: {', '.join(NORMALISATIONS)}"
            )
        return replace(self, mean=mean, std=std)


def load(
    dataset: str = "sample",
    root: str | Path | None = None,
    train_size: int = 0,
    val_size: int = 0,
    seed: int = 0,
) -> Data:
    """Read the data set and split it.

    Args:
        dataset: "sample", 7,000 photographs of CIFAR-10 that come with this package, or "cifar10",
            all 60,000 of them.
        root: the folder that holds `cifar-10-batches-py`, or that one itself; falls back to the
            environment variable CIFAR_ROOT, then to `data/` in the project. The sample needs none.
        train_size: training images, in equal numbers a class; 0 takes all that are left.
        val_size: validation images; 0 takes the sample's 1,000, or 5,000 of CIFAR-10. They stay
            the same for every training size.
        seed: fixes which images are taken, and nothing else.

    Raises:
        ValueError: an unknown data set or an impossible size.
        FileNotFoundError: CIFAR-10 was asked for and is not there.
        OSError: a file of CIFAR-10 is missing, cut short or altered; the message names it.
    """
    check_sizes(train_size, val_size, dataset)
    folder = locate(dataset, root)
    if folder:
        from cifar_utils import official

        pool, test = (Split(*part) for part in official.read(folder))
        order, asked = stratified_order(pool.labels, seed), val_size or VALIDATION
        val, train = _take(pool, order[:asked], asked), _take(pool, order[asked:], train_size)
        source = str(folder)
    else:
        train, val, test = (Split(*part) for part in sample.read())
        train, val = (
            _take(part, stratified_order(part.labels, seed), size)
            for part, size in ((train, train_size), (val, val_size))
        )
        source = "comes with cifar_utils"
    mean, std = channel_statistics(train.images)
    return Data(dataset, train, val, test, mean, std, _digest(train, val, test), source)


def locate(dataset: str = "sample", root: str | Path | None = None) -> Path | None:
    """The folder CIFAR-10 is read from, or None for the sample; errors as in `load`."""
    if dataset not in TITLES:
        raise ValueError(f"unknown dataset {dataset!r}; there are: {', '.join(TITLES)}")
    if dataset == "sample":
        return None
    from cifar_utils import official  # torchvision, which it needs, takes seconds to import

    return official.find(root_folder(root))


def root_folder(root: str | Path | None = None) -> Path:
    """Where CIFAR-10 is, or will be put: `root`, else CIFAR_ROOT, else `data/`; absolute."""
    return whole_path(root or os.environ.get("CIFAR_ROOT") or PROJECT / "data")


def stratified_order(labels: Tensor, seed: int) -> np.ndarray:
    """A random order of which every prefix holds every class in nearly equal numbers."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    turn = pd.Series(labels.numpy()[shuffled]).pipe(lambda s: s.groupby(s).cumcount())
    return shuffled[np.argsort(turn.to_numpy(), kind="stable")]


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, on the scale 0…1, from the histogram.

    To twelve decimals, since processors add in different orders.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        weights = torch.bincount(channel.reshape(-1), minlength=256) / channel.numel()
        mean = weights.double() @ levels
        means.append(round(mean.item(), 12))
        variance = weights.double() @ (levels - mean) ** 2
        stds.append(round(variance.sqrt().item(), 12))
    return tuple(means), tuple(stds)


def batches(
    split: Split, batch_size: int, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels batch by batch; in a new random order where a generator is given.

    The order is drawn on the generator's device.
    """
    if generator is None:
        yield from zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True)
        return
    order = torch.randperm(len(split), generator=generator, device=generator.device)
    for chosen in order.to(split.labels.device).split(batch_size):
        yield split.images[chosen], split.labels[chosen]


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 N×3×H×W in 0…255 to float32 in channels_last: (pixel / 255 − mean) / std."""
    pixels = images.to(torch.float32, memory_format=torch.channels_last)
    rows = pixels.permute(0, 2, 3, 1).flatten(2)  # a view: N×H×(W·3), colours side by side
    means, stds = (
        _row_of_pixels(tuple(values), images.shape[3], images.device) for values in (mean, std)
    )
    rows.sub_(means).div_(stds)  # in long rows: twice as fast as channel by channel
    return pixels


@cache  # made anew, a copy to the GPU would stop every batch
def _row_of_pixels(colour: tuple[float, ...], width: int, device: torch.device) -> Tensor:
    """One colour, times 255, for each pixel of a row: float32 width·3."""
    with torch.inference_mode(False):  # else what predict makes first could not be trained with
        return torch.tensor(colour, device=device).mul(255).repeat(width)


def check_sizes(train_size: int, val_size: int, dataset: str = "sample") -> None:
    """Raise ValueError for a size that cannot be."""
    for name, size in (("train_size", train_size), ("val_size", val_size)):
        if isinstance(size, bool) or not isinstance(size, Integral):
            raise ValueError(f"{name} is {size!r}; it must be a whole number")
        if size < 0 or 0 < size < 10:
            raise ValueError(
                f"{name} is {size}; it must be 0 (all there are) or at least 10, one a class"
            )
    if dataset in TITLES:
        hint = " (dataset='cifar10' has more than the sample)" * (dataset == "sample")
        _check_room(SAMPLE_VALIDATION if dataset == "sample" else POOL, val_size, hint)
        _check_room(training_images(0, val_size, dataset), train_size, hint)


def training_images(train_size: int, val_size: int, dataset: str) -> int:
    """How many images are trained on."""
    left = SAMPLE_TRAINING if dataset == "sample" else POOL - (val_size or VALIDATION)
    return train_size or left


def _take(pool: Split, order: NDArray[np.int64], size: int) -> Split:
    """The first `size` images in an order, 0: all of them."""
    _check_room(len(order), size)
    chosen = order[: size or None]
    return Split(pool.images[chosen], pool.labels[chosen])


def _check_room(left: int, size: int, hint: str = "") -> None:
    if left < max(size, 10):
        wanted = f"{size:,}" if size else "at least 10"
        raise ValueError(
            f"{wanted} images were asked for, but only {max(left, 0):,} are left; lower train_size "
            f"or val_size{hint}"
        )


def _digest(*splits: Split) -> str:
    fingerprint = hashlib.sha256()
    for split in splits:
        fingerprint.update(split.images.numpy().data)
        fingerprint.update(split.labels.numpy().data)
    return fingerprint.hexdigest()[:16]
