"""What all drawings are made of: a sheet without axes, boxes, numbers in cells, arrows, words.

Places are in the sheet's own units, x to the right and y downwards, so that a drawing reads like
the tensor it shows: row 0 on top.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor

from cifar_utils.plots.style import Look, require

Place = tuple[float, float]
Cell = tuple[int, int]

INK, FAINT, PAPER = "#222222", "#8a8a8a", "#f4f1ea"
BLUE, ORANGE, GREEN, RED, PURPLE = "#0173b2", "#de8f05", "#029e73", "#c0392b", "#7a3e9d"
WIDTH = 6.5  # inches: a phone shows it at two thirds, so words are 11 points or more
WORDS, NUMBERS = 11, 12


def sheet(columns: float, rows: float, *, title: str = "") -> tuple[Figure, Axes]:
    """An empty sheet of so many units, `WIDTH` inches wide; units are square."""
    height = WIDTH * rows / columns
    figure, ax = plt.subplots(figsize=(WIDTH, height + 0.4 * bool(title)), layout="constrained")
    edge = 0.01 * columns  # room for the outermost lines
    ax.set(xlim=(-edge, columns + edge), ylim=(rows + edge, -edge), aspect="equal")
    ax.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=12)
    return figure, ax


def box(
    ax: Axes, at: Place, size: Place, label: str = "", *, colour: str = PAPER, words: str = INK
) -> None:
    """A rectangle whose upper left corner is `at`, with a label in its middle."""
    ax.add_patch(Rectangle(at, *size, facecolor=colour, edgecolor=INK, linewidth=1.2))
    if label:
        write(ax, (at[0] + size[0] / 2, at[1] + size[1] / 2), label, colour=words)


def cells(
    ax: Axes,
    values: Tensor,
    at: Place,
    *,
    size: float = 1.0,
    form: Callable[[float], str] = "{:g}".format,
    marked: Collection[Cell] = (),
    colour: str = ORANGE,
    numbers: float = NUMBERS,
) -> None:
    """A matrix R×C as cells with their numbers; those in `marked` (row, column) are coloured."""
    require(values.ndim == 2, f"cells need a matrix R×C; got {tuple(values.shape)}")
    for row, line in enumerate(values.tolist()):
        for column, value in enumerate(line):
            corner = at[0] + column * size, at[1] + row * size
            face = colour if (row, column) in marked else "white"
            ax.add_patch(Rectangle(corner, size, size, facecolor=face, edgecolor=INK, lw=0.8))
            middle = corner[0] + size / 2, corner[1] + size / 2
            write(ax, middle, form(value), points=numbers)


def arrow(
    ax: Axes, start: Place, end: Place, label: str = "", *, colour: str = INK, width: float = 1.6
) -> None:
    """An arrow, its label above the middle."""
    look: Look = {"arrowstyle": "-|>", "mutation_scale": 14, "linewidth": width, "color": colour}
    ax.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))
    if label:
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        ax.annotate(label, middle, (0, 5), textcoords="offset points", ha="center", fontsize=WORDS)


def write(
    ax: Axes,
    at: Place,
    words: str,
    *,
    points: float = WORDS,
    colour: str = INK,
    side: str = "center",
    bold: bool = False,
) -> None:
    """Words about a place; `side` is the horizontal alignment: left, center or right."""
    weight = "bold" if bold else "normal"
    ax.text(*at, words, fontsize=points, color=colour, ha=side, va="center", fontweight=weight)
