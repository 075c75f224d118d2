"""Variants side by side: their runs, their differences, over sizes, over what a sweep varies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from cifar_utils import statistics
from cifar_utils.plots.style import legend_below, looks, one_panel, require, say_if_empty

FRACTIONS = ("accuracy", "precision", "recall", "f1", "roc_auc", "val_accuracy", "train_accuracy")
UNITS = dict.fromkeys(FRACTIONS, "%") | {
    "train_loss": "nats",
    "val_loss": "nats",
    "seconds": "s",
    "mcc": "−1 to 1",
    "parameters": "number",
}
VERDICTS: dict[str, dict[str, Any]] = {  # the words of `Comparison.verdict`, and their looks
    statistics.HIGHER: {"color": "#0173b2", "marker": "^"},
    statistics.LOWER: {"color": "#de8f05", "marker": "v"},
    statistics.EQUIVALENT: {"color": "#029e73", "marker": "s"},
    statistics.OPEN: {"color": "0.45", "marker": "o", "mfc": "white"},
}


def comparison(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    title: str,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw a dot for every run and, from two runs on, the mean with its 95 % t-interval.

    `frame` has one row a run with the columns variant, seed and `metric`, as from `records.load`;
    the variants stand in the frame's order. Runs without a finite value are counted beside n.
    `among` is that of `learning_curves`.
    """
    require({"variant", "seed"} <= set(frame) and len(frame), "need runs with variant and seed")
    known = sorted(frame.select_dtypes("number").columns.drop("seed", errors="ignore"))
    require(metric in known, f"unknown metric {metric!r}; there are: {', '.join(known)}")
    twice = frame.duplicated(["variant", "seed"]).any()
    require(not twice, "a variant has a seed twice; choose one notebook and one profile first")
    frame, unit = _finite(frame, metric)
    means = statistics.summary(frame.assign(notebook=""), metric).droplevel("notebook")
    each_look = looks(frame["variant"].unique(), among)
    figure, ax = one_panel(title, (10, 0.75 * len(each_look) + 1.7))
    ticks = []
    for place, (name, look) in enumerate(each_look.items()):
        dots = frame.loc[frame["variant"] == name, metric]
        n, lost = int(dots.count()), int(dots.isna().sum())
        ax.plot(dots, np.full(len(dots), place + 0.15), ls="", alpha=0.75, label=name, **look)
        if n > 1:
            mean, high = means["mean"][name], means["high"][name]
            _draw_mean(ax, mean, high - mean, place - 0.12, ".2f" if unit == "%" else ".4g")
        ticks.append(f"{name}\nn = {n}" + (f", {lost} without a value" if lost else ""))
    say_if_empty(ax, "no run has a value to draw")
    ax.set(yticks=range(len(ticks)), yticklabels=ticks, ylabel="variant")
    ax.set_ylim(len(ticks) - 0.5, -0.6)
    ax.set_xlabel(f"{metric} ({unit})\ndots: runs; bar: mean and 95 % t-interval")
    ax.margins(x=0.08)
    ax.grid(False, axis="y")
    return figure


def _draw_mean(ax: Axes, mean: float, half: float, height: float, decimals: str) -> None:
    """Draw a mean, half its interval to each side, and its number above."""
    ax.errorbar(mean, height, xerr=half, fmt="|", ms=12, capsize=4, color="0.15")
    ax.annotate(
        f"{mean:{decimals}}",
        (mean, height),
        xytext=(0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=10,
    )


def differences(
    groups: Mapping[str, Mapping[str, statistics.Comparison | None]], *, title: str
) -> Figure:
    """Draw each comparison's difference with its 95 % interval, a row a label, under headings.

    Colour and marker are the verdict on the comparison's b, from which a is taken. The interval is
    the one that the verdict is of: over seeds and test images where that is known, else over seeds.
    None has a row and nothing in it: it is not reported, or not yet.
    """
    every = [each for group in groups.values() for each in group.values() if each]
    require(any(groups.values()), "need a comparison")
    rows = sum(1 + len(group) for group in groups.values())
    figure, ax = one_panel(title, (11, 0.27 * rows + 1.7))
    ticks: list[str] = []
    for heading, group in groups.items():
        ticks.append(heading)
        for label, each in group.items():
            if each:
                _draw_difference(ax, each, len(ticks))
            ticks.append(label)
    ax.axvline(0, color="0.3", lw=1)
    ax.set_yticks(range(len(ticks)), ticks)
    for tick in ax.get_yticklabels():
        tick.set_fontweight("bold" if tick.get_text() in groups else "normal")
    ax.set_ylim(len(ticks) - 0.4, -0.6)
    ax.set_xlabel("first minus second, test accuracy (points)\nwith its 95 % interval")
    ax.grid(False, axis="y")
    kinds = [each.verdict for each in every]
    shown = [Line2D([], [], label=kind, **look) for kind, look in VERDICTS.items() if kind in kinds]
    if shown:
        legend_below(figure, shown)
    return figure


def _draw_difference(ax: Axes, each: statistics.Comparison, height: int) -> None:
    low, high = (each.wide.low, each.wide.high) if each.wide else (each.low, each.high)
    half = None if each.n < 2 else 100 * (high - low) / 2
    ax.errorbar(100 * each.difference, height, xerr=half, capsize=3, **VERDICTS[each.verdict])


def against_size(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    title: str,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw a metric against the number of training images: a dot a run, a line for the means.

    `frame` has one row a run with the columns variant, train_size and `metric`, as from
    `records.load`; sizes stand on a logarithmic scale. `among` is that of `learning_curves`.
    """
    needed = {"variant", "train_size", metric}
    require(needed <= set(frame) and len(frame), f"need runs with {sorted(needed)}")
    frame, unit = _finite(frame, metric)
    figure, ax = one_panel(title, (9, 4.3))
    for name, look in looks(frame["variant"].unique(), among).items():
        some = frame[frame["variant"] == name]
        ax.plot(some["train_size"], some[metric], ls="", ms=4, alpha=0.5, **look)
        ax.plot(some.groupby("train_size")[metric].mean(), ms=7, label=name, **look)
    say_if_empty(ax, "no run has a value to draw")
    sizes = sorted(frame["train_size"].unique())
    label = metric.replace("val_", "validation ").replace("_", " ")
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="training images (number, logarithmic scale)", ylabel=f"{label} ({unit})")
    legend_below(figure, ax.lines[1::2])
    return figure


def _finite(frame: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, str]:
    """The metric in its unit (fractions in percent), NaN where it isn't finite; and the unit."""
    unit = UNITS.get(metric, "no unit")
    values = frame[metric].astype(float).replace([np.inf, -np.inf], np.nan)
    return frame.assign(**{metric: values * (100 if unit == "%" else 1)}), unit


def sweep(frame: pd.DataFrame, names: Sequence[str], *, title: str) -> Figure:
    """Draw validation accuracy against the first numeric parameter that varies, or the first one.

    `frame` has a row a run with the columns `names`, variant, seed and val_accuracy (a fraction).
    Whatever else varies has the colours. A numeric axis is logarithmic where its values span more
    than a decade (linear from 0 to the least of them). Bars are standard deviations over seeds;
    where there are several, variants stand a little apart.
    """
    varying = [name for name in [*names, "variant"] if frame[name].nunique() > 1] or [names[0]]
    numeric = [name for name in varying if pd.api.types.is_any_real_numeric_dtype(frame[name])]
    x = (numeric or varying)[0]
    others = [name for name in varying if name != x] or ["variant"]
    series = frame[others].astype(str).agg(", ".join, axis=1)
    values = sorted(frame[x].unique()) if numeric else list(frame[x].unique())
    places = np.array(values if numeric else range(len(values)), dtype=float)
    figure, ax = one_panel(title, (9, 4.6))
    scaled = _scale_to(ax, places)
    each_look = looks(series)
    several = bool(frame.groupby([series, x]).size().max() > 1)
    for turn, (name, look) in enumerate(each_look.items()):
        rows = frame[series == name].dropna(subset="val_accuracy")
        aside = _aside(ax, places, turn - (len(each_look) - 1) / 2 if several else 0)
        at, percent = rows[x].map(dict(zip(values, aside, strict=True))), 100 * rows.val_accuracy
        ax.plot(at, percent, ls="", ms=4, alpha=0.45, **look)
        points = percent.groupby(at).agg(["mean", "std", "count"])
        ends = sorted(points["count"].iloc[[0, -1]]) if len(points) else [0]
        n = "–".join(dict.fromkeys(map(str, ends)))
        mean, std = points["mean"], points["std"]
        line, label = "-" if numeric else "", f"{name} (n = {n})"
        ax.errorbar(points.index, mean, std, label=label, ls=line, ms=8, capsize=4, **look)
    say_if_empty(ax, "no run has a value to draw")
    ax.set_xticks(places, [f"{value:g}" if numeric else str(value) for value in values])
    ax.set(xlabel=x + scaled, ylabel="validation accuracy (%)")
    ax.margins(x=0.08)
    handles = ax.get_legend_handles_labels()[0]
    marks = "small: runs, bar: mean ± std over seeds" if several else "a marker is a run"
    legend_below(figure, handles, f"{', '.join(others)}; {marks}")
    return figure


def _scale_to(ax: Axes, places: np.ndarray) -> str:
    """Make the axis logarithmic where the places span more than a decade; what to say of it."""
    positive = places[places > 0]
    if places.min() < 0 or len(positive) < 2 or positive.max() <= 10 * positive.min():
        return ""
    if places.min() > 0:
        ax.set_xscale("log")
    else:
        ax.set_xscale("symlog", linthresh=positive.min())
    ax.xaxis.set_minor_locator(NullLocator())
    return " (logarithmic scale)"


def _aside(ax: Axes, places: np.ndarray, turn: float) -> np.ndarray:
    """Places moved a little along the axis, whatever its scale, so that bars stay apart."""
    scale = ax.xaxis.get_transform()
    along = scale.transform(places)
    return scale.inverted().transform(along + 0.012 * turn * (np.ptp(along) or 1))
