"""CIFAR-10, or a drawn stand-in, as tensors in memory; the splits; the batches."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity

from cifar_utils import sketches

PROJECT = Path(__file__).resolve().parent.parent
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
TITLES = {"cifar10": "CIFAR-10", "sketches": "sketches (stand-in)"}
DATASETS = ("auto", "cifar10", "sketches")
NORMALISATIONS = ("own", "half", "none")
SKETCHES_POOL, SKETCHES_TEST = 12_000, 2_000
POOL_SEED, TEST_SEED = 10, 11


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
    dataset: str = "auto",
    root: str | Path | None = None,
    train_size: int = 0,
    val_size: int = 5000,
    seed: int = 0,
) -> Data:
    """Read the data set and split it.

    Args:
        dataset: "cifar10", "sketches", or "auto": CIFAR-10 where it is on disk, else the sketches.
        root: the folder that holds `cifar-10-batches-py`; falls back to the environment variable
            CIFAR_ROOT, then to `data/` in the project.
        train_size: training images, in equal numbers a class; 0 takes all that are left.
        val_size: validation images, taken from the training images before `train_size` applies,
            so that they stay the same for every training size.
        seed: fixes the split, and nothing else.

    Raises:
        ValueError: an unknown data set or an impossible size.
        FileNotFoundError: CIFAR-10 was asked for and is not there.
        OSError: a file of CIFAR-10 is missing, cut short or altered; the message names it.
    """
    check_sizes(train_size, val_size)
    folder = locate(dataset, root)
    if folder:
        pool, test = read_cifar10(folder)
        return _split("cifar10", pool, test, train_size, val_size, seed, f"{folder}")
    wanted = train_size + val_size if train_size else SKETCHES_POOL
    whole_chunks = math.ceil(wanted / sketches.CHUNK) * sketches.CHUNK  # classes balance in one
    pool = Split(*sketches.draw(min(whole_chunks, SKETCHES_POOL), POOL_SEED))
    test = Split(*sketches.draw(SKETCHES_TEST, TEST_SEED))
    data = _split("sketches", pool, test, train_size, val_size, seed, "drawn by cifar_utils")
    if dataset == "auto":
        print(
            "CIFAR-10 is not on this machine (`make data` gets it): "
            "using sketches, the drawn stand-in. Its numbers say nothing about CIFAR-10."
        )
    return data


def locate(dataset: str = "auto", root: str | Path | None = None) -> Path | None:
    """The folder CIFAR-10 is read from, or None for the sketches; errors as in `load`."""
    if dataset not in DATASETS:
        raise ValueError(f"unknown dataset {dataset!r}; there are: {', '.join(DATASETS)}")
    folder = Path(root or os.environ.get("CIFAR_ROOT") or PROJECT / "data")
    present = (folder / CIFAR10.base_folder).exists()
    if dataset == "cifar10" and not present:
        raise FileNotFoundError(
            f"CIFAR-10 is not in {folder}; run `make data` to download it, or set CIFAR_ROOT to "
            f"the folder that holds {CIFAR10.base_folder}, or use dataset='sketches'"
        )
    return folder if present and dataset != "sketches" else None


def read_cifar10(root: Path) -> tuple[Split, Split]:
    """The official training and test images, read by torchvision, whose MD5 check comes first."""
    try:
        pool, test = (CIFAR10(root, train=train) for train in (True, False))
    except (RuntimeError, EOFError, OSError) as error:
        raise OSError(_name_bad_file(root)) from error
    return _as_split(pool), _as_split(test)


def stratified_order(labels: Tensor, seed: int) -> np.ndarray:
    """A random order of which every prefix holds every class in nearly equal numbers."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    turn = pd.Series(labels.numpy()[shuffled]).pipe(lambda s: s.groupby(s).cumcount())
    return shuffled[np.argsort(turn.to_numpy(), kind="stable")]


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, on the scale 0…1, exact from the histogram."""
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        weights = torch.bincount(channel.reshape(-1), minlength=256) / channel.numel()
        mean = weights.double() @ levels
        means.append(mean.item())
        stds.append((weights.double() @ (levels - mean) ** 2).sqrt().item())
    return tuple(means), tuple(stds)


def batches(
    split: Split, batch_size: int, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels batch by batch; in a new random order where a generator is given."""
    if generator is None:
        yield from zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True)
        return
    order = torch.randperm(len(split), generator=generator).to(split.labels.device)
    for chosen in order.split(batch_size):
        yield split.images[chosen], split.labels[chosen]


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 N×3×H×W in 0…255 to float32 in channels_last: (pixel / 255 − mean) / std."""
    pixels = images.to(torch.float32, memory_format=torch.channels_last)
    rows = pixels.permute(0, 2, 3, 1).flatten(2)  # a view: N×H×(W·3), colours side by side
    means, stds = (
        torch.tensor(values, device=images.device).mul(255).repeat(images.shape[3])
        for values in (mean, std)
    )
    rows.sub_(means).div_(stds)  # in long rows: twice as fast as channel by channel
    return pixels


def check_sizes(train_size: int, val_size: int) -> None:
    """Raise ValueError for a size that cannot be."""
    for name, size in (("train_size", train_size), ("val_size", val_size)):
        if size < 0:
            raise ValueError(f"{name} is {size}; it must be 0 or more")
    if 0 < train_size < 10 or val_size < 10:
        raise ValueError(
            f"train_size={train_size}, val_size={val_size}: each needs at least 10 images, "
            "one a class (train_size=0 means all)"
        )


def _split(
    name: str, pool: Split, test: Split, train_size: int, val_size: int, seed: int, source: str
) -> Data:
    left = len(pool) - val_size
    if left < max(train_size, 10):
        raise ValueError(
            f"{TITLES[name]} has {len(pool):,} training images: {val_size:,} for validation leave "
            f"{max(left, 0):,}, not the {max(train_size, 10):,} asked for; lower train_size or "
            "val_size"
        )
    order = stratified_order(pool.labels, seed)
    chosen = (order[val_size:][: train_size or None], order[:val_size])
    train, val = (Split(pool.images[places], pool.labels[places]) for places in chosen)
    mean, std = channel_statistics(train.images)
    return Data(name, train, val, test, mean, std, _digest(train, val, test), source)


def _digest(*splits: Split) -> str:
    fingerprint = hashlib.sha256()
    for split in splits:
        fingerprint.update(split.images.numpy().data)
        fingerprint.update(split.labels.numpy().data)
    return fingerprint.hexdigest()[:16]


def _as_split(source: CIFAR10) -> Split:
    images = torch.from_numpy(source.data).permute(0, 3, 1, 2)
    return Split(images.contiguous(), torch.tensor(source.targets))


def _name_bad_file(root: Path) -> str:
    folder = root / CIFAR10.base_folder
    advice = "delete the folder and run `make data`, or point CIFAR_ROOT to a whole copy"
    files = [*CIFAR10.train_list, *CIFAR10.test_list]
    files.append([CIFAR10.meta["filename"], CIFAR10.meta["md5"]])
    for name, md5 in files:
        if not (folder / name).is_file():
            return f"CIFAR-10 file {folder / name} is missing; {advice}"
        if not check_integrity(str(folder / name), md5):
            return (
                f"CIFAR-10 file {folder / name} is cut short or altered (its MD5 differs); {advice}"
            )
    return f"CIFAR-10 in {folder} does not read; {advice}"
