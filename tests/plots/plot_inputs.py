"""Small things to draw: made by hand, so that a test can say what must be seen in the figure."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from cifar_utils import metrics

CLASSES = ("cat", "dog", "frog")
LIMITS = {"xlim": (-2.0, 2.0), "ylim": (-1.5, 1.5)}


def history(epochs: int = 3, shift: float = 0.0) -> pd.DataFrame:
    """A run whose losses fall and whose accuracies rise."""
    steps = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": steps,
            "train_loss": 2.0 / steps + shift,
            "val_loss": 2.2 / steps + shift,
            "train_accuracy": 0.1 * steps + shift,
            "val_accuracy": 0.08 * steps + shift,
        }
    )


def split(labels: list[int], side: int = 8) -> SimpleNamespace:
    """A split of drawn noise with these labels."""
    generator = torch.Generator().manual_seed(0)
    shape = (len(labels), 3, side, side)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return SimpleNamespace(images=images, labels=torch.tensor(labels))


def runs(**values: list[float]) -> pd.DataFrame:
    """A row a run: of each variant the accuracies of its seeds, and losses ten times as large."""
    return pd.DataFrame(
        [
            {"variant": name, "seed": seed, "accuracy": value, "train_loss": 10 * value}
            for name, row in values.items()
            for seed, value in enumerate(row)
        ]
    )


def scores() -> pd.DataFrame:
    """Scores of each class, from six answers of which three are right."""
    labels = np.array([0, 1, 2, 0, 1, 2])
    tenths = [[8, 1, 1], [1, 8, 1], [1, 1, 8], [1, 8, 1], [1, 7, 2], [7, 1, 2]]
    return metrics.per_class(labels, np.array(tenths) / 10, CLASSES)


def filters_of_a_layer(count: int = 10) -> torch.Tensor:
    """Filters 3×5×5."""
    return torch.randn(count, 3, 5, 5, generator=torch.Generator().manual_seed(0))


def bowl(w0: np.ndarray, w1: np.ndarray) -> np.ndarray:
    """A loss with one minimum, at (0, 0)."""
    return w0**2 + 2 * w1**2
