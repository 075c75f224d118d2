"""How training went: loss, accuracy and learning rate against epochs and steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from cifar_utils.plots.style import (
    Look,
    legend_below,
    looks,
    one_panel,
    panels,
    require,
    say_if_empty,
)

Rows = Sequence[Mapping[str, Any]]  # a history as records keep it: a dict an epoch
History = pd.DataFrame | Sequence[pd.DataFrame | Rows]  # one run's, or one a seed


def learning_curves(
    histories: Mapping[str, History], *, title: str, among: Iterable[str] | None = None
) -> Figure:
    """Draw loss and accuracy against epochs, training dashed and validation solid.

    A variant has one history or a list of them (seeds; rows of dicts will do): then the line is
    their mean and the band spans the smallest to the largest. A run that breaks off (not finite,
    or shorter than the others) is counted in the legend and left out from there on. `among` names
    all variants where `histories` has some of them, so that these keep their looks.
    """
    require(histories, "there are no histories to draw")
    tables = {name: _by_epoch(name, history) for name, history in histories.items()}
    several = any(runs.shape[1] > 1 for table in tables.values() for runs in table.values())
    title += "\ndashed, hollow: training; solid, filled: validation"
    if several:
        title += "; line: mean of n seeds; band: smallest to largest"
    figure, ((left, right),) = panels(title, (12, 4.4), 1, 2)
    for name, look in looks(tables, among).items():
        losses = [tables[name]["train_loss"], tables[name]["val_loss"]]
        accuracies = [100 * tables[name][f"{split}_accuracy"] for split in ("train", "val")]
        for ax, (training, validation) in ((left, losses), (right, accuracies)):
            _mean_and_band(ax, training, name, several, look | {"ls": "--", "mfc": "white"})
            _mean_and_band(ax, validation, name, several, look | {"ls": "-"})
    epochs = max(runs.index.max() for table in tables.values() for runs in table.values())
    for ax, label in ((left, "loss (nats)"), (right, "accuracy (%)")):
        say_if_empty(ax, f"no finite {label.split()[0]} to draw")
        ax.set(xlabel="epoch", ylabel=label, xlim=(0.5, epochs + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if left.get_ylim()[1] > 50:  # else a run on its way to infinity flattens all the others
        left.set(yscale="log", ylabel="loss (nats, logarithmic scale)")
    legend_below(figure, left.lines[1::2])
    return figure


def loss_against_loss(histories: Mapping[str, pd.DataFrame], *, title: str) -> Figure:
    """Draw validation loss against training loss: a path a variant, an epoch a marker.

    The axis is turned round, so that training goes from left to right. On the dotted diagonal
    both are equal; above it lies the gap. One above the other, variants compare at equal training
    loss.
    """
    require(histories, "there are no histories to draw")
    figure, ax = one_panel(title, (9, 4.8))
    for name, look in looks(histories).items():
        table = _by_epoch(name, histories[name])
        ax.plot(table["train_loss"], table["val_loss"], label=name, ms=5, **look)
    legend_below(figure, ax.lines)
    say_if_empty(ax, "no finite loss to draw")
    ax.set(xlim=ax.get_xlim()[::-1], ylim=ax.get_ylim())  # of the paths, not of the diagonal
    ax.axline((0, 0), slope=1, color="0.4", ls=":")
    ax.set(xlabel="training loss (nats, falling to the right)", ylabel="validation loss (nats)")
    return figure


def loss_against_step(losses: Mapping[str, ArrayLike], *, title: str, log: bool = True) -> Figure:
    """Draw the loss after each step, from step 0 (the start); NaN and inf leave gaps."""
    require(losses, "there is no loss to draw")
    figure, ax = one_panel(title, (9, 4.3))
    for name, look in looks(losses).items():
        heights = np.array(losses[name], dtype=float)
        require(heights.ndim == 1 and len(heights), f"loss {name!r} needs one value a step")
        heights[~np.isfinite(heights)] = np.nan
        ax.plot(heights, label=name, ms=5, markevery=-(-len(heights) // 12), **look)
    say_if_empty(ax, "no finite loss to draw")
    ax.set(xlabel="step (number of updates)", yscale="log" if log else "linear")
    ax.set_ylabel("loss (logarithmic scale)" if log else "loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    legend_below(figure, ax.lines)
    return figure


def _by_epoch(name: str, history: History) -> dict[str, pd.DataFrame]:
    """For each metric a row an epoch and a column a run; NaN where there is no finite value."""
    each = [history] if isinstance(history, pd.DataFrame) else history
    runs = [pd.DataFrame(run) for run in each]
    needed = ["train_loss", "val_loss", "train_accuracy", "val_accuracy"]
    complete = runs and all(len(run) and {"epoch", *needed} <= set(run) for run in runs)
    require(complete, f"{name!r} needs histories of one epoch or more with epoch, {needed}")
    tables = {}
    for metric in needed:
        columns = [run.set_index("epoch")[metric].astype(float) for run in runs]
        tables[metric] = pd.concat(columns, axis=1, sort=True).replace([np.inf, -np.inf], np.nan)
    return tables


def _mean_and_band(ax: Axes, runs: pd.DataFrame, name: str, several: bool, look: Look) -> None:
    """Draw the mean of the runs (a column each) and the band from their smallest to their largest.

    With `several` the line's label counts the runs; those that break off it always counts.
    """
    n, broken = runs.shape[1], int(runs.isna().any().sum())
    label = name
    if several:
        label += f", n = {n}"
    if broken:
        label += f", {broken} of {n} breaks off"
    every = -(-len(runs) // 8)  # eight markers a line at most
    ax.plot(runs.mean(axis=1), label=label, ms=5, markevery=every, **look)
    if n > 1:
        smallest, largest = runs.min(axis=1), runs.max(axis=1)
        ax.fill_between(runs.index, smallest, largest, lw=0, color=look["color"], alpha=0.15)
