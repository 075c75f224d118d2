"""The numbers of a drawing are PyTorch's own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from cifar_utils.plots.drawings import baseline


def words(figure: Figure) -> list[str]:
    """All words in the drawing, in the order in which they were drawn."""
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_kernel_s_products_are_summed_as_conv2d_does() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-3, 4, (5, 6), generator=generator).float()
    kernel = torch.randint(-2, 3, (3, 3), generator=generator).float()
    y = F.conv2d(x[None, None], kernel[None, None])[0, 0]
    said = words(baseline.sliding_kernel(x, kernel, (1, 2)))[-1]
    name, terms, total = said.split(" = ")
    assert name == "y[1, 2]" and float(total) == y[1, 2] == sum(map(float, terms.split()))


def test_bars_of_the_loss_are_softmax_and_cross_entropy() -> None:
    z = torch.tensor([2.0, 1.0, -1.0])
    said = words(baseline.loss_bars(z, ["a", "b", "c"], 1))
    for chance in z.softmax(0).tolist():
        assert f"{chance:.3f}" in said
    assert said[-1].endswith(f"= {F.cross_entropy(z, torch.tensor(1)).item():.3f} nats")


def test_the_logits_gradient_is_autograd_s() -> None:
    z = torch.tensor([0.5, 1.5, -1.0], requires_grad=True)
    F.cross_entropy(z, torch.tensor(2)).backward()
    said = words(baseline.gradient_of_the_logits(z.detach(), ["a", "b", "c"], 2))
    assert z.grad is not None
    for value in z.grad.tolist():
        assert f"{value:+.3f}".replace("-", "−") in said


def test_four_boxes_count_every_image_once() -> None:
    truth, called = np.array([1, 1, 1, 0, 0, 0, 0]), np.array([1, 1, 0, 1, 0, 0, 0])
    said = words(baseline.four_boxes(truth, called, "cat"))
    assert [each for each in said if " = " in each] == ["TP = 2", "FN = 1", "FP = 1", "TN = 3"]


def test_channels_show_the_image_s_own_numbers() -> None:
    image = torch.arange(3 * 4 * 4, dtype=torch.uint8).reshape(3, 4, 4)
    figure = baseline.channels(image)
    pasted = [np.asarray(each.get_array()) for each in figure.axes[0].images]
    assert np.array_equal(sum(pasted[1:]), pasted[0])
    assert np.array_equal(pasted[2][..., 1], image[1].numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: baseline.channels(torch.zeros(1, 8, 8)), "needs 3×H×W"),
        (lambda: baseline.sliding_kernel(torch.ones(4, 4), torch.ones(3, 3), (2, 0)), "2×2"),
        (lambda: baseline.loss_bars(torch.ones(2), ["a"], 0), "1 logits are needed"),
        (lambda: baseline.four_boxes([1, 0], [1], "cat"), "shapes differ"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
