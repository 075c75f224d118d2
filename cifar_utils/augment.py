"""Random augmentation of a whole batch at once, each image with its own draw.

Every augmentation has two halves: `draw` makes the random numbers, `apply` is a pure function of
images and draws. So a test can hand the same draws to torchvision's transform of one image. Draws
are made on the generator's device; with one on the GPU nothing waits for the host.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Flip:
    """Mirror left and right with probability p. Draws: bool N."""

    p: float = 0.5

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """One yes or no an image."""
        return torch.rand(count, generator=generator, device=generator.device) < self.p

    def apply(self, images: Tensor, mirrored: Tensor) -> Tensor:
        """N×C×H×W of any dtype; the same shape back."""
        return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)


@dataclass(frozen=True)
class Crop:
    """Shift by up to `padding` pixels each way; the border is filled by reflection.

    The random crop of a padded image: He et al. (2016), section 4.2, with reflection for zeros.
    Draws: int64 N×2, the top and left corner of the crop in 0 … 2·padding.
    """

    padding: int = 4

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """One corner an image."""
        if self.padding >= min(height, width):
            raise ValueError(
                f"padding is {self.padding}; it must be smaller than the {height}×{width} image"
            )
        return torch.randint(
            0, 2 * self.padding + 1, (count, 2), generator=generator, device=generator.device
        )

    def apply(self, images: Tensor, corners: Tensor) -> Tensor:
        """N×C×H×W of any dtype; the same shape back."""
        return _gather(images, *self.sources(images, corners))

    def sources(self, images: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
        """Where each row and each column of the result comes from: int64 N×H and N×W."""
        rows, columns = (
            _reflected_windows(length, self.padding, images.device)[corner]
            for corner, length in zip(corners.unbind(1), images.shape[2:], strict=True)
        )
        return rows, columns


@dataclass(frozen=True)
class CropAndFlip:
    """Crop, then Flip, with the same draws, in one pass over the pixels.

    Draws: int64 N×3, those of Crop and then those of Flip.
    """

    crop: Crop
    flip: Flip

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """A corner and a yes or no an image."""
        corners = self.crop.draw(count, height, width, generator)
        mirrored = self.flip.draw(count, height, width, generator)
        return torch.cat([corners, mirrored[:, None]], dim=1)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """N×C×H×W of any dtype; the same shape back."""
        rows, columns = self.crop.sources(images, draws[:, :2])
        columns = torch.where(draws[:, 2:].bool(), columns.flip(1), columns)
        return _gather(images, rows, columns)


@dataclass(frozen=True)
class Rotation:
    """Turn about the centre by up to ±`degrees`, bilinear, the corners filled with zeros.

    Draws: float32 N, degrees counter-clockwise, as in torchvision's `rotate`.
    """

    degrees: float = 10.0

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """One angle an image."""
        chance = torch.rand(count, generator=generator, device=generator.device)
        return (chance * 2 - 1) * self.degrees

    def apply(self, images: Tensor, angles: Tensor) -> Tensor:
        """N×C×H×W, uint8 or float; the same shape and dtype back."""
        height, width = images.shape[-2:]
        cos, sin = (f(angles * math.pi / 180) for f in (torch.cos, torch.sin))
        zero = torch.zeros_like(cos)
        matrix = torch.stack(
            [cos, -sin * height / width, zero, sin * width / height, cos, zero], dim=1
        ).view(-1, 2, 3)
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        turned = F.grid_sample(
            images.to(torch.float32), grid.to(images.device), align_corners=False
        )
        return turned.to(images.dtype) if images.is_floating_point() else turned.round().byte()


@dataclass(frozen=True)
class Cutout:
    """Zero a square of `size` pixels about a random centre, clipped at the border.

    DeVries and Taylor (2017). On normalised images, as in training, zero is the mean colour.
    Draws: int64 N×2, the row and column of the centre.
    """

    size: int = 8

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """One centre an image."""
        chance = torch.rand(count, 2, generator=generator, device=generator.device)
        return torch.stack([chance[:, 0] * height, chance[:, 1] * width], dim=1).long()

    def apply(self, images: Tensor, centres: Tensor) -> Tensor:
        """N×C×H×W of any dtype; the same shape back."""
        inside = []
        for axis, length in enumerate(images.shape[-2:]):
            start = centres[:, axis : axis + 1] - self.size // 2
            position = torch.arange(length, device=images.device)
            inside.append((position >= start) & (position < start + self.size))
        hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        return images.masked_fill(hole, 0)


Step = Flip | Crop | CropAndFlip | Rotation | Cutout
KINDS: dict[str, Callable[[], Step]] = {
    "flip": Flip, "crop": Crop, "rotation": Rotation, "cutout": Cutout,
}  # fmt: skip


@dataclass(frozen=True)
class Augmentation:
    """Several augmentations, one after the other; none at all is the identity."""

    steps: tuple[Step, ...] = ()

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """N×C×H×W to the same shape and dtype; draws come from `generator`."""
        height, width = images.shape[-2:]
        for step in self.steps:
            draws = step.draw(len(images), height, width, generator)
            images = step.apply(images, draws.to(images.device))
        return images

    def split(self) -> tuple[Augmentation, Augmentation]:
        """The first steps that only move pixels, and the rest.

        Moves give the same result before and after normalisation, and before it, on uint8, they
        touch a quarter of the memory.
        """
        moves = tuple(itertools.takewhile(lambda step: isinstance(step, Flip | Crop), self.steps))
        rest = self.steps[len(moves) :]
        match moves:
            case (Crop() as crop, Flip() as flip):
                return Augmentation((CropAndFlip(crop, flip),)), Augmentation(rest)
        return Augmentation(moves), Augmentation(rest)


def build(names: str, padding: int = 4) -> Augmentation:
    """The augmentation called "none", or one or more of KINDS joined by "+": "crop+flip".

    Raises:
        ValueError: an unknown name; the message lists those that exist.
    """
    if names == "none":
        return Augmentation()
    chosen = names.split("+")
    for name in chosen:
        if name not in KINDS:
            raise ValueError(
                f"unknown augmentation {name!r} in {names!r}; there are: none, "
                f"{', '.join(KINDS)}, and several joined by '+' (crop+flip)"
            )
    return Augmentation(tuple(Crop(padding) if n == "crop" else KINDS[n]() for n in chosen))


def _gather(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Each image with its pixels taken from its rows N×H and columns N×W."""
    count, channels, _, width = images.shape
    index = torch.add(columns[:, None, :], rows[:, :, None], alpha=width).view(count, 1, -1)
    pixels = images.reshape(count, channels, -1)
    return pixels.gather(2, index.expand(-1, channels, -1)).view(images.shape)


@cache
def _reflected_windows(length: int, padding: int, device: torch.device) -> Tensor:
    """For each corner the positions 0 … length−1 that its window shows: int64 (2·padding+1)×length.

    Outside they are mirrored back in, the border itself not repeated.
    """
    corner = torch.arange(2 * padding + 1, device=device)[:, None]
    step, last = torch.arange(length, device=device), length - 1
    return last - (last - (corner + step - padding).abs()).abs()
