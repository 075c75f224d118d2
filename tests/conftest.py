"""Small data shared by the tests: drawn, so that they need neither CIFAR-10 nor a network."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

from cifar_utils import data


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Equal numbers whatever the machine's load, and no spinning threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small() -> data.Data:
    """400 training, 100 validation, 2,000 test sketches."""
    return data.load("sketches", train_size=400, val_size=100)
