"""Drawings of notebook 06: what changes an image and keeps its label, drawn by drawn."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cifar_utils.plots.drawings.canvas import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    arrow,
    box,
    cells,
    sheet,
    write,
)
from cifar_utils.plots.style import Look, require

TINT = "#cfe3f2"


def fan(image: Tensor, draws: Mapping[str, Tensor]) -> Figure:
    """An image (3×H×W in [0, 1]) on the left, and a row of its draws (K×3×H×W) for each kind."""
    require(image.ndim == 3, f"the image must be 3×H×W; got {tuple(image.shape)}")
    most = max(len(each) for each in draws.values())
    figure, ax = sheet(6.4 + 1.6 * most, 1.7 * len(draws) + 0.1)
    middle = 0.85 * len(draws)
    _paste(ax, image, (0, middle - 1.2), 2.4)
    for row, (name, changed) in enumerate(draws.items()):
        top = 1.7 * row + 0.1
        arrow(ax, (2.5, middle), (4.0, top + 0.75), width=1.0)
        write(ax, (4.2, top + 0.75), name, side="left", bold=True)
        for place, each in enumerate(changed):
            _paste(ax, each, (6.5 + 1.6 * place, top), 1.5)
    return figure


def mirrored(values: Tensor) -> Figure:
    """A matrix R×C, and the same with its columns read from the right; column 0 is marked."""
    require(values.ndim == 2, f"a matrix R×C is needed; got {tuple(values.shape)}")
    rows, columns = values.shape
    figure, ax = sheet(2 * columns + 3, rows + 1)
    first = [(row, 0) for row in range(rows)]
    last = [(row, columns - 1) for row in range(rows)]
    write(ax, (columns / 2, 0.5), "toy[0]", bold=True)
    cells(ax, values, (0, 1), marked=first, colour=TINT)
    arrow(ax, (columns + 0.5, 1 + rows / 2), (columns + 2.5, 1 + rows / 2), "flip")
    write(ax, (3 + 1.5 * columns, 0.5), "mirrored", bold=True)
    cells(ax, values.flip(1), (columns + 3, 1), marked=last, colour=TINT)
    return figure


def padded_window(values: Tensor, padding: int, corner: tuple[int, int]) -> Figure:
    """A matrix padded by reflection, the window at `corner` (row, column), and what it shows."""
    require(values.ndim == 2, f"a matrix R×C is needed; got {tuple(values.shape)}")
    (rows, columns), (top, left) = values.shape, corner
    largest = 2 * padding
    require(
        0 <= top <= largest and 0 <= left <= largest,
        f"the corner {corner} must lie in 0 … {largest} both ways",
    )
    padded = F.pad(values[None], [padding] * 4, mode="reflect")[0]
    window = padded[top : top + rows, left : left + columns]
    figure, ax = sheet(2 * columns + 2 * padding + 2.5, rows + 2 * padding + 1)
    inside = [(top + row, left + column) for row in range(rows) for column in range(columns)]
    write(ax, (padding + columns / 2, 0.5), "padded", bold=True)
    cells(ax, padded, (0, 1), marked=inside, colour=TINT)
    ax.plot(
        [padding, padding + columns, padding + columns, padding, padding],
        [1 + padding, 1 + padding, 1 + padding + rows, 1 + padding + rows, 1 + padding],
        color=RED,
        linewidth=2.5,
    )
    start = columns + 2 * padding
    arrow(ax, (start + 0.3, 1 + padding + rows / 2), (start + 2.0, 1 + padding + rows / 2))
    write(ax, (start + 2.4 + columns / 2, padding + 0.5), "window", bold=True)
    cells(ax, window, (start + 2.4, 1 + padding), colour=TINT)
    return figure


def draws_of_a_batch(flips: Mapping[str, Tensor]) -> Figure:
    """Which images of a batch were mirrored: a row of arrows for each way (bool N)."""
    count = max(len(each) for each in flips.values())
    figure, ax = sheet(count + 4.5, 1.4 * len(flips))
    for row, (name, mirrored_ones) in enumerate(flips.items()):
        top = 1.4 * row + 0.2
        write(ax, (0, top + 0.5), name, side="left", bold=True)
        for place, turned in enumerate(mirrored_ones.tolist()):
            left = 4.5 + place
            box(ax, (left, top), (0.9, 1), colour=TINT if turned else "white")
            ends = (left + 0.75, left + 0.15) if turned else (left + 0.15, left + 0.75)
            arrow(ax, (ends[0], top + 0.5), (ends[1], top + 0.5), width=1.2)
    return figure


def kept_label(image: Tensor, label: str) -> Figure:
    """A change that keeps its label, and one that does not: a photograph mirrored, a 6 turned."""
    figure, ax = sheet(10, 5.6)
    _paste(ax, image, (0.4, 0.2), 2.2)
    arrow(ax, (3.0, 1.3), (5.0, 1.3), "mirrored")
    _paste(ax, image.flip(2), (5.4, 0.2), 2.2)
    write(ax, (8.8, 1.3), f"{label}: kept", colour=GREEN, bold=True)
    for left, turn in ((0.4, 0), (5.4, 180)):
        box(ax, (left, 3.1), (2.2, 2.2), colour="white")
        middle: Look = {"ha": "center", "va": "center", "rotation_mode": "anchor"}
        ax.text(left + 1.1, 4.2, "6", fontsize=44, rotation=turn, color=BLUE, **middle)
    arrow(ax, (3.0, 4.2), (5.0, 4.2), "half turn")
    write(ax, (8.8, 4.2), "six: lost", colour=RED, bold=True)
    return figure


def two_arms(meant: Mapping[str, str], trained: Mapping[str, str]) -> Figure:
    """Which images each arm of a comparison reads: as it was meant, and as it was."""
    figure, ax = sheet(13, 5.6)
    for place, (title, arms) in enumerate((("meant", meant), ("trained", trained))):
        left = 7 * place
        write(ax, (left + 3, 0.4), title, bold=True)
        sources = list(dict.fromkeys(arms.values()))
        tops = {s: 1.2 + (4.2 / len(sources)) * (i + 0.5) - 0.7 for i, s in enumerate(sources)}
        for source, top in tops.items():
            box(ax, (left, top), (2.8, 1.4), source, colour=TINT)
        for row, (arm, source) in enumerate(arms.items()):
            top = 1.2 + 2.1 * row + 0.35
            box(ax, (left + 4.2, top), (1.8, 1.4), arm, colour="white")
            colour = ORANGE if len(sources) < len(arms) else GREEN
            arrow(ax, (left + 2.85, tops[source] + 0.7), (left + 4.15, top + 0.7), colour=colour)
    return figure


def _paste(ax: Axes, image: Tensor, at: tuple[float, float], size: float) -> None:
    pixels = image.permute(1, 2, 0).clamp(0, 1).to(torch.float32).numpy()
    extent = (at[0], at[0] + size, at[1] + size, at[1])
    ax.imshow(pixels, extent=extent, interpolation="nearest", zorder=2)
    ax.set_aspect("equal")
