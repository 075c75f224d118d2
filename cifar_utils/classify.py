"""What the study's kept FinalCNN sees in a picture of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from cifar_utils import data, models, records

SIDE = 32
INSTALLED = Path(__file__).with_name("released")  # where a wheel has them (pyproject.toml)
RELEASED = INSTALLED if INSTALLED.is_dir() else records.EVIDENCE


def kept_network(folder: Path = RELEASED) -> tuple[nn.Module, dict[str, Any]]:
    """The network whose weights lie beside their record, in evaluation mode, and that record.

    Raises:
        FileNotFoundError: there are no weights in the folder.
    """
    weights = next(iter(sorted(folder.rglob("*.pt"))), None)
    if weights is None:
        raise FileNotFoundError(
            f"there are no weights in {folder}; `python -m cifar_utils run 07 --profile full` "
            "trains the network and `python -m cifar_utils report runs/full --keep` keeps it"
        )
    record = records.read(weights.with_suffix(".json"))
    model = models.build(record["network"])
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval(), record


def read_picture(path: Path) -> Tensor:
    """The middle square of a picture, made small: uint8 3×32×32.

    Raises:
        ValueError: the file is not there or is not a picture.
    """
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except FileNotFoundError as error:
        raise ValueError(f"{path} is not there") from error
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is not a picture that can be read") from error
    small = ImageOps.fit(upright, (SIDE, SIDE), Image.Resampling.BOX)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)


def likeliest(
    pictures: Tensor, model: nn.Module, record: dict[str, Any], count: int = 3
) -> list[pd.Series]:
    """The `count` likeliest classes of each picture (uint8 N×3×32×32) with their probabilities."""
    inputs = data.normalise(pictures, record["data"]["mean"], record["data"]["std"])
    with torch.inference_mode():
        probabilities = model(inputs).softmax(1)
    return [pd.Series(row, data.CLASSES).nlargest(count) for row in probabilities.numpy()]


def in_words(best: pd.Series) -> str:
    """ "cat 83.1 %, dog 9.0 %, frog 2.2 %"."""
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in best.items())
