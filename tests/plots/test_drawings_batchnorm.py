"""The numbers of a drawing are PyTorch's own."""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from cifar_utils import models
from cifar_utils.plots.drawings import batchnorm

BATCH = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]], [[[2.0, 4.0], [6.0, 8.0]]]])
IMAGE = torch.randint(256, (3, 32, 32), dtype=torch.uint8)


def words(figure: Figure) -> list[str]:
    return [text.get_text().replace("−", "-") for text in figure.axes[0].texts]


def numbers(figure: Figure) -> list[float]:
    """All numbers that stand alone, in the order in which they were drawn."""
    return [float(text) for text in words(figure) if re.fullmatch(r"-?\d+(\.\d+)?", text)]


def layer_with(gamma: float, beta: float) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(1)
    nn.init.constant_(norm.weight, gamma)
    nn.init.constant_(norm.bias, beta)
    return norm


class Stuck(nn.Module):
    def train(self, mode: bool = True) -> nn.Module:
        return super().train(False)


def test_two_small_kernels_see_what_one_large_one_sees_for_fewer_weights() -> None:
    figure = batchnorm.two_against_one(16)
    paths = torch.tensor([1.0, 2, 3, 2, 1]).outer(torch.tensor([1.0, 2, 3, 2, 1]))
    assert numbers(figure) == [*paths.flatten().tolist(), *[1] * (9 + 1), *[1] * (25 + 1)]
    texts = words(figure)
    assert f"{2 * 9 * 16 * 16:,} weights" in texts and f"{25 * 16 * 16:,} weights" in texts
    assert texts.count("field 5 × 5") == 2


def test_a_drawn_field_is_what_the_table_says_and_lies_within_the_next() -> None:
    table = models.receptive_field(models.build("NotSimpleCNN"))
    figure = batchnorm.fields(IMAGE, table)
    squares = [each for each in figure.axes[0].patches if isinstance(each, Rectangle)]
    squares.sort(key=lambda square: square.get_width())
    assert [square.get_width() for square in squares] == [3, 4, 8, 10, 18, 22]
    assert all(0 <= square.get_x() <= 32 - square.get_width() for square in squares)
    for inner, outer in zip(squares, squares[1:], strict=False):
        assert outer.get_x() <= inner.get_x()
        assert inner.get_x() + inner.get_width() <= outer.get_x() + outer.get_width()
    assert "MaxPool2d-9: 22 × 22" in words(figure)


def test_the_walk_shows_the_shapes_of_the_table() -> None:
    shapes = words(batchnorm.walk(models.build("NotSimpleCNN")))[1::2]
    assert shapes == ["3×32×32", "16×16×16", "32×8×8", "64×4×4", "256", "10"]


def test_averages_are_those_that_batchnorm_takes() -> None:
    batch = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    norm = nn.BatchNorm2d(3, momentum=1.0)
    norm(batch)
    texts = "\n".join(words(batchnorm.averaged_over(batch, channel=1)))
    found = [float(value) for value in re.findall(r"mean\[\d\] = (\S+)", texts)]
    assert norm.running_mean is not None
    assert found == pytest.approx(norm.running_mean.tolist(), abs=0.005)
    found = [float(value) for value in re.findall(r"variance\[\d\] = (\S+)", texts)]
    assert found == pytest.approx(batch.var((0, 2, 3), correction=0).tolist(), abs=0.005)
    assert "over 256 numbers:" in texts


def test_both_modes_are_those_of_functional_batch_norm() -> None:
    norm = layer_with(2.0, 3.0)
    figure = batchnorm.two_modes(BATCH, norm)
    assert norm.running_mean is not None and norm.running_var is not None
    assert norm.running_mean.item() == 0 and norm.training, "the layer was changed"
    mean, variance = torch.zeros(1), torch.ones(1)
    trained = F.batch_norm(BATCH, mean, variance, norm.weight, norm.bias, training=True)
    evaluated = F.batch_norm(BATCH, mean, variance, norm.weight, norm.bias)
    drawn = numbers(figure)
    assert drawn[:8] == drawn[16:24] == BATCH.flatten().tolist()
    assert drawn[8:16] == pytest.approx(trained.flatten().tolist(), abs=0.005)
    assert drawn[24:] == pytest.approx(evaluated.flatten().tolist(), abs=0.005)
    texts = words(figure)
    assert f"mean {BATCH.mean():.4g}\nvariance {BATCH.var(correction=0):.4g}" in texts
    assert f"running_mean {mean.item():.4g}\nrunning_var {variance.item():.4g}" in texts
    assert f"running_var 1 → {variance.item():.4g}" in texts


def test_ranges_are_those_of_the_pixels() -> None:
    figure = batchnorm.ranges({"all": torch.tensor([0.0, 1.0]), "half": torch.tensor([-2.0, 2.0])})
    assert "0.50 ± 0.71" in words(figure) and "0.00 ± 2.83" in words(figure)
    assert numbers(figure) == [0.0, 1.0, -2.0, 2.0, 0]


def test_modes_are_read_from_the_networks_which_stay_as_they_were() -> None:
    network = nn.Linear(1, 1).eval()
    stuck = Stuck()
    texts = words(batchnorm.modes({"right": network, "left": stuck}, epochs=2))
    assert texts == [
        "epoch 1",
        "epoch 2",
        "right",
        *["training", "eval"] * 2,
        "left",
        *["eval"] * 4,
    ]
    assert not network.training and stuck.training


def test_layers_are_drawn_dashed_before_and_solid_after() -> None:
    of = {"start": {"with": {"conv1": 0.5, "fc1": 0.25}}, "end": {"with": {"conv1": 1, "fc1": 2}}}
    figure = batchnorm.by_layer(of, of, title="Layers")
    for ax, scale in zip(figure.axes, (1, 100), strict=True):
        start, end = ax.lines
        assert (start.get_linestyle(), end.get_linestyle()) == ("--", "-")
        assert start.get_label() == "with, start" and list(start.get_xdata()) == ["conv1", "fc1"]
        assert np.allclose(start.get_ydata(), [0.5 * scale, 0.25 * scale])
        assert np.allclose(end.get_ydata(), [1 * scale, 2 * scale])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: batchnorm.two_against_one(4),
        lambda: batchnorm.walk(models.build("SimpleCNN")),
        lambda: batchnorm.averaged_over(BATCH),
        lambda: batchnorm.two_modes(BATCH, layer_with(2.0, 3.0)),
    ],
)
def test_the_same_picture_twice(draw: Callable[[], Figure]) -> None:
    pictures = []
    for _ in range(2):
        figure = draw()
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    assert np.array_equal(*pictures)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batchnorm.two_against_one(0), "channels is 0"),
        (lambda: batchnorm.fields(IMAGE[0], pd.DataFrame()), "need 3×H×W; got"),
        (lambda: batchnorm.fields(IMAGE, pd.DataFrame()), "no layer whose field"),
        (lambda: batchnorm.walk(nn.Sequential(nn.Conv2d(3, 2, 3))), "neither pooling nor linear"),
        (lambda: batchnorm.averaged_over(BATCH[0]), "a batch is N×C×H×W"),
        (lambda: batchnorm.averaged_over(BATCH, channel=1), "channel is 1; there are 1"),
        (lambda: batchnorm.two_modes(IMAGE[None], nn.BatchNorm2d(3)), "need N×1×H×W"),
        (lambda: batchnorm.ranges({}), "no pixels"),
        (lambda: batchnorm.modes({}), "need a network"),
        (lambda: batchnorm.by_layer({}, {}, title=""), "nothing to draw"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
