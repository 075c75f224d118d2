"""How a network does class by class, how often it confuses them, and how sure it may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from cifar_utils import metrics
from cifar_utils.data import Split
from cifar_utils.plots.style import (
    colours,
    legend_below,
    looks,
    one_panel,
    panels,
    require,
    say_if_empty,
)

HATCHES = ("", "//", "..", "xx", "\\\\")


def class_balance(splits: Mapping[str, Split], classes: Sequence[str], *, title: str) -> Figure:
    """Draw how many pictures of each class each split has."""
    require(splits, "there are no splits to draw")
    counts = {}
    for name, split in splits.items():
        label = f"{name} ({len(split.labels):,} pictures)"
        counts[label] = np.bincount(split.labels, minlength=len(classes))
    found = max(map(len, counts.values()))
    require(found == len(classes), f"{len(classes)} classes, but a label {found - 1}")
    return _grouped_bars(pd.DataFrame(counts, index=list(classes)), "pictures (number)", title)


def per_class_bars(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw precision, recall and F1 of each class in percent, from `metrics.per_class`."""
    names = ["precision", "recall", "f1"]
    require(set(names) <= set(table), f"the table needs {names}; it has {list(table.columns)}")
    return _grouped_bars(100 * table[names], "score on the class (%)", title)


def accuracy_by_class(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw accuracies (fractions): a row of `table` a class, a column a way of looking."""
    values = table.to_numpy()
    fractions = (values >= 0) & (values <= 1)
    require(values.size and fractions.all(), "accuracies must be in 0 … 1")
    return _grouped_bars(100 * table, "right answers in the class (%)", title)


def _grouped_bars(table: pd.DataFrame, ylabel: str, title: str) -> Figure:
    """Bars in groups by the table's index (classes), one colour and hatch a column."""
    figure, ax = one_panel(title, (10, 4.2))
    table.plot.bar(ax=ax, width=0.8, legend=False, color=list(colours(table.columns).values()))
    for container, hatch in zip(ax.containers, cycle(HATCHES), strict=False):
        plt.setp(container, hatch=hatch, edgecolor="white")
    ax.set_xticks(range(len(table)), table.index, rotation=30, ha="right", rotation_mode="anchor")
    ax.grid(False, axis="x")
    ax.set(xlabel="class", ylabel=ylabel)
    legend_below(figure, ax.containers)
    return figure


def confusion_matrix(confusion: ArrayLike, classes: Sequence[str], *, title: str) -> Figure:
    """Draw the counts: one row a true class, one column a predicted class.

    A run that was not tested, or diverged, has none (an empty list): then the figure says so.
    """
    counts, side = np.asarray(confusion), len(classes)
    if not counts.size:
        figure, ax = one_panel(title, (9, 7.4))
        say_if_empty(ax, "the run was not tested: there are no counts")
        ax.set(xticks=[], yticks=[], xlabel="predicted class", ylabel="true class")
        return figure
    require(counts.shape == (side, side), f"need a matrix {side}×{side}; got {counts.shape}")
    figure, ax = one_panel(title, (9, 7.4))
    sns.heatmap(
        counts,
        annot=True,
        fmt="d" if counts.dtype.kind in "iu" else ".1f",
        ax=ax,
        cmap="Blues",
        # The square root gives the mistakes, few beside the right answers, colours of their own.
        norm=PowerNorm(0.5, vmin=0),
        square=True,
        annot_kws={"size": 10},
        cbar_kws={"label": "pictures (number, square-root scale)"},
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
