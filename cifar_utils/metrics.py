"""The six metrics of the study, macro-averaged and class by class, all by scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

NAMES = ("accuracy", "precision", "recall", "f1", "roc_auc", "mcc")


def scores(labels: ArrayLike, probabilities: ArrayLike) -> dict[str, float]:
    """Accuracy, precision, recall, F1, ROC-AUC and the Matthews correlation coefficient.

    Precision, recall and F1 are macro averages (every class counts the same; a class never
    predicted has precision 0). ROC-AUC is one-vs-rest, macro. MCC is the multi-class
    coefficient of Gorodkin (2004). All are fractions.

    Args:
        labels: N true classes.
        probabilities: N×C, each row sums to 1.

    Raises:
        ValueError: shapes that do not fit, or a class that no label has: its ROC-AUC is
            undefined.
    """
    labels, probabilities = _checked(labels, probabilities)
    predictions = probabilities.argmax(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predictions, average="macro", zero_division=0
    )
    values = (
        accuracy_score(labels, predictions),
        precision,
        recall,
        f1,
        roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"),
        matthews_corrcoef(labels, predictions),
    )
    return dict(zip(NAMES, map(float, values), strict=True))


def per_class(labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, F1, one-vs-rest ROC-AUC and the number of images of every class."""
    labels, probabilities = _checked(labels, probabilities)
    columns = precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=range(len(classes)), zero_division=0
    )
    table = pd.DataFrame(
        dict(zip(("precision", "recall", "f1", "support"), columns, strict=True)),
        index=pd.Index(classes, name="class"),
    )
    one_hot = labels[:, None] == np.arange(len(classes))
    table.insert(3, "roc_auc", roc_auc_score(one_hot, probabilities, average=None))
    return table


def confusion(labels: ArrayLike, predictions: ArrayLike, classes: int = 10) -> np.ndarray:
    """Counts, C×C: a row a true class, a column a predicted one."""
    return confusion_matrix(labels, predictions, labels=range(classes))


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"labels of shape {labels.shape} and probabilities of shape {probabilities.shape} "
            "do not fit: N labels need N×C probabilities"
        )
    missing = sorted(set(range(probabilities.shape[1])) - set(labels.tolist()))
    if missing:
        raise ValueError(f"no label of class {missing}: its ROC-AUC is undefined; use more images")
    return labels, probabilities
