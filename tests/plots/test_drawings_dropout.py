"""The masks of a drawing are nn.Dropout's own, its numbers PyTorch's."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from torch import Tensor, nn

from cifar_utils import metrics
from cifar_utils.plots.drawings import dropout as drawings

X = torch.tensor([2.0, 4.0, 6.0, 8.0])
MASK = torch.tensor([1.0, 0.0, 1.0, 1.0])
PASSES = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.5, 0.3, 0.2]])
LABELS = torch.tensor([0, 1, 0, 1])
PROBABILITIES = torch.tensor([[0.95, 0.05], [0.85, 0.15], [0.65, 0.35], [0.40, 0.60]])
HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "train_loss": [2.0, 1.0, 0.25], "val_loss": [1.9, 1.5, 1.75]}
)
LOSSES = pd.DataFrame(
    {"training": [0.5, 1.5], "validation": [2.0, 1.75], "lowest": [1.0, 1.7]}, index=["a", "b"]
)
DRAWN: dict[str, Callable[[], Figure]] = {
    "masked": lambda: drawings.masked(X, MASK, 0.25),
    "thinned": lambda: drawings.thinned((5, 4, 3), 0.5, seed=30),
    "spread": lambda: drawings.spread((0.0, 0.2, 0.5, 0.8)),
    "modes": lambda: drawings.modes(X, 0.5, seed=3),
    "whole_maps": lambda: drawings.whole_maps(4, 3, 0.5, seed=4),
    "over_fitting": lambda: drawings.over_fitting(HISTORY),
    "gaps": lambda: drawings.gaps(LOSSES),
    "monte_carlo": lambda: drawings.monte_carlo(PASSES, ["cat", "dog", "frog"]),
    "calibration": lambda: drawings.calibration(LABELS, PROBABILITIES, bins=4),
}


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def numbers(figure: Figure) -> list[float]:
    """All numbers in the drawing, in the order in which they were drawn."""
    found = []
    for word in words(figure):
        try:
            found.append(float(word))
        except ValueError:
            continue
    return found


def dropped(layer: nn.Module, x: Tensor, seed: int, times: int) -> list[Tensor]:
    """What a layer makes of x, so many times in a row."""
    torch.manual_seed(seed)
    return [layer(x) for _ in range(times)]


def test_by_hand_is_nn_dropout_with_the_same_mask() -> None:
    (mask,) = dropped(nn.Dropout(0.5), torch.ones(4), 3, 1)
    (y,) = dropped(nn.Dropout(0.5), X, 3, 1)
    figure = drawings.masked(X, mask * 0.5, 0.5)
    assert numbers(figure) == [*X.tolist(), *(mask * 0.5).tolist(), *y.tolist()]
    assert f"sum {y.sum().item():g}" in words(figure)


def test_units_that_are_out_are_those_of_nn_dropout_and_have_no_lines() -> None:
    figure = DRAWN["thinned"]()
    masks = dropped(nn.Dropout(0.5), torch.ones(5), 30, 3)
    expected = [*(value for mask in masks for value in mask.tolist()), *[1.0] * 5]
    assert numbers(figure) == expected
    kept = sum(value > 0 for value in expected)
    assert len(figure.axes[0].lines) == 4 * kept + 4 * (4 * 3)
    circles = [each for each in figure.axes[0].patches if isinstance(each, Circle)]
    assert sum(each.get_linestyle() in ("--", "dashed") for each in circles) == 20 - kept


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.8])
def test_variance_and_chances_are_those_of_many_draws(p: float) -> None:
    (many,) = dropped(nn.Dropout(p), torch.ones(400_000), 0, 1)
    figure = drawings.spread([p])
    (told,) = (word for word in words(figure) if word.startswith("variance"))
    assert float(told.split()[1]) == pytest.approx(many.var().item(), abs=0.03)
    bars = [each for each in figure.axes[0].patches if isinstance(each, Rectangle)]
    heights = [each.get_height() / 1.5 for each in bars]
    zeros = (many == 0).float().mean().item()
    assert heights == pytest.approx([zeros, 1 - zeros] if p else [1.0], abs=0.01)


def test_training_mode_draws_anew_and_evaluation_mode_not_at_all() -> None:
    first, second = dropped(nn.Dropout(0.5), X, 3, 2)
    assert not torch.equal(first, second)
    expected = [X, first, second, X, X]
    assert numbers(DRAWN["modes"]()) == [value for row in expected for value in row.tolist()]


def test_maps_are_those_of_both_layers_and_dark_where_dropped() -> None:
    figure = DRAWN["whole_maps"]()
    ones = torch.ones(1, 4, 3, 3)
    (single,) = dropped(nn.Dropout(0.5), ones, 4, 1)
    (whole,) = dropped(nn.Dropout2d(0.5), ones, 4, 1)
    expected = torch.cat([single.flatten(), whole.flatten()])
    assert numbers(figure) == expected.tolist()
    faces = [each.get_facecolor()[:3] == (1.0, 1.0, 1.0) for each in figure.axes[0].patches]
    assert faces == (expected > 0).tolist()


def test_the_gap_is_marked_at_the_lowest_validation_loss_and_at_the_end() -> None:
    figure = DRAWN["over_fitting"]()
    assert {"gap 0.50", "gap 1.50", "lowest val_loss 1.50"} <= set(words(figure))
    marker = figure.axes[0].lines[-1]
    assert (marker.get_xdata()[0], marker.get_ydata()[0]) == (2, 1.5)


def test_each_gap_is_the_distance_of_the_two_losses_and_stands_between_them() -> None:
    figure = DRAWN["gaps"]()
    texts = {text.get_text(): text.get_position()[0] for text in figure.axes[0].texts}
    assert texts == {"gap 1.50": 1.25, "gap 0.25": 1.625}
    drawn = {line.get_label(): list(line.get_xdata()) for line in figure.axes[0].lines}
    assert drawn == LOSSES.to_dict("list")
    unfinished = drawings.gaps(LOSSES.assign(validation=[float("nan"), 1.75]))
    assert words(unfinished) == ["gap 0.25"]


def test_passes_are_averaged() -> None:
    expected = torch.cat([PASSES, PASSES.mean(0, keepdim=True)]).flatten().tolist()
    assert numbers(DRAWN["monte_carlo"]()) == pytest.approx(expected, abs=0.005)


def test_gaps_and_their_mean_are_the_calibration_error() -> None:
    found = words(DRAWN["calibration"]())
    error = metrics.expected_calibration_error(LABELS, PROBABILITIES, bins=4)
    assert f"expected calibration error {error:.2%}" in found
    assert {"37.5%", "40.0%", "62.5%", "90.0%", "100.0%", "50.0%"} <= set(found)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_the_same_picture_twice_and_the_random_state_untouched(draw: Callable[[], Figure]) -> None:
    pictures = []
    before = torch.get_rng_state()
    for _ in range(2):
        figure = draw()
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    assert np.array_equal(*pictures)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drawings.masked(X, MASK[:3], 0.25), "the mask needs 4 zeros or ones"),
        (lambda: drawings.masked(X, MASK * 2, 0.25), "the mask needs 4 zeros or ones"),
        (lambda: drawings.masked(X[None], MASK, 0.25), "x must be N"),
        (lambda: drawings.masked(X, MASK, 1.0), "at least 0 and below 1"),
        (lambda: drawings.thinned((5, 4), 0.5), "three layers"),
        (lambda: drawings.thinned((5, 4, 3), -0.1), "at least 0 and below 1"),
        (lambda: drawings.spread(()), "need a share"),
        (lambda: drawings.modes(X[None], 0.5), "x must be N"),
        (lambda: drawings.whole_maps(0, 3, 0.5), "need maps"),
        (lambda: drawings.over_fitting(HISTORY[["epoch"]]), "no train_loss, val_loss"),
        (lambda: drawings.over_fitting(HISTORY[:1]), "two epochs"),
        (lambda: drawings.gaps(LOSSES[["training"]]), "no lowest, validation"),
        (lambda: drawings.gaps(LOSSES[:0]), "no losses"),
        (lambda: drawings.monte_carlo(PASSES, ["cat"]), "passes must be K×1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
