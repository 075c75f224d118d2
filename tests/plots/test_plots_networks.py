from collections.abc import Callable

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from plot_inputs import filters_of_a_layer

from cifar_utils import models, plots


def test_filters_are_tiles_rescaled_each_on_its_own() -> None:
    weight = filters_of_a_layer()
    weight[3] = 7.0
    (ax,) = plots.filters(weight, title="filters").axes
    canvas = ax.images[0].get_array()
    assert canvas.shape == (5 + 1 + 5, 8 * 6 - 1, 3)
    for number, kernel in enumerate(weight):
        top, left = 6 * (number // 8), 6 * (number % 8)
        tile = canvas[top : top + 5, left : left + 5]
        kernel = kernel.permute(1, 2, 0)
        unit = (kernel - kernel.min()) / (kernel.max() - kernel.min())
        assert np.allclose(tile, unit.nan_to_num(0.5), atol=1e-6)
    assert (canvas[6:, 2 * 6 :] == 1).all()


def test_feature_maps_show_the_first_channels_and_no_vectors() -> None:
    maps = {"Conv2d-1": torch.rand(1, 6, 8, 8), "ReLU-2": torch.rand(6, 4, 4)}
    maps["Linear-3"] = torch.rand(1, 10)
    (ax,) = plots.feature_maps(maps, torch.rand(3, 32, 32), channels=4, title="maps").axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["input", "Conv2d-1\n6 × 8 × 8", "ReLU-2\n6 × 4 × 4"]
    assert ax.images[0].get_array().shape == (3 * 96 + 2 * 9, 4 * 96 + 3 * 9, 3)


def test_feature_maps_are_rescaled_each_on_its_own() -> None:
    maps = torch.stack([torch.arange(16.0), torch.arange(-1600.0, 0, 100)]).view(2, 4, 4)
    (ax,) = plots.feature_maps({"Conv2d-1": maps}, torch.rand(3, 32, 32), title="maps").axes
    first, second = np.split(ax.images[0].get_array()[105:, np.r_[:96, 105:201]], 2, axis=1)
    viridis = matplotlib.colormaps["viridis"]
    assert np.allclose(first, second)
    assert np.allclose(first[::24, ::24], viridis(np.arange(16).reshape(4, 4) / 15)[..., :3])


def test_shape_walk_draws_a_box_for_each_layer() -> None:
    table = models.layer_table(models.build("SimpleCNN"))
    (ax,) = plots.shape_walk(table, title="walk").axes
    heights = [bar.get_height() for bar in ax.patches]
    assert len(heights) == 1 + len(table) and heights[0] == 32 and heights[-1] == 1
    labels = [label.get_text() for label in ax.get_xticklabels()]
    for label, (_, row) in zip(labels[2:], table.iterrows(), strict=True):
        kind, _, shape, parameters, multiply_adds = label.split("\n")
        assert row["layer"].startswith(kind) and parameters == f"{row['parameters']:,}"
        assert f"[-1, {shape.replace(' × ', ', ')}]" == row["output shape"]
        assert multiply_adds == f"{row['multiply_adds']:,}"


def test_activation_histograms_share_axes_and_skip_what_is_not_finite() -> None:
    plain = {"Conv2d-1": torch.tensor([0.0, 1.0, 2.0, 3.0]), "ReLU-2": torch.tensor([1.0, 1.0])}
    burst = {"Conv2d-1": torch.tensor([torch.nan, 1.0, torch.inf, 3.0])}
    figure = plots.activation_histograms({"plain": plain, "burst": burst}, title="spread")
    seen = [ax for ax in figure.axes if ax.get_visible()]
    titles = [ax.get_title() for ax in seen]
    assert titles == ["Conv2d-1\n1.50 ± 1.12", "ReLU-2\n1.00 ± 0.00", "Conv2d-1\n2.00 ± 1.00"]
    among = plots.activation_histograms({"burst": burst}, title="spread", among=["plain", "burst"])
    drawn = [ax.patches[0].get_facecolor() for ax in (among.axes[0], seen[2])]
    assert drawn[0] == drawn[1] != seen[0].patches[0].get_facecolor()
    assert len({ax.get_xlim() for ax in seen}) == 1
    assert seen[1].patches[0].get_data().values.sum() == pytest.approx(100)
    assert seen[0].get_ylabel() == "plain\nshare of outputs (%)"
    assert figure.get_supxlabel() == "output of the layer (no unit)"


def test_activations_share_their_bins_and_show_shares() -> None:
    outputs = {"narrow": {"Conv2d-1": torch.linspace(0, 1, 1001)}}
    outputs["wide"] = {"Conv2d-1": torch.linspace(-10, 10, 1001)}
    narrow, wide = plots.activation_histograms(outputs, title="spread").axes
    (a, edges, _), (b, others, _) = (ax.patches[0].get_data() for ax in (narrow, wide))
    assert np.array_equal(edges, others) and np.allclose([edges[0], edges[-1]], [-9.9, 9.9])
    assert a.sum() == pytest.approx(100) and b.sum() == pytest.approx(99, abs=0.2)


def test_response_of_whole_numbers_has_whole_ticks() -> None:
    figure = plots.response({"a": {0: 1.0, 1: 2.0}}, xlabel="x", ylabel="y", title="steps")
    (ax,) = figure.axes
    assert all(tick == round(tick) for tick in ax.get_xticks())
    assert len(ax.lines) == 1


def test_response_draws_what_left_the_axis_at_its_top_hollow() -> None:
    series = {"a": {0.1: 2.0, 0.01: 1.0, 1.0: np.nan}, "b": {0.01: 1.5, 0.1: 9.0, 1.0: 1.2}}
    figure = plots.response(
        series, xlabel="rate", ylabel="loss", title="rates", log=True, ceiling=3, among="xab"
    )
    (ax,) = figure.axes
    a, b, a_off, b_off = ax.lines
    assert np.allclose(a.get_xydata()[:2], [[0.01, 1], [0.1, 2]]) and np.isnan(a.get_ydata()[2])
    assert a_off.get_xydata().tolist() == [[1.0, 3.0]]
    assert b_off.get_xydata().tolist() == [[0.1, 3.0]]
    assert a_off.get_markerfacecolor() == "white" and a_off.get_color() == a.get_color()
    assert b.get_color() == plots.colours("xab")["b"]
    assert ax.get_ylim()[1] == 3 and ax.get_xscale() == "log"
    assert ax.get_xlabel() == "rate (logarithmic scale)"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


@pytest.mark.parametrize(
    ("series", "among", "message"),
    [
        ({}, "", "there are no values"),
        ({"a": {}}, "", "there are no values"),
        ({"a": {1: 2}}, "b", r"\['a'\] are not in"),
    ],
)
def test_response_refuses_what_it_cannot_draw(series: dict, among: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.response(series, xlabel="x", ylabel="y", title="bad", among=among)


@pytest.mark.parametrize(
    ("draw", "arguments", "message"),
    [
        (plots.filters, [torch.zeros(4, 6, 3, 3)], "only filters out×3×k×k have colours"),
        (plots.filters, [torch.zeros(0, 3, 3, 3)], "no images to draw"),
        (plots.feature_maps, [{}, torch.zeros(3, 4, 4)], "no layer gives maps"),
        (plots.feature_maps, [{"a": torch.zeros(2, 3, 4, 4)}, torch.zeros(3, 4, 4)], "a needs 1×C"),
        (plots.shape_walk, [pd.DataFrame({"layer": ["Conv2d-1"]})], "the table needs layers"),
        (plots.activation_histograms, [{}], "no layers"),
    ],
)
def test_bad_input_is_refused(draw: Callable[..., Figure], arguments: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*arguments, title="bad")
