"""Drawings of notebook 03: what each pooling keeps of a window, of a place, of a moving signal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cifar_utils.plots.drawings.canvas import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    arrow,
    box,
    cells,
    sheet,
    write,
)
from cifar_utils.plots.style import require

TINTS = ("#cfe3f2", "#fbe3bf", "#cdeee2", "#e6dcf2")  # of the four windows
COLOURS = {"max": BLUE, "average": ORANGE, "strided": GREEN, "global": PURPLE}


def four_poolings(feature_map: Tensor, weights: Tensor) -> Figure:
    """A map of 4×4 in its four windows, and what each kind of pooling makes of it.

    `weights` are the four of the strided convolution, in the order of a window read row by row.
    """
    require(feature_map.shape == (4, 4), f"the map must be 4×4; got {tuple(feature_map.shape)}")
    require(weights.shape == (4,), f"four weights are needed; got {tuple(weights.shape)}")
    figure, ax = sheet(14, 9.2)
    write(ax, (2, 0.4), "feature_map", bold=True)
    _windows(ax, feature_map, (0, 1))
    batch = feature_map[None, None]
    outputs = {
        "max": F.max_pool2d(batch, 2),
        "average": F.avg_pool2d(batch, 2),
        "strided": F.conv2d(batch, weights.reshape(1, 1, 2, 2), stride=2),
        "global": F.adaptive_avg_pool2d(batch, 1),
    }
    corners = {"max": (6.5, 1), "average": (10.7, 1), "strided": (6.5, 5.6), "global": (10.7, 5.6)}
    for name, output in outputs.items():
        left, top = corners[name]
        write(ax, (left + 1.2, top - 0.6), name, bold=True, colour=COLOURS[name])
        cells(ax, output[0, 0], (left, top), size=1.2)
    arrow(ax, (4.3, 3), (6.2, 3))
    write(ax, (2, 6.1), "weights", bold=True)
    cells(ax, weights.reshape(2, 2), (1, 6.6))
    arrow(ax, (3.3, 7.6), (6.2, 7.0), colour=GREEN)
    return figure


def gradient_shares(feature_map: Tensor, weights: Tensor) -> Figure:
    """Where a gradient of 1 at every output arrives in the map, for max, average and strided."""
    require(feature_map.shape == (4, 4), f"the map must be 4×4; got {tuple(feature_map.shape)}")
    figure, ax = sheet(15.6, 5.4)
    kernel = weights.reshape(1, 1, 2, 2)
    poolings = {
        "max": lambda maps: F.max_pool2d(maps, 2),
        "average": lambda maps: F.avg_pool2d(maps, 2),
        "strided": lambda maps: F.conv2d(maps, kernel, stride=2),
    }
    for place, (name, pooling) in enumerate(poolings.items()):
        leaf = feature_map[None, None].clone().requires_grad_()
        pooling(leaf).sum().backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        gradient, left = leaf.grad[0, 0], 5.6 * place + 0.2
        reached = [(int(row), int(column)) for row, column in gradient.nonzero()]
        write(ax, (left + 2, 0.4), name, bold=True, colour=COLOURS[name])
        cells(ax, gradient, (left, 1), marked=reached, colour=TINTS[place], numbers=10)
    return figure


def moving_row(row: Tensor, steps: Sequence[int]) -> Figure:
    """A row of numbers moved by each of `steps`; below each window its maximum and its average."""
    require(row.ndim == 1 and len(row) % 2 == 0, "the row needs an even number of values")
    figure, ax = sheet(len(row) + 4.2, 3.6 * len(steps))
    for place, step in enumerate(steps):
        shifted, top = row.roll(step)[None], 3.6 * place + 0.1
        write(ax, (0, top + 0.5), f"moved by {step}", side="left", bold=True)
        cells(ax, shifted, (4, top), marked=[(0, int(c)) for c in shifted[0].nonzero()])
        for name, pool, down in (("max", F.max_pool1d, 1.1), ("average", F.avg_pool1d, 2.1)):
            write(ax, (0, top + down + 0.5), name, side="left", colour=COLOURS[name])
            for window, value in enumerate(pool(shifted[None], 2).flatten().tolist()):
                box(ax, (4 + 2 * window, top + down), (2, 0.9), f"{value:g}")
    return figure


def aliasing(signal: Tensor) -> Figure:
    """A signal with its every second value, and with those half a stride on."""
    require(signal.ndim == 1, f"the signal needs one dimension; got {tuple(signal.shape)}")
    figure, ax = sheet(len(signal) + 5.2, 5.4)
    for place, start in enumerate((0, 1)):
        top = 2.9 * place + 0.1
        marked = [(0, column) for column in range(start, len(signal), 2)]
        write(ax, (0, top + 0.5), "signal", side="left", bold=True)
        cells(ax, signal[None], (5, top), marked=marked, colour=TINTS[1])
        write(ax, (0, top + 1.8), f"signal[{start}::2]", side="left", bold=True)
        kept = signal[start::2][None]
        every = [(0, column) for column in range(kept.shape[1])]
        cells(ax, kept, (5, top + 1.3), marked=every, colour=TINTS[1])
    return figure


def kept_places(shapes: dict[str, tuple[int, int, int]]) -> Figure:
    """What reaches the first linear layer: for each kind one map, and how many numbers in all.

    `shapes` are channels, height and width of the last maps.
    """
    figure, ax = sheet(4.2 * len(shapes), 5.2)
    for place, (name, (channels, height, width)) in enumerate(shapes.items()):
        left, side = 4.2 * place + 0.5, 3.2 / max(height, width, 8)
        write(ax, (left + 1.6, 0.4), name, bold=True, colour=COLOURS.get(name, INK))
        blank = torch.zeros(height, width)
        top = 0.9 + (3.2 - height * side) / 2
        cells(ax, blank, (left + (3.2 - width * side) / 2, top), size=side, form=lambda _: "")
        write(ax, (left + 1.6, 4.5), f"{channels} × {height} × {width}")
        write(ax, (left + 1.6, 5.0), f"= {channels * height * width:,}", colour=FAINT)
    return figure


def _windows(ax: Axes, values: Tensor, at: tuple[float, float]) -> None:
    for row in range(2):
        for column in range(2):
            part = values[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            every = [(r, c) for r in range(2) for c in range(2)]
            place = at[0] + 2 * column, at[1] + 2 * row
            cells(ax, part, place, marked=every, colour=TINTS[2 * row + column])
