"""What the drawings of notebook 07 say is what they were given, and what PyTorch makes of it."""

import re

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from cifar_utils import models, statistics
from cifar_utils.plots.drawings import final

TARGET = torch.full((10,), 0.01).index_fill(0, torch.tensor([3]), 0.91)
CLASSES = [f"class {number}" for number in range(10)]
PHOTO = torch.arange(3 * 32 * 32).reshape(3, 32, 32).remainder(251).to(torch.uint8)


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def numbers(figure: Figure) -> list[float]:
    """All texts of the drawing that are a number, in the order in which they were drawn."""
    plain = [word.replace("−", "-").replace(",", "") for word in words(figure)]
    return [float(word) for word in plain if re.fullmatch(r"[-+]?\d+(\.\d+)?", word)]


def test_stairs_tell_each_accuracy_and_each_rise_and_are_as_high() -> None:
    figure = final.stairs({"a": 0.70, "b": 0.75, "c": 0.74})
    assert [word for word in words(figure) if "%" in word] == ["70.00 %", "75.00 %", "74.00 %"]
    assert numbers(figure) == [5, -1]
    low, high, middle = (line.get_ydata()[0] for line in figure.axes[0].lines)
    assert low - high == pytest.approx(5 / 4 * (low - middle))  # y goes downwards


def test_walk_gives_the_shapes_of_the_maps_and_all_parameters() -> None:
    network = models.build("FinalCNN")
    drawn = words(final.walk(models.layer_table(network)))
    maps = models.feature_maps(network, torch.zeros(1, 3, 32, 32))
    ends = [each[0].shape for name, each in maps.items() if name.startswith(("MaxPool", "Linear"))]
    assert drawn[:2] == ["image", "3×32×32"]
    assert drawn[3::3] == ["×".join(map(str, shape)) for shape in ends]
    counts = [int(word.replace(",", "")) for word in drawn[4::3]]
    assert sum(counts) == models.count_parameters(network)


def test_boxes_are_named_by_what_they_end_with() -> None:
    drawn = words(final.walk(models.layer_table(models.build("PlainCNN"))))
    assert drawn[2::3] == ["block 1", "block 2", "block 3", "block 4", "linear 1"]


def test_schedules_draw_each_step() -> None:
    rates = {"constant": [1.0, 1.0, 1.0], "falling": [1.0, 0.5, 0.0]}
    figure = final.schedules(rates)
    assert [line.get_ydata().tolist() for line in figure.axes[0].lines] == list(rates.values())


@pytest.mark.parametrize("gradient", [0.0, -0.4, 0.3])
def test_decay_is_that_of_pytorch_s_sgd(gradient: float) -> None:
    figure = final.decay({"w": gradient}, lr=0.5, weight_decay=0.4, steps=3)
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.5, weight_decay=0.4)
    expected = [1.0]
    for _ in range(3):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        expected.append(round(weight.item(), 2))
    assert numbers(figure) == pytest.approx(expected, abs=0.006)


def test_bars_of_the_targets_are_as_long_as_their_numbers() -> None:
    figure = final.targets({"target": TARGET}, CLASSES)
    assert numbers(figure) == [round(value, 2) for value in TARGET.tolist()]
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars[3] / bars[0] == pytest.approx(91)


@pytest.mark.parametrize("corner", [(7, 9), (-7, 0), (20, 21)])
def test_what_a_unit_sees_is_that_part_of_the_image(corner: tuple[int, int]) -> None:
    figure = final.seen_by(PHOTO, corner, 18)
    whole, part = (each.get_array() for each in figure.findobj(AxesImage))
    top, left = corner
    padded = torch.nn.functional.pad(PHOTO, [18] * 4, value=0)
    square = padded[:, top + 18 : top + 36, left + 18 : left + 36]
    assert (torch.tensor(whole).permute(2, 0, 1) == PHOTO).all()
    rows, columns = (slice(max(-at, 0), min(32 - at, 18)) for at in corner)
    assert (torch.tensor(part).permute(2, 0, 1) == square[:, rows, columns]).all()
    ax = figure.axes[0]
    bottom, above = ax.get_ylim()
    for patch in ax.patches:
        if isinstance(patch, Rectangle):
            assert above <= patch.get_y() and patch.get_y() + patch.get_height() <= bottom


def test_six_views_give_their_mean() -> None:
    figure = final.six_views(torch.stack([PHOTO] * 6), [0.1, 0.2, 0.3, 0.4, 0.5, 0.9])
    assert numbers(figure) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.9, 0.4]


def test_worth_draws_the_paired_interval() -> None:
    rows = [("a", 0, 0.5), ("a", 1, 0.6), ("a", 2, 0.7), ("b", 0, 0.52), ("b", 1, 0.63)]
    runs = pd.DataFrame([*rows, ("b", 2, 0.74)], columns=["variant", "seed", "accuracy"])
    found = statistics.compare(runs, "a", "b")
    figure = final.worth({"b": found})
    drawn = figure.axes[0].lines[0].get_xdata()
    assert drawn.tolist() == pytest.approx([100 * found.low, 100 * found.high])
    assert numbers(figure) == [3]


def test_the_same_drawing_twice() -> None:
    first, second = (final.walk(models.layer_table(models.build("FinalCNN"))) for _ in range(2))
    assert words(first) == words(second)
    pictures = []
    for figure in (first, second):
        figure.canvas.draw()
        pictures.append(bytes(figure.canvas.buffer_rgba()))  # type: ignore[attr-defined]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: final.stairs({"a": 0.7}), "two accuracies or more"),
        (lambda: final.stairs({"a": 0.7, "b": 0.7}), "all the same"),
        (lambda: final.walk(pd.DataFrame({"layer": []})), "a table of layers"),
        (lambda: final.schedules({}), "no steps"),
        (lambda: final.decay({"w": 0.0}, 0.1, 0.1, 0), "at least one step"),
        (lambda: final.targets({"target": TARGET}, CLASSES[:9]), "target needs 9 numbers"),
        (lambda: final.seen_by(PHOTO[:1], (0, 0), 18), "needs 3×H×W"),
        (lambda: final.six_views(PHOTO[None], [0.5]), "six views are needed; got 1"),
        (lambda: final.worth({}), "no comparison"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
