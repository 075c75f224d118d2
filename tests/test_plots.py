import io
from collections.abc import Iterator
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy import stats

from cifar_utils import metrics, models, plots, results

matplotlib.use("Agg")

CLASSES = ("cat", "dog", "frog")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def history(epochs: int = 3, shift: float = 0.0) -> pd.DataFrame:
    steps = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": steps,
            "train_loss": 2.0 / steps + shift,
            "val_loss": 2.2 / steps + shift,
            "train_accuracy": 0.1 * steps + shift,
            "val_accuracy": 0.08 * steps + shift,
        }
    )


def split(labels: list[int], side: int = 8) -> SimpleNamespace:
    generator = torch.Generator().manual_seed(0)
    shape = (len(labels), 3, side, side)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return SimpleNamespace(images=images, labels=torch.tensor(labels))


def runs(**values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"variant": name, "seed": seed, "accuracy": value, "train_loss": 10 * value}
            for name, row in values.items()
            for seed, value in enumerate(row)
        ]
    )


def bowl(w0: np.ndarray, w1: np.ndarray) -> np.ndarray:
    return w0**2 + 2 * w1**2


def scores() -> pd.DataFrame:
    labels = np.array([0, 1, 2, 0, 1, 2])
    probabilities = np.array(
        [[8, 1, 1], [1, 8, 1], [1, 1, 8], [1, 8, 1], [1, 7, 2], [7, 1, 2]]
    ) / np.array(10)
    return metrics.per_class(labels, probabilities, CLASSES)


def filters_of_a_layer(count: int = 10) -> torch.Tensor:
    return torch.randn(count, 3, 5, 5, generator=torch.Generator().manual_seed(0))


def a_figure(kind: str, title: str = "the title") -> Figure:
    """One figure of each kind, small."""
    paths = {"sgd": [[-1.0, 1.0], [0.5, -0.5], [0.0, 0.0]], "adam": [[1.0, 1.0], [0.2, 0.1]]}
    limits = {"xlim": (-2.0, 2.0), "ylim": (-1.5, 1.5)}
    pictures = split([0, 1, 2, 0, 1, 2])
    maps = {"Conv2d-1": torch.rand(1, 6, 7, 7), "Linear-2": torch.rand(1, 10)}
    outputs = {"Conv2d-1": torch.randn(2, 6, 7, 7), "Linear-2": torch.randn(2, 10)}
    match kind:
        case "learning_curves":
            return plots.learning_curves({"a": history(), "b": history(2)}, title=title)
        case "confusion_matrix":
            return plots.confusion_matrix([[5, 1, 0], [2, 7, 3], [0, 4, 9]], CLASSES, title=title)
        case "mistakes":
            chances = np.tile([0.2, 0.7, 0.1], (6, 1))
            return plots.mistakes(pictures.images, pictures.labels, chances, CLASSES, title=title)
        case "filters":
            return plots.filters(filters_of_a_layer(), title=title)
        case "comparison":
            return plots.comparison(runs(plain=[0.5, 0.6], wide=[0.7, 0.8]), title=title)
        case "per_class_bars":
            return plots.per_class_bars(scores(), title=title)
        case "class_balance":
            return plots.class_balance({"train": pictures}, CLASSES, title=title)
        case "samples":
            return plots.samples(pictures, CLASSES, per_class=2, title=title)
        case "augmentations":
            return plots.augmentations({"flip": pictures.images}, title=title)
        case "picture":
            return plots.picture(pictures.images[0], "cat", title=title)
        case "feature_maps":
            return plots.feature_maps(maps, torch.rand(3, 8, 8), title=title)
        case "shape_walk":
            return plots.shape_walk(models.layer_table(models.build("SimpleCNN")), title=title)
        case "activation_histograms":
            return plots.activation_histograms({"plain": outputs, "norm": outputs}, title=title)
        case "descent_paths":
            return plots.descent_paths(bowl, paths, title=title, **limits)
        case "surface_3d":
            return plots.surface_3d(bowl, paths, title=title, **limits)
        case "loss_against_step":
            return plots.loss_against_step({"sgd": [3.0, 2.0, 1.0]}, title=title)
        case "learning_rate":
            return plots.learning_rate({"cosine": [0.1, 0.05, 0.0]}, title=title)
    return plots.saliency(pictures.images, torch.rand(6, 8, 8), title=title)


ROWS_OF_PICTURES = ("samples", "augmentations", "filters", "feature_maps", "saliency")
PLOTTED = (
    "learning_curves",
    "confusion_matrix",
    "comparison",
    "per_class_bars",
    "class_balance",
    "picture",
    "descent_paths",
    "surface_3d",
    "loss_against_step",
    "learning_rate",
)
OTHER = ("mistakes", "shape_walk", "activation_histograms")


def texts(figure: Figure) -> list[Text]:
    """Title, titles of panels, labels of axes, and the labels of the ticks that are drawn."""
    found = [figure._suptitle, *filter(None, [figure._supxlabel])]
    for ax in filter(Axes.get_visible, figure.axes):
        found += [ax.title, *(axis.label for axis in ax._axis_map.values())]
        for place, axis in enumerate((ax.xaxis, ax.yaxis) if ax.name == "rectilinear" else ()):
            low, high = sorted(axis.get_view_interval())
            labels = axis.get_ticklabels()
            found += [text for text in labels if low <= text.get_position()[place] <= high]
    return [text for text in found if text.get_visible() and text.get_text()]


@pytest.mark.parametrize("kind", ROWS_OF_PICTURES + PLOTTED + OTHER)
def test_every_figure_has_its_title_and_all_labels_inside_the_canvas(kind: str) -> None:
    figure = a_figure(kind, "a title with the name of the data it was drawn from: sketches")
    figure.canvas.draw()
    assert figure.get_suptitle().replace("\n", " ").startswith("a title with the name of the data")
    width, height = figure.canvas.get_width_height()
    for text in texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.y0 >= -1, text
        assert box.x1 <= width + 1 and box.y1 <= height + 1, text


@pytest.mark.parametrize("kind", PLOTTED)
def test_both_axes_are_labelled(kind: str) -> None:
    for ax in a_figure(kind).axes:
        labels = [axis.label.get_text() for axis in ax._axis_map.values()]
        assert all(labels) or ax.get_label() == "<colorbar>"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("samples", list(CLASSES)),
        ("augmentations", ["flip"]),
        ("filters", ["filters 0–7", "filters 8–9"]),
        ("feature_maps", ["input", "Conv2d-1\n6 × 7 × 7"]),
    ],
)
def test_rows_of_pictures_are_named(kind: str, names: list[str]) -> None:
    (ax,) = a_figure(kind).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == names
    assert len(ax.images) == 1


def test_a_long_title_is_wrapped() -> None:
    title = plots.picture(torch.zeros(3, 4, 4), "cat", title="word " * 30).get_suptitle()
    assert title.count("word") == 30 and max(map(len, title.splitlines())) <= 45
    title = "word " * 6 + "word (45,000 images, n = 3)"
    lines = plots.picture(torch.zeros(3, 4, 4), "cat", title=title).get_suptitle().splitlines()
    assert lines[-1] == "(45,000 images, n = 3)" and len(lines) == 2


def test_use_style_sets_the_resolution() -> None:
    with matplotlib.rc_context():
        plots.use_style()
        assert plt.rcParams["figure.dpi"] == 80


def test_a_name_keeps_its_colour_whatever_follows() -> None:
    assert plots.colours(["a", "b"])["b"] == plots.colours(["a", "b", "a", "c"])["b"]
    assert len(set(plots.colours("abcdefghij").values())) == 10


# learning curves


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


def test_learning_curves_turn_logarithmic_when_a_run_explodes() -> None:
    left, right = plots.learning_curves({"a": history(shift=1000)}, title="curves").axes
    assert left.get_yscale() == "log" and "logarithmic" in left.get_ylabel()
    assert right.get_yscale() == "linear"


# classification


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


def test_mistakes_show_the_surest_first_and_no_right_answer() -> None:
    images = torch.arange(5)[:, None, None, None].expand(5, 3, 4, 4).to(torch.uint8)
    labels = [0, 1, 2, 0, 1]
    chances = [[0.9, 0.1, 0], [0.6, 0.4, 0], [0.05, 0.95, 0], [0.1, 0.1, 0.8], [0, 1, 0]]
    figure = plots.mistakes(images, labels, chances, CLASSES, title="mistakes")
    titles = [ax.get_title() for ax in figure.axes if ax.images]
    assert titles == ["frog → dog\n95.0 %", "cat → frog\n80.0 %", "dog → cat\n60.0 %"]
    numbers = [ax.images[0].get_array()[0, 0, 0] * 255 for ax in figure.axes if ax.images]
    assert np.allclose(numbers, [2, 3, 1])
    few = plots.mistakes(images, labels, chances, CLASSES, count=2, title="mistakes")
    assert [ax.get_title() for ax in few.axes if ax.images] == titles[:2]


def test_mistakes_say_when_there_is_none() -> None:
    figure = plots.mistakes(torch.zeros(1, 3, 4, 4), [0], [[1, 0, 0]], CLASSES, title="mistakes")
    assert figure.get_suptitle() == "mistakes\nno mistake among 1 pictures"
    assert not any(ax.images for ax in figure.axes)


def test_per_class_bars_stand_as_high_as_the_scores() -> None:
    table = scores()
    (ax,) = plots.per_class_bars(table, title="bars").axes
    assert [bars.get_label() for bars in ax.containers] == ["precision", "recall", "f1"]
    for bars in ax.containers:
        assert np.allclose([bar.get_height() for bar in bars], 100 * table[bars.get_label()])
    assert [label.get_text() for label in ax.get_xticklabels()] == list(CLASSES)


def test_class_balance_counts_the_pictures() -> None:
    splits = {"train": split([0, 0, 0, 1]), "test": split([1, 1])}
    (ax,) = plots.class_balance(splits, CLASSES, title="balance").axes
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[3, 1, 0], [0, 2, 0]]
    names = [bars.get_label() for bars in ax.containers]
    assert names == ["train (4 pictures)", "test (2 pictures)"]


# comparison


def test_comparison_draws_runs_and_the_t_interval_of_their_mean() -> None:
    values = {"plain": [0.5, 0.56, 0.61], "wide": [0.7, 0.71, 0.78, 0.8]}
    (ax,) = plots.comparison(runs(**values), title="comparison").axes
    dots = {line.get_label(): line.get_xdata() for line in ax.lines if line.get_label() in values}
    for bar, (name, row) in zip(ax.containers, values.items(), strict=True):
        percent = 100 * np.array(row)
        assert np.allclose(dots[name], percent)
        mean, _, (whisker,) = bar.lines
        assert np.allclose(mean.get_xdata(), percent.mean())
        interval = stats.t.interval(0.95, len(row) - 1, percent.mean(), stats.sem(percent))
        assert np.allclose(whisker.get_segments()[0][:, 0], interval)
    assert [text.get_text() for text in ax.texts] == ["55.67", "74.75"]
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["plain\nn = 3", "wide\nn = 4"]
    assert ax.get_xlabel().startswith("accuracy (%)")


def test_comparison_of_one_run_or_without_values_has_no_interval() -> None:
    (ax,) = plots.comparison(runs(one=[0.5], lost=[np.nan, 0.4]), title="comparison").axes
    assert not ax.containers
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["one\nn = 1", "lost\nn = 1, 1 without a value"]


def test_differences_are_drawn_in_points_with_their_interval_and_verdict() -> None:
    some = runs(a=[0.5, 0.51, 0.53], b=[0.6, 0.62, 0.63], c=[0.53, 0.49, 0.54], d=[0.8])
    pairs = {"b − a": "ab", "a − b": "ba", "c − a": "ac", "d − a": "ad"}
    rows = {label: results.compare(some, *pair) for label, pair in pairs.items()}
    points = ([10, 11, 10], [-10, -11, -10], [3, -2, 1], [30])
    groups = {"01": {k: rows.pop(k) for k in ("b − a", "a − b")}, "02": rows}
    figure = plots.differences(groups, title="differences")
    (ax,) = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["01", "b − a", "a − b", "02", "c − a", "d − a"]
    kinds = ("better", "worse", "same", "single")
    for label, expected, bar, kind in zip(pairs, points, ax.containers, kinds, strict=True):
        dot, _, whiskers = bar.lines
        assert np.allclose(dot.get_xydata(), [np.mean(expected), labels.index(label)])
        assert dot.get_marker() == plots.VERDICTS[kind]["marker"]
        if len(expected) == 1:
            assert not whiskers
            continue
        interval = stats.t.interval(0.95, 2, np.mean(expected), stats.sem(expected))
        assert np.allclose(whiskers[0].get_segments()[0][:, 0], interval)
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["better", "worse", "no difference shown", "one seed: no interval"]
    with pytest.raises(ValueError, match="need a comparison"):
        plots.differences({}, title="none")


def test_comparison_keeps_the_unit_of_a_loss() -> None:
    (ax,) = plots.comparison(runs(plain=[0.1, 0.2]), "train_loss", title="comparison").axes
    assert np.allclose(ax.lines[0].get_xdata(), [1, 2])
    assert ax.get_xlabel().startswith("train_loss (nats)")


# pictures


def test_samples_show_the_first_pictures_of_each_class() -> None:
    pictures = split([1, 0, 1, 2, 0, 2, 1])
    (ax,) = plots.samples(pictures, CLASSES, per_class=2, title="samples").axes
    canvas = ax.images[0].get_array()
    for row, numbers in enumerate([(1, 4), (0, 2), (3, 5)]):
        for column, number in enumerate(numbers):
            tile = canvas[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            assert np.allclose(tile, pictures.images[number].permute(1, 2, 0) / 255)


def test_picture_shows_its_pixels() -> None:
    image = split([0]).images[0]
    (ax,) = plots.picture(image, "cat", title="one").axes
    assert np.allclose(ax.images[0].get_array(), image.permute(1, 2, 0) / 255)
    assert ax.get_title() == "cat"


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


# layers


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


# descent


@pytest.mark.parametrize("log", [False, True])
def test_descent_paths_draw_every_step_and_leave_the_input_alone(log: bool) -> None:
    path = np.array([[-1.0, 1.0], [5.0, 5.0], [0.0, 0.0]])
    kept, limits = path.copy(), {"xlim": (-2.0, 2.0), "ylim": (-1.5, 1.5)}
    figure = plots.descent_paths(bowl, {"sgd": path}, title="paths", log=log, **limits)
    ax, bar = figure.axes
    assert np.array_equal(ax.lines[0].get_xydata(), path) and np.array_equal(path, kept)
    assert ax.get_xlim() == limits["xlim"] and ax.get_ylim() == limits["ylim"]
    assert bar.get_ylabel() == ("loss (logarithmic scale)" if log else "loss")


def test_surface_3d_lays_the_path_on_the_surface_and_cuts_it_off() -> None:
    path = np.array([[-1.0, 1.0], [5.0, 5.0], [0.5, 0.0]])
    kept, limits = path.copy(), {"xlim": (-2.0, 2.0), "ylim": (-1.5, 1.5)}
    (ax,) = plots.surface_3d(bowl, {"sgd": path}, title="surface", **limits).axes
    drawn = np.array(ax.lines[0].get_data_3d()).T
    assert np.allclose(drawn[[0, 2]], [[-1, 1, 3], [0.5, 0, 0.25]])
    assert np.isnan(drawn[1]).all() and np.array_equal(path, kept)


def test_loss_against_step_leaves_gaps() -> None:
    losses = {"sgd": [3.0, np.inf, np.nan, 1.0], "adam": [2.0]}
    figure = plots.loss_against_step(losses, title="losses")
    (ax,) = figure.axes
    assert np.array_equal(ax.lines[0].get_ydata(), [3, np.nan, np.nan, 1], equal_nan=True)
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2, 3]
    assert ax.get_yscale() == "log" and losses["sgd"][1] == np.inf
    (ax,) = plots.loss_against_step(losses, title="losses", log=False).axes
    assert ax.get_yscale() == "linear" and ax.get_ylabel() == "loss"


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


# bad input

LIMITS = {"xlim": (-1.0, 1.0), "ylim": (-1.0, 1.0)}
TWICE = pd.concat([runs(a=[0.1]), runs(a=[0.2])])


@pytest.mark.parametrize(
    ("name", "arguments", "options", "message"),
    [
        ("learning_curves", [{}], {}, "no histories"),
        ("learning_curves", [{"a": []}], {}, "'a' needs histories of one epoch or more"),
        ("learning_curves", [{"a": history(0)}], {}, "'a' needs histories of one epoch or more"),
        ("learning_curves", [{"a": history().drop(columns="epoch")}], {}, "with epoch"),
        ("confusion_matrix", [[[1, 2]], CLASSES], {}, r"need a matrix 3×3; got \(1, 2\)"),
        ("mistakes", [torch.zeros(1, 3, 4, 4), [0], [[0.5, 0.5]], CLASSES], {}, "must be"),
        ("mistakes", [torch.zeros(1, 3, 4, 4), [0], [[9.0, -1.0, 0]], CLASSES], {}, "softmax"),
        ("filters", [torch.zeros(4, 6, 3, 3)], {}, "only filters out×3×k×k have colours"),
        ("filters", [torch.zeros(0, 3, 3, 3)], {}, "no pictures to draw"),
        ("comparison", [runs(a=[0.1]), "speed"], {}, "unknown metric 'speed'; there are: acc"),
        ("comparison", [runs(a=[0.1]).drop(columns="seed")], {}, "variant and seed"),
        ("comparison", [runs(a=[0.1])[:0]], {}, "variant and seed"),
        ("comparison", [TWICE], {}, "a variant has a seed twice"),
        ("per_class_bars", [scores().drop(columns="f1")], {}, "the table needs"),
        ("class_balance", [{}, CLASSES], {}, "no splits"),
        ("class_balance", [{"a": split([0, 5])}, CLASSES], {}, "3 classes, but a label 5"),
        ("augmentations", [{}], {}, "no pictures to draw"),
        ("augmentations", [{"a": torch.zeros(2, 1, 4, 4)}], {}, "pictures are N×3×H×W"),
        ("picture", [torch.full((3, 4, 4), 2.0), "cat"], {}, r"uint8 or floats in \[0, 1\]"),
        ("picture", [torch.full((3, 4, 4), torch.nan), "cat"], {}, "uint8 or floats"),
        ("feature_maps", [{}, torch.zeros(3, 4, 4)], {}, "no layer gives maps"),
        ("feature_maps", [{"a": torch.zeros(2, 3, 4, 4)}, torch.zeros(3, 4, 4)], {}, "a needs 1×C"),
        ("shape_walk", [pd.DataFrame({"layer": ["Conv2d-1"]})], {}, "the table needs layers"),
        ("activation_histograms", [{}], {}, "no layers"),
        ("activation_histograms", [{"a": {"b": torch.tensor([torch.nan])}}], {}, "without finite"),
        ("descent_paths", [bowl, {}], LIMITS, "there are no paths"),
        ("descent_paths", [bowl, {"sgd": [1.0, 2.0]}], LIMITS, "'sgd' is not steps×2"),
        ("descent_paths", [lambda x, y: 0 * x, {"a": [[0, 0]]}], LIMITS, "flat or not finite"),
        ("descent_paths", [lambda x, y: x - 9, {"a": [[0, 0]]}], LIMITS | {"log": True}, "above 0"),
        ("surface_3d", [lambda x, y: 1.0, {"a": [[0, 0]]}], LIMITS, "the surface gave"),
        ("loss_against_step", [{}], {}, "there (is|are) no .* to draw"),
        ("loss_against_step", [{"sgd": 1.0}], {}, "'sgd'.* a step"),
    ],
)
def test_bad_input_is_refused(name: str, arguments: list, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(plots, name)(*arguments, title="bad", **options)


# calibration, sizes, looks


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


def test_against_size_draws_runs_and_means_in_percent() -> None:
    frame = pd.DataFrame(
        {"variant": ["a", "a", "a", "b"], "train_size": [100, 100, 1000, 100],
         "accuracy": [0.2, 0.4, 0.5, 0.1]}
    )  # fmt: skip
    figure = plots.against_size(frame, title="sizes", among=["c", "a", "b"])
    assert figure.axes[0].lines[1].get_color() == plots.colours(["c", "a"])["a"]
    (ax,) = figure.axes
    assert np.allclose(ax.lines[1].get_xydata(), [[100, 30], [1000, 50]])
    assert np.allclose(ax.lines[0].get_ydata(), [20, 40, 50])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["100", "1,000"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert ax.get_ylabel() == "accuracy (%)" and ax.get_xscale() == "log"


def test_learning_curves_of_some_variants_keep_the_looks_they_have_among_all() -> None:
    everything = {name: history() for name in "abc"}
    all_lines = plots.learning_curves(everything, title="all").axes[0].lines
    some = plots.learning_curves({"c": history()}, title="some", among=everything).axes[0].lines
    assert (some[1].get_color(), some[1].get_marker()) == (
        all_lines[5].get_color(),
        all_lines[5].get_marker(),
    )
    assert some[1].get_color() != all_lines[1].get_color()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("reliability_diagram", [{}], "no tables"),
        ("reliability_diagram", [{"a": pd.DataFrame({"count": [1]})}], "tables need"),
        ("against_size", [runs(a=[0.1])], "need runs with"),
        ("against_size", [runs(a=[0.1]).assign(train_size=10)[:0]], "need runs with"),
    ],
)
def test_bad_tables_are_refused(name: str, arguments: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(plots, name)(*arguments, title="bad")


def test_learning_curves_refuse_a_variant_that_is_not_among_all() -> None:
    with pytest.raises(ValueError, match=r"\['b'\] are not in `among`"):
        plots.learning_curves({"b": history()}, title="bad", among=["a"])


def test_loss_against_loss_walks_from_left_to_right() -> None:
    (ax,) = plots.loss_against_loss({"p = 0": history(), "b": history(2)}, title="losses").axes
    path = ax.lines[0].get_xydata()
    assert np.allclose(path, history()[["train_loss", "val_loss"]])
    on_screen = ax.transData.transform(path)
    assert (np.diff(on_screen[:, 0]) > 0).all()
    assert min(ax.get_xlim()) > 0.5  # the diagonal through 0 does not stretch the axes
    with pytest.raises(ValueError, match="no histories"):
        plots.loss_against_loss({}, title="bad")


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
        ({}, "", "no finite value"),
        ({"a": {1: np.nan}}, "", "no finite value"),
        ({"a": {1: 2}}, "b", r"\['a'\] are not in"),
    ],
)
def test_response_refuses_what_it_cannot_draw(series: dict, among: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.response(series, xlabel="x", ylabel="y", title="bad", among=among)


def test_accuracy_by_class_draws_percent_and_refuses_percent() -> None:
    table = pd.DataFrame({"as it is": [0.5, 1.0, 0.0], "turned": [0.1, 0.2, 0.3]}, index=CLASSES)
    (ax,) = plots.accuracy_by_class(table, title="classes").axes
    heights = [[bar.get_height() for bar in container] for container in ax.containers]
    assert np.allclose(heights, [[50, 100, 0], [10, 20, 30]])
    with pytest.raises(ValueError, match=r"0 … 1"):
        plots.accuracy_by_class(100 * table, title="bad")


def test_the_descent_animation_has_a_frame_a_step_and_starts_over() -> None:
    path = {"sgd": [[0.9, 0.9], [0.5, 0.8], [0.1, 0.2]], "adam": [[0.9, 0.9], [0.7, 0.7]]}
    gif = Image.open(io.BytesIO(plots.descent_animation(bowl, path, title="walks", **LIMITS)))
    assert (gif.format, gif.n_frames, gif.info["loop"]) == ("GIF", 3, 0)
    frames = []
    for step in range(3):
        gif.seek(step)
        frames.append(np.asarray(gif.convert("RGB"), dtype=int))
    assert gif.info["duration"] == 2000
    changed = [(np.abs(frames[0] - frame).max(2) > 60).sum() for frame in frames[1:]]
    assert 100 < changed[0] < changed[1] < frames[0].size / 30  # the paths grow, all else stays
