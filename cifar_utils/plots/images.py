"""Images: of a data set, augmented, wrongly classified, and with the pixels that matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from cifar_utils.data import Split
from cifar_utils.plots.style import one_panel, panels, require


def samples(split: Split, classes: Sequence[str], *, per_class: int = 8, title: str) -> Figure:
    """Draw the first `per_class` images of every class in `split`, one row a class."""
    labels = np.asarray(split.labels)
    rows = {}
    for number, name in enumerate(classes):
        first = np.flatnonzero(labels == number)[:per_class]
        rows[name] = as_images(split.images[first])
    return image_rows(rows, title)


def enlarged(image: Tensor, name: str, *, title: str) -> Figure:
    """Draw one image (3×H×W) large, pixel by pixel, with its name above it."""
    figure, ax = one_panel(title, (3.5, 3.9))
    ax.imshow(as_images(image[None])[0], interpolation="nearest")
    ax.set(title=name, xlabel="column (pixels)", ylabel="row (pixels)")
    ax.grid(False)
    return figure


def augmentations(grid: Mapping[str, Tensor], *, title: str) -> Figure:
    """Draw one row for each augmentation: its K draws, K×3×H×W."""
    return image_rows({name: as_images(draws) for name, draws in grid.items()}, title)


def mistakes(
    images: Tensor,
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    *,
    count: int = 10,
    title: str,
) -> Figure:
    """Draw the wrongly classified images the network was surest of, the surest first.

    `images` N×3×H×W, `labels` N, `probabilities` N×classes. Above each image stand its true and
    its predicted class and the latter's probability. Fewer than `count` if there are not as many.
    """
    labels, chances = np.asarray(labels), np.asarray(probabilities)
    n, width = len(images), len(classes)
    require(
        labels.shape == (n,) and chances.shape == (n, width),
        f"labels and probabilities must be {(n,)} and {(n, width)}; "
        f"got {labels.shape} and {chances.shape}",
    )
    require(((chances >= 0) & (chances < 1.0001)).all(), "apply softmax: not all are in [0, 1]")
    predicted, surest = chances.argmax(axis=1), chances.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-surest[wrong], kind="stable")][:count]
    if not len(wrong):
        title += f"\nno mistake among {n:,} images"
    columns, rows = min(5, max(1, len(wrong))), max(1, -(-len(wrong) // 5))
    figure, axes = panels(title, (max(6, 2.3 * columns), 2.5 * rows + 0.6), rows, columns)
    plt.setp(axes.flat, frame_on=False, xticks=[], yticks=[])
    for ax, place in zip(axes.flat, wrong, strict=False):
        ax.imshow(as_images(images[place][None])[0], interpolation="nearest")
        answer = f"{classes[labels[place]]} → {classes[predicted[place]]}"
        ax.set_title(f"{answer}\n{100 * surest[place]:.1f} %")
    return figure


def saliency(images: Tensor, strengths: Tensor, *, title: str) -> Figure:
    """Draw images N×3×H×W and below each how much its pixels matter: N×H×W, bright is much.

    Each map of strengths is rescaled to its own [0, 1].
    """
    expected, got = (len(images), *images.shape[2:]), tuple(strengths.shape)
    require(got == expected, f"need {expected}; got {got}")
    shades = shaded(rescaled(strengths), "inferno")
    return image_rows({"image": as_images(images), "strength": shades}, title)


def as_images(images: Tensor) -> np.ndarray:
    """N×3×H×W, uint8 or float, to N×H×W×3 floats in [0, 1]."""
    array = np.asarray(images)
    require(array.ndim == 4 and array.shape[1] == 3, f"images are N×3×H×W; got {array.shape}")
    array = array / 255 if array.dtype == np.uint8 else array
    require(((array >= 0) & (array <= 1)).all(), "images must be uint8 or floats in [0, 1]")
    return array.transpose(0, 2, 3, 1)


def rescaled(items: Tensor) -> Tensor:
    """Rescale each item to its own [0, 1]; one that is constant becomes 0.5."""
    flat = items.detach().cpu().float().flatten(1)
    low, high = torch.aminmax(flat, dim=1, keepdim=True)
    return ((flat - low) / (high - low)).nan_to_num(0.5).view_as(items)


def shaded(maps: Tensor, palette: str) -> np.ndarray:
    """Maps N×H×W in [0, 1] in the colours of a matplotlib colour map, N×H×W×3."""
    colours: np.ndarray = plt.get_cmap(palette)(maps.numpy())
    return colours[..., :3]  # without opacity


def image_rows(rows: Mapping[str, np.ndarray], title: str) -> Figure:
    """Draw each row's images (K×H×W×3 in [0, 1], one size for all) beside its name."""
    columns = max(map(len, rows.values()), default=0)
    require(columns, "there are no images to draw")
    height, width = next(iter(rows.values())).shape[1:3]
    gap = height // 12 + 1
    canvas = np.ones((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for top, images in zip(range(0, len(canvas), height + gap), rows.values(), strict=True):
        for left, image in zip(range(0, canvas.shape[1], width + gap), images, strict=False):
            canvas[top : top + height, left : left + width] = image
    side = 0.5 if len(rows) > 6 else 0.65  # inches of an image: many rows are drawn smaller
    size = (max(6, side * columns + 2), side * len(rows) + 0.8)
    figure, ax = one_panel(title, size, layout="compressed")
    ax.imshow(canvas, interpolation="nearest")
    centres = np.arange(len(rows)) * (height + gap) + (height - 1) / 2
    ax.set(yticks=centres, yticklabels=list(rows), xticks=[], frame_on=False)
    ax.grid(False)
    return figure
