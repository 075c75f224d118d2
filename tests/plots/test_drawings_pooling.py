"""The numbers of a drawing are PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from cifar_utils.plots.drawings import pooling

FEATURE_MAP = torch.tensor([[9.0, 1, 0, 0], [1, 1, 0, 4], [2, 2, 0, 0], [2, 2, 0, 8]])
WEIGHTS = torch.tensor([1.0, -1.0, 1.0, -1.0])


def numbers(figure: Figure) -> list[float]:
    """All numbers in the drawing, in the order in which they were drawn."""
    found = []
    for text in figure.axes[0].texts:
        try:
            found.append(float(text.get_text()))
        except ValueError:
            continue
    return found


def test_four_poolings_are_pytorch_s() -> None:
    drawn = numbers(pooling.four_poolings(FEATURE_MAP, WEIGHTS))
    batch = FEATURE_MAP[None, None]
    expected = [
        F.max_pool2d(batch, 2),
        F.avg_pool2d(batch, 2),
        F.conv2d(batch, WEIGHTS.reshape(1, 1, 2, 2), stride=2),
        batch.mean(),
    ]
    flat = [value for tensor in expected for value in tensor.flatten().tolist()]
    assert drawn[16:29] == flat  # behind the sixteen of the map


def test_shares_of_the_gradient_add_up_to_what_arrives() -> None:
    drawn = numbers(pooling.gradient_shares(FEATURE_MAP, WEIGHTS))
    of_max, of_average, of_strided = drawn[:16], drawn[16:32], drawn[32:]
    assert sum(of_max) == sum(of_average) == 4
    assert set(of_max) == {0, 1} and set(of_average) == {0.25}
    assert of_strided == [1, -1, 1, -1] * 4


def test_a_moving_row_is_pooled_in_windows_of_two() -> None:
    row = torch.tensor([0.0, 0, 3, 0])
    drawn = numbers(pooling.moving_row(row, steps=(0, 1)))
    assert drawn == [0, 0, 3, 0, 0, 3, 0, 1.5, 0, 0, 0, 3, 0, 3, 0, 1.5]


def test_aliasing_shows_both_halves_of_the_signal() -> None:
    drawn = numbers(pooling.aliasing(torch.tensor([0.0, 1, 0, 1])))
    assert drawn == [0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1]


def test_places_that_are_kept_are_counted() -> None:
    figure = pooling.kept_places({"max": (32, 8, 8), "global": (32, 1, 1)})
    words = [text.get_text() for text in figure.axes[0].texts]
    assert "= 2,048" in words and "= 32" in words
    assert sum(word == "" for word in words) == 65


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pooling.four_poolings(torch.zeros(3, 4), WEIGHTS), "the map must be 4×4"),
        (lambda: pooling.four_poolings(FEATURE_MAP, torch.ones(3)), "four weights"),
        (lambda: pooling.moving_row(torch.zeros(3), (0,)), "an even number"),
        (lambda: pooling.aliasing(torch.zeros(2, 2)), "one dimension"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
