from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from plot_inputs import runs
from scipy import stats

from cifar_utils import plots, statistics
from cifar_utils.plots.comparisons import VERDICTS
from cifar_utils.uncertainty import Estimate

TWICE = pd.concat([runs(a=[0.1]), runs(a=[0.2])])


def test_comparison_draws_runs_and_the_t_interval_of_their_mean() -> None:
    values = {"plain": [0.5, 0.56, 0.61], "wide": [0.7, 0.71, 0.78, 0.8]}
    (ax,) = plots.comparison(runs(**values), title="comparison").axes
    dots = {line.get_label(): line.get_xdata() for line in ax.lines if line.get_label() in values}
    for bar, (name, row) in zip(ax.containers, values.items(), strict=True):
        percent = 100 * np.array(row)
        assert np.allclose(dots[name], percent)
        mean, _, (whisker,) = bar.lines
        assert np.allclose(mean.get_xdata(), percent.mean())
        interval = stats.t.interval(0.95, len(row) - 1, percent.mean(), stats.sem(percent))
        assert np.allclose(whisker.get_segments()[0][:, 0], interval)
    assert [text.get_text() for text in ax.texts] == ["55.67", "74.75"]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["plain\nn = 3", "wide\nn = 4"]
    assert ax.get_xlabel().startswith("accuracy (%)")


def test_comparison_of_one_run_or_without_values_has_no_interval() -> None:
    (ax,) = plots.comparison(runs(one=[0.5], lost=[np.nan, 0.4]), title="comparison").axes
    assert not ax.containers
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["one\nn = 1", "lost\nn = 1, 1 without a value"]


def test_a_variant_that_always_diverged_keeps_its_row() -> None:
    alike = [0.7, 0.71, 0.72]
    frame = runs(diverged=[np.nan, np.inf, np.nan], plain=alike, wide=alike)
    (ax,) = plots.comparison(frame, title="comparison").axes
    notes = [label.get_text().split("\n")[1] for label in ax.get_yticklabels()]
    assert notes == ["n = 0, 3 without a value", "n = 3", "n = 3"]
    assert [text.get_text() for text in ax.texts] == ["71.00", "71.00"]


def test_comparison_keeps_the_unit_of_a_loss() -> None:
    (ax,) = plots.comparison(runs(plain=[0.1, 0.2]), "train_loss", title="comparison").axes
    assert np.allclose(ax.lines[0].get_xdata(), [1, 2])
    assert ax.get_xlabel().startswith("train_loss (nats)")


def test_differences_are_drawn_in_points_with_their_interval_and_verdict() -> None:
    some = runs(a=[0.5, 0.51, 0.53], b=[0.6, 0.62, 0.63], c=[0.53, 0.49, 0.54], d=[0.8])
    pairs = {"b − a": "ab", "a − b": "ba", "c − a": "ac", "d − a": "ad"}
    rows = {label: statistics.compare(some, *pair) for label, pair in pairs.items()}
    points = ([10, 11, 10], [-10, -11, -10], [3, -2, 1], [30])
    groups = {"01": {k: rows.pop(k) for k in ("b − a", "a − b")}, "02": rows}
    figure = plots.differences(groups, title="differences")
    (ax,) = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["01", "b − a", "a − b", "02", "c − a", "d − a"]
    kinds = ("higher", "lower", "not resolved", "not resolved")
    for label, expected, bar, kind in zip(pairs, points, ax.containers, kinds, strict=True):
        dot, _, whiskers = bar.lines
        assert np.allclose(dot.get_xydata(), [np.mean(expected), labels.index(label)])
        assert dot.get_marker() == VERDICTS[kind]["marker"]
        if len(expected) == 1:
            assert not whiskers
            continue
        interval = stats.t.interval(0.95, 2, np.mean(expected), stats.sem(expected))
        assert np.allclose(whiskers[0].get_segments()[0][:, 0], interval)
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["higher", "lower", "not resolved"]
    with pytest.raises(ValueError, match="need a comparison"):
        plots.differences({}, title="none")


def test_what_is_not_reported_has_a_row_and_no_mark() -> None:
    some = runs(a=[0.5, 0.51, 0.53], b=[0.501, 0.511, 0.531])
    rows = {"b − a": statistics.compare(some, "a", "b"), "c − a": None}
    figure = plots.differences({"01": rows}, title="differences")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["01", "b − a", "c − a"]
    (bar,) = ax.containers
    assert bar.lines[0].get_ydata() == [1]
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["higher"]  # by the very same amount with every seed
    assert not plots.differences({"01": {"c − a": None}}, title="none yet").legends


def test_a_difference_is_drawn_with_the_interval_that_its_verdict_is_of() -> None:
    wide = Estimate(0.004, -0.006, 0.014, 0.4, 9.0, 1e-5, 1e-5)
    found = statistics.Comparison("a", "b", "accuracy", 5, 0.004, 0.001, 0.007, 0.02, wide)
    (ax,) = plots.differences({"01": {"b − a": found}}, title="differences").axes
    dot, _, (whisker,) = ax.containers[0].lines
    assert np.allclose(whisker.get_segments()[0][:, 0], [-0.6, 1.4])
    assert dot.get_marker() == VERDICTS["not resolved"]["marker"]


def test_against_size_draws_runs_and_means_in_percent() -> None:
    frame = pd.DataFrame(
        {"variant": ["a", "a", "a", "b"], "train_size": [100, 100, 1000, 100],
         "accuracy": [0.2, 0.4, 0.5, 0.1]}
    )  # fmt: skip
    figure = plots.against_size(frame, title="sizes", among=["c", "a", "b"])
    assert figure.axes[0].lines[1].get_color() == plots.colours(["c", "a"])["a"]
    (ax,) = figure.axes
    assert np.allclose(ax.lines[1].get_xydata(), [[100, 30], [1000, 50]])
    assert np.allclose(ax.lines[0].get_ydata(), [20, 40, 50])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["100", "1,000"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert ax.get_ylabel() == "accuracy (%)" and ax.get_xscale() == "log"


@pytest.mark.parametrize(
    ("draw", "arguments", "message"),
    [
        (plots.comparison, [runs(a=[0.1]), "speed"], "unknown metric 'speed'; there are: acc"),
        (plots.comparison, [runs(a=[0.1]).drop(columns="seed")], "variant and seed"),
        (plots.comparison, [runs(a=[0.1])[:0]], "variant and seed"),
        (plots.comparison, [TWICE], "a variant has a seed twice"),
        (plots.against_size, [runs(a=[0.1])], "need runs with"),
        (plots.against_size, [runs(a=[0.1]).assign(train_size=10)[:0]], "need runs with"),
    ],
)
def test_bad_input_is_refused(draw: Callable[..., Figure], arguments: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*arguments, title="bad")
