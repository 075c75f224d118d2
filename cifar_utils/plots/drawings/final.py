"""Drawings of notebook 07: a recipe as stairs, a network as boxes, and what its recipe consists of.

The learning rate's rise and fall, a weight that decays, a smoothed target, what a unit sees, six
views of an image, what each choice is worth.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cifar_utils.plots.drawings.canvas import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RED,
    WIDTH,
    WORDS,
    Place,
    arrow,
    box,
    sheet,
    write,
)
from cifar_utils.plots.style import require
from cifar_utils.statistics import EQUIVALENT, HIGHER, LOWER, Comparison

TINTS = ("#e8e8e8", "#cfe3f2", "#fbe3bf", "#cdeee2", "#e6dcf2")
MINUS = str.maketrans("-", "−")


def stairs(accuracies: Mapping[str, float]) -> Figure:
    """Accuracies (fractions) of one recipe after another as a flight of stairs, with each rise."""
    require(len(accuracies) > 1, "stairs need two accuracies or more")
    values = [100 * value for value in accuracies.values()]
    low, high = min(values), max(values)
    require(high > low, "the accuracies are all the same")
    figure, ax = sheet(4 * len(values), 9.2)
    heights = [7.0 - 5.6 * (value - low) / (high - low) for value in values]
    for place, (name, value) in enumerate(accuracies.items()):
        left, top = 4 * place, heights[place]
        step = (3.9, 7.6 - top)
        ax.add_patch(Rectangle((left, top), *step, facecolor=TINTS[place % 5], edgecolor="none"))
        ax.plot([left, left + 3.9], [top, top], color=INK, linewidth=2.5, solid_capstyle="butt")
        write(ax, (left + 1.95, top - 0.5), f"{100 * value:.2f} %", bold=True, points=13)
        write(ax, (left + 1.95, 8.4), name)
        if place:
            rise = values[place] - values[place - 1]
            middle = (heights[place - 1] + top) / 2
            arrow(ax, (left + 0.25, heights[place - 1]), (left + 0.25, top), colour=GREEN)
            say = f"{rise:+.2f}".translate(MINUS)
            write(ax, (left + 0.55, middle + 0.1), say, side="left", colour="#00694d")
    return figure


def walk(table: pd.DataFrame, image: tuple[int, int, int] = (3, 32, 32)) -> Figure:
    """A network as boxes, from `models.layer_table`: one for each block and each linear layer.

    A block ends with its pooling. Squares grow with the rows of the maps, more sheets are more
    channels. Below: the shape, and the parameters of all layers since the last box.
    """
    require({"layer", "output shape", "parameters"} <= set(table), "needs a table of layers")
    stages: list[tuple[str, list[int], int]] = [("image", list(image), 0)]
    count = 0
    for _, row in table.iterrows():
        count += int(row["parameters"])
        if "Pool" in row["layer"] or row["layer"].startswith("Linear"):
            shape = json.loads(row["output shape"])[1:]
            kind = "linear" if row["layer"].startswith("Linear") else "block"
            number = 1 + sum(name.startswith(kind) for name, _, _ in stages)
            stages.append((f"{kind} {number}", shape, count))
            count = 0
    figure, ax = sheet(2.75 * len(stages), 6.2)
    for place, (name, shape, parameters) in enumerate(stages):
        middle = 2.75 * place + 1.3
        _maps(ax, (middle, 2.0), shape, TINTS[1 if len(shape) > 1 else 2], image[1])
        write(ax, (middle, 4.2), name, bold=True)
        write(ax, (middle, 4.9), "×".join(map(str, shape)))
        if place:
            write(ax, (middle, 5.6), f"{parameters:,}", colour="#5f5f5f")
            arrow(ax, (middle - 1.62, 2.0), (middle - 1.12, 2.0), width=1.2)
    return figure


def schedules(rates: Mapping[str, Sequence[float]]) -> Figure:
    """The learning rate of each step, a line a schedule, its name at the line."""
    require(rates and all(len(each) > 1 for each in rates.values()), "there are no steps to draw")
    figure, ax = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    styles = zip((FAINT, ORANGE, BLUE, PURPLE), ("--", "-.", "-", ":"), strict=True)
    for (name, each), (colour, line) in zip(rates.items(), styles, strict=False):
        ax.plot(each, color=colour, ls=line, lw=2.5, label=name)
    ax.set_xlabel("step", fontsize=WORDS)
    ax.set_ylabel("lr", fontsize=WORDS)
    ax.tick_params(labelsize=WORDS)
    ax.legend(fontsize=WORDS, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    ax.set_ylim(0, 1.05 * max(max(each) for each in rates.values()))
    return figure


def decay(gradients: Mapping[str, float], lr: float, weight_decay: float, steps: int) -> Figure:
    """What weight decay makes of a weight of 1, step by step, for each constant gradient.

    w ← (1 − lr · weight_decay) · w − lr · gradient.
    """
    require(steps > 0, f"at least one step is needed; got {steps}")
    figure, ax = sheet(2 * steps + 2, 3.6 * len(gradients))
    for row, (name, gradient) in enumerate(gradients.items()):
        top, weight = 3.6 * row, 1.0
        write(ax, (0, top + 0.4), name, side="left", bold=True)
        for step in range(steps + 1):
            height = 1.7 * max(weight, 0)
            box(ax, (2 * step + 0.2, top + 2.7 - height), (1.5, height), colour=TINTS[3 - row % 3])
            write(ax, (2 * step + 0.95, top + 3.1), f"{weight:.2f}".translate(MINUS))
            weight = (1 - lr * weight_decay) * weight - lr * gradient
    return figure


def targets(columns: Mapping[str, Tensor], classes: Sequence[str]) -> Figure:
    """Targets over the classes side by side, as bars with their numbers."""
    for name, target in columns.items():
        got = tuple(target.shape)
        require(got == (len(classes),), f"{name} needs {len(classes)} numbers; got {got}")
    figure, ax = sheet(4.5 + 7 * len(columns), len(classes) + 1.2)
    for row, name in enumerate(classes):
        write(ax, (0, row + 1.7), name, side="left")
    for place, (name, target) in enumerate(columns.items()):
        left = 4.5 + 7 * place
        write(ax, (left, 0.5), name, side="left", bold=True)
        for row, value in enumerate(target.tolist()):
            box(ax, (left, row + 1.3), (4.4 * value, 0.8), colour=TINTS[1 + place % 4])
            write(ax, (left + 4.4 * value + 0.2, row + 1.7), f"{value:.2f}", side="left")
    return figure


def seen_by(image: Tensor, corner: tuple[int, int], side: int) -> Figure:
    """An image (uint8 3×H×W) with the square that a unit sees, and that square enlarged.

    `corner` is its upper row and left column; what lies beyond the image is padding, drawn grey.
    """
    require(image.ndim == 3 and len(image) == 3, f"needs 3×H×W; got {tuple(image.shape)}")
    unit = 4.6 / image.shape[1]  # of one pixel
    top, left = corner
    above, below = unit * max(-top, 0), unit * max(top + side - image.shape[1], 0)
    figure, ax = sheet(12, 5.6 + above + below)
    _paste(ax, image, (0.4, 0.8 + above), 4.6)
    place = (0.4 + unit * left, 0.8 + above + unit * top)
    frame = Rectangle(place, unit * side, unit * side, fill=False, edgecolor=RED, linewidth=2.5)
    ax.add_patch(frame).set_zorder(3)
    arrow(ax, (5.3, 3.1 + above), (6.5, 3.1 + above))
    write(ax, (9.1, 0.3 + above), f"{side} × {side} pixels", bold=True)
    grey = Rectangle(
        (6.8, 0.8 + above), 4.6, 4.6, facecolor="#808080", edgecolor=RED, linewidth=2.5
    )
    ax.add_patch(grey)
    inside = image[:, max(top, 0) : top + side, max(left, 0) : left + side]
    large = 4.6 / side
    at = (6.8 + large * max(-left, 0), 0.8 + above + large * max(-top, 0))
    _paste(ax, inside, at, large * inside.shape[2])
    return figure


def six_views(views: Tensor, chances: Sequence[float]) -> Figure:
    """Six views of an image (uint8 6×3×H×W), the probability of its class from each, their mean."""
    require(len(views) == len(chances) == 6, f"six views are needed; got {len(views)}")
    figure, ax = sheet(15.2, 7.6)
    for column, shift in enumerate(("shift 0", "shift −1", "shift +1")):
        write(ax, (3.0 * column + 4.1, 0.3), shift, bold=True)
    for row, name in enumerate(("image", "mirrored")):
        write(ax, (0, 3.4 * row + 2.0), name, side="left", bold=True)
    for place, (view, chance) in enumerate(zip(views, chances, strict=True)):
        left, top = 3.0 * (place % 3) + 2.8, 3.4 * (place // 3) + 0.7
        _paste(ax, view, (left, top), 2.6)
        write(ax, (left + 1.3, top + 2.95), f"{chance:.2f}", bold=True)
    arrow(ax, (11.7, 3.9), (12.7, 3.9))
    write(ax, (14.0, 3.4), "mean")
    write(ax, (14.0, 4.2), f"{sum(chances) / 6:.2f}", bold=True, points=14)
    return figure


def worth(found: Mapping[str, Comparison]) -> Figure:
    """What each choice is worth: the paired difference with its 95 % interval, in points."""
    require(found, "there is no comparison to draw")
    figure, ax = plt.subplots(figsize=(WIDTH, 0.38 * len(found) + 0.9), layout="constrained")
    looks = {HIGHER: (BLUE, "^"), LOWER: (RED, "v"), EQUIVALENT: (GREEN, "s")}
    for row, each in enumerate(found.values()):
        middle, low, high = (100 * value for value in (each.difference, each.low, each.high))
        colour, marker = looks.get(each.verdict, ("#666666", "o"))
        ax.plot([low, high], [row, row], color=colour, lw=2)
        ax.plot([middle], [row], color=colour, marker=marker, ms=8, ls="")
        words = f"{middle:+.2f}".translate(MINUS)
        ax.annotate(words, (max(high, 0), row), (8, 0), textcoords="offset points", va="center",
                    fontsize=WORDS)  # fmt: skip
    ax.axvline(0, color=INK, lw=1)
    ax.set_yticks(range(len(found)), list(found), fontsize=WORDS)
    ax.tick_params(axis="x", labelsize=WORDS)
    ax.set_ylim(len(found) - 0.4, -0.6)
    ax.set_xlabel("points of test accuracy", fontsize=WORDS)
    low, high = ax.get_xlim()
    ax.set_xlim(low, high + 0.15 * (high - low))  # room for the last number
    ax.grid(False, axis="y")
    return figure


def _maps(ax: Axes, middle: Place, shape: Sequence[int], colour: str, rows: int) -> None:
    """Maps C×H×W as sheets one behind the other, a vector as a bar; both about `middle`."""
    if len(shape) == 1 or shape[1] == 1:
        height = 0.28 * math.log2(shape[0])
        box(ax, (middle[0] - 0.15, middle[1] - height / 2), (0.3, height), colour=colour)
        return
    side = 1.8 * shape[1] / rows + 0.2
    sheets = max(1, round(math.log2(shape[0])) - 1)
    for number in reversed(range(sheets)):
        away = 0.13 * (number - (sheets - 1) / 2)
        corner = (middle[0] - side / 2 + away, middle[1] - side / 2 - away)
        box(ax, corner, (side, side), colour=colour)


def _paste(ax: Axes, image: Tensor, at: Place, width: float) -> None:
    pixels = np.asarray(image.permute(1, 2, 0))
    height = width * pixels.shape[0] / pixels.shape[1]
    extent = (at[0], at[0] + width, at[1] + height, at[1])
    ax.imshow(pixels, extent=extent, interpolation="nearest", zorder=2)
    ax.set_aspect("equal")
