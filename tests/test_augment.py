import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as tvf

from cifar_utils import augment, data

KINDS = {"flip": augment.Flip(), "crop": augment.Crop(4), "rotation": augment.Rotation(30),
         "cutout": augment.Cutout(8)}  # fmt: skip


def pictures(count: int = 24, height: int = 32, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (count, 3, height, width), generator=generator).byte()


def draw(step: object, images: Tensor, seed: int = 0) -> Tensor:
    return step.draw(len(images), *images.shape[-2:], torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(32, 32), (20, 28)])
def test_flip_equals_torchvision_image_by_image(shape: tuple[int, int]) -> None:
    images = pictures(24, *shape)
    mirrored = draw(augment.Flip(), images)
    expected = [tvf.horizontal_flip(i) if m else i for i, m in zip(images, mirrored, strict=True)]
    assert torch.equal(augment.Flip().apply(images, mirrored), torch.stack(expected))
    assert 0 < mirrored.sum() < len(images)


@pytest.mark.parametrize("shape", [(32, 32), (20, 28)])
@pytest.mark.parametrize("padding", [0, 2, 4])
def test_crop_equals_torchvision_image_by_image(shape: tuple[int, int], padding: int) -> None:
    images, step = pictures(24, *shape), augment.Crop(padding)
    corners = draw(step, images)
    expected = [
        tvf.crop(tvf.pad(image, [padding], padding_mode="reflect"), top, left, *shape)
        for image, (top, left) in zip(images, corners.tolist(), strict=True)
    ]
    assert torch.equal(step.apply(images, corners), torch.stack(expected))


@pytest.mark.parametrize("shape", [(32, 32), (20, 28)])
def test_rotation_equals_torchvision_within_rounding(shape: tuple[int, int]) -> None:
    images, step = pictures(24, *shape), KINDS["rotation"]
    angles = draw(step, images)
    assert angles.min() < 0 < angles.max()
    expected = [
        tvf.rotate(image, angle, InterpolationMode.BILINEAR)
        for image, angle in zip(images.float(), angles.tolist(), strict=True)
    ]
    turned = step.apply(images.float(), angles)
    torch.testing.assert_close(turned, torch.stack(expected), atol=0.05, rtol=0)
    assert torch.equal(step.apply(images, angles), turned.round().byte())


def test_cutout_equals_torchvision_erase_and_is_clipped_at_the_border() -> None:
    images, step = pictures(200) | 1, KINDS["cutout"]
    centres = draw(step, images)
    cut = step.apply(images, centres)
    for image, result, (row, column) in zip(images, cut, centres.tolist(), strict=True):
        top, left = max(row - 4, 0), max(column - 4, 0)
        bottom, right = min(row + 4, 32), min(column + 4, 32)
        size = (bottom - top, right - left)
        expected = tvf.erase(image, top, left, *size, torch.zeros(3, *size, dtype=torch.uint8))
        assert torch.equal(result, expected)


@pytest.mark.parametrize("name", KINDS)
def test_shape_dtype_and_input_are_kept(name: str) -> None:
    for images in (pictures(), pictures().float()):
        before = images.clone()
        result = augment.build(name)(images, torch.Generator().manual_seed(0))
        assert result.shape == images.shape and result.dtype == images.dtype
        assert torch.equal(images, before)
        assert not torch.equal(result, before)


@pytest.mark.parametrize("name", KINDS)
def test_every_image_has_its_own_draw_and_a_permuted_batch_permuted_outputs(name: str) -> None:
    images, step = pictures(), KINDS[name]
    draws = draw(step, images)
    assert len(draws.unique(dim=0)) > 1
    order = torch.randperm(len(images))
    assert torch.equal(step.apply(images[order], draws[order]), step.apply(images, draws)[order])


@pytest.mark.parametrize(
    ("values", "outcomes"),
    [
        (lambda g: augment.Flip().draw(90_000, 32, 32, g).long(), 2),
        (lambda g: augment.Crop(4).draw(90_000, 32, 32, g)[:, 0], 9),
        (lambda g: augment.Crop(4).draw(90_000, 32, 32, g)[:, 1], 9),
        (lambda g: augment.Cutout(8).draw(90_000, 32, 32, g)[:, 1], 32),
        (lambda g: (augment.Rotation(10).draw(90_000, 32, 32, g) + 10).div(2).long(), 10),
    ],
)
def test_draws_are_uniform(values: object, outcomes: int) -> None:
    counts = torch.bincount(values(torch.Generator().manual_seed(0)), minlength=outcomes)
    expected = 90_000 / outcomes
    assert len(counts) == outcomes
    # chi-squared: mean outcomes − 1, standard deviation √(2 (outcomes − 1)); five of them
    chi_squared = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_squared < outcomes - 1 + 5 * (2 * (outcomes - 1)) ** 0.5


def test_build_composes_in_order_and_repeats_with_its_seed() -> None:
    images = pictures()
    both = augment.build("crop+flip", padding=2)
    assert both.steps == (augment.Crop(2), augment.Flip())
    first, again = (both(images, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert augment.build("none")(images, torch.Generator()) is images


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="'blur'.*none, flip, crop, rotation, cutout"):
        augment.build("flip+blur")
    with pytest.raises(ValueError, match="padding is 40.*32×32"):
        augment.build("crop", padding=40)(pictures(), torch.Generator())


def test_moves_before_normalisation_and_the_rest_after_give_the_same() -> None:
    images = pictures()
    small = data.load("sample", train_size=100, val_size=10)
    for names in ("crop+flip+rotation+cutout", "crop+flip", "flip+crop", "cutout+flip", "none"):
        whole = augment.build(names)
        moves, rest = whole.split()
        first, second = (torch.Generator().manual_seed(3) for _ in range(2))
        expected = whole(small.normalise(images), first)
        assert torch.equal(rest(small.normalise(moves(images, second)), second), expected)
    moves, rest = augment.build("crop+flip+rotation").split()
    assert len(moves.steps) == len(rest.steps) == 1  # crop and flip in one pass
