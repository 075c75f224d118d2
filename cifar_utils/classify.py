"""What a released network sees in an image of one's own."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from cifar_utils import data, image_files, models, records, training
from cifar_utils.recipe import Recipe

SIDE = 32
RELEASED = records.EVIDENCE
FIRST_CHOICE = "FinalCNN"

Network = tuple[nn.Module, dict[str, Any]]  # in evaluation mode, and its record


def released(folder: Path = RELEASED) -> dict[str, Path]:
    """Where the weights of each released network lie: "FinalCNN", …"""
    return {path.name.partition(".")[0]: path for path in sorted(folder.rglob("*.pt"))}


def released_network(folder: Path = RELEASED, name: str = FIRST_CHOICE) -> Network:
    """The network whose weights lie beside their record, in evaluation mode, and that record.

    Raises:
        FileNotFoundError: there are no such weights in the folder.
        ValueError: weights or record do not read, or do not fit each other.
    """
    found = released(folder)
    if not found:
        raise FileNotFoundError(
            f"there are no weights in {folder}; `python -m cifar_utils run 07 --profile full` "
            "trains the network and `python -m cifar_utils report runs/full --keep` keeps it"
        )
    if name not in found:
        raise FileNotFoundError(f"no network {name} is released; there are: {', '.join(found)}")
    return read_network(found[name])


def own_network(weights: Path) -> Network:
    """The network of a run of one's own, from its `weights.pt` and the record beside it.

    Raises:
        ValueError: one of them is missing, does not read, or is of a variant whose network was
            made with options: a record does not keep those, and other weights may fit by chance.
    """
    model, record = read_network(weights)
    fresh = models.build(record["network"], seed=record["seed"])
    trained_on = record["data"]
    seen = SimpleNamespace(
        digest=trained_on["digest"], mean=(*trained_on["mean"],), std=(*trained_on["std"],)
    )
    same = training.digest(fresh, cast(data.Data, seen), Recipe(**record["recipe"]))
    if same != record["digest"]:
        raise ValueError(
            f"{weights} is of {record['variant']!r}, a {record['network']} made with options that "
            "its record does not keep; choose weights of a network without options"
        )
    return model, record


def read_network(weights: Path) -> Network:
    """The network that such weights and the record beside them make, in evaluation mode.

    Raises:
        ValueError: one of them is missing, does not read or does not fit the other.
    """
    if not weights.is_file():
        raise ValueError(f"{weights} is not there; released are: {', '.join(released())}")
    beside = (weights.with_suffix(".json"), weights.with_name("record.json"))
    path = next((path for path in beside if path.is_file()), None)
    if path is None:
        raise ValueError(f"{weights} has no record beside it, no {' or '.join(map(str, beside))}")
    try:
        record = records.read(path)
        model = models.build(record["network"])
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} is not the record of a network: {error}") from error
    try:
        model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # PyTorch raises nearly anything of a damaged file
        raise ValueError(f"{weights} does not hold the weights of {record['network']}") from error
    return model.eval(), record


def read_image(path: str | Path) -> Tensor:
    """The middle square of an image, made small: uint8 3×32×32. "-" is standard input.

    Raises:
        ValueError: it can't be read; the message is one sentence with its name.
    """
    small = image_files.middle_square(path, SIDE)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)


def likeliest(
    images: Tensor, model: nn.Module, record: dict[str, Any], count: int = 3
) -> list[pd.Series]:
    """The `count` likeliest classes of each image (uint8 N×3×32×32) with their probabilities."""
    inputs = data.normalise(images, record["data"]["mean"], record["data"]["std"])
    with torch.inference_mode():
        probabilities = model(inputs).softmax(1)
    return [pd.Series(row, data.CLASSES).nlargest(count) for row in probabilities.numpy()]


def in_words(best: pd.Series) -> str:
    """ "cat 83.1 %, dog 9.0 %, frog 2.2 %"."""
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in best.items())
