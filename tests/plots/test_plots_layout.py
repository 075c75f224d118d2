"""All figures: titled, labelled, nothing clipped; as the study draws them, nothing overlapping."""

import itertools
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from plot_inputs import CLASSES, LIMITS, bowl, filters_of_a_layer, history, runs, split

from cifar_utils import data, metrics, models, plots, statistics

# Each kind of figure, small and in matplotlib's own style; one that serves several tests is drawn
# once.

TITLE = "a title with the name of the data it shows: CIFAR-10 sample"
NOISE = split([0, 1, 2, 0, 1, 2])
MAPS = {"Conv2d-1": torch.rand(1, 6, 7, 7), "Linear-2": torch.rand(1, 10)}
OUTPUTS = {"Conv2d-1": torch.randn(2, 6, 7, 7), "Linear-2": torch.randn(2, 10)}
PATHS = {"sgd": [[-1.0, 1.0], [0.5, -0.5], [0.0, 0.0]], "adam": [[1.0, 1.0], [0.2, 0.1]]}
CHANCES = np.tile([0.2, 0.7, 0.1], (6, 1))

PLOTTED: dict[str, Callable[..., Figure]] = {
    "learning_curves": lambda: plots.learning_curves(
        {"a": history(), "b": history(2)}, title=TITLE
    ),
    "confusion_matrix": lambda: plots.confusion_matrix(
        [[5, 1, 0], [2, 7, 3], [0, 4, 9]], CLASSES, title=TITLE
    ),
    "comparison": lambda: plots.comparison(runs(plain=[0.5, 0.6], wide=[0.7, 0.8]), title=TITLE),
    "enlarged": lambda: plots.enlarged(NOISE.images[0], "cat", title=TITLE),
    "descent_paths": lambda: plots.descent_paths(bowl, PATHS, title=TITLE, **LIMITS),
    "loss_against_step": lambda: plots.loss_against_step({"sgd": [3.0, 2.0, 1.0]}, title=TITLE),
}
ROWS_OF_PICTURES: dict[str, Callable[..., Figure]] = {
    "samples": lambda: plots.samples(NOISE, CLASSES, per_class=2, title=TITLE),
    "augmentations": lambda: plots.augmentations({"flip": NOISE.images}, title=TITLE),
    "filters": lambda: plots.filters(filters_of_a_layer(), title=TITLE),
    "feature_maps": lambda: plots.feature_maps(MAPS, torch.rand(3, 8, 8), title=TITLE),
    "saliency": lambda: plots.saliency(NOISE.images, torch.rand(6, 8, 8), title=TITLE),
}
OTHER: dict[str, Callable[..., Figure]] = {
    "mistakes": lambda: plots.mistakes(NOISE.images, NOISE.labels, CHANCES, CLASSES, title=TITLE),
    "shape_walk": lambda: plots.shape_walk(
        models.layer_table(models.build("SimpleCNN")), title=TITLE
    ),
    "activation_histograms": lambda: plots.activation_histograms(
        {"plain": OUTPUTS, "norm": OUTPUTS}, title=TITLE
    ),
}
SMALL = PLOTTED | ROWS_OF_PICTURES | OTHER


@cache
def small(kind: str) -> Figure:
    return SMALL[kind]()


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


@pytest.mark.parametrize("kind", SMALL)
def test_every_figure_has_its_title_and_all_labels_inside_the_canvas(kind: str) -> None:
    figure = small(kind)
    figure.draw_without_rendering()
    assert figure.get_suptitle().replace("\n", " ").startswith("a title with the name of the data")
    width, height = figure.canvas.get_width_height()
    for text in texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= -1 and box.y0 >= -1, text
        assert box.x1 <= width + 1 and box.y1 <= height + 1, text


@pytest.mark.parametrize("kind", PLOTTED)
def test_both_axes_are_labelled(kind: str) -> None:
    for ax in small(kind).axes:
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
    (ax,) = small(kind).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == names
    assert len(ax.images) == 1


# Figures at the size, in the style and with the names that the study draws.

STUDY_TITLE = "What the study draws, with the name of its data at the end (of the CIFAR-10 sample)"
LABELS = torch.arange(40) % 10
SPLIT = data.Split(torch.zeros(40, 3, 32, 32, dtype=torch.uint8), LABELS)
WRONG = torch.nn.functional.one_hot((LABELS + 1) % 10, 10)
NAMES = [f"NotSimpleCNN without BatchNorm, learning rate {rate}" for rate in (0.1, 0.01, 0.001)]
LAYERS = {f"BatchNorm2d-{number}": torch.rand(1, 16, 32, 32) for number in range(1, 10)}
FOUR_LAYERS = dict(list(LAYERS.items())[:4])
WALK = pd.DataFrame(
    {
        "layer": [f"BatchNorm2d-{number + 1}" for number in range(13)],
        "output shape": ["[-1, 128, 32, 32]"] * 13,
        "parameters": [1_234_567] * 13,
        "multiply_adds": [123_456_789] * 13,
    }
)
SCORES = pd.DataFrame(
    {name: np.linspace(0.5, 1, 10) for name in ("precision", "recall", "f1")}, index=data.CLASSES
)
RUNS = runs(**dict.fromkeys(NAMES, [0.7, 0.71, 0.72]))
DIFFERENCES = {f"{b} (n = 3)": statistics.compare(RUNS, NAMES[0], b) for b in NAMES}
SIZES = pd.concat([RUNS.assign(train_size=size) for size in (1_000, 5_000, 45_000)])
CALIBRATION = metrics.reliability(LABELS, np.full((40, 10), 0.1) + 0.05 * WRONG.numpy())
WALKS = {name: np.array([[-1.0, 1], [0.5, -0.5], [0.1, 0.1]]) for name in NAMES}
WIDE = {"xlim": (-5.0, 5.0), "ylim": (-2.0, 2.0)}


def seeds_that_break_off(count: int = 12) -> dict[str, list[pd.DataFrame]]:
    pair = [history(30), history(20)]
    return {f"{NAMES[number % 3]}, seed {number}": pair for number in range(count)}


def ravine(w0: np.ndarray, w1: np.ndarray) -> np.ndarray:
    return 1000 * (w0**2 + 25 * w1**2)


STUDY: dict[str, Callable[..., Figure]] = {
    "samples": partial(plots.samples, SPLIT, data.CLASSES, per_class=4),
    "enlarged": partial(plots.enlarged, SPLIT.images[0], "automobile"),
    "augmentations": partial(plots.augmentations, {"crop+flip+rotation": SPLIT.images[:8]}),
    "learning_curves": partial(plots.learning_curves, seeds_that_break_off()),
    "confusion_matrix": partial(plots.confusion_matrix, np.full((10, 10), 4500), data.CLASSES),
    "mistakes": partial(plots.mistakes, SPLIT.images, LABELS, WRONG, data.CLASSES),
    "one_mistake": partial(plots.mistakes, SPLIT.images, LABELS, WRONG, data.CLASSES, count=1),
    "filters": partial(plots.filters, torch.randn(16, 3, 3, 3)),
    "one_filter": partial(plots.filters, torch.randn(1, 3, 5, 5)),
    "feature_maps": partial(plots.feature_maps, LAYERS, SPLIT.images[0]),
    "comparison": partial(plots.comparison, RUNS),
    "differences": partial(plots.differences, {"07": DIFFERENCES}),
    "shape_walk": partial(plots.shape_walk, WALK),
    "activation_histograms": partial(
        plots.activation_histograms,
        {"with BatchNorm": FOUR_LAYERS, "without BatchNorm": {"Conv2d-1": LAYERS["BatchNorm2d-1"]}},
    ),
    "descent_paths": partial(plots.descent_paths, ravine, WALKS, **WIDE),
    "descent_paths_log": partial(plots.descent_paths, ravine, WALKS, log=True, **WIDE),
    "loss_against_step": partial(
        plots.loss_against_step, {name: [1e4, 1.0, 1e-9] for name in NAMES}
    ),
    "loss_against_loss": partial(plots.loss_against_loss, {name: history(30) for name in NAMES}),
    "against_size": partial(plots.against_size, SIZES),
    "sweep": partial(plots.sweep, SIZES.assign(val_accuracy=SIZES["accuracy"]), ["train_size"]),
    "response": partial(
        plots.response,
        {name: {0.001: 0.5, 0.1: 12.0, 10.0: np.nan} for name in NAMES},
        xlabel="learning rate",
        ylabel="validation loss (nats)",
        log=True,
        ceiling=3,
    ),
    "reliability_diagram": partial(plots.reliability_diagram, dict.fromkeys(NAMES, CALIBRATION)),
    "saliency": partial(plots.saliency, SPLIT.images[:8], torch.rand(8, 32, 32)),
}


def assert_nothing_overlaps(boxes: list[Bbox]) -> None:
    for a, b in itertools.combinations(boxes, 2):
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width < 1 or height < 1, (a, b)


def blocks(figure: Figure) -> list[Bbox]:
    """Title, common label and legends, and every panel with its title, labels, ticks and notes."""
    figure.draw_without_rendering()
    panels = [ax.get_tightbbox() for ax in figure.axes if ax.get_visible()]
    others = [figure._suptitle, *filter(None, [figure._supxlabel]), *figure.legends]
    return panels + [other.get_window_extent() for other in others]


@pytest.mark.usefixtures("study_style")
@pytest.mark.parametrize("kind", STUDY)
def test_nothing_is_clipped_and_nothing_overlaps(kind: str) -> None:
    figure = STUDY[kind](title="one line" if kind == "feature_maps" else STUDY_TITLE)
    boxes = blocks(figure)
    width, height = figure.canvas.get_width_height()
    for box in boxes:
        assert min(box.x0, box.y0) >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, box
    assert_nothing_overlaps(boxes)
    notes = [note for ax in figure.axes for note in ax.texts]
    notes += figure.axes[0].get_xticklabels() if kind == "shape_walk" else []
    assert len(notes) == {"confusion_matrix": 100, "comparison": 3, "shape_walk": 15}.get(kind, 0)
    assert_nothing_overlaps([note.get_window_extent() for note in notes])
    assert width <= 1200


def test_every_figure_is_among_those_checked() -> None:
    assert set(plots.__all__) - {"use_style", "colours", "descent_animation"} <= set(STUDY)


def test_the_check_for_overlaps_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_nothing_overlaps([Bbox([[0, 0], [10, 10]]), Bbox([[5, 5], [20, 20]])])
