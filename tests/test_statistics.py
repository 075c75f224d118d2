import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cifar_utils import statistics
from cifar_utils.uncertainty import Estimate


def frame_of(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"notebook": "03", "variant": variant, "seed": seed, "accuracy": value}
        for variant, column in values.items()
        for seed, value in enumerate(column)
    ]
    return pd.DataFrame(rows)


def comparison(low: float, high: float, p: float, **more: object) -> statistics.Comparison:
    return statistics.Comparison(
        "a", "b", more.pop("metric", "accuracy"), 5, (low + high) / 2, low, high, p, **more
    )


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
    test = stats.ttest_rel(b, a)
    interval = test.confidence_interval(0.95)
    assert (found.difference, found.low, found.high, found.p) == pytest.approx(
        (np.mean(b) - np.mean(a), interval.low, interval.high, test.pvalue)
    )
    assert not found.zero_inside and "“b” is higher." in str(found) and "n = 3" in str(found)
    assert "“a” is lower." in str(statistics.compare(shuffled, "b", "a"))


def test_compare_says_when_nothing_is_shown() -> None:
    noisy = frame_of({"a": [0.70, 0.75, 0.72], "b": [0.75, 0.70, 0.73]})
    assert statistics.compare(noisy, "a", "b").zero_inside
    assert str(statistics.compare(noisy, "a", "b")).endswith("n = 3 seeds); not resolved.")
    single = statistics.compare(frame_of({"a": [0.7], "b": [0.8]}), "a", "b")
    assert single.zero_inside and single.p == 1
    assert str(single).endswith("(n = 1: no spread, so not resolved).")
    asked = noisy.assign(val_accuracy=noisy.accuracy)
    assert ", val_accuracy: " in str(statistics.compare(asked, "a", "b", "val_accuracy"))
    with pytest.raises(ValueError, match="'c'; there are: a, b"):
        statistics.compare(noisy, "a", "c")
    apart = noisy[(noisy.variant == "a") != (noisy.seed == 0)]
    with pytest.raises(ValueError, match="no seed in common"):
        statistics.compare(apart, "a", "b")


@pytest.mark.parametrize(
    ("b", "verdict"),
    [([0.8, 0.81, 0.8], "higher"), ([0.6, 0.61, 0.6], "lower"), ([0.69, 0.72, 0.7], "not resolved"),
     ([0.701, 0.699, 0.711], "equivalent within 1 point"), ([0.8], "not resolved"),
     ([0.7, 0.7, 0.71], "equivalent within 1 point"), ([0.75, 0.75, 0.76], "higher")],
)  # fmt: skip
def test_the_verdict_is_a_word_about_b(b: list[float], verdict: str) -> None:
    frame = frame_of({"a": [0.7, 0.7, 0.71], "b": b})
    assert statistics.compare(frame, "a", "b").verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.0099, 0.0099, "equivalent within 1 point"), (-0.0101, 0.0099, "not resolved"),
     (-0.0099, 0.0101, "not resolved")],
)  # fmt: skip
def test_equivalence_asks_for_the_whole_interval(low: float, high: float, verdict: str) -> None:
    assert comparison(low, high, 0.9).verdict == verdict


def test_a_loss_is_never_called_equivalent_within_a_point() -> None:
    assert comparison(-0.005, 0.005, 0.9, metric="train_loss").verdict == "not resolved"
    assert comparison(0.001, 0.005, 0.01, metric="train_loss").verdict == "higher"


def test_a_corrected_p_takes_a_direction_back_and_never_gives_one() -> None:
    assert comparison(0.001, 0.03, 0.04).verdict == "higher"
    assert comparison(0.001, 0.03, 0.04, corrected=0.3).verdict == "not resolved"
    assert comparison(0.001, 0.009, 0.04, corrected=0.3).verdict == "equivalent within 1 point"
    assert comparison(-0.03, -0.01, 0.001, corrected=0.012).verdict == "lower"


def test_test_images_count_where_they_are_known() -> None:
    wide = Estimate(0.01, -0.002, 0.022, 0.1, 9.0, 1e-5, 1e-5)
    assert comparison(0.005, 0.015, 0.01).verdict == "higher"
    found = comparison(0.005, 0.015, 0.01, wide=wide)
    assert found.widest_p == 0.1 and found.verdict == "not resolved"


def test_holm_equals_a_reference_computed_by_hand() -> None:
    # sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last is raised
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.5, 0.4, 0.03]) == pytest.approx([0.8, 0.8, 0.09])
    assert statistics.holm([0.9, 0.9]) == [1, 1] and statistics.holm([]) == []


def test_holm_rejects_what_its_stepwise_definition_rejects() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        values = random.uniform(size=8) ** 4
        steps = np.sort(values) <= 0.05 / np.arange(8, 0, -1)
        rejected = 8 if steps.all() else int(np.argmin(steps))
        corrected = np.array(statistics.holm(values.tolist()))
        assert (corrected <= 0.05).sum() == rejected
        assert (corrected >= values).all() and (np.diff(corrected[values.argsort()]) >= 0).all()
