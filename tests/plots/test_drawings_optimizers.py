"""The arrows of a drawing are the steps of torch.optim, its bars and numbers PyTorch's own."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from cifar_utils import descent
from cifar_utils.plots.drawings import optimizers as drawings

RAVINE = descent.surface("ravine")
MATRIX = torch.tensor([[4.0, 2.0, 1.0], [2.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
POINTS = [(-4.2, 1.5), (-3.9, -1.2), (-3.6, 1.1)]
LRS = {"sgd": 0.04, "momentum": 0.04, "nesterov": 0.04, "rmsprop": 0.2, "adam": 1.0, "adamw": 1.0}
RATES = {"too small": 0.05, "right": 0.4, "too large": 1.05}
KINDS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda weights, lr: torch.optim.SGD(weights, lr, 0.9),
    "nesterov": lambda weights, lr: torch.optim.SGD(weights, lr, 0.9, nesterov=True),
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
DRAWN: dict[str, Callable[[], Figure]] = {
    "learning_rates": lambda: drawings.learning_rates(2.0, 1.0, RATES, 6),
    "example_gradients": lambda: drawings.example_gradients(np.array([[1.0, 2.0], [3.0, -1.0]])),
    "memory": lambda: drawings.memory([(-1, 3), (-1, -2), (-1, 2)], 0.9),
    "adam_scale": lambda: drawings.adam_scale({"large": [10.0] * 3, "rare": [0.0, 0.0, 1.0]}, 0.1),
    "six_steps": lambda: drawings.six_steps(RAVINE, POINTS, LRS),
    "walks": lambda: drawings.walks(RAVINE, {"adam": descent.walk(RAVINE, "adam", 0.1, 5)}),
    "muon": lambda: drawings.muon(MATRIX),
    "wrong_parameters": drawings.wrong_parameters,
}


def arrows(figure: Figure, panel: int = 0) -> list[list[tuple[float, float]]]:
    """Start and end of each arrow of a panel, in the order in which they were drawn."""
    found = figure.axes[panel].patches
    return [[*each._posA_posB] for each in found if isinstance(each, FancyArrowPatch)]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


def test_steps_on_the_parabola_are_sgd_s() -> None:
    figure = DRAWN["learning_rates"]()
    for panel, lr in enumerate(RATES.values()):
        w = torch.ones(1, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr)
        for start, end in arrows(figure, panel):
            assert start == pytest.approx((w.item(), w.item() ** 2), abs=1e-5)
            optimizer.zero_grad()
            (w**2).sum().backward()  # curvature 2
            optimizer.step()
            assert end == pytest.approx((w.item(), w.item() ** 2), abs=1e-5)
        assert f"{abs(1 - 2 * lr):.2f}" in figure.axes[panel].get_title()
    assert len(arrows(figure, 0)) == 6 and "2/λ = 1" in words(figure)
    assert len(arrows(figure, 2)) < 6  # it has left the drawing


def test_the_bold_arrow_is_the_mean_of_the_others() -> None:
    *singles, mean = arrows(DRAWN["example_gradients"]())
    assert [end for _, end in singles] == [(-1, -2), (-3, 1)]
    assert mean == [(0, 0), (-2, -0.5)]


def test_the_chain_of_faded_gradients_ends_where_torch_s_momentum_steps() -> None:
    *links, whole = arrows(DRAWN["memory"](), 1)
    w = torch.zeros(2)
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.9)
    for gradient in ((-1.0, 3.0), (-1.0, -2.0), (-1.0, 2.0)):
        before = w.clone()
        w.grad = torch.tensor(gradient)
        optimizer.step()
    assert whole[1] == pytest.approx((w - before).tolist(), rel=1e-5)
    assert links[-1][1] == pytest.approx(whole[1]) and len(links) == 3
    assert words(DRAWN["memory"]()) == ["0.81", "0.9", "1"]


def test_adam_s_last_steps_are_those_by_hand() -> None:
    said = [word.replace("−", "-") for word in words(DRAWN["adam_scale"]())]
    numbers = [float(word.split()[0]) for word in said if word.endswith("· lr")]
    expected = []
    for gradients in ([10.0] * 3, [0.0, 0.0, 1.0]):
        state: descent.State = {}
        for gradient in gradients:
            step, state = descent.adam(0.0, gradient, state, 1.0)
        expected += [-gradients[-1], step]
    assert numbers == pytest.approx(expected, rel=0.05)  # two digits are drawn


@pytest.mark.parametrize("panel", range(6), ids=list(LRS))
def test_each_rule_s_arrow_is_torch_s_step_after_the_same_gradients(panel: int) -> None:
    name, lr = list(LRS.items())[panel]
    ((start, end),) = arrows(DRAWN["six_steps"](), panel)
    weights = torch.tensor(POINTS[-1], dtype=torch.float64)
    optimizer = KINDS[name]([weights], lr=lr)
    for w0, w1 in POINTS:
        weights.copy_(torch.tensor(POINTS[-1], dtype=torch.float64))
        weights.grad = torch.tensor([w0, 25 * w1], dtype=torch.float64)
        optimizer.step()
    assert start == POINTS[-1]
    assert end == pytest.approx(weights.tolist(), abs=1e-6)


def test_a_walk_is_drawn_as_it_was_walked() -> None:
    walk = descent.walk(RAVINE, "adam", 0.1, 5)
    path, start, end = DRAWN["walks"]().axes[0].lines
    assert np.array_equal(path.get_xydata(), walk[["w0", "w1"]])
    assert np.array_equal(start.get_xydata()[0], walk.iloc[0][["w0", "w1"]])
    assert np.array_equal(end.get_xydata()[0], walk.iloc[-1][["w0", "w1"]])


def test_muon_s_bars_are_the_singular_values() -> None:
    before, after = DRAWN["muon"]().axes
    values = torch.linalg.svdvals(MATRIX)
    heights = [bar.get_height() for bar in before.patches]
    assert heights == pytest.approx((values / values[0]).tolist(), rel=1e-4)
    assert min(bar.get_height() for bar in after.patches) > 0.5
    assert len(after.patches) == 3


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_the_same_picture_twice(draw: Callable[[], Figure]) -> None:
    pictures = []
    for figure in (draw(), draw()):
        figure.canvas.draw()
        pictures.append(np.asarray(figure.canvas.buffer_rgba()))
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_words_are_large_enough_for_a_phone(draw: Callable[[], Figure]) -> None:
    figure = draw()
    assert figure.get_figwidth() == 6.5
    assert all(text.get_fontsize() >= 11 for ax in figure.axes for text in ax.texts)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drawings.learning_rates(0.0, 1.0, RATES, 6), "the curvature must be above 0"),
        (lambda: drawings.learning_rates(1.0, 1.0, {}, 6), "need a learning rate"),
        (lambda: drawings.example_gradients(np.zeros((3, 3))), "gradients must be N×2"),
        (lambda: drawings.memory([(1, 1)], 0.9), "two gradients or more"),
        (lambda: drawings.memory([(1, 1), (1, 1)], 1.0), "mu must be between 0 and 1"),
        (lambda: drawings.adam_scale({"a": [1.0], "b": []}, 0.1), "as many gradients"),
        (lambda: drawings.six_steps(RAVINE, [], LRS), "need a point"),
        (lambda: drawings.walks(RAVINE, {}), "nothing to draw"),
        (lambda: drawings.muon(torch.zeros(3)), "Muon needs a matrix"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
