"""Drawings of notebook 05: masks, thinned networks, whole maps, over-fitting, and doubt."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from torch import Tensor, nn

from cifar_utils import metrics
from cifar_utils.plots.drawings.canvas import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    RED,
    WIDTH,
    WORDS,
    Place,
    box,
    cells,
    sheet,
    write,
)
from cifar_utils.plots.style import Look, require

KEPT, DROPPED, EVALUATED = "#cfe3f2", "#e8e8e8", "#fbe3bf"


def masked(x: Tensor, mask: Tensor, p: float) -> Figure:
    """Inverted dropout by hand: x (N) times a mask of zeros and ones, divided by 1 − p."""
    _check_share(p)
    require(x.ndim == 1, f"x must be N; got {tuple(x.shape)}")
    require(
        mask.shape == x.shape and set(mask.tolist()) <= {0, 1},
        f"the mask needs {len(x)} zeros or ones; got {mask.tolist()}",
    )
    y = x * mask / (1 - p)
    figure, ax = sheet(2 * len(x) + 8.4, 6.9)
    kept = [(0, place) for place, one in enumerate(mask.tolist()) if one]
    rows = {"x": x, "· mask": mask, f"/ (1 − {p:g})  =  y": y}
    for row, (name, values) in enumerate(rows.items()):
        top = 2.3 * row + 0.3
        write(ax, (0, top + 0.8), name, side="left", bold=True)
        _row(ax, values, (6.2, top), kept if row else ())
        if name != "· mask":
            _sum(ax, values, (6.6 + 2 * len(x), top + 0.8))
    return figure


def _sum(ax: Axes, values: Tensor, at: Place) -> None:
    write(ax, at, f"sum {_short(values.sum().item())}", side="left", colour=FAINT)


def _row(ax: Axes, values: Tensor, at: Place, marked: Sequence[tuple[int, int]] = ()) -> None:
    """Numbers (N) in cells of 2 by 1.6 units."""
    chosen = {column for _, column in marked}
    for place, value in enumerate(values.tolist()):
        colour = KEPT if place in chosen else "white"
        box(ax, (at[0] + 2 * place, at[1]), (2, 1.6), _short(value), colour=colour)


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def thinned(sizes: Sequence[int], p: float, seed: int = 0) -> Figure:
    """One network at three training steps, with other units out, and in evaluation mode.

    `sizes` are the units of three layers; dropout stands after the first. In a unit stands what
    nn.Dropout multiplies it by.
    """
    _check_share(p)
    require(len(sizes) == 3 and min(sizes) > 0, f"three layers are needed; got {list(sizes)}")
    layer = nn.Dropout(p)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        panels = [(f"step {step}", layer.train()(torch.ones(sizes[0]))) for step in (1, 2, 3)]
        panels.append(("model.eval()", layer.eval()(torch.ones(sizes[0]))))
    tall = max(sizes)
    figure, ax = sheet(16, 2 * tall + 2.6)
    for place, (name, scale) in enumerate(panels):
        left, top = 8.4 * (place % 2), (tall + 1.5) * (place // 2)
        write(ax, (left + 3.6, top + 0.4), name, bold=True)
        _network(ax, (left, top + 0.9), sizes, scale, EVALUATED if place == 3 else KEPT)
    return figure


def _network(ax: Axes, at: Place, sizes: Sequence[int], scale: Tensor, colour: str) -> None:
    """Three layers of circles; units of the first that `scale` sets to zero have no lines."""
    tall, across = max(sizes), (0.8, 3.8, 6.6)
    places = [
        [(at[0] + x, at[1] + (tall - count) / 2 + unit + 0.5) for unit in range(count)]
        for x, count in zip(across, sizes, strict=True)
    ]
    alive = [value > 0 for value in scale.tolist()]
    sources = [place for place, is_on in zip(places[0], alive, strict=True) if is_on]
    for starts, ends in ((sources, places[1]), (places[1], places[2])):
        for start in starts:
            for end in ends:
                ax.plot(*zip(start, end, strict=True), color=FAINT, lw=0.8, zorder=0.5)
    for layer, units in enumerate(places):
        for unit, place in enumerate(units):
            is_on = layer > 0 or alive[unit]
            edge: Look = {"ec": INK, "lw": 1.2} if is_on else {"ec": FAINT, "lw": 1.2, "ls": "--"}
            ax.add_patch(Circle(place, 0.42, fc=colour if is_on else "white", **edge))
            if layer == 0:
                words = f"{scale[unit].item():.3g}"
                write(ax, place, words, colour=INK if is_on else FAINT)


def spread(shares: Sequence[float]) -> Figure:
    """What dropout makes of a 1, for each share p: 0 or 1 / (1 − p), each as tall as its chance.

    The triangle is the mean, 1 in every row; the variance is beside it.
    """
    for p in shares:
        _check_share(p)
    require(shares, "need a share of dropped units")
    farthest = 1 / (1 - max(shares))
    figure, ax = sheet(16, 2.4 * len(shares) + 1.0)
    unit = 7.4 / farthest
    for row, p in enumerate(shares):
        floor = 2.4 * row + 2.0
        values = torch.tensor([0.0, 1 / (1 - p)], dtype=torch.float64)
        chances = torch.tensor([p, 1 - p], dtype=torch.float64)
        mean = (values * chances).sum().item()
        variance = (chances * (values - mean) ** 2).sum().item()
        write(ax, (0, floor - 0.6), f"p = {p:g}", side="left", bold=True)
        ax.plot([2.6, 11.8], [floor, floor], color=INK, lw=1)
        for value, chance in zip(values.tolist(), chances.tolist(), strict=True):
            if chance:
                corner = 3.0 + unit * value - 0.3, floor - 1.5 * chance
                tint = KEPT if value else DROPPED
                ax.add_patch(Rectangle(corner, 0.6, 1.5 * chance, fc=tint, ec=INK, lw=1))
                write(ax, (corner[0] + 0.75, floor - 0.4), f"{chance:.0%}", side="left")
        ax.plot([3.0 + unit * mean], [floor + 0.16], "^", color=ORANGE, ms=9)
        write(ax, (12.4, floor - 0.6), f"variance {variance:.3g}", side="left")
    bottom = 2.4 * len(shares) + 0.6
    for value in range(int(farthest + 1e-9) + 1):
        write(ax, (3.0 + unit * value, bottom), str(value), colour=FAINT)
    write(ax, (12.4, bottom), "▲ mean", side="left", colour=ORANGE)
    return figure


def modes(x: Tensor, p: float, seed: int = 0) -> Figure:
    """The same x (N) twice through nn.Dropout in training mode, and twice in evaluation mode."""
    _check_share(p)
    require(x.ndim == 1, f"x must be N; got {tuple(x.shape)}")
    layer = nn.Dropout(p)
    figure, ax = sheet(2 * len(x) + 8.4, 10.4)
    write(ax, (0, 1.1), "x", side="left", bold=True)
    _row(ax, x, (6.2, 0.3))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for half, (name, call) in enumerate((("train()", layer.train), ("eval()", layer.eval))):
            top = 2.5 + 4.1 * half
            write(ax, (0, top + 1.6), f"layer.{name}", side="left", bold=True)
            for time in (0, 1):
                y = call()(x)
                kept = [(0, int(place)) for place in y.nonzero().flatten()]
                _row(ax, y, (6.2, top + 1.7 * time), kept)
                _sum(ax, y, (6.6 + 2 * len(x), top + 1.7 * time + 0.8))
    return figure


def whole_maps(channels: int, side: int, p: float, seed: int = 0) -> Figure:
    """Maps of ones through nn.Dropout and through nn.Dropout2d: dropped cells are dark."""
    _check_share(p)
    require(channels > 0 and side > 0, f"need maps; got {channels} of {side} × {side}")
    ones = torch.ones(1, channels, side, side)
    layers = {"nn.Dropout": nn.Dropout(p), "nn.Dropout2d": nn.Dropout2d(p)}
    figure, ax = sheet((side + 0.8) * channels, 2 * side + 3.4)
    for row, (name, layer) in enumerate(layers.items()):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            maps = layer(ones)[0]
        top = (side + 1.8) * row
        write(ax, (0.1, top + 0.5), f"{name}({p:g})", side="left", bold=True)
        for channel, each in enumerate(maps):
            out = [(int(r), int(c)) for r, c in (each == 0).nonzero()]
            at = 0.4 + (side + 0.8) * channel, top + 1.1
            cells(ax, each, at, marked=out, colour="#8f8f8f", numbers=WORDS)
    return figure


def over_fitting(history: pd.DataFrame) -> Figure:
    """Training and validation loss of a run (columns epoch, train_loss, val_loss): the gap between.

    The validation loss is marked where it was lowest, and arrows show the gap there and at the end.
    """
    missing = {"epoch", "train_loss", "val_loss"} - set(history)
    require(not missing, f"the history has no {', '.join(sorted(missing))}")
    require(len(history) > 1, "a curve needs two epochs or more")
    figure, ax = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
    epochs, train, val = (history[name].to_numpy() for name in ("epoch", "train_loss", "val_loss"))
    ax.plot(epochs, train, "--", color=BLUE, lw=2.5, label="train_loss")
    ax.plot(epochs, val, color=ORANGE, lw=2.5, label="val_loss")
    best = int(np.argmin(val))
    wide = epochs[-1] - epochs[0]
    for place in sorted({best, len(epochs) - 1}):
        x, low, high = epochs[place], train[place], val[place]
        look: Look = {"arrowstyle": "<->", "color": RED, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (x, low), (x, high), arrowprops=look)
        label = f"gap {high - low:.2f}".replace("-", "−")
        ax.text(x + 0.02 * wide, (low + high) / 2, label, color=RED, va="center", fontsize=WORDS)
    ax.plot(epochs[best], val[best], "o", color=GREEN, ms=9, zorder=3)
    words = f"lowest val_loss {val[best]:.2f}"
    above: Look = {
        "textcoords": "offset points",
        "ha": "center",
        "color": "#00694d",
        "fontsize": WORDS,
    }
    ax.annotate(words, (epochs[best], val[best]), (0, 10), **above)
    ax.legend(fontsize=WORDS, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    ax.set_xlabel("epoch", fontsize=WORDS)
    ax.set_ylabel("loss (nats)", fontsize=WORDS)
    ax.tick_params(labelsize=WORDS)
    ax.set_xlim(epochs[0] - 0.02 * wide, epochs[-1] + 0.17 * wide)
    ax.set_ylim(0, 1.08 * max(train.max(), val.max()))
    return figure


def gaps(losses: pd.DataFrame) -> Figure:
    """For each row a line from its training to its validation loss, the gap written above it.

    Columns are training, validation and lowest, the smallest validation loss of any epoch. Of a
    loss that is not finite nothing is drawn.
    """
    missing = {"training", "validation", "lowest"} - set(losses)
    require(not missing, f"the losses have no {', '.join(sorted(missing))}")
    require(len(losses), "there are no losses to draw")
    figure, ax = plt.subplots(figsize=(WIDTH, 0.6 * len(losses) + 1.1), layout="constrained")
    training, validation = losses["training"].to_numpy(), losses["validation"].to_numpy()
    rows = np.arange(len(losses))
    ax.hlines(rows, training, validation, color=RED, lw=2)
    ax.plot(training, rows, "o", color=BLUE, ms=9, label="training")
    ax.plot(validation, rows, "s", color=ORANGE, ms=8, label="validation")
    ax.plot(losses["lowest"], rows, "|", color=GREEN, ms=18, mew=3, label="lowest")
    for row, low, high in zip(rows, training, validation, strict=True):
        if np.isfinite(high - low):
            label = f"gap {high - low:.2f}".replace("-", "−")
            place = (low + high) / 2, row - 0.2
            ax.text(*place, label, color=RED, ha="center", va="bottom", fontsize=WORDS)
    ax.set_yticks(rows, losses.index, fontsize=WORDS)
    ax.set_ylim(len(losses) - 0.5, -0.75)
    ax.tick_params(labelsize=WORDS)
    ax.set_xlabel("loss (nats)", fontsize=WORDS)
    ax.legend(fontsize=WORDS, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


def monte_carlo(passes: Tensor, names: Sequence[str]) -> Figure:
    """Probabilities of one image from several passes with dropout on (K×C), and their mean."""
    require(
        passes.ndim == 2 and passes.shape[1] == len(names),
        f"passes must be K×{len(names)}; got {tuple(passes.shape)}",
    )
    count = len(passes)
    columns = 3.6 * len(names) + 3.2
    figure, ax = sheet(columns, 1.5 * count + 3.4)
    for place, name in enumerate(names):
        write(ax, (3.2 + 3.6 * place, 0.5), name, side="left", bold=True)
    rows = [(f"pass {number}", each) for number, each in enumerate(passes, 1)]
    rows.append(("mean", passes.mean(0)))
    for row, (name, chances) in enumerate(rows):
        top = 1.5 * row + 1.1 + 0.5 * (row == count)
        last = row == count
        write(ax, (0, top + 0.5), name, side="left", bold=last)
        for place, chance in enumerate(chances.tolist()):
            left = 3.2 + 3.6 * place
            tint = "#cdeee2" if last else KEPT
            box(ax, (left, top), (1.7 * chance, 1.0), colour=tint)
            write(ax, (left + 1.7 * chance + 0.15, top + 0.5), f"{chance:.2f}", side="left")
    return figure


def calibration(labels: Tensor, probabilities: Tensor, bins: int) -> Figure:
    """Predictions (probabilities N×C) by their confidence, right or wrong, and each bin's gap.

    The expected calibration error is the gaps' mean, weighted by the predictions in them.
    """
    table = metrics.reliability(labels, probabilities, bins=bins)
    error = metrics.expected_calibration_error(labels, probabilities, bins=bins)
    confidence, answer = probabilities.max(1)
    figure, ax = sheet(16, 8.2)
    low = 0.0 if confidence.min() < 0.5 else 0.5

    def across(value: float) -> float:
        return 3.6 + 12 * (value - low) / (1 - low)

    names = ("predictions", "accuracy", "confidence", "gap")
    for name, middle in zip(names, (1.0, 3.6, 4.9, 6.2), strict=True):
        write(ax, (0, middle), name, side="left", bold=True)
    ax.plot([across(low), across(1)], [2.2, 2.2], color=INK, lw=1.2)
    for edge in np.linspace(0, 1, bins + 1):
        if edge >= low - 1e-9:
            ax.plot([across(edge)] * 2, [0.2, 6.7], color=FAINT, lw=1, ls=":")
            write(ax, (across(edge), 2.75), f"{edge:.0%}", colour=FAINT)
    right = (answer == labels).tolist()
    for value, is_right in zip(confidence.tolist(), right, strict=True):
        marker, colour = ("o", GREEN) if is_right else ("X", RED)
        ax.plot([across(value)], [1.2], marker, color=colour, ms=11)
    for place, row in enumerate(table.to_dict("records")):
        if row["count"]:
            middle = across((place + 0.5) / bins)
            write(ax, (middle, 3.6), f"{row['accuracy']:.1%}")
            write(ax, (middle, 4.9), f"{row['confidence']:.1%}")
            gap = abs(row["accuracy"] - row["confidence"])
            write(ax, (middle, 6.2), f"{gap:.1%}", bold=True)
    write(ax, (0, 7.6), f"expected calibration error {error:.2%}", side="left", bold=True)
    return figure


def _check_share(p: float) -> None:
    require(0 <= p < 1, f"dropout p is {p:g}; it must be at least 0 and below 1")
