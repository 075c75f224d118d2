from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from plot_inputs import CLASSES, scores, split

from cifar_utils import metrics, plots


def test_class_balance_counts_the_pictures() -> None:
    splits = {"train": split([0, 0, 0, 1]), "test": split([1, 1])}
    (ax,) = plots.class_balance(splits, CLASSES, title="balance").axes
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[3, 1, 0], [0, 2, 0]]
    names = [bars.get_label() for bars in ax.containers]
    assert names == ["train (4 pictures)", "test (2 pictures)"]


def test_per_class_bars_stand_as_high_as_the_scores() -> None:
    table = scores()
    (ax,) = plots.per_class_bars(table, title="bars").axes
    assert [bars.get_label() for bars in ax.containers] == ["precision", "recall", "f1"]
    for bars in ax.containers:
        assert np.allclose([bar.get_height() for bar in bars], 100 * table[bars.get_label()])
    assert [label.get_text() for label in ax.get_xticklabels()] == list(CLASSES)


def test_accuracy_by_class_draws_percent_and_refuses_percent() -> None:
    table = pd.DataFrame({"as it is": [0.5, 1.0, 0.0], "turned": [0.1, 0.2, 0.3]}, index=CLASSES)
    (ax,) = plots.accuracy_by_class(table, title="classes").axes
    heights = [[bar.get_height() for bar in container] for container in ax.containers]
    assert np.allclose(heights, [[50, 100, 0], [10, 20, 30]])
    with pytest.raises(ValueError, match=r"0 … 1"):
        plots.accuracy_by_class(100 * table, title="bad")


def test_confusion_matrix_writes_every_count() -> None:
    counts = np.array([[5, 1, 0], [2, 1234, 3], [0, 4, 9]])
    ax = plots.confusion_matrix(counts.tolist(), CLASSES, title="confusion").axes[0]
    assert [text.get_text() for text in ax.texts] == [str(count) for count in counts.flat]
    assert [label.get_text() for label in ax.get_xticklabels()] == list(CLASSES)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(CLASSES)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted class", "true class")
    # The first row of the matrix stands at the top, so that rows are the true classes.
    places = [text.get_position() for text in ax.texts]
    assert places[1] == (1.5, 0.5) and ax.yaxis_inverted()


def test_confusion_matrix_writes_means_with_one_decimal() -> None:
    ax = plots.confusion_matrix([[0.5, 1.0], [2.25, 3.0]], CLASSES[:2], title="mean").axes[0]
    assert [text.get_text() for text in ax.texts] == ["0.5", "1.0", "2.2", "3.0"]


def test_reliability_diagram_draws_filled_bins_and_the_error() -> None:
    probabilities = [[0.5, 0.5], [0.4, 0.6], [0.2, 0.8], [0.0, 1.0]]
    labels = [0, 1, 0, 1]
    table = metrics.reliability(labels, probabilities, bins=4)
    names = ["p = 0.5", "p = 0"]
    figure = plots.reliability_diagram({"p = 0": table}, title="reliability", among=names)
    left, right = figure.axes
    assert left.lines[1].get_color() == plots.colours(names)["p = 0"]
    assert np.allclose(left.lines[1].get_xydata(), [[50, 100], [60, 100], [90, 50]])
    error = metrics.expected_calibration_error(labels, probabilities, bins=4)
    (text,) = figure.legends[0].get_texts()
    assert text.get_text() == f"p = 0: expected calibration error {100 * error:.1f} %"
    assert right.patches[0].get_data().values.tolist() == [0, 25, 25, 50]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)


@pytest.mark.parametrize(
    ("draw", "arguments", "message"),
    [
        (plots.confusion_matrix, [[[1, 2]], CLASSES], r"need a matrix 3×3; got \(1, 2\)"),
        (plots.per_class_bars, [scores().drop(columns="f1")], "the table needs"),
        (plots.class_balance, [{}, CLASSES], "no splits"),
        (plots.class_balance, [{"a": split([0, 5])}, CLASSES], "3 classes, but a label 5"),
        (plots.reliability_diagram, [{}], "no tables"),
        (plots.reliability_diagram, [{"a": pd.DataFrame({"count": [1]})}], "tables need"),
    ],
)
def test_bad_input_is_refused(draw: Callable[..., Figure], arguments: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*arguments, title="bad")
