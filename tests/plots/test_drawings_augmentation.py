"""What a drawing shows of an image is what PyTorch and `augment` make of it."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor

from cifar_utils import augment
from cifar_utils.plots.drawings import augmentation

VALUES = torch.arange(12.0).reshape(3, 4)
IMAGE = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))


def words(figure: Figure) -> list[str]:
    """All words in the drawing, in the order in which they were drawn."""
    return [text.get_text() for text in figure.axes[0].texts]


def numbers(figure: Figure) -> list[float]:
    """All numbers among the words."""
    return [float(word) for word in words(figure) if word.replace(".", "").isdigit()]


def pasted(figure: Figure) -> list[Tensor]:
    """The images in the drawing, each 3×H×W."""
    arrays = [np.asarray(each.get_array()) for each in figure.axes[0].images]
    return [torch.tensor(each).permute(2, 0, 1) for each in arrays]


def test_the_fan_shows_the_image_and_every_draw_in_its_row() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = IMAGE.expand(3, -1, -1, -1)
    draws = {kind: augment.build(kind, 2)(batch, generator) for kind in ("flip", "crop")}
    figure = augmentation.fan(IMAGE, draws)
    shown = pasted(figure)
    assert torch.equal(torch.stack(shown), torch.cat([IMAGE[None], *draws.values()]))
    assert words(figure) == ["flip", "crop"]
    tops = [each.get_extent()[3] for each in figure.axes[0].images[1:]]
    assert tops[:3] == [tops[0]] * 3 and tops[3:] == [tops[3]] * 3 and tops[3] > tops[0]


def test_mirrored_numbers_are_those_of_augment_s_flip() -> None:
    by_augment = augment.Flip().apply(VALUES[None, None], torch.tensor([True]))[0, 0]
    drawn = numbers(augmentation.mirrored(VALUES))
    assert drawn == [*VALUES.flatten().tolist(), *by_augment.flatten().tolist()]


@pytest.mark.parametrize("corner", [(0, 0), (0, 2), (2, 1)])
def test_a_window_is_what_augment_s_crop_cuts(corner: tuple[int, int]) -> None:
    drawn = numbers(augmentation.padded_window(VALUES, 1, corner))
    padded = F.pad(VALUES[None], (1, 1, 1, 1), mode="reflect")[0]
    by_augment = augment.Crop(padding=1).apply(VALUES[None, None], torch.tensor([corner]))
    assert drawn == [*padded.flatten().tolist(), *by_augment.flatten().tolist()]


def test_arrows_of_mirrored_images_point_to_the_left() -> None:
    flips = {"one draw": torch.tensor([True, True]), "a draw each": torch.tensor([False, True])}
    patches = augmentation.draws_of_a_batch(flips).axes[0].patches
    arrows = [patch for patch in patches if isinstance(patch, FancyArrowPatch)]
    ends = [patch._posA_posB for patch in arrows]
    assert [end[0] < start[0] for start, end in ends] == [True, True, False, True]
    colours = [patch.get_facecolor() for patch in patches if isinstance(patch, Rectangle)]
    assert colours[0] == colours[1] == colours[3] != colours[2]


def test_a_label_is_kept_by_the_mirror_image() -> None:
    figure = augmentation.kept_label(IMAGE, "horse")
    before, after = pasted(figure)
    assert torch.equal(after, before.flip(2)) and not torch.equal(after, before)
    assert "horse: kept" in words(figure)


@pytest.mark.parametrize(("sources", "boxes"), [(2, 4), (1, 3)])
def test_arms_that_read_the_same_images_share_their_box(sources: int, boxes: int) -> None:
    arms = {"with": "augmented", "without": "augmented" if sources == 1 else "as they are"}
    figure = augmentation.two_arms(arms, arms)
    drawn = [word for word in words(figure) if word in {"augmented", "as they are", *arms}]
    assert len(drawn) == 2 * boxes


DRAWINGS: dict[str, Callable[[], Figure]] = {
    "fan": lambda: augmentation.fan(IMAGE, {"a": IMAGE[None]}),
    "padded_window": lambda: augmentation.padded_window(VALUES, 1, (1, 1)),
    "kept_label": lambda: augmentation.kept_label(IMAGE, "horse"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_call_draws_the_same(name: str) -> None:
    pixels = []
    for _ in range(2):
        figure = DRAWINGS[name]()
        figure.canvas.draw()
        pixels.append(np.asarray(figure.canvas.buffer_rgba()).copy())
    assert np.array_equal(*pixels)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augmentation.fan(IMAGE[0], {"a": IMAGE[None]}), "must be 3×H×W"),
        (lambda: augmentation.mirrored(IMAGE), "a matrix R×C"),
        (lambda: augmentation.padded_window(IMAGE, 1, (0, 0)), "a matrix R×C"),
        (lambda: augmentation.padded_window(VALUES, 1, (0, 3)), "must lie in 0 … 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
