"""Runs that diverged, or were never tested, are drawn like others; the figure says what is not."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from plot_inputs import CLASSES, history, runs

from cifar_utils import plots


def without_losses(epochs: int = 1, loss: float | None = np.nan) -> pd.DataFrame:
    return history(epochs).assign(train_loss=loss, val_loss=loss)


def notes(figure: Figure) -> list[list[str]]:
    """What stands written in each panel, once the figure is drawn."""
    figure.canvas.draw()
    return [[text.get_text() for text in ax.texts] for ax in figure.axes]


@pytest.mark.parametrize("loss", [np.nan, np.inf, None])
@pytest.mark.parametrize("epochs", [1, 3])
def test_learning_curves_without_any_loss(epochs: int, loss: float | None) -> None:
    figure = plots.learning_curves({"a": without_losses(epochs, loss)}, title="curves")
    assert notes(figure) == [["no finite loss to draw"], []]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0.5, epochs + 0.5)
    (name,) = figure.legends[0].get_texts()
    assert name.get_text() == "a, 1 of 1 breaks off"


def test_learning_curves_of_a_record_that_measured_nothing() -> None:
    lost = [{"epoch": 1, **dict.fromkeys(list(history())[1:])}]  # None: JSON has no NaN
    figure = plots.learning_curves({"a": [lost, lost]}, title="curves")
    assert notes(figure) == [["no finite loss to draw"], ["no finite accuracy to draw"]]


def test_learning_curves_of_one_that_diverged_among_others_say_nothing_more() -> None:
    figure = plots.learning_curves({"a": without_losses(), "b": history()}, title="curves")
    assert notes(figure) == [[], []]
    assert figure.axes[0].get_xlim() == (0.5, 3.5)


def test_learning_curves_of_a_finite_loss_beyond_all_measure() -> None:
    figure = plots.learning_curves({"a": without_losses(2, 1e26), "b": history()}, title="curves")
    assert notes(figure) == [[], []]
    assert figure.axes[0].get_yscale() == "log"


@pytest.mark.parametrize("counts", [[], np.zeros((0, 0), dtype=int)])
def test_the_confusion_of_a_run_that_was_not_tested(counts: object) -> None:
    figure = plots.confusion_matrix(counts, CLASSES, title="confusion")
    assert notes(figure) == [["the run was not tested: there are no counts"]]


LOST = runs(a=[np.nan, np.nan], b=[np.inf]).assign(train_size=100)
DRAWN = {
    "comparison": lambda: plots.comparison(LOST, title="t"),
    "against_size": lambda: plots.against_size(LOST, title="t"),
    "loss_against_loss": lambda: plots.loss_against_loss({"a": without_losses()}, title="t"),
    "loss_against_step": lambda: plots.loss_against_step({"a": [np.nan, np.inf]}, title="t"),
    "response": lambda: plots.response({"a": {1: np.nan}}, xlabel="x", ylabel="y", title="t"),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_other_figures_without_a_finite_value_say_so(draw: Callable[[], Figure]) -> None:
    ((note,),) = notes(draw())
    assert note.startswith("no ") and note.endswith(" to draw")


def test_a_sweep_in_which_one_setting_always_diverged() -> None:
    rows = [
        {"optimizer": name, "lr": lr, "variant": "a", "seed": 0, "val_accuracy": value}
        for name, value in (("adam", 0.5), ("sgd", np.nan))
        for lr in (0.1, 0.2)
    ]
    figure = plots.sweep(pd.DataFrame(rows), ["optimizer", "lr"], title="sweep")
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["adam (n = 1)", "sgd (n = 0)"]


def test_the_outputs_of_a_network_that_diverged() -> None:
    outputs = {"a": {"Conv2d-1": torch.tensor([torch.nan])}, "b": {"Conv2d-1": torch.rand(9)}}
    first, second = plots.activation_histograms(outputs, title="outputs").axes
    assert first.get_title() == "Conv2d-1\nno finite output" and not first.patches
    assert len(second.patches) == 1
    alone = plots.activation_histograms({"a": outputs["a"]}, title="outputs")
    alone.canvas.draw()
