"""What several seeds say: mean, spread, interval, the paired difference, its verdict.

That of the test images beside the seeds is in `uncertainty`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy import stats

from cifar_utils import metrics
from cifar_utils.uncertainty import CONFIDENCE, Estimate

POINT = 0.01  # what two accuracies may differ by and still count as equivalent
HIGHER, LOWER, EQUIVALENT, OPEN = VERDICTS = (
    "higher", "lower", "equivalent within 1 point", "not resolved",
)  # fmt: skip
IN_POINTS = (*metrics.NAMES, "flip_accuracy", "val_accuracy", "train_accuracy")


def summary(frame: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """n, mean, standard deviation and 95 % confidence interval of the mean, a row a variant.

    The interval is Student's; with one run it is NaN. Runs that diverged are left out of n.
    """
    if metric not in frame:
        raise ValueError(f"no column {metric!r}; there are: {', '.join(frame.columns)}")
    groups = frame.dropna(subset=[metric]).groupby(["notebook", "variant"], sort=False)[metric]
    result = groups.agg(["count", "mean", "std"]).rename(columns={"count": "n"})
    half = _half_width(result["std"], result["n"])
    return result.assign(low=result["mean"] - half, high=result["mean"] + half)


@dataclass(frozen=True)
class Comparison:
    """b − a, paired by seed: the mean difference, its 95 % confidence interval, the test of zero.

    `p` is that of Student's paired test. `wide` is the same difference over seeds and test images,
    where it is known; `corrected` the p of whichever counts more, corrected for the number of
    comparisons (`holm`), where the comparison is one of several that are declared.
    """

    a: str
    b: str
    metric: str
    n: int
    difference: float
    low: float
    high: float
    p: float
    wide: Estimate | None = None
    corrected: float | None = None

    @property
    def zero_inside(self) -> bool:
        """Whether the interval holds zero; True where one seed gives no interval."""
        return not (self.low > 0 or self.high < 0)

    @property
    def widest_p(self) -> float:
        """The p of the test over seeds and test images where there is one, else over seeds."""
        return self.wide.p if self.wide else self.p

    @property
    def verdict(self) -> str:
        """What is shown of b, one of VERDICTS.

        "higher" or "lower" if the test excludes zero (by `corrected`, where there is one);
        else "equivalent within 1 point" if the whole interval lies inside ± 1 point; else
        "not resolved". Of a single seed, and of a loss that nearly agrees, nothing is shown.
        """
        p = self.widest_p if self.corrected is None else self.corrected
        if p < 1 - CONFIDENCE:
            return HIGHER if self.difference > 0 else LOWER
        low, high = (self.wide.low, self.wide.high) if self.wide else (self.low, self.high)
        if self.metric in IN_POINTS and -POINT < low and high < POINT:
            return EQUIVALENT
        return OPEN

    def __str__(self) -> str:
        """The difference in points, its interval and the verdict, in two lines."""
        points = (100 * value for value in (self.difference, self.low, self.high))
        difference, low, high = (f"{value:+.2f}".replace("-", "−") for value in points)
        metric = self.metric if self.metric.startswith("val_") else f"test {self.metric}"
        what = f"“{self.b}” − “{self.a}”, {metric}: {difference} points"
        if self.n < 2:
            return f"{what} (n = {self.n}: no spread, so {OPEN})."
        verdict = self.verdict
        if verdict in (HIGHER, LOWER):
            verdict = f"“{self.b}” is {verdict}"
        return f"{what}\n  (95 % interval {low} … {high}, n = {self.n} seeds); {verdict}."


def compare(frame: pd.DataFrame, a: str, b: str, metric: str = "accuracy") -> Comparison:
    """The difference b − a of a metric over the seeds that both variants have.

    Raises:
        ValueError: a variant that is not there, or no seed in common.
    """
    columns = {}
    for variant in (a, b):
        rows = frame[frame.variant == variant].dropna(subset=[metric])
        if rows.empty:
            known = ", ".join(frame.variant.unique())
            raise ValueError(f"no run of variant {variant!r}; there are: {known or 'none'}")
        columns[variant] = rows.set_index("seed")[metric]
    difference = (columns[b] - columns[a]).dropna()
    if difference.empty:
        raise ValueError(f"{a!r} and {b!r} have no seed in common; run both with the same seeds")
    n, mean, std = len(difference), difference.mean(), difference.std()
    half = _half_width(std, n)
    return Comparison(a, b, metric, n, mean, mean - half, mean + half, _p(mean, std, n))


def holm(values: Sequence[float]) -> list[float]:
    """The p values of several tests, corrected so that the chance of *any* false alarm is kept.

    Holm (1979): the smallest of m is multiplied by m, the next by m − 1, and so on; none becomes
    smaller than the one before it, and none larger than 1. In the order that they were given in.
    """
    corrected = [0.0] * len(values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda each: values[each])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected


def _half_width(std: Any, n: Any) -> Any:
    """Half of Student's confidence interval of a mean, for numbers or columns; NaN for one run."""
    return stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * std / n**0.5


def _p(mean: float, std: float, n: int) -> float:
    """The p of Student's two-sided test that a mean is zero; 1 for one run, which tests nothing."""
    if n < 2:
        return 1.0
    if std == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean) / (std / n**0.5), n - 1))
