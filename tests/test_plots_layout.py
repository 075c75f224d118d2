"""Figures at the size and with the names the study draws: nothing clipped, nothing overlapping."""

import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from cifar_utils import plots, results

matplotlib.use("Agg")

CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
TITLE = "What the study draws, with the name of its data at the end (sketches, the stand-in)"
LABELS = torch.arange(40) % 10
SPLIT = SimpleNamespace(images=torch.zeros(40, 3, 32, 32, dtype=torch.uint8), labels=LABELS)
WRONG = torch.nn.functional.one_hot((LABELS + 1) % 10, 10)
NAMES = [f"NotSimpleCNN without BatchNorm, learning rate {rate}" for rate in (0.1, 0.01, 0.001)]
LAYERS = [f"BatchNorm2d-{number}" for number in range(1, 10)]
MAPS = {name: torch.rand(1, 16, 32, 32) for name in LAYERS}
OUTPUTS = {name: MAPS[name] for name in LAYERS[:4]}
WALK = pd.DataFrame(
    {
        "layer": [f"BatchNorm2d-{number + 1}" for number in range(13)],
        "output shape": ["[-1, 128, 32, 32]"] * 13,
        "parameters": [1_234_567] * 13,
        "multiply_adds": [123_456_789] * 13,
    }
)
TABLE = pd.DataFrame({name: np.linspace(0.5, 1, 10) for name in ("precision", "recall", "f1")})
PATHS = {name: np.array([[-1.0, 1], [0.5, -0.5], [0.1, 0.1]]) for name in NAMES}
LIMITS = {"xlim": (-5.0, 5.0), "ylim": (-2.0, 2.0)}


def history(epochs: int, shift: float = 0.0) -> pd.DataFrame:
    names = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    columns = {name: np.linspace(0.9, 0.1, epochs) + shift for name in names}
    return pd.DataFrame({"epoch": np.arange(1, epochs + 1), **columns})


def seeds_that_break_off(count: int = 12) -> dict[str, list[pd.DataFrame]]:
    pair = [history(30), history(20)]
    return {f"{NAMES[number % 3]}, seed {number}": pair for number in range(count)}


def runs() -> pd.DataFrame:
    rows = [(name, seed, 0.7 + seed / 100) for name in NAMES for seed in range(3)]
    return pd.DataFrame(rows, columns=["variant", "seed", "accuracy"])


def ravine(w0: np.ndarray, w1: np.ndarray) -> np.ndarray:
    return 1000 * (w0**2 + 25 * w1**2)


FIGURES: dict[str, Callable[[], Figure]] = {
    "samples": lambda: plots.samples(SPLIT, CLASSES, per_class=4, title=TITLE),
    "picture": lambda: plots.picture(SPLIT.images[0], "automobile", title=TITLE),
    "augmentations": lambda: plots.augmentations(
        {"crop+flip+rotation": SPLIT.images[:8]}, title=TITLE
    ),
    "class_balance": lambda: plots.class_balance(
        {"train": SPLIT, "test": SPLIT}, CLASSES, title=TITLE
    ),
    "learning_curves": lambda: plots.learning_curves(seeds_that_break_off(), title=TITLE),
    "confusion_matrix": lambda: plots.confusion_matrix(
        np.full((10, 10), 4500), CLASSES, title=TITLE
    ),
    "per_class_bars": lambda: plots.per_class_bars(TABLE.set_axis(CLASSES), title=TITLE),
    "mistakes": lambda: plots.mistakes(SPLIT.images, LABELS, WRONG, CLASSES, title=TITLE),
    "one_mistake": lambda: plots.mistakes(
        SPLIT.images, LABELS, WRONG, CLASSES, count=1, title=TITLE
    ),
    "filters": lambda: plots.filters(torch.randn(16, 3, 3, 3), title=TITLE),
    "one_filter": lambda: plots.filters(torch.randn(1, 3, 5, 5), title=TITLE),
    "feature_maps": lambda: plots.feature_maps(MAPS, SPLIT.images[0], title="one line"),
    "comparison": lambda: plots.comparison(runs(), title=TITLE),
    "differences": lambda: plots.differences(
        {"07": {f"{b} (n = 3)": results.compare(runs(), NAMES[0], b) for b in NAMES}},
        title=TITLE,
    ),
    "shape_walk": lambda: plots.shape_walk(WALK, title=TITLE),
    "activation_histograms": lambda: plots.activation_histograms(
        {"with BatchNorm": OUTPUTS, "without BatchNorm": {"Conv2d-1": MAPS[LAYERS[0]]}}, title=TITLE
    ),
    "descent_paths": lambda: plots.descent_paths(ravine, PATHS, title=TITLE, **LIMITS),
    "descent_paths_log": lambda: plots.descent_paths(
        ravine, PATHS, title=TITLE, log=True, **LIMITS
    ),
    "surface_3d": lambda: plots.surface_3d(ravine, PATHS, title=TITLE, **LIMITS),
    "loss_against_step": lambda: plots.loss_against_step(
        {name: [1e4, 1.0, 1e-9] for name in NAMES}, title=TITLE
    ),
}


@pytest.fixture(autouse=True)
def the_style_of_the_study() -> Iterator[None]:
    with matplotlib.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def assert_nothing_overlaps(boxes: list[Bbox]) -> None:
    for a, b in itertools.combinations(boxes, 2):
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width < 1 or height < 1, (a, b)


def blocks(figure: Figure) -> list[Bbox]:
    """Title, common label and legends, and every panel with its title, labels, ticks and notes."""
    figure.canvas.draw()
    panels = [ax.get_tightbbox() for ax in figure.axes if ax.get_visible()]
    others = [figure._suptitle, *filter(None, [figure._supxlabel]), *figure.legends]
    return panels + [other.get_window_extent() for other in others]


@pytest.mark.parametrize("kind", FIGURES)
def test_nothing_is_clipped_and_nothing_overlaps(kind: str) -> None:
    figure = FIGURES[kind]()
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


def test_the_check_for_overlaps_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_nothing_overlaps([Bbox([[0, 0], [10, 10]]), Bbox([[5, 5], [20, 20]])])


@pytest.mark.parametrize("epochs", [1, 2, 3, 30])
def test_epochs_are_whole_numbers_from_one_to_the_last(epochs: int) -> None:
    figure = plots.learning_curves({"plain": history(epochs)}, title=TITLE)
    figure.canvas.draw()
    for ax in figure.axes:
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
        assert ticks and all(tick == round(tick) and 1 <= tick <= epochs for tick in ticks)


def test_a_variant_looks_like_no_other_also_beyond_ten() -> None:
    figure = plots.learning_curves({str(number): history(2) for number in range(12)}, title=TITLE)
    lines = figure.axes[0].lines[1::2]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 12
    assert lines[0].get_color() == plots.colours(["0"])["0"]


def test_a_shorter_run_leaves_mean_and_band_where_it_ends() -> None:
    runs_of_two_lengths = [history(3), history(2, shift=0.4)]
    figure = plots.learning_curves({"plain": runs_of_two_lengths}, title=TITLE)
    expected = [0.9 + 0.9 + 0.4, 0.5 + 0.1 + 0.4, 0.1 + 0.1]
    assert np.allclose(figure.axes[0].lines[1].get_ydata(), np.array(expected) / 2)
    assert figure.legends[0].get_texts()[0].get_text() == "plain, n = 2, 1 of 2 breaks off"


def test_a_variant_that_always_diverged_keeps_its_row() -> None:
    frame = runs()
    frame.loc[frame["variant"] == NAMES[0], "accuracy"] = [np.nan, np.inf, np.nan]
    (ax,) = plots.comparison(frame, title=TITLE).axes
    notes = [label.get_text().split("\n")[1] for label in ax.get_yticklabels()]
    assert notes == ["n = 0, 3 without a value", "n = 3", "n = 3"]
    assert [text.get_text() for text in ax.texts] == ["71.00", "71.00"]


def test_augmentations_show_every_draw_in_its_row() -> None:
    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    rows = {"none": images, "flip": images.flip(3)}
    (ax,) = plots.augmentations(rows, title=TITLE).axes
    canvas = ax.images[0].get_array()
    for row, pictures in enumerate(rows.values()):
        for column, image in enumerate(pictures):
            tile = canvas[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            assert np.allclose(tile, image.permute(1, 2, 0) / 255)


def test_feature_maps_are_rescaled_each_on_its_own() -> None:
    maps = torch.stack([torch.arange(16.0), torch.arange(-1600.0, 0, 100)]).view(2, 4, 4)
    (ax,) = plots.feature_maps({"Conv2d-1": maps}, torch.rand(3, 32, 32), title=TITLE).axes
    first, second = np.split(ax.images[0].get_array()[105:, np.r_[:96, 105:201]], 2, axis=1)
    viridis = matplotlib.colormaps["viridis"]
    assert np.allclose(first, second)
    assert np.allclose(first[::24, ::24], viridis(np.arange(16).reshape(4, 4) / 15)[..., :3])


def test_activations_share_their_bins_and_show_shares() -> None:
    outputs = {"narrow": {"Conv2d-1": torch.linspace(0, 1, 1001)}}
    outputs["wide"] = {"Conv2d-1": torch.linspace(-10, 10, 1001)}
    narrow, wide = plots.activation_histograms(outputs, title=TITLE).axes
    (a, edges, _), (b, others, _) = (ax.patches[0].get_data() for ax in (narrow, wide))
    assert np.array_equal(edges, others) and np.allclose([edges[0], edges[-1]], [-9.9, 9.9])
    assert a.sum() == pytest.approx(100) and b.sum() == pytest.approx(99, abs=0.2)
