"""Drawings of notebook 04: steps on a parabola and on contours, memory, scale, Muon, a mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from cifar_utils.descent import BY_HAND, State, Surface
from cifar_utils.muon import orthogonalised
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

Limits = tuple[tuple[float, float], tuple[float, float]]
COLOURS = {
    "sgd": INK,
    "momentum": ORANGE,
    "nesterov": RED,
    "rmsprop": GREEN,
    "adam": BLUE,
    "adamw": PURPLE,
}


def learning_rates(curvature: float, start: float, lrs: Mapping[str, float], steps: int) -> Figure:
    """Gradient descent on the parabola λ·w²/2 from `start`, a panel for each learning rate.

    Below them lies the axis of learning rates with 1/λ and the limit 2/λ.
    """
    require(curvature > 0, f"the curvature must be above 0, not {curvature}")
    require(lrs and steps > 0, "need a learning rate and a step")
    figure = plt.figure(figsize=(WIDTH, 3.8), layout="constrained")
    grid = figure.add_gridspec(2, len(lrs), height_ratios=(3.2, 1))
    reach = 1.25 * abs(start)
    w = np.linspace(-reach, reach, 81)
    for place, (name, lr) in enumerate(lrs.items()):
        ax = figure.add_subplot(grid[0, place])
        factor = 1 - lr * curvature
        path = start * factor ** np.arange(steps + 1)
        path = path[: 1 + int(np.argmax([*(abs(path) > reach), True]))]
        heights = curvature * path**2 / 2
        ax.plot(w, curvature * w**2 / 2, color=FAINT, lw=1.2)
        for k in range(len(path) - 1):
            arrow(ax, (path[k], heights[k]), (path[k + 1], heights[k + 1]), colour=BLUE, width=1.2)
        ax.plot(path[:1], heights[:1], "o", color=ORANGE, ms=7)
        ax.set_title(f"{name}\nlr = {lr:g}\n1 − lr·λ = {factor:.2f}".replace("-", "−"), fontsize=11)
        ax.set(xlim=(-reach, reach), ylim=(-0.02, curvature * reach**2 / 2))
        _bare(ax)
        ax.set_xlabel("w", fontsize=WORDS)
    _rate_axis(figure.add_subplot(grid[1, :]), curvature, lrs)
    return figure


def _rate_axis(ax: Axes, curvature: float, lrs: Mapping[str, float]) -> None:
    limit = 2 / curvature
    end = max(1.25 * limit, 1.1 * max(lrs.values()))
    ax.add_patch(Rectangle((0, -0.15), limit, 0.3, color="#cdeee2"))
    ax.add_patch(Rectangle((limit, -0.15), end - limit, 0.3, color="#f6cfc9"))
    for place, words in ((0.0, "0"), (limit / 2, f"1/λ = {limit / 2:g}"), (limit, "")):
        ax.plot([place, place], [-0.2, 0.2], color=INK, lw=1)
        write(ax, (place, -0.55), words)
    write(ax, (limit, -0.55), f"2/λ = {limit:g}", colour=RED, bold=True)
    for name, lr in lrs.items():
        ax.plot([lr], [0], "o", color=BLUE, ms=7)
        write(ax, (lr, 0.5), name.split()[-1])
    ax.set(xlim=(-0.03 * end, end), ylim=(-0.85, 0.85))
    ax.set_axis_off()


def example_gradients(each: np.ndarray) -> Figure:
    """The steps −gradient of single examples (N×2) from one point, and in bold their mean."""
    require(each.ndim == 2 and each.shape[1] == 2, f"gradients must be N×2, not {each.shape}")
    figure, ax = plt.subplots(figsize=(WIDTH, 3.3), layout="constrained")
    for gradient in each:
        arrow(ax, (0, 0), (-gradient[0], -gradient[1]), colour="#b9c7d6", width=1)
    mean = -each.mean(0)
    arrow(ax, (0, 0), (mean[0], mean[1]), colour=BLUE, width=3)
    ax.plot([0], [0], "o", color=ORANGE, ms=8)
    (left, low), (right, high) = np.minimum(-each.max(0), 0), np.maximum(-each.min(0), 0)
    edge = 0.06 * (high - low)
    ax.set(xlim=(left - edge, right + 12 * edge), ylim=(low - edge, high + edge), aspect="equal")
    write(ax, (right + edge, mean[1]), "− gradient of all", colour=BLUE, side="left", bold=True)
    write(ax, (right + edge, high), "− gradient of one", colour=FAINT, side="left")
    _bare(ax)
    ax.set_xlabel("w0", fontsize=WORDS)
    ax.set_ylabel("w1", fontsize=WORDS)
    return figure


def memory(gradients: Sequence[tuple[float, float]], mu: float) -> Figure:
    """Momentum's velocity as a chain of past gradients (oldest first), the k-th last times μᵏ.

    To the left the steps −gradient as they came, to the right the same, faded, end to end.
    """
    require(len(gradients) > 1, "memory needs two gradients or more")
    require(0 < mu < 1, f"mu must be between 0 and 1, not {mu}")
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained")
    steps = -np.array(gradients, dtype=float)
    ages = np.arange(len(steps))[::-1]
    apart = 1.25 * abs(steps[:, 0]).max()
    for k, step in enumerate(steps):
        foot = k * apart
        arrow(left, (foot, -step[1] / 2), (foot + step[0], step[1] / 2), colour=INK, width=2)
        write(left, (foot + step[0] / 2, 0.75 * abs(steps[:, 1]).max()), f"{mu ** ages[k]:.2g}")
    tall = abs(steps[:, 1]).max()
    left.set(xlim=(-0.3 * apart, len(steps) * apart), ylim=(-0.7 * tall, tall))
    left.set_title("− g, step by step, and μᵏ", fontsize=12)
    weighted = steps * mu ** ages[:, None]
    joints = np.vstack([[0, 0], weighted.cumsum(0)])
    for k in range(len(steps)):
        shade = str(0.75 * ages[k] / ages[0])
        arrow(right, (*joints[k],), (*joints[k + 1],), colour=shade, width=1.8)
    arrow(right, (0, 0), (*joints[-1],), colour=ORANGE, width=3.5)
    right.set_title("end to end: − velocity", fontsize=12, color="#a86503")
    spread = np.ptp(joints, axis=0)
    edge = 0.12 * spread.max()
    right.set_xlim(joints[:, 0].min() - edge, joints[:, 0].max() + edge)
    right.set_ylim(joints[:, 1].min() - edge, joints[:, 1].max() + edge)
    for ax in (left, right):
        ax.set_aspect("equal")
        _bare(ax)
    return figure


def adam_scale(gradients: Mapping[str, Sequence[float]], lr: float) -> Figure:
    """For each weight its gradients step by step, and the last steps of SGD and of Adam.

    Both are torch.optim's own, at the same learning rate.
    """
    lengths = {len(values) for values in gradients.values()}
    require(len(lengths) == 1 and min(lengths) > 0, "every weight needs as many gradients")
    columns = torch.tensor(list(gradients.values()), dtype=torch.float64).T
    last = {
        "SGD": _last_step(torch.optim.SGD, columns, lr),
        "Adam": _last_step(torch.optim.Adam, columns, lr),
    }
    figure, ax = sheet(4 * len(gradients) + 2.2, 8.6)
    for row, (name, colour) in enumerate((("g", INK), ("SGD", INK), ("Adam", BLUE))):
        write(ax, (0, (2.6, 6.3, 7.7)[row]), name, side="left", bold=True, colour=colour)
    for place, (name, values) in enumerate(gradients.items()):
        left = 4 * place + 2.4
        write(ax, (left + 1.7, 0.4), name, bold=True)
        largest = max(abs(value) for value in values) or 1
        ax.plot([left, left + 3.4], [2.8, 2.8], color=FAINT, lw=1)
        wide = 3.4 / len(values)
        for k, value in enumerate(values):
            height = 1.4 * value / largest
            corner = left + (k + 0.15) * wide, 2.8 - height
            ax.add_patch(Rectangle(corner, 0.7 * wide, height, color="#9aa7b4"))
        write(ax, (left + 1.7, 4.8), f"largest {largest:g}", colour="#555555")
        for row, step in enumerate((last["SGD"], last["Adam"])):
            tint = ("#eeeeee", "#cfe3f2")[row]
            label = f"{step[place] / lr:.2g} · lr".replace("-", "−")
            box(ax, (left, 5.75 + 1.4 * row), (3.4, 1.1), label, colour=tint)
    return figure


def _last_step(kind: type[torch.optim.Optimizer], gradients: Tensor, lr: float) -> list[float]:
    weights = torch.zeros(gradients.shape[1], dtype=torch.float64)
    optimizer = kind([weights], lr=lr)  # type: ignore[call-arg]  # all kinds take lr
    before = weights.clone()
    for gradient in gradients:
        before = weights.clone()
        weights.grad = gradient.clone()
        optimizer.step()
    return [float(step) for step in weights - before]


def six_steps(surface: Surface, points: Sequence[Place], lrs: Mapping[str, float]) -> Figure:
    """The next step of every rule from the last of `points`, where the earlier gradients count.

    All rules have met the gradients of the same points; the steps are those of descent's rules.
    """
    require(points, "need a point to step from")
    gradients = [surface.gradient(torch.tensor(each).double(), surface.examples) for each in points]
    weights = torch.tensor(points[-1], dtype=torch.float64)
    figure, axes = _contours(surface, {name: f"{name}, lr = {lr:g}" for name, lr in lrs.items()})
    for name, ax in axes.items():
        state: State = {}
        step = weights
        for gradient in gradients:
            step, state = BY_HAND[name](weights, gradient, state, lrs[name], 0.9)
        if len(points) > 1:
            ax.plot(*np.array(points).T, "o-", color=FAINT, ms=4, lw=1, mfc="white")
        end = weights + step
        arrow(ax, (*weights.tolist(),), (*end.tolist(),), colour=COLOURS[name], width=2.6)
        ax.plot(*weights.tolist(), "o", color=INK, ms=6)
    return figure


def walks(surface: Surface, paths: Mapping[str, pd.DataFrame]) -> Figure:
    """Paths (columns w0, w1) on the contours of a surface, each in a panel of its own."""
    figure, axes = _contours(surface, {name: name for name in paths})
    for name, ax in axes.items():
        path = paths[name][["w0", "w1"]].to_numpy()
        ax.plot(*path.T, "o-", color=COLOURS.get(name, BLUE), ms=2.5, lw=1.3)
        ax.plot(*path[0], "o", color="white", mec=INK, ms=7)
        ax.plot(*path[-1], "*", color=COLOURS.get(name, BLUE), mec=INK, ms=13)
    return figure


def _contours(surface: Surface, titles: Mapping[str, str]) -> tuple[Figure, dict[str, Axes]]:
    """A panel with a surface's contours for each name, two or three side by side."""
    require(titles, "there is nothing to draw on the contours")
    columns = 3 if len(titles) % 3 == 0 else min(2, len(titles))
    rows = -(-len(titles) // columns)
    (left, right), (low, high) = surface.limits
    figure = plt.figure(figsize=(WIDTH, 2.3 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    w0, w1 = np.meshgrid(np.linspace(left, right, 81), np.linspace(low, high, 81))
    heights = surface.loss(w0, w1)
    levels = heights.min() + np.ptp(heights) * np.linspace(0, 1, 11) ** 2
    found = dict(zip(titles, panels.flat, strict=False))
    for name, ax in found.items():
        ax.contour(w0, w1, heights, levels, colors="0.75", linewidths=0.8)
        ax.set_title(titles[name], fontsize=WORDS)
        ax.set(xlim=(left, right), ylim=(low, high))
        _bare(ax)
    for ax in panels[-1]:
        ax.set_xlabel("w0", fontsize=WORDS)
    for ax in panels[:, 0]:
        ax.set_ylabel("w1", fontsize=WORDS)
    return figure, found


def muon(matrix: Tensor) -> Figure:
    """The singular values of a matrix A×B and of its update by Muon, each over its largest."""
    require(matrix.ndim == 2, f"Muon needs a matrix A×B; got {tuple(matrix.shape)}")
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.9), layout="constrained", sharey=True)
    sides = {"before": (matrix, INK), "after": (orthogonalised(matrix), PURPLE)}
    for ax, (name, (each, colour)) in zip(axes, sides.items(), strict=True):
        values = torch.linalg.svdvals(each)
        shares = (values / values[0]).tolist()
        bars = ax.bar(range(1, len(shares) + 1), shares, color=colour, width=0.7)
        ax.bar_label(bars, [f"{share:.2f}" for share in shares], fontsize=WORDS)
        ax.set_title(name, fontsize=12)
        ax.set_xlabel("singular value no.", fontsize=WORDS)
        ax.set(ylim=(0, 1.15), xticks=range(1, len(shares) + 1), yticks=())
        ax.grid(False)
    axes[0].set_ylabel("of the largest", fontsize=WORDS)
    return figure


def wrong_parameters() -> Figure:
    """One network is trained, and the optimizer holds the parameters of another."""
    figure, ax = sheet(16, 6.4)
    box(ax, (0.3, 0.8), (4.2, 1.8), "model", colour="#cfe3f2")
    box(ax, (0.3, 4.2), (4.2, 1.8), "stranger", colour="#eeeeee")
    box(ax, (9.8, 0.8), (5.9, 1.8), "gradients\nof model")
    box(ax, (9.8, 4.2), (5.9, 1.8), "optimizer holds\nstranger's weights")
    arrow(ax, (4.6, 1.7), (9.7, 1.7), "loss.backward()", colour=BLUE)
    arrow(ax, (9.7, 5.1), (4.6, 5.1), "optimizer.step()", colour=RED)
    write(ax, (7.15, 5.6), "no gradient: no step", colour=RED)
    ax.plot([12.75, 12.75], [2.7, 4.1], color=FAINT, ls=":", lw=2)
    write(ax, (13.0, 3.4), "never meet", side="left", colour="#555555")
    return figure


def _bare(ax: Axes) -> None:
    """No ticks and no grid: what counts in a drawing is the direction."""
    ax.set(xticks=(), yticks=())
    ax.grid(False)
