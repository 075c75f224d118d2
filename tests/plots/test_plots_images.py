from collections.abc import Callable

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from plot_inputs import CLASSES, split

from cifar_utils import plots


def test_samples_show_the_first_pictures_of_each_class() -> None:
    images = split([1, 0, 1, 2, 0, 2, 1])
    (ax,) = plots.samples(images, CLASSES, per_class=2, title="samples").axes
    canvas = ax.images[0].get_array()
    for row, numbers in enumerate([(1, 4), (0, 2), (3, 5)]):
        for column, number in enumerate(numbers):
            tile = canvas[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            assert np.allclose(tile, images.images[number].permute(1, 2, 0) / 255)


def test_picture_shows_its_pixels() -> None:
    image = split([0]).images[0]
    (ax,) = plots.enlarged(image, "cat", title="one").axes
    assert np.allclose(ax.images[0].get_array(), image.permute(1, 2, 0) / 255)
    assert ax.get_title() == "cat"


def test_augmentations_show_every_draw_in_its_row() -> None:
    images = torch.randint(256, (2, 3, 8, 8), dtype=torch.uint8)
    rows = {"none": images, "flip": images.flip(3)}
    (ax,) = plots.augmentations(rows, title="draws").axes
    canvas = ax.images[0].get_array()
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images):
            tile = canvas[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            assert np.allclose(tile, image.permute(1, 2, 0) / 255)


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
    assert figure.get_suptitle() == "mistakes\nno mistake among 1 images"
    assert not any(ax.images for ax in figure.axes)


def test_saliency_draws_pictures_above_strengths() -> None:
    images, strengths = torch.zeros(2, 3, 8, 8), torch.rand(2, 8, 8)
    (ax,) = plots.saliency(images, strengths, title="strengths").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["image", "strength"]
    canvas = ax.images[0].get_array()
    assert (canvas[:8, :8] == 0).all() and canvas[-8:, :8].std() > 0


def test_saliency_refuses_strengths_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"need \(2, 8, 8\); got \(2, 3, 8, 8\)"):
        plots.saliency(torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8), title="strengths")


@pytest.mark.parametrize(
    ("draw", "arguments", "message"),
    [
        (plots.mistakes, [torch.zeros(1, 3, 4, 4), [0], [[0.5, 0.5]], CLASSES], "must be"),
        (plots.mistakes, [torch.zeros(1, 3, 4, 4), [0], [[9.0, -1.0, 0]], CLASSES], "softmax"),
        (plots.augmentations, [{}], "no images to draw"),
        (plots.augmentations, [{"a": torch.zeros(2, 1, 4, 4)}], "images are N×3×H×W"),
        (plots.enlarged, [torch.full((3, 4, 4), 2.0), "cat"], r"uint8 or floats in \[0, 1\]"),
        (plots.enlarged, [torch.full((3, 4, 4), torch.nan), "cat"], "uint8 or floats"),
    ],
)
def test_bad_input_is_refused(draw: Callable[..., Figure], arguments: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*arguments, title="bad")
