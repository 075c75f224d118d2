"""The six metrics of the study, macro-averaged and class by class, all by scikit-learn; and how
far a network's confidence can be believed.

scikit-learn takes a second to import, so each function does it that needs it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

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
    from sklearn import metrics

    labels, probabilities = _checked(labels, probabilities)
    predictions = probabilities.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predictions, average="macro", zero_division=0
    )
    values = (
        metrics.accuracy_score(labels, predictions),
        precision,
        recall,
        f1,
        metrics.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"),
        metrics.matthews_corrcoef(labels, predictions),
    )
    return dict(zip(NAMES, map(float, values), strict=True))


def per_class(labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, F1, one-vs-rest ROC-AUC and the number of images of every class."""
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

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
    from sklearn.metrics import confusion_matrix

    counts: np.ndarray = confusion_matrix(labels, predictions, labels=range(classes))
    return counts


def above_chance(accuracy: float, images: int, classes: int = 10) -> bool:
    """Whether an accuracy lies more than two standard errors above that of guessing a class."""
    chance = 1 / classes
    return accuracy > chance + 2 * math.sqrt(chance * (1 - chance) / images)


def reliability(labels: ArrayLike, probabilities: ArrayLike, bins: int = 15) -> pd.DataFrame:
    """Confidence against accuracy, a row a bin of equal width: count, confidence, accuracy.

    An answer's confidence is the probability of the predicted class; bin m holds those in
    ((m − 1) / bins, m / bins]. Confidence and accuracy are means over the bin's answers, NaN
    where it has none.

    Args:
        labels: N true classes.
        probabilities: N×C, each row sums to 1.

    Raises:
        ValueError: no images, shapes that do not fit, what is not a probability, or no bins.
    """
    labels, probabilities = _fitting(labels, probabilities)
    if bins < 1 or not len(labels):
        raise ValueError(f"{len(labels)} images in {bins} bins: each must be at least 1")
    if not ((probabilities >= 0) & (probabilities < 1.0001)).all():
        raise ValueError("not all are in 0 … 1: apply softmax to logits first")
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, bins + 1)
    place = pd.Index(np.searchsorted(edges, confidence.clip(0, 1)), name="bin")
    answers = {"confidence": confidence, "accuracy": probabilities.argmax(axis=1) == labels}
    groups = pd.DataFrame(answers, index=place).astype(float).groupby(level=0)
    table = groups.mean().reindex(range(1, bins + 1))
    table.insert(0, "count", groups.size().reindex(table.index, fill_value=0))
    return table


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 15
) -> float:
    """The mean distance of accuracy from confidence over the bins, weighted by their counts.

    Guo et al. (2017), "On calibration of modern neural networks", equation 3, whose 15 bins are
    the default; a fraction. Arguments and errors are those of `reliability`.
    """
    return calibration_error(reliability(labels, probabilities, bins))


def calibration_error(table: pd.DataFrame) -> float:
    """The expected calibration error, from a table of `reliability`."""
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["count"]).sum() / table["count"].sum())


def _fitting(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"labels of shape {labels.shape} and probabilities of shape {probabilities.shape} "
            "do not fit: N labels need N×C probabilities"
        )
    return labels, probabilities


def _checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = _fitting(labels, probabilities)
    missing = sorted(set(range(probabilities.shape[1])) - set(labels.tolist()))
    if missing:
        raise ValueError(f"no label of class {missing}: its ROC-AUC is undefined; use more images")
    return labels, probabilities
