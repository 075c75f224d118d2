"""Inside a network: its filters, its tensors and their values, and how it answers a knob."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from cifar_utils.models import Shape
from cifar_utils.plots.images import as_images, image_rows, rescaled, shaded
from cifar_utils.plots.style import (
    colours,
    legend_below,
    looks,
    one_panel,
    panels,
    require,
    say_if_empty,
)


def filters(weight: Tensor, *, title: str) -> Figure:
    """Draw the filters of a first layer (out×3×k×k) in colour, each rescaled to [0, 1]."""
    shape, starts = tuple(weight.shape), range(0, len(weight), 8)
    require(len(shape) == 4 and shape[1] == 3, f"only filters out×3×k×k have colours; got {shape}")
    tiles = as_images(rescaled(weight))
    rows = {f"filters {i}–{min(i + 8, len(tiles)) - 1}": tiles[i : i + 8] for i in starts}
    return image_rows(rows, title)


def feature_maps(
    maps: Mapping[str, Tensor], image: Tensor, *, channels: int = 8, title: str
) -> Figure:
    """Draw the image (3×H×W), then for each layer its first `channels` maps.

    `maps` holds 1×C×H×W or C×H×W by layer. Each map is rescaled to its own [0, 1]: dark is its
    smallest value, bright its largest. Vectors (outputs of linear layers) are left out.
    """
    rows = {"input": as_images(torch.nn.functional.interpolate(image[None], 96))}
    for name, tensor in maps.items():
        layer = tensor[0] if tensor.ndim in (2, 4) and len(tensor) == 1 else tensor
        require(layer.ndim in (1, 3), f"{name} needs 1×C×H×W or C×H×W; got {tuple(tensor.shape)}")
        if layer.ndim == 3:
            enlarged = torch.nn.functional.interpolate(rescaled(layer[:channels])[None], 96)[0]
            rows[f"{name}\n{' × '.join(map(str, layer.shape))}"] = shaded(enlarged, "viridis")
    require(len(rows) > 1, "no layer gives maps of the shape 1×C×H×W or C×H×W")
    return image_rows(rows, title)


def shape_walk(table: pd.DataFrame, *, title: str, input_shape: Shape = (3, 32, 32)) -> Figure:
    """Draw the tensor after each layer as a box, from `models.layer_table`.

    A box's height is proportional to the tensor's rows (a vector has one), its width to the
    logarithm of its channels. Below: layer, shape, parameters and multiply-adds for one image.
    """
    needed = ["layer", "output shape", "parameters", "multiply_adds"]
    require(set(needed) <= set(table) and len(table), f"the table needs layers with {needed}")
    shapes = [list(input_shape), *(json.loads(text)[1:] for text in table["output shape"])]
    heights = np.array([shape[1] if len(shape) > 1 else 1 for shape in shapes])
    widths = np.log2([1 + shape[0] for shape in shapes])
    kinds, numbers = zip(*(name.split("-") for name in ["input-", *table["layer"]]), strict=True)
    sizes = [" × ".join(map(str, shape)) for shape in shapes]
    counts = [["", *map("{:,}".format, table[name])] for name in ("parameters", "multiply_adds")]
    labels = ["layer\nnumber\nshape\nparameters\nmultiply-adds"]
    labels += map("\n".join, zip(kinds, numbers, sizes, *counts, strict=True))
    shades = colours(["input", "Conv2d", "MaxPool2d", "Linear", "BatchNorm2d", *kinds])
    inches = max(0.98, 0.07 * max(map(len, kinds)))  # of one label
    figure, ax = one_panel(title, (inches * len(labels) + 0.3, 4.2))
    ax.bar(
        range(len(shapes)),
        heights,
        0.8 * widths / widths.max(),
        bottom=-heights / 2,
        color=[shades[kind] for kind in kinds],
        edgecolor="0.2",
    )
    ax.set_xticks(range(-1, len(shapes)), labels, fontsize=9)
    ax.set(xlim=(-1.5, len(shapes) - 0.5), yticks=[], frame_on=False)
    ax.set_ylim(-0.55 * heights.max(), 0.55 * heights.max())
    ax.set_xlabel("height: rows of the tensor (pixels); width: logarithm of its channels")
    ax.grid(False)
    return figure


def activation_histograms(
    activations: Mapping[str, Mapping[str, Tensor]],
    *,
    title: str,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw how each layer's outputs are spread: one row a variant, its layers from left to right.

    All panels share both axes, which span the middle 99 % of the widest; what is not finite is
    left out. Above each: the layer, and the mean ± standard deviation of its outputs. `among` are
    all variants of a comparison, which settle the colours.
    """
    finite = {
        (name, layer): tensor[tensor.isfinite()].detach().cpu().numpy()
        for name, layers in activations.items()
        for layer, tensor in layers.items()
    }
    require(finite, "there are no layers to draw")
    some = [array for array in finite.values() if len(array)] or [np.zeros(1)]
    ends = np.array([np.quantile(array, (0.005, 0.995)) for array in some])
    edges = np.linspace(ends.min(), ends.max() + 1e-9, 61)
    rows, columns = len(activations), max(map(len, activations.values()))
    size = (max(6, 2.7 * columns + 0.8), 2.2 * rows + 0.9)
    figure, axes = panels(title, size, rows, columns, sharex=True, sharey=True)
    for row, (name, look) in zip(axes, looks(activations, among).items(), strict=True):
        row[0].set_ylabel(f"{textwrap.fill(name, 20)}\nshare of outputs (%)")
        plt.setp(row[len(activations[name]) :], visible=False)
        for ax, layer in zip(row, activations[name], strict=False):
            array = finite[name, layer]
            if not len(array):
                ax.set_title(f"{layer}\nno finite output")
                continue
            shares = 100 * np.histogram(array, edges)[0] / len(array)
            ax.stairs(shares, edges, fill=True, color=look["color"])
            mean = f"{array.mean():z.2f}".replace("-", "−")
            ax.set_title(f"{layer}\n{mean} ± {array.std():.2f}")
    figure.supxlabel("output of the layer (no unit)", fontsize=11)
    return figure


def response(
    series: Mapping[str, Mapping[float, float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    log: bool = False,
    ceiling: float | None = None,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw what was measured at each value of a knob: a line for each name of `series`.

    `log` spaces the knob's values logarithmically. What is not finite, or above `ceiling`, stands
    at the top, hollow and off the line; `ceiling` is the end of the axis. `among` is that of
    `learning_curves`.
    """
    require(series and all(series.values()), "there are no values to draw")
    each_look = looks(series, among)
    figure, ax = one_panel(title, (9, 4.2))
    lost = {}
    for name, points in series.items():
        x, y = np.array(sorted(points.items()), dtype=float).T
        off = ~np.isfinite(y) | (y > (np.inf if ceiling is None else ceiling))
        ax.plot(x, np.where(off, np.nan, y), label=name, ms=7, **each_look[name])
        if off.any():  # a line without points would take room below the axes
            lost[name] = x[off]
    say_if_empty(ax, "no finite value to draw")
    bottom, top = ax.get_ylim()
    top = ceiling or top
    for name, x in lost.items():
        look = each_look[name] | {"mfc": "white", "ms": 10}
        ax.plot(x, np.full(len(x), top), ls="", clip_on=False, **look)
    ax.set(xlabel=f"{xlabel} (logarithmic scale)" if log else xlabel, ylabel=ylabel)
    ax.set_ylim(bottom, top)
    ax.set_xscale("log" if log else "linear")
    if not log and all(x == int(x) for points in series.values() for x in points):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, ax.lines[: len(series)])
    return figure
