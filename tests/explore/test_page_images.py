"""What the pages do to images is what cifar_utils.augment and predict do to them."""

from pathlib import Path

import in_node
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cifar_utils import augment, data


@pytest.fixture
def image(tiny: data.Data) -> Tensor:
    """One normalised image, float32 1×3×32×32."""
    return tiny.normalise(tiny.test.images[:1]).contiguous()


def changed(folder: Path, image: Tensor, expression: str) -> Tensor:
    """The image after an expression of augment.mjs."""
    script = f"""
        const image = {{ ...given, values: Float32Array.from(given.values) }};
        return Array.from(({expression}).values);"""
    given = {"values": image.flatten().tolist(), "channels": 3, "height": 32, "width": 32}
    names = "change, chancesOf, cutout, drawFrom, mirror, rotate, shift"
    return torch.tensor(in_node.call(folder, "augment.mjs", names, script, given)).view_as(image)


@pytest.mark.parametrize("corner", [(0, 0), (3, 8), (4, 4), (8, 1)])
def test_shift(corner: tuple[int, int], image: Tensor, tmp_path: Path) -> None:
    expected = augment.Crop(4).apply(image, torch.tensor([corner]))
    assert torch.equal(changed(tmp_path, image, f"shift(image, {list(corner)}, 4)"), expected)


def test_mirror(image: Tensor, tmp_path: Path) -> None:
    expected = augment.Flip().apply(image, torch.tensor([True]))
    assert torch.equal(changed(tmp_path, image, "mirror(image)"), expected)


@pytest.mark.parametrize("degrees", [-73.0, 10.0, 45.0, 180.0])
def test_rotation(degrees: float, image: Tensor, tmp_path: Path) -> None:
    expected = augment.Rotation().apply(image, torch.tensor([degrees]))
    turned = changed(tmp_path, image, f"rotate(image, {degrees})")
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("centre", [(0, 31), (16, 5)])
@pytest.mark.parametrize("size", [1, 8, 11])
def test_cutout(centre: tuple[int, int], size: int, image: Tensor, tmp_path: Path) -> None:
    expected = augment.Cutout(size).apply(image, torch.tensor([centre]))
    assert torch.equal(changed(tmp_path, image, f"cutout(image, {list(centre)}, {size})"), expected)


def test_all_four_in_the_order_of_the_package(image: Tensor, tmp_path: Path) -> None:
    draw = "{ corner: [1, 7], mirrored: true, degrees: 20, hole: [9, 20], size: 8, padding: 4 }"
    expected = augment.Crop(4).apply(image, torch.tensor([[1, 7]])).flip(3)
    expected = augment.Rotation().apply(expected, torch.tensor([20.0]))
    expected = augment.Cutout(8).apply(expected, torch.tensor([[9, 20]]))
    made = changed(tmp_path, image, f"change(image, {draw})")
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-4)


def test_draws_cover_what_the_settings_allow_and_no_more(tmp_path: Path) -> None:
    script = """
        const chance = chancesOf(7);
        const settings = { padding: 3, share: 0.25, degrees: 30, size: 8 };
        const draws = Array.from({ length: 4000 }, () =>
          drawFrom(Array.from({ length: 6 }, chance), settings));
        const none = { padding: 0, share: 0, degrees: 0, size: 0 };
        return { draws, still: drawFrom(Array.from({ length: 6 }, chance), none) };"""
    found = in_node.call(tmp_path, "augment.mjs", "chancesOf, drawFrom", script)
    corners = np.array([draw["corner"] for draw in found["draws"]])
    assert np.unique(corners, axis=0).shape == (49, 2)  # all 7 × 7
    counts = np.unique(corners @ [7, 1], return_counts=True)[1]
    assert counts.min() > 50 and counts.max() < 120  # 82 each, if fair
    assert np.mean([draw["mirrored"] for draw in found["draws"]]) == pytest.approx(0.25, abs=0.03)
    angles = np.array([draw["degrees"] for draw in found["draws"]])
    assert -30 <= angles.min() < -29 and 29 < angles.max() <= 30
    holes = np.array([draw["hole"] for draw in found["draws"]])
    assert set(holes.ravel()) == set(range(32))
    still = found["still"]
    assert still["corner"] == [0, 0] and still["degrees"] == 0 and not still["mirrored"]


@pytest.mark.parametrize("edge", [16, 32, 96, 100, 131])
def test_each_pixel_of_a_shrunk_square_is_the_mean_of_its_area(edge: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (edge, edge, 3), dtype=np.uint8)
    fine = pixels.repeat(32, axis=0).repeat(32, axis=1).astype(float)
    expected = fine.reshape(32, edge, 32, edge, 3).mean(axis=(1, 3))
    with_alpha = np.concatenate([pixels, np.full((edge, edge, 1), 255, np.uint8)], axis=2)
    script = f"return Array.from(shrunk(Uint8ClampedArray.from(given), {edge}));"
    made = in_node.call(tmp_path, "image.mjs", "shrunk", script, with_alpha.ravel().tolist())
    made = np.reshape(made, (32, 32, 3))
    assert np.abs(made - expected).max() < 0.501
    if edge % 32 == 0:
        by_pillow = Image.fromarray(pixels).resize((32, 32), Image.Resampling.BOX)
        assert np.abs(made - np.asarray(by_pillow, dtype=int)).max() <= 1
