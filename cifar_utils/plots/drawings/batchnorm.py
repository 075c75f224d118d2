"""Drawings of notebook 02: what depth sees and costs, what BatchNorm averages, its two modes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from torch import Tensor, nn

from cifar_utils import models
from cifar_utils.plots.drawings.canvas import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RED,
    WIDTH,
    Place,
    arrow,
    box,
    cells,
    sheet,
    write,
)
from cifar_utils.plots.style import legend_below, looks, panels, require

SIGHT = (BLUE, GREEN, ORANGE, RED, PURPLE, INK)  # of the layers, first to last
TRAINED, EVALUATED = "#cfe3f2", "#fbe3bf"
SLICES = 5  # of a cube's depth, however many places there are
Statistics = tuple[float, float]


def two_against_one(channels: int) -> Figure:
    """Two 3×3 convolutions and one 5×5: the inputs that one output comes from, and the weights.

    The number in a cell says in how many ways it reaches the output. `channels` go in and out of
    each layer.
    """
    require(channels > 0, f"channels is {channels}; it must be at least 1")
    figure, ax = sheet(17, 11.4)
    for top, kernels in ((0.9, (3, 3)), (6.6, (5,))):
        layers = [nn.Conv2d(channels, channels, kernel, bias=False) for kernel in kernels]
        left, side = 0.1, sum(kernel - 1 for kernel in kernels) + 1
        field = f"field {side} × {side}"
        for place, kernel in enumerate((*kernels, 1)):
            paths = _paths(kernels[place:], side)
            name = "output" if place == len(kernels) else ("input" if place == 0 else "between")
            middle = top + 2.25
            write(ax, (left + 0.45 * side, middle - 0.45 * side - 0.45), name, colour=FAINT)
            every = [(row, column) for row in range(side) for column in range(side)]
            cells(ax, paths, (left, middle - 0.45 * side), size=0.9, marked=every, colour=TRAINED)
            left += 0.9 * side
            side -= kernel - 1
            if place < len(kernels):
                arrow(ax, (left + 0.1, middle), (left + 1.5, middle), f"{kernel} × {kernel}")
                left += 1.6
        weights = sum(layer.weight.numel() for layer in layers)
        write(ax, (17, top + 1.4), f"{weights:,} weights", side="right", bold=True)
        write(ax, (17, top + 2.3), field, side="right")
        write(ax, (17, top + 3.2), f"{len(layers)} × ReLU", side="right")
    return figure


def _paths(kernels: Sequence[int], side: int) -> Tensor:
    """In how many ways each of side×side cells reaches the one output, through all kernels."""
    leaf = torch.zeros(1, 1, side, side, requires_grad=True)
    output: Tensor = leaf
    for kernel in kernels:
        output = F.conv2d(output, torch.ones(1, 1, kernel, kernel))
    output.sum().backward()
    assert leaf.grad is not None
    return leaf.grad[0, 0]


def fields(image: Tensor, table: pd.DataFrame) -> Figure:
    """What one unit of each layer sees of an image (uint8 3×H×W), as a square about its middle.

    `table` is that of `models.receptive_field`.
    """
    require(image.ndim == 3 and len(image) == 3, f"need 3×H×W; got {tuple(image.shape)}")
    require(len(table), "there is no layer whose field could be drawn")
    side = image.shape[1]
    figure, ax = sheet(1.72 * side, 1.04 * side)
    picture = image.permute(1, 2, 0).float() / 255
    ax.imshow(0.5 + picture.numpy() / 2, extent=(0, side, side, 0), interpolation="nearest")
    ax.set(xlim=(-0.3, 1.72 * side), ylim=(1.03 * side, -0.3))
    write(ax, (1.08 * side, 0.09 * side), "one unit sees", side="left", bold=True)
    middle = side / 2
    for row, layer in reversed(list(enumerate(table.to_dict("records")))):
        corner = _corner(layer, middle)
        middle = (
            corner + layer["field"] / 2
        )  # of the layers before, the unit nearest to this middle
        colour, size = SIGHT[row % len(SIGHT)], (layer["field"], layer["field"])
        ax.add_patch(Rectangle((corner, corner), *size, fill=False, ec=colour, lw=2.2))
        words = f"{layer['layer']}: {layer['field']} × {layer['field']}"
        write(ax, (1.08 * side, (0.2 + 0.1 * row) * side), words, side="left", colour=colour)
    return figure


def _corner(layer: Mapping[Hashable, Any], middle: float) -> int:
    """The first row and column that a layer's unit sees, of the unit nearest to a place."""
    unit = round((middle - layer["field"] / 2 - layer["start"]) / layer["step"])
    return int(layer["start"] + unit * layer["step"])


def walk(model: nn.Module, input_shape: models.Shape = (3, 32, 32)) -> Figure:
    """The shapes on the way through a network: after each pooling, and of each linear layer.

    Height and depth of a box are the rows and columns of the maps, its width grows with the
    channels.
    """
    table = models.layer_table(model, input_shape)
    shown = table[table.layer.str.contains("Pool|Linear")]
    require(len(shown), "the network has neither pooling nor linear layer")
    names = ["image", *shown.layer.str.replace("-", "\n")]
    shapes = [input_shape, *(tuple(map(int, text.strip("[]").split(",")[1:])) for text in
                             shown["output shape"])]  # fmt: skip
    figure, ax = sheet(2.35 * len(shapes), 6.8)
    for place, (name, shape) in enumerate(zip(names, shapes, strict=True)):
        rows = shape[1] if len(shape) == 3 else 1
        height = max(3.2 * rows / input_shape[1], 0.15)
        width = 0.14 * float(np.log2(1 + shape[0]))
        middle = 2.35 * place + 1.1
        at = middle - width / 2 - 0.15 * height, 2.7 - height / 2
        _cuboid(ax, at, (width, height), 0.35 * height, TRAINED if rows > 1 else EVALUATED)
        write(ax, (middle, 5.2), name)
        write(ax, (middle, 6.4), "×".join(map(str, shape)), bold=True)
    return figure


def _cuboid(ax: Axes, at: Place, size: Place, depth: float, colour: str) -> None:
    """A box seen from the left and above: its front, its top and its right side."""
    (left, top), (width, height) = at, size
    back = (depth, -0.6 * depth)
    corners = {
        "front": [(0, 0), (width, 0), (width, height), (0, height)],
        "top": [(0, 0), (width, 0), (width + back[0], back[1]), back],
        "side": [
            (width, 0),
            (width + back[0], back[1]),
            (width + back[0], height + back[1]),
            (width, height),
        ],  # fmt: skip
    }
    for places in corners.values():
        moved = [(left + x, top + y) for x, y in places]
        ax.add_patch(Polygon(moved, facecolor=colour, edgecolor=INK, linewidth=1))


def averaged_over(batch: Tensor, channel: int = 0) -> Figure:
    """A batch N×C×H×W as a cube; shaded is what BatchNorm averages over for one channel.

    Beside each channel stand its mean and variance.
    """
    require(batch.ndim == 4, f"a batch is N×C×H×W; got {tuple(batch.shape)}")
    count, channels, height, width = batch.shape
    require(0 <= channel < channels, f"channel is {channel}; there are {channels}")
    figure, ax = sheet(15, 6.6)
    cell, left, top, slant = 1.1, 1.9, 1.9, 0.45
    for row in reversed(range(channels)):
        for place in range(count):
            for layer in reversed(range(SLICES)):
                at = left + cell * place + slant * layer, top + cell * row - 0.6 * slant * layer
                _cuboid(ax, at, (cell, cell), slant, ORANGE if row == channel else "white")
    bottom, right = top + cell * channels, left + cell * count
    write(ax, (left + cell * count / 2, bottom + 0.5), f"N = {count} images")
    write(ax, (left - 0.2, top - 0.6), f"C = {channels}\nchannels", side="right")
    write(ax, (right + 1.1, bottom + 0.1), f"H · W = {height * width:,} places", side="left")
    mean, variance = batch.mean((0, 2, 3)), batch.var((0, 2, 3), correction=0)
    edge = right + slant * SLICES + 0.4
    write(ax, (edge, 0.3), f"over {count * height * width:,} numbers:", side="left")
    for row in range(channels):
        words = f"mean[{row}] = {mean[row]:.2f}\nvariance[{row}] = {variance[row]:.2f}"
        height_of_row = top + cell * (row + 0.5) - 0.6 * slant * SLICES
        write(ax, (edge, height_of_row), words.replace("-", "−"), side="left", bold=row == channel)
    return figure


def two_modes(batch: Tensor, norm: nn.BatchNorm2d) -> Figure:
    """The same batch (N×1×H×W) through the same layer in training and then in evaluation mode.

    The layer is copied, and stays as it was.
    """
    require(batch.ndim == 4 and batch.shape[1] == 1, f"need N×1×H×W; got {tuple(batch.shape)}")
    norm = copy.deepcopy(norm)
    figure, ax = sheet(16, 12.6)
    before = _running(norm)
    with torch.no_grad():
        trained = norm.train()(batch)
        after = _running(norm)
        evaluated = norm.eval()(batch)
    own = batch.mean().item(), batch.var(correction=0).item()
    sides = (
        (0.2, "norm.train()", trained, ("mean", "variance"), own, TRAINED),
        (9.2, "norm.eval()", evaluated, ("running_mean", "running_var"), after, EVALUATED),
    )
    for left, name, output, names, numbers, colour in sides:
        write(ax, (left + 3.3, 0.5), name, bold=True)
        _images(ax, batch, (left, 1.2), "{:g}")
        arrow(ax, (left + 3.3, 4.0), (left + 3.3, 5.0))
        words = "\n".join(f"{name} {n:.4g}" for name, n in zip(names, numbers, strict=True))
        box(ax, (left, 5.1), (6.6, 1.9), words, colour=colour)
        arrow(ax, (left + 3.3, 7.1), (left + 3.3, 8.1))
        _images(ax, output, (left, 8.3), "{:.2f}")
    write(ax, (3.5, 11.2), f"running_mean {before[0]:.4g} → {after[0]:.4g}", colour=BLUE)
    write(ax, (3.5, 12.0), f"running_var {before[1]:.4g} → {after[1]:.4g}", colour=BLUE)
    write(ax, (12.5, 11.6), "running: unchanged", colour=BLUE)
    return figure


def _running(norm: nn.BatchNorm2d) -> Statistics:
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean.item(), norm.running_var.item()


def _images(ax: Axes, batch: Tensor, at: Place, form: str) -> None:
    """The only channel of each image, side by side, 6.6 units wide in all."""
    count, _, _, width = batch.shape
    size = (6.6 - 0.4 * (count - 1)) / (count * width)
    for place, image in enumerate(batch):
        corner = at[0] + place * (size * width + 0.4), at[1] + (2.6 - size * len(image[0])) / 2
        cells(ax, image[0], corner, size=min(size, 1.3), form=_minus(form), numbers=10)


def _minus(form: str) -> Callable[[float], str]:
    return lambda value: form.format(value).replace("-", "−")


def ranges(pixels: Mapping[str, Tensor]) -> Figure:
    """For each normalisation the range of its values, and mean ± standard deviation in it."""
    require(pixels, "there are no pixels to draw")
    ends = [(values.min().item(), values.max().item()) for values in pixels.values()]
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    figure, ax = sheet(16, 2.2 * len(pixels) + 0.9)

    def across(value: float) -> float:
        return 2.6 + 12.6 * (value - low) / (high - low)

    for row, (name, values) in enumerate(pixels.items()):
        middle, (first, last) = 2.2 * row + 1.1, ends[row]
        mean, spread = values.mean().item(), values.std().item()
        write(ax, (0.1, middle), name, side="left", bold=True)
        box(ax, (across(first), middle - 0.3), (across(last) - across(first), 0.6))
        wide = across(mean + spread) - across(mean - spread)
        box(ax, (across(mean - spread), middle - 0.3), (wide, 0.6), colour=TRAINED)
        ax.plot([across(mean)], [middle], "o", color=BLUE, ms=7)
        words = f"{mean:.2f} ± {spread:.2f}".replace("-", "−")
        write(ax, (across(mean), middle - 0.75), words)
        for value, side in ((first, "right"), (last, "left")):
            place = across(value) + (0.15 if side == "left" else -0.15), middle
            write(ax, place, f"{value:.1f}".replace("-", "−"), side=side, points=10, colour=FAINT)
    ax.plot([across(0)] * 2, [0.2, 2.2 * len(pixels) + 0.2], ls=":", color=INK, lw=1)
    write(ax, (across(0), 2.2 * len(pixels) + 0.5), "0")
    return figure


def modes(networks: Mapping[str, nn.Module], epochs: int = 3) -> Figure:
    """The mode that each network is in, as every epoch trains it and then evaluates it.

    The networks are copied, and stay as they were.
    """
    require(networks and epochs > 0, "need a network and an epoch")
    figure, ax = sheet(16, 3.2 * len(networks) + 1)
    width = 15.8 / epochs
    for epoch in range(epochs):
        write(ax, (0.1 + width * (epoch + 0.5), 0.4), f"epoch {epoch + 1}")
    for row, (name, network) in enumerate(networks.items()):
        network, top = copy.deepcopy(network), 3.2 * row + 1
        write(ax, (0.1, top + 0.5), name, side="left", bold=True)
        for epoch in range(epochs):
            for half, call in enumerate((network.train, network.eval)):
                call()
                colour, mode = (TRAINED, "training") if network.training else (EVALUATED, "eval")
                at = 0.1 + width * (epoch + half / 2), top + 1.1
                box(ax, at, (width / 2 - 0.15, 1.4), mode, colour=colour)
    return figure


def by_layer(
    gradients: Mapping[str, Mapping[str, Mapping[str, float]]],
    dead: Mapping[str, Mapping[str, Mapping[str, float]]],
    *,
    title: str,
    among: Sequence[str] | None = None,
) -> Figure:
    """Gradient norms and shares of dead ReLUs by layer: before training dashed, after it solid.

    Both are of the form moment → variant → layer → value; the first moment is drawn dashed.
    """
    require(gradients and dead, "there is nothing to draw")
    figure, ((left, right),) = panels(title, (WIDTH, 3.8), 1, 2)
    for ax, measured, scale in ((left, gradients, 1.0), (right, dead, 100.0)):
        for moment, (style, lines) in zip(("--", "-"), measured.items(), strict=True):
            for name, look in looks(lines, among).items():
                heights = [scale * value for value in lines[name].values()]
                fill = {} if moment == "-" else {"mfc": "white"}
                ax.plot(list(lines[name]), heights, ls=moment, label=f"{name}, {style}",
                        **look | fill)  # fmt: skip
    left.set(yscale="log", ylabel="norm of the gradient (log scale)")
    right.set(ylabel="dead ReLUs (%)", ylim=(-3, 103))
    legend_below(figure, left.lines)
    return figure
