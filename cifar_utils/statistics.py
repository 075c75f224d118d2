"""What several seeds say: mean, spread, interval, and the paired difference of two variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


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
    """b − a, paired by seed: the mean difference and its 95 % confidence interval."""

    a: str
    b: str
    metric: str
    n: int
    difference: float
    low: float
    high: float

    @property
    def zero_inside(self) -> bool:
        """Whether the interval holds zero; True where one seed gives no interval."""
        return not (self.low > 0 or self.high < 0)

    @property
    def verdict(self) -> str:
        """What the interval shows of b: "better", "worse", "same" (it holds zero), "single"."""
        if self.n < 2:
            return "single"
        if self.zero_inside:
            return "same"
        return "better" if self.low > 0 else "worse"

    def __str__(self) -> str:
        """The difference in points, its interval and what follows, in two lines."""
        points = (100 * value for value in (self.difference, self.low, self.high))
        difference, low, high = (f"{value:+.2f}".replace("-", "−") for value in points)
        metric = self.metric if self.metric.startswith("val_") else f"test {self.metric}"
        what = f"“{self.b}” − “{self.a}”, {metric}: {difference} points"
        if self.n < 2:
            return f"{what} (n = {self.n}: no spread, so no conclusion)."
        verdict = "the interval holds zero: no difference is shown"
        if not self.zero_inside:
            verdict = f"“{self.b if self.low > 0 else self.a}” is better"
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
    n, mean = len(difference), difference.mean()
    half = _half_width(difference.std(), n)
    return Comparison(a, b, metric, n, mean, mean - half, mean + half)


def _half_width(std: Any, n: Any) -> Any:
    """Half of Student's confidence interval of a mean, for numbers or columns; NaN for one run."""
    return stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * std / n**0.5
