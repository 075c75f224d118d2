from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from plot_inputs import CLASSES

from cifar_utils import metrics, plots


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
        (plots.reliability_diagram, [{}], "no tables"),
        (plots.reliability_diagram, [{"a": pd.DataFrame({"count": [1]})}], "tables need"),
    ],
)
def test_bad_input_is_refused(draw: Callable[..., Figure], arguments: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*arguments, title="bad")
