"""Views of the test images that a network is asked about."""

import pytest
import torch
import torch.nn.functional as F

from cifar_utils import data, models
from cifar_utils.inference import predict, predict_six_views


@pytest.mark.parametrize("shift", [-1, 1, 3])
def test_a_shifted_view_is_the_prediction_of_images_moved_along_the_diagonal(
    small: data.Data, shift: int
) -> None:
    model = models.build("SimpleCNN")
    inputs = small.normalise(small.test.images)
    moved = F.pad(inputs, [abs(shift)] * 4, mode="reflect").roll((shift, shift), (2, 3))
    moved = moved[:, :, abs(shift) : abs(shift) + 32, abs(shift) : abs(shift) + 32]
    expected = model.eval()(moved)
    assert torch.allclose(predict(model, small.test, small, shift=shift), expected, atol=1e-5)


def test_six_views_begin_with_the_image_and_its_mirror_image_is_the_fourth(
    small: data.Data,
) -> None:
    model = models.build("SimpleCNN")
    views = predict_six_views(model, small.test, small)
    assert views.shape == (6, len(small.test), 10)
    for place, options in ((0, {}), (1, {"shift": -1}), (3, {"mirrored": True})):
        assert torch.equal(views[place], predict(model, small.test, small, **options).softmax(1))
