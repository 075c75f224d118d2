import matplotlib
import pytest
import torch

from cifar_utils import plots

matplotlib.use("Agg")


def test_learning_rate_draws_every_rate() -> None:
    figure = plots.learning_rate({"a": [0.1, 0.2, 0.1], "b": [0.1]}, title="rates")
    (ax,) = figure.axes
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert ax.lines[0].get_ydata().tolist() == [0.1, 0.2, 0.1]
    assert ax.get_xlabel() and ax.get_ylabel()


@pytest.mark.parametrize("rates", [{}, {"a": []}, {"a": [[0.1]]}])
def test_learning_rate_refuses(rates: dict) -> None:
    with pytest.raises(ValueError):
        plots.learning_rate(rates, title="rates")


def test_saliency_draws_pictures_above_strengths() -> None:
    images, strengths = torch.zeros(2, 3, 8, 8), torch.rand(2, 8, 8)
    (ax,) = plots.saliency(images, strengths, title="strengths").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["picture", "strength"]
    canvas = ax.images[0].get_array()
    assert (canvas[:8, :8] == 0).all() and canvas[-8:, :8].std() > 0


def test_saliency_refuses_strengths_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"need \(2, 8, 8\); got \(2, 3, 8, 8\)"):
        plots.saliency(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8), title="strengths")
