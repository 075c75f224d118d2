"""Drawings of notebook 01: splits, channels, a sliding kernel, the loss, four kinds of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from cifar_utils.plots.drawings.canvas import (
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    RED,
    arrow,
    box,
    cells,
    sheet,
    write,
)
from cifar_utils.plots.style import require

TINTS = {"training": "#cfe3f2", "validation": "#fbe3bf", "test": "#cdeee2"}


def splits(sizes: Mapping[str, int], uses: Mapping[str, str]) -> Figure:
    """The splits as boxes, a larger one wider, and below each what it is used for."""
    total = sum(sizes.values())
    figure, ax = sheet(14, 2.6)
    left = 0.0
    for name, size in sizes.items():
        wide = 3.2 + 3.6 * size / total
        box(ax, (left, 0), (wide, 1.5), f"{name}\n{size:,}", colour=TINTS.get(name, "white"))
        write(ax, (left + wide / 2, 2.1), uses[name])
        left += wide + 0.4
    return figure


def channels(image: Tensor) -> Figure:
    """An image (uint8 3×H×W) and its three channels, each in shades of its own colour."""
    require(image.ndim == 3 and len(image) == 3, f"needs 3×H×W; got {tuple(image.shape)}")
    figure, ax = sheet(15.2, 4.4)
    pixels = image.permute(1, 2, 0).numpy()
    _paste(ax, pixels, (0, 0.8), 3.2)
    write(ax, (1.6, 0.4), "image", bold=True)
    arrow(ax, (3.4, 2.4), (4.6, 2.4))
    for place, colour in enumerate((RED, GREEN, BLUE)):
        left = 4.8 + 3.5 * place
        alone = np.zeros_like(pixels)
        alone[..., place] = pixels[..., place]
        _paste(ax, alone, (left, 0.8), 3.2)
        write(ax, (left + 1.6, 0.4), f"image[{place}]", colour=colour, bold=True)
        middle = int(image[place, image.shape[1] // 2, image.shape[2] // 2])
        write(ax, (left + 1.6, 4.25), f"middle: {middle}", colour=FAINT)
    return figure


def sliding_kernel(x: Tensor, kernel: Tensor, place: tuple[int, int]) -> Figure:
    """A kernel on an input at one place (row, column): products, their sum, and where it goes."""
    require(x.ndim == kernel.ndim == 2, "input and kernel must be matrices")
    y = F.conv2d(x[None, None], kernel[None, None])[0, 0]
    rows, columns = kernel.shape
    top, left = place
    require(
        0 <= top < y.shape[0] and 0 <= left < y.shape[1],
        f"the kernel does not fit at {place}; the output is {y.shape[0]}×{y.shape[1]}",
    )
    figure, ax = sheet(x.shape[1] + columns + y.shape[1] + 3, x.shape[0] + 2.2)
    window = [(top + r, left + c) for r in range(rows) for c in range(columns)]
    write(ax, (x.shape[1] / 2, 0.5), "x", bold=True)
    cells(ax, x, (0, 1), marked=window, colour=TINTS["training"])
    at = x.shape[1] + 1.0
    write(ax, (at + columns / 2, 1.5), "kernel", bold=True)
    cells(ax, kernel, (at, 2), colour=TINTS["validation"])
    write(ax, (at - 0.5, 2 + rows / 2), "·", points=18, bold=True)
    end = at + columns
    arrow(ax, (end + 0.2, 2 + rows / 2), (end + 1.3, 2 + rows / 2))
    write(ax, (end + 1.6 + y.shape[1] / 2, 1.5), "y", bold=True)
    cells(ax, y, (end + 1.6, 2), marked=[place], colour=ORANGE)
    products = (x[top : top + rows, left : left + columns] * kernel).flatten().tolist()
    terms = " ".join(f"{value:+g}" for value in products if value)
    say = f"y[{top}, {left}] = {terms or '0'} = {y[place].item():g}"
    write(ax, (0, x.shape[0] + 1.7), say, side="left")
    return figure


def loss_bars(z: Tensor, names: Sequence[str], target: int) -> Figure:
    """Logits, the probabilities that softmax makes of them, and the loss at the true class."""
    require(z.shape == (len(names),), f"{len(names)} logits are needed; got {tuple(z.shape)}")
    p = z.softmax(0)
    figure, ax = sheet(13, 1.2 * len(names) + 2.2)
    for title, left in (("z", 3.4), ("p = softmax(z)", 7.6)):
        write(ax, (left, 0.4), title, bold=True)
    for row, (name, logit, chance) in enumerate(zip(names, z.tolist(), p.tolist(), strict=True)):
        top = 1 + 1.2 * row
        colour = TINTS["test"] if row == target else "#e8e8e8"
        write(ax, (0, top + 0.45), name, side="left", bold=row == target)
        write(ax, (3.4, top + 0.45), f"{logit:g}")
        box(ax, (5.0, top), (5.5 * chance, 0.9), colour=colour)
        write(ax, (5.2 + 5.5 * chance, top + 0.45), f"{chance:.3f}", side="left")
    loss = -p[target].log().item()
    say = f"loss = −ln {p[target].item():.3f} = {loss:.3f} nats"
    write(ax, (0, 1.2 * len(names) + 1.6), say, side="left", colour=GREEN, bold=True)
    return figure


def gradient_of_the_logits(z: Tensor, names: Sequence[str], target: int) -> Figure:
    """p − y for each class, and which way a step moves each logit."""
    gradient = z.softmax(0) - F.one_hot(torch.tensor(target), len(names))
    figure, ax = sheet(12, 1.2 * len(names) + 1.2)
    write(ax, (6, 0.4), "p − y", bold=True)
    write(ax, (10, 0.4), "the step", bold=True)
    for row, (name, value) in enumerate(zip(names, gradient.tolist(), strict=True)):
        top = 1 + 1.2 * row
        write(ax, (0, top + 0.45), name, side="left", bold=row == target)
        write(ax, (6, top + 0.45), f"{value:+.3f}".replace("-", "−"))
        up, colour = (-1, GREEN) if value < 0 else (1, RED)
        reach = min(1.1, 0.2 + 3 * abs(value))
        middle = top + 0.45
        arrow(ax, (10, middle - up * reach / 2), (10, middle + up * reach / 2), colour=colour)
    return figure


def four_boxes(truth: ArrayLike, called: ArrayLike, name: str) -> Figure:
    """How often a class (bool N) was called so (bool N): TP, FN, FP, TN, with their counts."""
    true, said = np.asarray(truth, bool), np.asarray(called, bool)
    require(true.shape == said.shape, f"shapes differ: {true.shape} and {said.shape}")
    figure, ax = sheet(12, 5)
    write(ax, (5.6, 0.4), f"called a {name}", bold=True)
    write(ax, (9.6, 0.4), "called something else", bold=True)
    for row, (label, is_it) in enumerate(((f"is a {name}", true), ("is something else", ~true))):
        top = 1 + 1.9 * row
        write(ax, (0, top + 0.8), label, side="left", bold=True)
        for column, (word, was) in enumerate((("P", said), ("N", ~said))):
            right = (row == 0) == (column == 0)
            count = int((is_it & was).sum())
            corner = (3.8 + 4.0 * column, top)
            colour = TINTS["test"] if right else "#f6d5d0"
            box(ax, corner, (3.6, 1.6), f"{'T' if right else 'F'}{word} = {count}", colour=colour)
    return figure


def _paste(ax: Axes, pixels: np.ndarray, at: tuple[float, float], size: float) -> None:
    extent = (at[0], at[0] + size, at[1] + size, at[1])
    ax.imshow(pixels, extent=extent, interpolation="nearest", zorder=2)
    ax.set_aspect("equal")
