"""How a network does class by class, how often it confuses them, and how sure it may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cifar_utils import metrics
from cifar_utils.plots.style import (
    legend_below,
    looks,
    one_panel,
    panels,
    require,
    say_if_empty,
)


def confusion_matrix(confusion: ArrayLike, classes: Sequence[str], *, title: str) -> Figure:
    """Draw the counts: one row a true class, one column a predicted class.

    A run that was not tested, or diverged, has none (an empty list): then the figure says so.
    """
    counts, side = np.asarray(confusion), len(classes)
    if not counts.size:
        figure, ax = one_panel(title, (6.8, 5.5))
        say_if_empty(ax, "the run was not tested: there are no counts")
        ax.set(xticks=[], yticks=[], xlabel="predicted class", ylabel="true class")
        return figure
    require(counts.shape == (side, side), f"need a matrix {side}×{side}; got {counts.shape}")
    figure, ax = one_panel(title, (6.8, 5.5))
    sns.heatmap(
        counts,
        annot=True,
        fmt="d" if counts.dtype.kind in "iu" else ".1f",
        ax=ax,
        cmap="Blues",
        # The square root gives the mistakes, few beside the right answers, colours of their own.
        norm=PowerNorm(0.5, vmin=0),
        square=True,
        annot_kws={"size": 9},
        cbar_kws={"label": "images (number, square-root scale)"},
    )
    for text, share in zip(ax.texts, np.sqrt(counts / max(counts.max(), 1)).flat, strict=True):
        text.set_color("white" if share > 0.65 else "0.15")
    ax.set_xticks(ax.get_yticks(), classes, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(ax.get_yticks(), classes, rotation=0)
    ax.set(xlabel="predicted class", ylabel="true class")
    return figure


def reliability_diagram(
    tables: Mapping[str, pd.DataFrame], *, title: str, among: Iterable[str] | None = None
) -> Figure:
    """Draw accuracy against confidence, and how the answers spread over the confidences.

    `tables` holds one of `metrics.reliability` for each variant, all with the same bins. The
    legend gives the expected calibration error: the mean distance from the diagonal. `among` is
    that of `learning_curves`.
    """
    require(tables, "there are no tables to draw")
    needed = {"count", "confidence", "accuracy"}
    require(all(needed <= set(table) for table in tables.values()), f"tables need {needed}")
    figure, ((left, right),) = panels(title, (11, 5), 1, 2)
    left.axline((0, 0), slope=1, color="0.4", ls=":")
    for name, look in looks(tables, among).items():
        table, shares = tables[name], tables[name]["count"] / tables[name]["count"].sum()
        some = 100 * table.dropna(subset=["accuracy"])
        label = f"{name}: expected calibration error {100 * metrics.calibration_error(table):.1f} %"
        left.plot(some["confidence"], some["accuracy"], label=label, **look)
        edges = np.linspace(0, 100, len(table) + 1)
        right.stairs(100 * shares, edges, color=look["color"], lw=2)
    left.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence (%)", ylabel="accuracy (%)")
    left.set_title("dotted: confidence and accuracy are equal")
    right.set(xlim=(0, 100), xlabel="confidence (%)", ylabel="share of the answers (%)")
    legend_below(figure, left.lines[1:])
    return figure
