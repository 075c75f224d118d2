"""What all figures share: the theme, the look of each variant, titles, legends, panels."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure

Colour = tuple[float, float, float]  # red, green and blue in [0, 1]
Look = dict[str, Any]  # what a line's drawing call takes: its color and its marker
Pair = tuple[float, float]

MARKERS = "oXs^DvP"  # seven, beside ten colours: seventy variants before a pair repeats


def use_style() -> None:
    """Set the theme of all figures: colour-blind-safe, and 80 dpi so that notebooks stay small.

    It begins from matplotlib's own defaults and font, so that no matplotlibrc of the reader's and
    no font of the system changes a figure. The backend stays as it is.
    """
    matplotlib.rcdefaults()
    sizes = {"figure.dpi": 80, "savefig.dpi": 80, "axes.titlesize": 11}
    theme = {"style": "whitegrid", "palette": "colorblind", "font_scale": 0.95}
    sns.set_theme(**theme, font="DejaVu Sans", rc=sizes)


def colours(names: Iterable[str]) -> dict[str, Colour]:
    """Give each name a colour (RGB in [0, 1]) by its place in the order; after ten they repeat.

    They are seaborn's colour-blind-safe ones, but for three that are too light for lines on white
    or too near to another.
    """
    palette = sns.color_palette("colorblind")
    palette[5], palette[6], palette[8] = (0.42, 0.25, 0.12), (0.45, 0.2, 0.6), (0.2, 0.2, 0.2)
    return dict(zip(dict.fromkeys(names), cycle(palette), strict=False))


def looks(names: Iterable[str], among: Iterable[str] | None = None) -> dict[str, Look]:
    """Give each name a colour and a marker, by its place in `among`, or else in `names`."""
    names = list(names)
    in_order = colours(names if among is None else among)
    pairs = zip(in_order.items(), cycle(MARKERS), strict=False)
    found = {name: {"color": colour, "marker": marker} for (name, colour), marker in pairs}
    unknown = sorted(set(names) - set(found))
    require(not unknown, f"{unknown} are not in `among`")
    return {name: found[name] for name in names}


def require(condition: object, message: str) -> None:
    """Raise ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def one_panel(title: str, size: Pair, **options: Any) -> tuple[Figure, Axes]:
    """A figure with its title and one panel; `options` are those of `panels`."""
    figure, axes = panels(title, size, 1, 1, **options)
    return figure, axes[0, 0]


def panels(
    title: str, size: Pair, rows: int, columns: int, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of `size` (inches) with its title, and its panels as an array, rows×columns.

    `options` are those of `plt.subplots`.
    """
    options = {"layout": "constrained"} | options
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    lines = (_wrapped(line, int(9 * size[0])) for line in title.splitlines())
    figure.suptitle("\n".join(lines), fontsize=12)
    return figure, axes


def say_if_empty(ax: Axes, sentence: str) -> None:
    """Write a sentence into the middle of a panel in which nothing that is finite was drawn."""
    if not np.isfinite(ax.dataLim.get_points()).all():
        look: Look = {"ha": "center", "va": "center", "backgroundcolor": "white"}
        ax.text(0.5, 0.5, sentence, transform=ax.transAxes, **look)


def _wrapped(line: str, width: int) -> str:
    """A title's line, broken where it is too long: if possible, before the brackets that end it."""
    head, bracket, tail = line.rpartition(" (")
    if bracket and len(line) > width > len(tail):
        return f"{textwrap.fill(head, width)}\n({tail}"
    return textwrap.fill(line, width)


def legend_below(
    figure: Figure, handles: Sequence[Artist | Container], title: str | None = None
) -> None:
    """Put a legend below the panels, in as many columns as fit, and make room for its rows."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = min(len(handles), max(1, int(11 * figure.get_figwidth() / (longest + 7))))
    rows = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + 0.25 * (rows - 1))  # the panels keep theirs
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=title)
