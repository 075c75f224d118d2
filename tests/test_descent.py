import math

import numpy as np
import pandas as pd
import pytest
import torch

from cifar_utils import descent

LINE = descent.surface("line_fit")
RAVINE = descent.surface("ravine")


@pytest.mark.parametrize("optimizer", descent.BY_HAND)
@pytest.mark.parametrize("name", descent.SURFACES)
def test_by_hand_walks_as_torch_does(name: str, optimizer: str) -> None:
    surface = descent.surface(name)
    library = descent.walk(surface, optimizer, 0.03, 50)
    by_hand = descent.walk_by_hand(surface, optimizer, 0.03, 50)
    assert library.loss.iloc[-1] < library.loss.iloc[0]
    np.testing.assert_allclose(by_hand, library, rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimizer", descent.BY_HAND)
def test_by_hand_walks_as_torch_does_on_batches(optimizer: str) -> None:
    options = {"lr": 0.02, "steps": 40, "batch": 3, "seed": 4, "momentum": 0.7}
    library = descent.walk(LINE, optimizer, **options)
    by_hand = descent.walk_by_hand(LINE, optimizer, **options)
    np.testing.assert_allclose(by_hand, library, rtol=0, atol=1e-6)


def test_rules_worked_on_plain_numbers() -> None:
    step, state = descent.momentum(0.0, 2.0, {}, lr=0.1, mu=0.5)
    assert (step, state) == (-0.2, {"velocity": 2.0})
    before = dict(state)
    step, _ = descent.momentum(-0.2, 1.0, state, lr=0.1, mu=0.5)
    assert step == -0.2  # 0.1 · (0.5 · 2 + 1)
    assert state == before  # a rule changes nothing in place
    assert descent.nesterov(0.0, 2.0, {}, lr=0.1, mu=0.5)[0] == pytest.approx(-0.1 * (2 + 0.5 * 2))
    # Adam's first step is lr long however long the gradient is; RMSprop's is ten times that.
    for gradient in (1e-3, 1.0, 1e3):
        assert descent.adam(0.0, gradient, {}, lr=0.1)[0] == pytest.approx(-0.1, rel=1e-4)
        assert descent.rmsprop(0.0, gradient, {}, lr=0.1)[0] == pytest.approx(-1.0, rel=1e-3)
    # With no gradient, AdamW only decays.
    assert descent.adamw(2.0, 0.0, {}, lr=0.1)[0] == pytest.approx(-0.1 * 0.01 * 2)


def test_a_walk_is_a_table_from_the_start_on() -> None:
    path = descent.walk(RAVINE, "sgd", 0.01, 5)
    assert list(path.columns) == ["w0", "w1", "loss"]
    assert path.index.name == "step" and len(path) == 6
    assert (path.dtypes == "float64").all()
    assert tuple(path.iloc[0][["w0", "w1"]]) == RAVINE.start
    np.testing.assert_allclose(path.loss, RAVINE.loss(path.w0.to_numpy(), path.w1.to_numpy()))
    # the gradient of the ravine is (w0, 25 w1)
    np.testing.assert_allclose(path.loc[1, ["w0", "w1"]], [-4 * 0.99, 1.5 * 0.75])


@pytest.mark.parametrize("name", descent.SURFACES)
def test_a_surface_takes_floats_arrays_and_tensors(name: str) -> None:
    surface = descent.surface(name)
    (low, high), (bottom, top) = surface.limits
    assert low < surface.start[0] < high and bottom < surface.start[1] < top
    w0, w1 = np.meshgrid(np.linspace(low, high, 4), np.linspace(bottom, top, 3))
    heights = surface.loss(w0, w1)
    assert isinstance(heights, np.ndarray) and heights.shape == (3, 4)
    tensors = surface.loss(torch.from_numpy(w0), torch.from_numpy(w1))
    np.testing.assert_allclose(tensors.numpy(), heights)
    assert surface.loss(float(w0[1, 2]), float(w1[1, 2])) == pytest.approx(heights[1, 2])


def test_full_batch_descent_finds_the_least_squares_line() -> None:
    x, y = np.array(LINE.examples).T
    slope, intercept = np.polyfit(x, y, 1)
    end = descent.walk(LINE, "sgd", 0.3, 250).iloc[-1]
    np.testing.assert_allclose([end.w0, end.w1], [intercept, slope], atol=1e-8)


def test_example_gradients_average_to_the_gradient() -> None:
    each = LINE.example_gradients(-1.0, 2.0)
    x, y = np.array(LINE.examples).T
    residual = -1 + 2 * x - y
    np.testing.assert_allclose(each, np.stack([2 * residual, 2 * residual * x], axis=1))
    point = torch.tensor([-1.0, 2.0], dtype=torch.float64)
    np.testing.assert_allclose(each.mean(0), LINE.gradient(point, LINE.examples))


def test_largest_stable_lr_is_the_border_of_divergence() -> None:
    border = descent.largest_stable_lr(RAVINE, RAVINE.start)
    assert border == pytest.approx(2 / 25)
    assert descent.walk(RAVINE, "sgd", 0.99 * border, 600).loss.iloc[-1] < 1e-9
    assert descent.walk(RAVINE, "sgd", 1.01 * border, 600).loss.iloc[-1] > 1e9
    x, _ = np.array(LINE.examples).T
    hessian = 2 * np.array([[1, x.mean()], [x.mean(), (x**2).mean()]])
    expected = 2 / np.linalg.eigvalsh(hessian)[-1]
    assert descent.largest_stable_lr(LINE, (0, 0)) == pytest.approx(expected)
    dome = descent.Surface("dome", lambda w0, w1, _: -(w0**2) - w1**2, (0, 1))
    assert descent.largest_stable_lr(dome, (0, 0)) == math.inf


@pytest.mark.filterwarnings("error")
def test_a_diverging_walk_ends_beyond_all_numbers_without_a_warning() -> None:
    for walk in (descent.walk, descent.walk_by_hand):
        assert not math.isfinite(walk(RAVINE, "momentum", 5.0, 400).loss.iloc[-1])


def test_the_saddle_holds_whoever_starts_on_its_ridge() -> None:
    ridge = descent.Surface("ridge", descent.surface("saddle").formula, start=(-1.5, 0.0))
    end = descent.walk(ridge, "sgd", 0.1, 300).iloc[-1]
    np.testing.assert_allclose([end.w0, end.w1], [0, 0], atol=1e-6)
    end = descent.walk(descent.surface("saddle"), "sgd", 0.1, 300).iloc[-1]
    np.testing.assert_allclose([end.w0, end.w1, end.loss], [0, 1, -0.25], atol=1e-6)


def test_batches_of_all_examples_are_gradient_descent() -> None:
    everything = descent.walk(LINE, "sgd", 0.1, 50, batch=len(LINE.examples), seed=1)
    pd.testing.assert_frame_equal(everything, descent.walk(LINE, "sgd", 0.1, 50), rtol=1e-12)
    single = descent.walk(LINE, "sgd", 0.1, 50, batch=1, seed=1)
    assert (single.w0 - everything.w0).abs().max() > 0.01


@pytest.mark.parametrize(("name", "batch"), [("line_fit", 2), ("noisy_bowl", None)])
def test_seeds_repeat(name: str, batch: int | None) -> None:
    first, again, other = (
        descent.walk(descent.surface(name), "adam", 0.1, 20, batch=batch, seed=seed)
        for seed in (3, 3, 5)
    )
    assert first.equals(again)
    assert not first.equals(other)
    assert descent.line_fit(seed=2).examples == descent.line_fit(seed=2).examples
    assert descent.line_fit(seed=2).examples != descent.line_fit(seed=3).examples


@pytest.mark.parametrize("walk", [descent.walk, descent.walk_by_hand])
@pytest.mark.parametrize(
    ("surface", "changed", "sentence"),
    [
        (LINE, {"optimizer": "foo"}, "'foo'; there are: adam, adamw, momentum, nesterov, rmsprop"),
        (LINE, {"steps": 0}, "steps must be 1 or more, not 0"),
        (LINE, {"lr": 0}, "lr must be a positive number, not 0"),
        (LINE, {"lr": -0.1}, "lr must be a positive number, not -0.1"),
        (LINE, {"lr": math.nan}, "lr must be a positive number, not nan"),
        (LINE, {"batch": 0}, "batch=0 cannot be drawn from the surface's 24 examples"),
        (LINE, {"batch": 25}, "batch=25 cannot be drawn"),
        (RAVINE, {"batch": 1}, "batch=1 cannot be drawn from the surface's 0 examples"),
    ],
)
def test_bad_input_is_named(walk, surface, changed: dict, sentence: str) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match=sentence):
        walk(surface, **{"optimizer": "sgd", "lr": 0.1, "steps": 3} | changed)


def test_an_unknown_surface_is_named() -> None:
    with pytest.raises(ValueError, match="'hill'; there are: line_fit, noisy_bowl, ravine, saddle"):
        descent.surface("hill")
