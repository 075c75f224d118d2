"""Every figure of the study, drawn with matplotlib and seaborn.

Each function returns the Figure, which the caller shows, saves and closes; an animation comes as
a GIF's bytes. Pictures are uint8 or floats in [0, 1]; losses come in nats and accuracies as
fractions, drawn in percent. A variant has one colour and one marker (or hatch), by its place in
the order given; what cannot be drawn raises ValueError.
"""

from __future__ import annotations

import io
import json
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from cifar_utils import metrics, results

if TYPE_CHECKING:
    from cifar_utils.data import Split

    Histories = Mapping[str, pd.DataFrame | Sequence[pd.DataFrame]]
    Pair = tuple[float, float]
    Paths = Mapping[str, ArrayLike]
    Shape = tuple[int, ...]
    Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]

MARKERS = "oXs^DvP"  # seven, beside ten colours: seventy variants before a pair repeats
HATCHES = ("", "//", "..", "xx", "\\\\")
FRACTIONS = ("accuracy", "precision", "recall", "f1", "roc_auc", "val_accuracy", "train_accuracy")
UNITS = dict.fromkeys(FRACTIONS, "%") | {"train_loss": "nats", "val_loss": "nats", "seconds": "s",
                                         "mcc": "−1 to 1", "parameters": "number"}  # fmt: skip
VERDICTS = {
    "better": {"label": "better", "color": "#0173b2", "marker": "^"},
    "worse": {"label": "worse", "color": "#de8f05", "marker": "v"},
    "same": {"label": "no difference shown", "color": "0.45", "marker": "o", "mfc": "white"},
    "single": {"label": "one seed: no interval", "color": "0.45", "marker": "x"},
}


def use_style() -> None:
    """Set the theme of all figures: colour-blind-safe, and 80 dpi so that notebooks stay small."""
    sizes = {"figure.dpi": 80, "savefig.dpi": 80, "axes.titlesize": 11}
    sns.set_theme(style="whitegrid", palette="colorblind", font_scale=0.95, rc=sizes)


def colours(names: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """Give each name a colour (RGB in [0, 1]) by its place in the order; after ten they repeat.

    They are seaborn's colour-blind-safe ones, but for three that are too light for lines on white
    or too near to another.
    """
    palette = sns.color_palette("colorblind")
    palette[5], palette[6], palette[8] = (0.42, 0.25, 0.12), (0.45, 0.2, 0.6), (0.2, 0.2, 0.2)
    return dict(zip(dict.fromkeys(names), cycle(palette), strict=False))


def _looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    pairs = zip(colours(names).items(), cycle(MARKERS), strict=False)
    return {name: {"color": colour, "marker": marker} for (name, colour), marker in pairs}


def _looks_among(some: Iterable[str], among: Iterable[str] | None) -> dict[str, dict[str, Any]]:
    """The looks of some names, by their places among all, where these are given."""
    names = list(some)
    looks = _looks(names if among is None else among)
    _demand(set(names) <= set(looks), f"{sorted(set(names) - set(looks))} are not in `among`")
    return {name: looks[name] for name in names}


def _demand(condition: object, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _figure(title: str, size: Pair, rows: int = 1, columns: int = 1, **options: Any) -> tuple:
    options = {"layout": "constrained"} | options
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    lines = (_wrapped(line, int(9 * size[0])) for line in title.splitlines())
    figure.suptitle("\n".join(lines), fontsize=12)
    return figure, axes


def _wrapped(line: str, width: int) -> str:
    """A title's line, broken where it is too long: if possible, before the brackets that end it."""
    head, bracket, tail = line.rpartition(" (")
    if bracket and len(line) > width > len(tail):
        return f"{textwrap.fill(head, width)}\n({tail}"
    return textwrap.fill(line, width)


def _legend_below(figure: Figure, handles: Sequence, title: str | None = None) -> None:
    longest = max(len(str(handle.get_label())) for handle in handles)
    columns = min(len(handles), max(1, int(11 * figure.get_figwidth() / (longest + 7))))
    rows = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + 0.25 * (rows - 1))  # the panels keep theirs
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=title)


def _pictures(images: Tensor) -> np.ndarray:
    """N×3×H×W, uint8 or float, to N×H×W×3 floats in [0, 1]."""
    array = np.asarray(images)
    _demand(array.ndim == 4 and array.shape[1] == 3, f"pictures are N×3×H×W; got {array.shape}")
    array = array / 255 if array.dtype == np.uint8 else array
    _demand(((array >= 0) & (array <= 1)).all(), "pictures must be uint8 or floats in [0, 1]")
    return array.transpose(0, 2, 3, 1)


def _unit(items: Tensor) -> Tensor:
    """Rescale each item to [0, 1]; one that is constant becomes 0.5."""
    flat = items.detach().cpu().float().flatten(1)
    low, high = torch.aminmax(flat, dim=1, keepdim=True)
    return ((flat - low) / (high - low)).nan_to_num(0.5).view_as(items)


def _picture_rows(rows: Mapping[str, np.ndarray], title: str) -> Figure:
    """Draw each row's pictures (K×H×W×3 in [0, 1], one size for all) beside its name."""
    columns = max(map(len, rows.values()), default=0)
    _demand(columns, "there are no pictures to draw")
    height, width = next(iter(rows.values())).shape[1:3]
    gap = height // 12 + 1
    canvas = np.ones((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for top, pictures in zip(range(0, len(canvas), height + gap), rows.values(), strict=True):
        for left, picture in zip(range(0, canvas.shape[1], width + gap), pictures, strict=False):
            canvas[top : top + height, left : left + width] = picture
    size = (max(6, 0.75 * columns + 2), 0.75 * len(rows) + 0.8)
    figure, ((ax,),) = _figure(title, size, layout="compressed")
    ax.imshow(canvas, interpolation="nearest")
    centres = np.arange(len(rows)) * (height + gap) + (height - 1) / 2
    ax.set(yticks=centres, yticklabels=list(rows), xticks=[], frame_on=False)
    ax.grid(False)
    return figure


def samples(split: Split, classes: Sequence[str], *, per_class: int = 8, title: str) -> Figure:
    """Draw the first `per_class` pictures of every class in `split`, one row a class."""
    labels = np.asarray(split.labels)
    rows = {name: _pictures(split.images[np.flatnonzero(labels == number)[:per_class]])
            for number, name in enumerate(classes)}  # fmt: skip
    return _picture_rows(rows, title)


def picture(image: Tensor, name: str, *, title: str) -> Figure:
    """Draw one picture (3×H×W) large, pixel by pixel, with its name above it."""
    figure, ((ax,),) = _figure(title, (5, 5.4))
    ax.imshow(_pictures(image[None])[0], interpolation="nearest")
    ax.set(title=name, xlabel="column (pixels)", ylabel="row (pixels)")
    ax.grid(False)
    return figure


def augmentations(grid: Mapping[str, Tensor], *, title: str) -> Figure:
    """Draw one row for each augmentation: its K draws, K×3×H×W."""
    return _picture_rows({name: _pictures(draws) for name, draws in grid.items()}, title)


def _grouped_bars(table: pd.DataFrame, ylabel: str, title: str) -> Figure:
    """Bars in groups by the table's index (classes), one colour and hatch a column."""
    figure, ((ax,),) = _figure(title, (10, 4.2))
    table.plot.bar(ax=ax, width=0.8, legend=False, color=list(colours(table.columns).values()))
    for container, hatch in zip(ax.containers, cycle(HATCHES), strict=False):
        plt.setp(container, hatch=hatch, edgecolor="white")
    ax.set_xticks(range(len(table)), table.index, rotation=30, ha="right", rotation_mode="anchor")
    ax.grid(False, axis="x")
    ax.set(xlabel="class", ylabel=ylabel)
    _legend_below(figure, ax.containers)
    return figure


def class_balance(splits: Mapping[str, Split], classes: Sequence[str], *, title: str) -> Figure:
    """Draw how many pictures of each class each split has."""
    _demand(splits, "there are no splits to draw")
    counts = {name: np.bincount(split.labels, None, len(classes)) for name, split in splits.items()}
    found = max(map(len, counts.values()))
    _demand(found == len(classes), f"{len(classes)} classes, but a label {found - 1}")
    table = pd.DataFrame(counts, index=list(classes))
    table.columns = [f"{name} ({count:,} pictures)" for name, count in table.sum().items()]
    return _grouped_bars(table, "pictures (number)", title)


def per_class_bars(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw precision, recall and F1 of each class in percent, from `metrics.per_class`."""
    names = ["precision", "recall", "f1"]
    _demand(set(names) <= set(table), f"the table needs {names}; it has {list(table.columns)}")
    return _grouped_bars(100 * table[names], "score on the class (%)", title)


def _by_epoch(name: str, histories: pd.DataFrame | Sequence) -> pd.DataFrame:
    """One row an epoch, one column for each metric and run; NaN where there is no finite value."""
    single = isinstance(histories, pd.DataFrame)
    runs = [histories] if single else [pd.DataFrame(history) for history in histories]
    needed = ["train_loss", "val_loss", "train_accuracy", "val_accuracy"]
    complete = runs and all(len(run) and {"epoch", *needed} <= set(run) for run in runs)
    _demand(complete, f"{name!r} needs histories of one epoch or more with epoch, {needed}")
    runs = {number: run.set_index("epoch")[needed] for number, run in enumerate(runs)}
    table = pd.concat(runs, axis=1, sort=True).swaplevel(axis=1).astype(float)
    return table.replace([np.inf, -np.inf], np.nan)


def learning_curves(
    histories: Histories, *, title: str, among: Iterable[str] | None = None
) -> Figure:
    """Draw loss and accuracy against epochs, training dashed and validation solid.

    A variant has one history or a list of them (seeds; rows of dicts will do): then the line is
    their mean and the band spans the smallest to the largest. A run that breaks off (not finite,
    or shorter than the others) is counted in the legend and left out from there on. `among` names
    all variants where `histories` has some of them, so that these keep their looks.
    """
    _demand(histories, "there are no histories to draw")
    tables = {name: _by_epoch(name, value) for name, value in histories.items()}
    title += "\ndashed, hollow: training; solid, filled: validation"
    several = max(len(table.columns) for table in tables.values()) > 4
    if several:
        title += "; line: mean of n seeds; band: smallest to largest"
    figure, ((left, right),) = _figure(title, (12, 4.8), 1, 2)
    for name, look in _looks_among(tables, among).items():
        for ax, metric, factor in ((left, "loss", 1), (right, "accuracy", 100)):
            for split, style in (("train", {"ls": "--", "mfc": "white"}), ("val", {"ls": "-"})):
                runs = factor * tables[name][f"{split}_{metric}"]
                n, broken = runs.shape[1], int(runs.isna().any().sum())
                notes = f", n = {n}" * several + f", {broken} of {n} breaks off" * (broken > 0)
                style |= {"label": name + notes, "ms": 5, "markevery": -(-len(runs) // 8)}
                ax.plot(runs.mean(axis=1), **look, **style)
                if n > 1:
                    ax.fill_between(runs.index, runs.min(axis=1), runs.max(axis=1), lw=0,
                                    color=look["color"], alpha=0.15)  # fmt: skip
    for ax, label in ((left, "loss (nats)"), (right, "accuracy (%)")):
        ax.set(xlabel="epoch", ylabel=label, xlim=(0.5, ax.dataLim.x1 + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if left.get_ylim()[1] > 50:  # else a run on its way to infinity flattens all the others
        left.set(yscale="log", ylabel="loss (nats, logarithmic scale)")
    _legend_below(figure, left.lines[1::2])
    return figure


def confusion_matrix(confusion: ArrayLike, classes: Sequence[str], *, title: str) -> Figure:
    """Draw the counts: one row a true class, one column a predicted class."""
    counts, side = np.asarray(confusion), len(classes)
    _demand(counts.shape == (side, side), f"need a matrix {side}×{side}; got {counts.shape}")
    figure, ((ax,),) = _figure(title, (9, 7.4))
    # The square root gives the mistakes, few beside the right answers, colours of their own.
    sns.heatmap(counts, annot=True, fmt="d" if counts.dtype.kind in "iu" else ".1f", ax=ax,
                cmap="Blues", norm=PowerNorm(0.5, vmin=0), square=True, annot_kws={"size": 10},
                cbar_kws={"label": "pictures (number, square-root scale)"})  # fmt: skip
    for text, share in zip(ax.texts, np.sqrt(counts / max(counts.max(), 1)).flat, strict=True):
        text.set_color("white" if share > 0.65 else "0.15")
    ax.set_xticks(ax.get_yticks(), classes, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(ax.get_yticks(), classes, rotation=0)
    ax.set(xlabel="predicted class", ylabel="true class")
    return figure


def mistakes(images: Tensor, labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str],
             *, count: int = 10, title: str) -> Figure:  # fmt: skip
    """Draw the wrongly classified pictures the network was surest of, the surest first.

    `images` N×3×H×W, `labels` N, `probabilities` N×classes. Above each picture stand its true and
    its predicted class and the latter's probability. Fewer than `count` if there are not as many.
    """
    labels, chances = np.asarray(labels), np.asarray(probabilities)
    shape, got = (len(images), len(classes)), f"got {labels.shape} and {chances.shape}"
    _demand((labels.shape, chances.shape) == (shape[:1], shape),
            f"labels and probabilities must be {shape[:1]} and {shape}; {got}")  # fmt: skip
    _demand(((chances >= 0) & (chances < 1.0001)).all(), "apply softmax: not all are in [0, 1]")
    predicted, surest = chances.argmax(axis=1), chances.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-surest[wrong], kind="stable")][:count]
    title += f"\nno mistake among {len(labels):,} pictures" * (not len(wrong))
    columns, rows = min(5, max(1, len(wrong))), max(1, -(-len(wrong) // 5))
    figure, axes = _figure(title, (max(6, 2.3 * columns), 2.5 * rows + 0.6), rows, columns)
    plt.setp(axes.flat, frame_on=False, xticks=[], yticks=[])
    for ax, place in zip(axes.flat, wrong, strict=False):
        ax.imshow(_pictures(images[place][None])[0], interpolation="nearest")
        answer = f"{classes[labels[place]]} → {classes[predicted[place]]}"
        ax.set_title(f"{answer}\n{100 * surest[place]:.1f} %")
    return figure


def filters(weight: Tensor, *, title: str) -> Figure:
    """Draw the filters of a first layer (out×3×k×k) in colour, each rescaled to [0, 1]."""
    shape, starts = tuple(weight.shape), range(0, len(weight), 8)
    _demand(len(shape) == 4 and shape[1] == 3, f"only filters out×3×k×k have colours; got {shape}")
    tiles = _pictures(_unit(weight))
    rows = {f"filters {i}–{min(i + 8, len(tiles)) - 1}": tiles[i : i + 8] for i in starts}
    return _picture_rows(rows, title)


def feature_maps(
    maps: Mapping[str, Tensor], image: Tensor, *, channels: int = 8, title: str
) -> Figure:
    """Draw the picture (3×H×W), then for each layer its first `channels` maps.

    `maps` holds 1×C×H×W or C×H×W by layer. Each map is rescaled to its own [0, 1]: dark is its
    smallest value, bright its largest. Vectors (outputs of linear layers) are left out.
    """
    rows = {"input": _pictures(torch.nn.functional.interpolate(image[None], 96))}
    for name, tensor in maps.items():
        layer = tensor[0] if tensor.ndim in (2, 4) and len(tensor) == 1 else tensor
        _demand(layer.ndim in (1, 3), f"{name} needs 1×C×H×W or C×H×W; got {tuple(tensor.shape)}")
        if layer.ndim == 3:
            enlarged = torch.nn.functional.interpolate(_unit(layer[:channels])[None], 96)[0]
            shades = plt.get_cmap("viridis")(enlarged.numpy())[..., :3]
            rows[f"{name}\n{' × '.join(map(str, layer.shape))}"] = shades
    _demand(len(rows) > 1, "no layer gives maps of the shape 1×C×H×W or C×H×W")
    return _picture_rows(rows, title)


def comparison(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    title: str,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw a dot for every run and, from two runs on, the mean with its 95 % t-interval.

    `frame` has one row a run with the columns variant, seed and `metric`, as from `results.load`;
    the variants stand in the frame's order. Runs without a finite value are counted beside n.
    `among` is that of `learning_curves`.
    """
    _demand({"variant", "seed"} <= set(frame) and len(frame), "need runs with variant and seed")
    known = sorted(frame.select_dtypes("number").columns.drop("seed", errors="ignore"))
    _demand(metric in known, f"unknown metric {metric!r}; there are: {', '.join(known)}")
    twice = frame.duplicated(["variant", "seed"]).any()
    _demand(not twice, "a variant has a seed twice; choose one notebook and one profile first")
    looks = _looks_among(frame["variant"].unique(), among)
    ticks, unit = [], UNITS.get(metric, "no unit")
    decimals = ".2f" if unit == "%" else ".4g"
    values = frame[metric].astype(float).replace([np.inf, -np.inf], np.nan)
    frame = frame.assign(**{metric: values * (100 if unit == "%" else 1), "notebook": ""})
    means = results.summary(frame, metric).droplevel("notebook")
    figure, ((ax,),) = _figure(title, (10, 0.75 * len(looks) + 1.7))
    for place, (name, look) in enumerate(looks.items()):
        dots = frame.loc[frame["variant"] == name, metric]
        n, lost = dots.count(), int(dots.isna().sum())
        ax.plot(dots, np.full(len(dots), place + 0.15), ls="", alpha=0.75, label=name, **look)
        if n > 1:
            mean, half = means.loc[name, "mean"], means.loc[name, "high"] - means.loc[name, "mean"]
            ax.errorbar(mean, place - 0.12, xerr=half, fmt="|", ms=12, capsize=4, color="0.15")
            above = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center"}
            ax.annotate(f"{mean:{decimals}}", (mean, place - 0.12), **above, fontsize=10)
        ticks.append(f"{name}\nn = {n}" + f", {lost} without a value" * (lost > 0))
    ax.set(yticks=range(len(ticks)), yticklabels=ticks, ylabel="variant")
    ax.set_ylim(len(ticks) - 0.5, -0.6)
    ax.set_xlabel(f"{metric} ({unit})\ndots: runs; bar: mean and 95 % t-interval")
    ax.margins(x=0.08)
    ax.grid(False, axis="y")
    return figure


def differences(groups: Mapping[str, Mapping[str, results.Comparison]], *, title: str) -> Figure:
    """Draw each comparison's difference with its 95 % interval, a row a label, under headings.

    Colour and marker say what the interval shows of the comparison's b, from which a is taken.
    """
    every = [each for group in groups.values() for each in group.values()]
    _demand(every, "need a comparison")
    figure, ((ax,),) = _figure(title, (11, 0.27 * (len(every) + len(groups)) + 1.7))
    ticks: list[str] = []
    for heading, group in groups.items():
        ticks.append(heading)
        for label, each in group.items():
            points = 100 * each.difference
            half = None if each.n < 2 else 100 * (each.high - each.low) / 2
            ax.errorbar(points, len(ticks), xerr=half, capsize=3, **VERDICTS[each.verdict])
            ticks.append(label)
    ax.axvline(0, color="0.3", lw=1)
    ax.set_yticks(range(len(ticks)), ticks)
    for tick in ax.get_yticklabels():
        tick.set_fontweight("bold" if tick.get_text() in groups else "normal")
    ax.set_ylim(len(ticks) - 0.4, -0.6)
    ax.set_xlabel("first minus second, test accuracy (points), with its 95 % t-interval")
    ax.grid(False, axis="y")
    kinds = [each.verdict for each in every]
    shown = [Line2D([], [], **look) for kind, look in VERDICTS.items() if kind in kinds]
    _legend_below(figure, shown)
    return figure


def shape_walk(table: pd.DataFrame, *, title: str, input_shape: Shape = (3, 32, 32)) -> Figure:
    """Draw the tensor after each layer as a box, from `models.layer_table`.

    A box's height is proportional to the tensor's rows (a vector has one), its width to the
    logarithm of its channels. Below: layer, shape, parameters and multiply-adds for one picture.
    """
    needed = ["layer", "output shape", "parameters", "multiply_adds"]
    _demand(set(needed) <= set(table) and len(table), f"the table needs layers with {needed}")
    shapes = [list(input_shape), *(json.loads(text)[1:] for text in table["output shape"])]
    heights = np.array([[*shape, 1][1] for shape in shapes])
    widths = np.log2([1 + shape[0] for shape in shapes])
    kinds, numbers = zip(*(name.split("-") for name in ["input-", *table["layer"]]), strict=True)
    sizes = [" × ".join(map(str, shape)) for shape in shapes]
    counts = [["", *map("{:,}".format, table[name])] for name in needed[2:]]
    labels = ["layer\nnumber\nshape\nparameters\nmultiply-adds",
              *map("\n".join, zip(kinds, numbers, sizes, *counts, strict=True))]  # fmt: skip
    shades = colours(["input", "Conv2d", "MaxPool2d", "Linear", "BatchNorm2d", *kinds])
    inches = max(0.98, 0.07 * max(map(len, kinds)))  # of one label
    figure, ((ax,),) = _figure(title, (inches * len(labels) + 0.3, 4.2))
    ax.bar(range(len(shapes)), heights, 0.8 * widths / widths.max(), bottom=-heights / 2,
           color=[shades[kind] for kind in kinds], edgecolor="0.2")  # fmt: skip
    ax.set_xticks(range(-1, len(shapes)), labels, fontsize=9)
    ax.set(xlim=(-1.5, len(shapes) - 0.5), yticks=[], frame_on=False)
    ax.set_ylim(-0.55 * heights.max(), 0.55 * heights.max())
    ax.set_xlabel("height: rows of the tensor (pixels); width: logarithm of its channels")
    ax.grid(False)
    return figure


def activation_histograms(
    activations: Mapping[str, Mapping[str, Tensor]],
    *,
    title: str,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw how each layer's outputs are spread: one row a variant, its layers from left to right.

    All panels share both axes, which span the middle 99 % of the widest; what is not finite is
    left out. Above each: the layer, and the mean ± standard deviation of its outputs. `among` are
    all variants of a comparison, which settle the colours.
    """
    finite = {(name, layer): tensor[tensor.isfinite()].detach().cpu().numpy()
              for name, layers in activations.items()
              for layer, tensor in layers.items()}  # fmt: skip
    _demand(finite and all(map(len, finite.values())), "no layers, or one without finite outputs")
    ends = np.array([np.quantile(array, (0.005, 0.995)) for array in finite.values()])
    edges = np.linspace(ends.min(), ends.max() + 1e-9, 61)
    rows, columns = len(activations), max(map(len, activations.values()))
    size = (max(6, 2.7 * columns + 0.8), 2.2 * rows + 0.9)
    figure, axes = _figure(title, size, rows, columns, sharex=True, sharey=True)
    for row, (name, look) in zip(axes, _looks_among(activations, among).items(), strict=True):
        row[0].set_ylabel(f"{textwrap.fill(name, 20)}\nshare of outputs (%)")
        plt.setp(row[len(activations[name]) :], visible=False)
        for ax, layer in zip(row, activations[name], strict=False):
            array = finite[name, layer]
            shares = 100 * np.histogram(array, edges)[0] / len(array)
            ax.stairs(shares, edges, fill=True, color=look["color"])
            mean = f"{array.mean():z.2f}".replace("-", "−")
            ax.set_title(f"{layer}\n{mean} ± {array.std():.2f}")
    figure.supxlabel("output of the layer (no unit)", fontsize=11)
    return figure


def _on_surface(surface: Surface, paths: Paths, xlim: Pair, ylim: Pair) -> tuple:
    """The paths, copied and checked, and w0, w1 and the surface's heights on a grid."""
    paths = {name: np.array(path, dtype=float) for name, path in paths.items()}
    for name, path in paths.items():
        _demand(path.ndim == 2 and path.shape[1] == 2, f"{name!r} is not steps×2: {path.shape}")
    _demand(paths and all(map(len, paths.values())), "there are no paths, or one without a step")
    w0, w1 = np.meshgrid(np.linspace(*xlim, 121), np.linspace(*ylim, 121))
    heights = np.asarray(surface(w0, w1), dtype=float)
    _demand(heights.shape == w0.shape, f"the surface gave {heights.shape} for {w0.shape} points")
    _demand(heights.min() < heights.max(), "the surface is flat or not finite within the limits")
    return paths, w0, w1, heights


def _draw_paths(ax: Axes, paths: Mapping[str, np.ndarray]) -> None:
    """Draw paths in the plane (steps×2) or in space (steps×3) and the legend below them."""
    lines = []
    for name, look in _looks(paths).items():
        lines += ax.plot(*paths[name].T, lw=1.5, ms=4, label=name, zorder=10, **look)
        ax.plot(*paths[name][:1].T, "o", ms=8, mfc="white", mec="black", zorder=11)
        ax.plot(*paths[name][-1:].T, "*", ms=14, mfc=look["color"], mec="black", zorder=11)
    _legend_below(ax.figure, lines, "circle: start; star: end (none if it lies outside)")


def descent_paths(
    surface: Surface, paths: Paths, *, xlim: Pair, ylim: Pair, title: str, log: bool = False
) -> Figure:
    """Draw the contours of a loss over (w0, w1) and the paths (steps×2) walked on it.

    `surface(w0, w1)` takes and gives arrays. With `log` the contours are spaced geometrically,
    over four powers of ten at most. What lies beyond the limits is cut off.
    """
    paths, w0, w1, heights = _on_surface(surface, paths, xlim, ylim)
    levels, norm, label, top = 20, None, "loss", heights.max()
    if log:
        _demand(top > 0, f"log=True needs losses above 0; the largest is {top:g}")
        heights = np.maximum(heights, 1e-4 * top)
        levels = np.geomspace(heights.min(), top, 21)
        norm, label = LogNorm(levels[0], top), "loss (logarithmic scale)"
    figure, ((ax,),) = _figure(title, (8, 6.4))
    drawn = ax.contourf(w0, w1, heights, levels, cmap="Greys", alpha=0.6, norm=norm)
    ax.contour(w0, w1, heights, levels, colors="0.4", linewidths=0.6)
    figure.colorbar(drawn, label=label, format="%.2g")
    _draw_paths(ax, paths)
    ax.set(xlim=xlim, ylim=ylim, xlabel="w0", ylabel="w1")
    ax.grid(False)
    return figure


def descent_animation(
    surface: Surface, paths: Paths, *, xlim: Pair, ylim: Pair, title: str, log: bool = False
) -> bytes:
    """The walks of `descent_paths` step by step, as a GIF that starts over at its end."""
    figure = descent_paths(surface, paths, xlim=xlim, ylim=ylim, title=title, log=log)
    canvas, (ax, _) = FigureCanvasAgg(figure), figure.axes
    canvas.draw()
    figure.set_layout_engine("none")  # else every frame is laid out anew
    trails, stars = ax.lines[0::3], ax.lines[2::3]
    walks, frames = [trail.get_xydata() for trail in trails], []
    for step in range(max(map(len, walks))):
        for trail, star, walk in zip(trails, stars, walks, strict=True):
            trail.set_data(*walk[: step + 1].T)
            star.set_data(*walk[: step + 1][-1:].T)
        canvas.draw()
        frame = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        frames.append(frame.quantize(64, palette=frames[0] if frames else None, dither=0))
    plt.close(figure)
    gif = io.BytesIO()
    pause = [150] * (len(frames) - 1) + [2000]  # milliseconds
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:], duration=pause, loop=0)
    return gif.getvalue()


def surface_3d(surface: Surface, paths: Paths, *, xlim: Pair, ylim: Pair, title: str) -> Figure:
    """Draw the same surface in space, with the paths lying on it; beyond the limits is cut off."""
    paths, w0, w1, heights = _on_surface(surface, paths, xlim, ylim)
    figure, ((ax,),) = _figure(title, (8, 6.6), subplot_kw={"projection": "3d"})
    ax.computed_zorder = False  # else the surface hides the paths that lie on it
    palest = 1.4 * heights.min() - 0.4 * heights.max()  # a grey, not white, at the bottom
    ax.plot_surface(w0, w1, heights, cmap="Greys", alpha=0.7, edgecolor="none", vmin=palest)
    for name, path in paths.items():
        inside = (path >= [xlim[0], ylim[0]]) & (path <= [xlim[1], ylim[1]])
        path[~inside.all(axis=1)] = np.nan
        paths[name] = np.column_stack([path, surface(path[:, 0], path[:, 1])])
    _draw_paths(ax, paths)
    ax.set(xlim=xlim, ylim=ylim, xlabel="w0", ylabel="w1", zlabel="loss")
    ax.xaxis.labelpad = ax.yaxis.labelpad = ax.zaxis.labelpad = 9
    ax.set_box_aspect(None, zoom=1.1)  # the margins are wide
    return figure


def _against_step(series: Mapping[str, ArrayLike], what: str, log: bool, title: str) -> Figure:
    _demand(series, f"there is no {what} to draw")
    figure, ((ax,),) = _figure(title, (9, 4.8))
    for name, look in _looks(series).items():
        heights = np.array(series[name], dtype=float)
        _demand(heights.ndim == 1 and len(heights), f"{what} {name!r} needs one value a step")
        heights[~np.isfinite(heights)] = np.nan
        ax.plot(heights, label=name, ms=5, markevery=-(-len(heights) // 12), **look)
    ax.set(xlabel="step (number of updates)", yscale="log" if log else "linear")
    ax.set_ylabel(what + " (logarithmic scale)" * log)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend_below(figure, ax.lines)
    return figure


def loss_against_step(losses: Mapping[str, ArrayLike], *, title: str, log: bool = True) -> Figure:
    """Draw the loss after each step, from step 0 (the start); NaN and inf leave gaps."""
    return _against_step(losses, "loss", log, title)


def learning_rate(rates: Mapping[str, ArrayLike], *, title: str) -> Figure:
    """Draw the learning rate that each schedule gives each step, from step 0."""
    return _against_step(rates, "learning rate", False, title)


def saliency(images: Tensor, strengths: Tensor, *, title: str) -> Figure:
    """Draw pictures N×3×H×W and below each how much its pixels matter: N×H×W, bright is much.

    Each map of strengths is rescaled to its own [0, 1].
    """
    expected = (len(images), *images.shape[2:])
    _demand(tuple(strengths.shape) == expected, f"need {expected}; got {tuple(strengths.shape)}")
    shades = plt.get_cmap("inferno")(_unit(strengths).numpy())[..., :3]
    return _picture_rows({"picture": _pictures(images), "strength": shades}, title)


def reliability_diagram(
    tables: Mapping[str, pd.DataFrame], *, title: str, among: Iterable[str] | None = None
) -> Figure:
    """Draw accuracy against confidence, and how the answers spread over the confidences.

    `tables` holds one of `metrics.reliability` for each variant, all with the same bins. The
    legend gives the expected calibration error: the mean distance from the diagonal. `among` is
    that of `learning_curves`.
    """
    _demand(tables, "there are no tables to draw")
    needed = {"count", "confidence", "accuracy"}
    _demand(all(needed <= set(table) for table in tables.values()), f"tables need {needed}")
    figure, ((left, right),) = _figure(title, (11, 5), 1, 2)
    left.axline((0, 0), slope=1, color="0.4", ls=":")
    for name, look in _looks_among(tables, among).items():
        table, shares = tables[name], tables[name]["count"] / tables[name]["count"].sum()
        some = 100 * table.dropna(subset=["accuracy"])
        label = f"{name}: expected calibration error {100 * metrics.calibration_error(table):.1f} %"
        left.plot(some["confidence"], some["accuracy"], label=label, **look)
        edges = np.linspace(0, 100, len(table) + 1)
        right.stairs(100 * shares, edges, color=look["color"], lw=2)
    left.set(xlim=(0, 100), ylim=(0, 100), xlabel="confidence (%)", ylabel="accuracy (%)")
    left.set_title("dotted: confidence and accuracy are equal")
    right.set(xlim=(0, 100), xlabel="confidence (%)", ylabel="share of the answers (%)")
    _legend_below(figure, left.lines[1:])
    return figure


def against_size(
    frame: pd.DataFrame,
    metric: str = "accuracy",
    *,
    title: str,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw a metric against the number of training images: a dot a run, a line for the means.

    `frame` has one row a run with the columns variant, train_size and `metric`, as from
    `results.load`; sizes stand on a logarithmic scale. `among` is that of `learning_curves`.
    """
    needed = {"variant", "train_size", metric}
    _demand(needed <= set(frame) and len(frame), f"need runs with {sorted(needed)}")
    unit = UNITS.get(metric, "no unit")
    values = frame[metric].astype(float) * (100 if unit == "%" else 1)
    frame = frame.assign(**{metric: values.replace([np.inf, -np.inf], np.nan)})
    figure, ((ax,),) = _figure(title, (9, 4.8))
    for name, look in _looks_among(frame["variant"].unique(), among).items():
        some = frame[frame["variant"] == name]
        ax.plot(some["train_size"], some[metric], ls="", ms=4, alpha=0.5, **look)
        ax.plot(some.groupby("train_size")[metric].mean(), ms=7, label=name, **look)
    sizes = sorted(frame["train_size"].unique())
    label = metric.replace("val_", "validation ").replace("_", " ")
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="training images (number, logarithmic scale)", ylabel=f"{label} ({unit})")
    _legend_below(figure, ax.lines[1::2])
    return figure


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
    figure, ((ax,),) = _figure(title, (9, 5.2))
    scaled = _scale_to(ax, places)
    looks = _looks(series)
    several = bool(frame.groupby([series, x]).size().max() > 1)
    for turn, (name, look) in enumerate(looks.items()):
        rows = frame[series == name].dropna(subset="val_accuracy")
        aside = _aside(ax, places, several * (turn - (len(looks) - 1) / 2))
        at, percent = rows[x].map(dict(zip(values, aside, strict=True))), 100 * rows.val_accuracy
        ax.plot(at, percent, ls="", ms=4, alpha=0.45, **look)
        points = percent.groupby(at).agg(["mean", "std", "count"])
        n = "–".join(dict.fromkeys(str(count) for count in sorted(points["count"].iloc[[0, -1]])))
        ax.errorbar(points.index, points["mean"], points["std"], label=f"{name} (n = {n})", ms=8,
                    capsize=4, ls="-" if numeric else "", **look)  # fmt: skip
    ax.set_xticks(places, [f"{value:g}" if numeric else str(value) for value in values])
    ax.set(xlabel=x + scaled, ylabel="validation accuracy (%)")
    ax.margins(x=0.08)
    handles = ax.get_legend_handles_labels()[0]
    marks = "small: runs, bar: mean ± std over seeds" if several else "a marker is a run"
    _legend_below(figure, handles, f"{', '.join(others)}; {marks}")
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


def loss_against_loss(histories: Mapping[str, pd.DataFrame], *, title: str) -> Figure:
    """Draw validation loss against training loss: a path a variant, an epoch a marker.

    The axis is turned round, so that training goes from left to right. On the dotted diagonal
    both are equal; above it lies the gap. One above the other, variants compare at equal training
    loss.
    """
    _demand(histories, "there are no histories to draw")
    figure, ((ax,),) = _figure(title, (9, 5.4))
    for name, look in _looks(histories).items():
        table = _by_epoch(name, histories[name])
        ax.plot(table["train_loss"], table["val_loss"], label=name, ms=5, **look)
    _legend_below(figure, ax.lines)
    ax.set(xlim=ax.get_xlim()[::-1], ylim=ax.get_ylim())  # of the paths, not of the diagonal
    ax.axline((0, 0), slope=1, color="0.4", ls=":")
    ax.set(xlabel="training loss (nats, falling to the right)", ylabel="validation loss (nats)")
    return figure


def response(
    series: Mapping[str, Mapping[float, float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    log: bool = False,
    ceiling: float | None = None,
    among: Iterable[str] | None = None,
) -> Figure:
    """Draw what was measured at each value of a knob: a line for each name of `series`.

    `log` spaces the knob's values logarithmically. What is not finite, or above `ceiling`, stands
    at the top, hollow and off the line; `ceiling` is the end of the axis. `among` is that of
    `learning_curves`.
    """
    finite = np.isfinite([y for points in series.values() for y in points.values()])
    _demand(finite.any(), "there is no finite value to draw")
    looks = _looks_among(series, among)
    figure, ((ax,),) = _figure(title, (9, 4.8))
    lost = {}
    for name, points in series.items():
        x, y = np.array(sorted(points.items()), dtype=float).T
        off = ~np.isfinite(y) | (y > (np.inf if ceiling is None else ceiling))
        ax.plot(x, np.where(off, np.nan, y), label=name, ms=7, **looks[name])
        if off.any():  # a line without points would take room below the axes
            lost[name] = x[off]
    bottom, top = ax.get_ylim()
    top = ceiling or top
    for name, x in lost.items():
        ax.plot(x, np.full(len(x), top), ls="", ms=10, mfc="white", clip_on=False, **looks[name])
    ax.set(xlabel=xlabel + " (logarithmic scale)" * log, ylabel=ylabel, ylim=(bottom, top))
    ax.set_xscale("log" if log else "linear")
    if not log and all(x == int(x) for points in series.values() for x in points):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend_below(figure, ax.lines[: len(series)])
    return figure


def accuracy_by_class(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw accuracies (fractions): a row of `table` a class, a column a way of looking."""
    _demand(table.size and table.stack().between(0, 1).all(), "accuracies must be in 0 … 1")
    return _grouped_bars(100 * table, "right answers in the class (%)", title)
