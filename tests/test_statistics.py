import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cifar_utils import statistics


def frame_of(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"notebook": "03", "variant": variant, "seed": seed, "accuracy": value}
        for variant, column in values.items()
        for seed, value in enumerate(column)
    ]
    return pd.DataFrame(rows)


def test_summary_equals_scipy() -> None:
    values = [0.70, 0.72, 0.71, 0.75]
    row = statistics.summary(frame_of({"max": values, "one": [0.5]})).loc[("03", "max")]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert row.tolist() == pytest.approx([4, np.mean(values), np.std(values, ddof=1), low, high])
    single = statistics.summary(frame_of({"one": [0.5]})).iloc[0]
    assert single.n == 1 and single["mean"] == 0.5 and math.isnan(single.low)


def test_summary_leaves_out_what_diverged_and_names_an_unknown_metric() -> None:
    frame = frame_of({"good": [0.5, math.nan], "bad": [math.nan]})
    assert statistics.summary(frame).n.to_dict() == {("03", "good"): 1}
    with pytest.raises(ValueError, match="'auc'; there are: .*accuracy"):
        statistics.summary(frame, "auc")


def test_compare_pairs_by_seed_and_equals_scipy() -> None:
    a, b = [0.70, 0.75, 0.72], [0.72, 0.765, 0.745]
    shuffled = frame_of({"a": a, "b": b}).sample(frac=1, random_state=0)
    found = statistics.compare(shuffled, "a", "b")
    interval = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (np.mean(b) - np.mean(a), interval.low, interval.high)
    )
    assert not found.zero_inside and "“b” is better" in str(found) and "n = 3" in str(found)
    assert "“a” is better" not in str(found)
    assert "“b” is better" in str(statistics.compare(shuffled, "b", "a"))


def test_compare_says_when_nothing_is_shown() -> None:
    noisy = frame_of({"a": [0.70, 0.75, 0.72], "b": [0.75, 0.70, 0.73]})
    assert statistics.compare(noisy, "a", "b").zero_inside
    assert "no difference is shown" in str(statistics.compare(noisy, "a", "b"))
    single = statistics.compare(frame_of({"a": [0.7], "b": [0.8]}), "a", "b")
    assert single.zero_inside and "no conclusion" in str(single)
    asked = noisy.assign(val_accuracy=noisy.accuracy)
    assert ", val_accuracy: " in str(statistics.compare(asked, "a", "b", "val_accuracy"))
    with pytest.raises(ValueError, match="'c'; there are: a, b"):
        statistics.compare(noisy, "a", "c")
    apart = noisy[(noisy.variant == "a") != (noisy.seed == 0)]
    with pytest.raises(ValueError, match="no seed in common"):
        statistics.compare(apart, "a", "b")


@pytest.mark.parametrize(
    ("b", "verdict"),
    [([0.8, 0.81, 0.8], "better"), ([0.6, 0.61, 0.6], "worse"), ([0.69, 0.72, 0.7], "same"),
     ([0.8], "single")],
)  # fmt: skip
def test_the_verdict_is_a_word_about_b(b: list[float], verdict: str) -> None:
    frame = frame_of({"a": [0.7, 0.7, 0.71], "b": b})
    assert statistics.compare(frame, "a", "b").verdict == verdict
