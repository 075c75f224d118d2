"""Records that no one trained, with accuracies as a test wants them."""

import numpy as np
import pandas as pd

from cifar_utils import outline, records

ENVIRONMENT = {"processor": "CPU", "instructions": "AVX2", "threads": 1, "torch": "2",
               "python": "3"}  # fmt: skip


def runs_of(notebook: str, variant: str, accuracies: list[float], **change: object) -> pd.DataFrame:
    """A run a seed of one variant, of 400 training images and 2 epochs."""
    rows = [
        {"notebook": notebook, "variant": variant, "network": variant, "seed": seed,
         "profile": "full", "parameters": 288_778, "epochs": 2, "train_size": 400, "lr": 0.1,
         "accuracy": accuracy, "precision": 0.5, "recall": 0.5, "f1": 0.5, "roc_auc": 0.9,
         "mcc": 0.4, "flip_accuracy": accuracy + 0.01, "environment": ENVIRONMENT,
         "confusion": [[5] * 10] * 10, "seconds": 36.0, "val_accuracy": 0.5,
         "history": [{"epoch": e, "train_loss": 1.0, "val_loss": 1.0, "train_accuracy": 0.75,
                      "val_accuracy": 0.5} for e in (1, 2)]} | change
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(records.COLUMNS))


def study(
    seeds: int | None = None, change: dict[tuple[str, str], list[float]] | None = None
) -> pd.DataFrame:
    """Runs of every variant of the outline, and of notebook 06 with fewer images.

    `change` gives some variants (notebook, variant) their accuracies, the others have random ones;
    of each variant there are as many as the outline declares, or `seeds`.
    """
    random, parts = np.random.default_rng(0), []
    for section in outline.SECTIONS:
        for variant in section.variants:
            count = seeds or outline.declared_seeds(section.notebook, variant)
            drawn = list(random.normal(0.7, 0.02, count))
            accuracies = (change or {}).get((section.notebook, variant), drawn)
            parts.append(runs_of(section.notebook, variant, accuracies))
            if section.notebook == "06_augmentation":
                fewer = {"profile": "full+train_size=100", "train_size": 100}
                lower = list(random.normal(0.4, 0.02, count))
                parts.append(runs_of(section.notebook, variant, lower, **fewer))
    return pd.concat(parts, ignore_index=True)
