"""Small data shared by the tests: photographs of the sample, which comes with the package."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

from dataclasses import replace

import pytest
import torch

from cifar_utils import data


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Equal numbers whatever the machine's load, and no spinning threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small() -> data.Data:
    """400 training, 100 validation, 200 test images of the sample."""
    sample = data.load("sample", train_size=400, val_size=100)
    return replace(sample, test=first(sample.test, 200))


@pytest.fixture(scope="session")
def tiny(small: data.Data) -> data.Data:
    """40 training, 20 validation, 20 test images, where learning is not what is tested."""
    splits = {"train": first(small.train, 40), "val": first(small.val, 20)}
    splits["test"] = first(small.test, 20)
    return replace(small, **splits, digest=f"{small.digest}, the first of them")


def first(split: data.Split, count: int) -> data.Split:
    """So many images of each class alike."""
    order = data.stratified_order(split.labels, seed=0)[:count]
    return data.Split(split.images[order], split.labels[order])
