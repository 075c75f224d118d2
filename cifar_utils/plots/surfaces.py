"""Optimizers walking on a loss that can be seen: contours, an animation, a surface in space."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike
from PIL import Image

from cifar_utils.plots.style import Pair, legend_below, looks, one_panel, require

Paths = Mapping[str, ArrayLike]  # of each optimizer the points (w0, w1), steps×2
Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]  # the loss at each (w0, w1)


def descent_paths(
    surface: Surface, paths: Paths, *, xlim: Pair, ylim: Pair, title: str, log: bool = False
) -> Figure:
    """Draw the contours of a loss over (w0, w1) and the paths (steps×2) walked on it.

    `surface(w0, w1)` takes and gives arrays. With `log` the contours are spaced geometrically,
    over four powers of ten at most. What lies beyond the limits is cut off.
    """
    walks = _checked(paths)
    w0, w1, heights = _on_grid(surface, xlim, ylim)
    levels: ArrayLike = 20
    norm, label, top = None, "loss", heights.max()
    if log:
        require(top > 0, f"log=True needs losses above 0; the largest is {top:g}")
        heights = np.maximum(heights, 1e-4 * top)
        levels = np.geomspace(heights.min(), top, 21)
        norm, label = LogNorm(heights.min(), top), "loss (logarithmic scale)"
    figure, ax = one_panel(title, (8, 6.4))
    drawn = ax.contourf(w0, w1, heights, levels, cmap="Greys", alpha=0.6, norm=norm)
    ax.contour(w0, w1, heights, levels, colors="0.4", linewidths=0.6)
    figure.colorbar(drawn, label=label, format="%.2g")
    _draw_paths(figure, ax, walks)
    ax.set(xlim=xlim, ylim=ylim, xlabel="w0", ylabel="w1")
    ax.grid(False)
    return figure


def descent_animation(
    surface: Surface, paths: Paths, *, xlim: Pair, ylim: Pair, title: str, log: bool = False
) -> bytes:
    """The walks of `descent_paths` step by step, as a GIF that starts over at its end."""
    figure = descent_paths(surface, paths, xlim=xlim, ylim=ylim, title=title, log=log)
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib tells no types of it
    canvas.draw()
    figure.set_layout_engine("none")  # else every frame is laid out anew
    lines = figure.axes[0].lines  # three a path, see _draw_paths
    trails, stars = lines[0::3], lines[2::3]
    walks = [np.asarray(trail.get_xydata()) for trail in trails]
    frames: list[Image.Image] = []
    for step in range(max(map(len, walks))):
        for trail, star, walk in zip(trails, stars, walks, strict=True):
            trail.set_data(*walk[: step + 1].T)
            star.set_data(*walk[: step + 1][-1:].T)
        canvas.draw()
        frame = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        palette = frames[0] if frames else None
        frames.append(frame.quantize(64, palette=palette, dither=Image.Dither.NONE))
    plt.close(figure)
    gif = io.BytesIO()
    pause = [150] * (len(frames) - 1) + [2000]  # milliseconds
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:], duration=pause, loop=0)
    return gif.getvalue()


def _checked(paths: Paths) -> dict[str, np.ndarray]:
    """Copies of the paths as arrays, steps×2 with one step or more."""
    walks = {name: np.array(path, dtype=float) for name, path in paths.items()}
    for name, walk in walks.items():
        require(walk.ndim == 2 and walk.shape[1] == 2, f"{name!r} is not steps×2: {walk.shape}")
    require(walks and all(map(len, walks.values())), "there are no paths, or one without a step")
    return walks


def _on_grid(surface: Surface, xlim: Pair, ylim: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """w0, w1 and the surface's heights on a grid over the limits."""
    w0, w1 = np.meshgrid(np.linspace(*xlim, 121), np.linspace(*ylim, 121))
    heights = np.asarray(surface(w0, w1), dtype=float)
    require(heights.shape == w0.shape, f"the surface gave {heights.shape} for {w0.shape} points")
    require(heights.min() < heights.max(), "the surface is flat or not finite within the limits")
    return w0, w1, heights


def _draw_paths(figure: Figure, ax: Any, walks: Mapping[str, np.ndarray]) -> None:
    """Draw paths (steps×2) and the legend below them."""
    lines: list[Line2D] = []
    for name, look in looks(walks).items():
        lines += ax.plot(*walks[name].T, lw=1.5, ms=4, label=name, zorder=10, **look)
        ax.plot(*walks[name][:1].T, "o", ms=8, mfc="white", mec="black", zorder=11)
        ax.plot(*walks[name][-1:].T, "*", ms=14, mfc=look["color"], mec="black", zorder=11)
    legend_below(figure, lines, "circle: start; star: end (none if it lies outside)")
