from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from plot_inputs import history

from cifar_utils import plots


def test_learning_curves_draw_losses_and_accuracies_in_percent() -> None:
    frame = history()
    left, right = plots.learning_curves({"plain": frame}, title="curves").axes
    for ax, metric, factor in ((left, "loss", 1), (right, "accuracy", 100)):
        for line, part in zip(ax.lines, ("train", "val"), strict=True):
            assert np.allclose(line.get_ydata(), factor * frame[f"{part}_{metric}"])
            assert line.get_xdata().tolist() == [1, 2, 3]
        assert [line.get_linestyle() for line in ax.lines] == ["--", "-"]
        assert not ax.collections
    assert left.get_ylabel() == "loss (nats)" and right.get_ylabel() == "accuracy (%)"


def test_learning_curves_of_seeds_are_a_mean_in_a_band() -> None:
    seeds = [history(shift=shift) for shift in (0.0, 0.1, 0.4)]
    figure = plots.learning_curves({"plain": seeds}, title="curves")
    right = figure.axes[1]
    drawn = right.lines[1].get_ydata()
    mean = np.mean([frame["val_accuracy"] for frame in seeds], axis=0)
    assert np.allclose(drawn, 100 * mean)
    band = right.collections[1].get_paths()[0].vertices
    for epoch in (1, 2, 3):
        heights = band[band[:, 0] == epoch, 1]
        values = [100 * frame["val_accuracy"][epoch - 1] for frame in seeds]
        assert np.allclose([heights.min(), heights.max()], [min(values), max(values)])
    assert figure.legends[0].get_texts()[0].get_text() == "plain, n = 3"
    assert "band" in figure.get_suptitle()


def test_learning_curves_take_rows_of_dicts_and_one_epoch() -> None:
    rows = [history(1).to_dict("records")]
    for ax in plots.learning_curves({"plain": rows, "b": history(1)}, title="curves").axes:
        assert [len(line.get_ydata()) for line in ax.lines] == [1] * 4
        assert all(line.get_marker() not in ("", "None", None) for line in ax.lines)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_learning_curves_count_runs_that_break_off(bad: float) -> None:
    broken = history()
    broken.loc[2, ["train_loss", "val_loss"]] = bad
    seeds = {"plain": [history(), broken, history()], "alone": broken}
    figure = plots.learning_curves(seeds, title="curves")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["plain, n = 3, 1 of 3 breaks off", "alone, n = 1, 1 of 1 breaks off"]
    left = figure.axes[0]
    assert np.allclose(left.lines[1].get_ydata(), history()["val_loss"])
    assert np.isnan(left.lines[3].get_ydata()).tolist() == [False, False, True]
    figure.canvas.draw()


def test_a_shorter_run_leaves_mean_and_band_where_it_ends() -> None:
    runs_of_two_lengths = [history(3), history(2, shift=0.4)]
    figure = plots.learning_curves({"plain": runs_of_two_lengths}, title="curves")
    left = figure.axes[0]
    assert np.allclose(left.lines[1].get_ydata(), [2.2 + 0.2, 1.1 + 0.2, 2.2 / 3])
    band = left.collections[1].get_paths()[0].vertices
    assert np.allclose(band[band[:, 0] == 2, 1].max() - band[band[:, 0] == 2, 1].min(), 0.4)
    assert np.allclose(band[band[:, 0] == 3, 1], 2.2 / 3)
    assert figure.legends[0].get_texts()[0].get_text() == "plain, n = 2, 1 of 2 breaks off"


def test_learning_curves_turn_logarithmic_when_a_run_explodes() -> None:
    left, right = plots.learning_curves({"a": history(shift=1000)}, title="curves").axes
    assert left.get_yscale() == "log" and "logarithmic" in left.get_ylabel()
    assert right.get_yscale() == "linear"


@pytest.mark.usefixtures("study_style")
@pytest.mark.parametrize("epochs", [1, 2, 3, 30])
def test_epochs_are_whole_numbers_from_one_to_the_last(epochs: int) -> None:
    figure = plots.learning_curves({"plain": history(epochs)}, title="curves")
    figure.draw_without_rendering()
    for ax in figure.axes:
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
        assert ticks and all(tick == round(tick) and 1 <= tick <= epochs for tick in ticks)


def test_loss_against_loss_walks_from_left_to_right() -> None:
    (ax,) = plots.loss_against_loss({"p = 0": history(), "b": history(2)}, title="losses").axes
    path = ax.lines[0].get_xydata()
    assert np.allclose(path, history()[["train_loss", "val_loss"]])
    on_screen = ax.transData.transform(path)
    assert (np.diff(on_screen[:, 0]) > 0).all()
    assert min(ax.get_xlim()) > 0.5  # the diagonal through 0 does not stretch the axes
    with pytest.raises(ValueError, match="no histories"):
        plots.loss_against_loss({}, title="bad")


def test_loss_against_step_leaves_gaps() -> None:
    losses = {"sgd": [3.0, np.inf, np.nan, 1.0], "adam": [2.0]}
    figure = plots.loss_against_step(losses, title="losses")
    (ax,) = figure.axes
    assert np.array_equal(ax.lines[0].get_ydata(), [3, np.nan, np.nan, 1], equal_nan=True)
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2, 3]
    assert ax.get_yscale() == "log" and losses["sgd"][1] == np.inf
    (ax,) = plots.loss_against_step(losses, title="losses", log=False).axes
    assert ax.get_yscale() == "linear" and ax.get_ylabel() == "loss"


@pytest.mark.parametrize("losses", [{}, {"a": []}, {"a": [[0.1]]}])
def test_loss_against_step_refuses(losses: dict) -> None:
    with pytest.raises(ValueError):
        plots.loss_against_step(losses, title="losses")


@pytest.mark.parametrize(
    ("draw", "arguments", "message"),
    [
        (plots.learning_curves, [{}], "no histories"),
        (plots.learning_curves, [{"a": []}], "'a' needs histories of one epoch or more"),
        (plots.learning_curves, [{"a": history(0)}], "'a' needs histories of one epoch or more"),
        (plots.learning_curves, [{"a": history().drop(columns="epoch")}], "with epoch"),
        (plots.loss_against_step, [{}], "there (is|are) no .* to draw"),
        (plots.loss_against_step, [{"sgd": 1.0}], "'sgd'.* a step"),
    ],
)
def test_bad_input_is_refused(draw: Callable[..., Figure], arguments: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*arguments, title="bad")
