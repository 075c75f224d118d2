"""How sure an accuracy is of other seeds *and* of other test images: crossed random effects.

A run answers the same test images as every other run, so an answer has two sources of chance, the
seed and the image, and neither stands inside the other. `docs/uncertainty.md` derives the interval
and tells how often it held the truth in simulated studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cifar_utils import records
from cifar_utils.files import read_text

CONFIDENCE = 0.95
CAUTION = 1.5
LABELS = records.EVIDENCE / "test_labels.txt"


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and test images, with its 95 % interval (fractions, as accuracies are).

    `seeds` and `images` are the parts of the mean's variance that come from either. `p` is that
    of the two-sided test of a mean of zero, `freedom` its degrees of freedom.
    """

    mean: float
    low: float
    high: float
    p: float
    freedom: float
    seeds: float
    images: float


def crossed(values: NDArray[Any]) -> Estimate:
    """The mean of n seeds × m images, where both stand for all that there could have been.

    `values` are n×m numbers: an answer's rightness, or the difference of two.

    The variance of the mean is (MS_seed + MS_image − MS_rest) / (n·m), from the mean squares of a
    two-way analysis of variance without repetition: the spread of the seeds' means holds a share of
    the chance that belongs to a pair of seed and image, and so does that of the images' means; one
    of the two goes. The interval is Student's, with the degrees of freedom of `_freedom`.

    Raises:
        ValueError: fewer than two seeds or two images.
    """
    n, m = values.shape
    ms_seed, ms_image, ms_rest = mean_squares(values)
    of_images = max(ms_image - ms_rest, 0.0)  # a variance, though its estimate may be below zero
    mean = float(values.mean(dtype=np.float64))
    return _estimate(mean, ms_seed / (n * m), of_images / (n * m), n, m)


def mean_squares(values: NDArray[Any]) -> tuple[float, float, float]:
    """Of seeds, of images and of the rest, from n seeds × m images: a two-way analysis of variance.

    Raises:
        ValueError: fewer than two seeds or two images.
    """
    n, m = values.shape
    if n < 2 or m < 2:
        raise ValueError(f"there are {n} seeds and {m} images; an interval needs two of each")
    by_seed, by_image = values.mean(1, dtype=np.float64), values.mean(0, dtype=np.float64)
    of_seeds = m * float(by_seed.var(ddof=1))
    of_images = n * float(by_image.var(ddof=1))
    whole = n * m * float(values.var(dtype=np.float64))
    rest = whole - (n - 1) * of_seeds - (m - 1) * of_images
    return of_seeds, of_images, max(rest, 0.0) / ((n - 1) * (m - 1))


def of_accuracies(accuracies: Sequence[float], images: int) -> Estimate:
    """One network's accuracy over n seeds where the answers to single images were not kept.

    The images' part is bounded by p (1 − p) / m, as if every seed were right and wrong on the same
    images: the interval is at least as wide as that of `crossed`.

    Raises:
        ValueError: fewer than two seeds.
    """
    n = len(accuracies)
    if n < 2:
        raise ValueError(f"there is {n} seed; an interval needs two")
    mean = float(np.mean(accuracies))
    seeds = float(np.var(accuracies, ddof=1)) / n
    of_images = mean * (1 - mean) / images
    return _estimate(mean, seeds, of_images, n, images)


def of_network(runs: pd.DataFrame) -> Estimate:
    """The test accuracy of one variant, from its records (`records.load`), a row a seed.

    By `crossed` where every record keeps its predictions, else by `of_accuracies`.
    """
    if has_predictions(runs):
        return crossed(right(runs))
    images = int(np.sum(runs.confusion.iloc[0]))
    return of_accuracies(runs.accuracy.tolist(), images)


def of_difference(a: pd.DataFrame, b: pd.DataFrame) -> Estimate | None:
    """The test accuracy of b minus that of a, paired by seed and by image; their records.

    None where a record does not keep its predictions (those made before they were kept).

    Raises:
        ValueError: the two have not the same seeds.
    """
    a, b = a.sort_values("seed"), b.sort_values("seed")
    if a.seed.tolist() != b.seed.tolist():
        raise ValueError(f"seeds {a.seed.tolist()} and {b.seed.tolist()} can't be paired")
    if not (has_predictions(a) and has_predictions(b)):
        return None
    return crossed(right(b).astype(np.int8) - right(a).astype(np.int8))


def has_predictions(runs: pd.DataFrame) -> bool:
    """Whether every record keeps the predicted class of every test image."""
    return all(isinstance(digits, str) and digits for digits in runs.predicted)


def right(runs: pd.DataFrame, file: Path = LABELS) -> NDArray[np.bool_]:
    """Which answers are right: a row a record, a column a test image of CIFAR-10, in its order.

    Raises:
        ValueError: a record whose predictions are of other images.
    """
    truth = _digits(read_text(file).strip())
    rows = []
    for variant, seed, digits in zip(runs.variant, runs.seed, runs.predicted, strict=True):
        predicted = _digits(digits)
        if predicted.shape != truth.shape:
            raise ValueError(
                f"{variant}, seed {seed}, predicts {len(predicted):,} images; "
                f"{file.name} has the classes of {len(truth):,}"
            )
        rows.append(predicted == truth)
    return np.array(rows)


def _digits(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8) - ord("0")


def _estimate(mean: float, seeds: float, images: float, n: int, m: int) -> Estimate:
    """The interval and the test of zero, from the two parts of the mean's variance."""
    freedom = _freedom(seeds, images, n, m)
    error = float(np.sqrt(seeds + images))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    if error:
        p = float(2 * stats.t.sf(abs(mean) / error, freedom))
    else:
        p = float(mean == 0)
    return Estimate(mean, mean - half, mean + half, p, freedom, float(seeds), float(images))


def _freedom(seeds: float, images: float, n: int, m: int) -> float:
    """The degrees of freedom of a sum of two variances, of n seeds and of m images.

    Satterthwaite's (1946), where images are many, are (n − 1) · (sum / seeds)². With few seeds that
    is too many just where the seeds' variance was estimated too small. `CAUTION` in place of the
    square was chosen by simulation, `benchmarks/coverage.py`.
    """
    if seeds == 0:
        return float(m - 1)
    return float(min((n - 1) * ((seeds + images) / seeds) ** CAUTION, max(n, m) - 1))
