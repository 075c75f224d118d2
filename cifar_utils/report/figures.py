"""The figures in images/: what each shows, drawn anew from records, and whether a file still is it.

A figure drawn from records carries their digest, so that the least change of a record is noticed,
and its pixels are compared too, so that a change of the drawing is. The fonts are matplotlib's own.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cifar_utils import data, descent, outline, plots, records, statistics
from cifar_utils.files import write_whole
from cifar_utils.report import compared, numbers
from cifar_utils.report.compared import Outcome
from cifar_utils.statistics import Comparison

DIGEST = "Records"
LEVELS, SHARE = 48, 0.0005  # of 255; of the pixels: what other processors may draw otherwise
STEPS = 40  # of the animation: a frame each
CIFAR = data.TITLES["cifar10"]
AUGMENTED = ("none", *outline.MOVES, *(each for each in outline.RIVALS if "dropout" in each))
CURVES = {
    "SimpleCNN.png": ("01_baseline", ("SimpleCNN", "corrected"), "SimpleCNN under two recipes"),
    "NotSimpleCNN.png": (
        "02_deeper_batchnorm",
        ("SimpleCNN", "NotSimpleCNN", outline.BARE, outline.IN_EVALUATION),
        "Depth, BatchNorm, and a network left in evaluation mode",
    ),
    "normalisation.png": (
        "02_deeper_batchnorm",
        ("SimpleCNN", outline.PLAIN, outline.HALF),
        "SimpleCNN under three normalisations of the pixels",
    ),
    "PoolingCNN.png": (
        "03_pooling", ("max", "average", "strided", "global"), "PoolingCNN: four ways of pooling"
    ),
    "optimizers.png": (
        "04_optimizers",
        ("SGD", "SGD + momentum", "RMSprop", "Adam", "AdamW"),
        "SimpleCNN: five optimizers, each at its own learning rate",
    ),
    "dropout.png": (
        "05_dropout", ("p = 0", "p = 0.2", "p = 0.5", "p = 0.8"), "DropoutCNN: four probabilities"
    ),
    "CNN.png": ("06_augmentation", ("none", *outline.MOVES), "DropoutCNN, p = 0: augmentation"),
    "final.png": ("07_final", ("FinalCNN", "PlainCNN"), "The final networks"),
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A file of images/: how to draw it, and what it is drawn from (as JSON; "": no records).

    `runs` are the records that it shows, a row a run.
    """

    name: str
    draw: Callable[[], Figure | bytes]
    source: Any = ""
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)

    def origin(self) -> dict[str, Any]:
        """Which records it is drawn from: their folders, their number, what makes them."""
        made = records.sources(self.runs)
        folders, commands = sorted(set(made.values())), list(made)
        if len(folders) == len(outline.SECTIONS):
            folders = [f"{records.EVIDENCE.name}/"]
            seeds = self.runs.seed.max() + 1
            commands = [f"python -m cifar_utils run --profile full --seeds {seeds}"]
        return {"count": len(self.runs), "folders": folders, "commands": commands}

    def digest(self) -> str:
        """Of what it is drawn from, 16 hex digits."""
        return hashlib.sha256(json.dumps(self.source).encode()).hexdigest()[:16]

    def content(self) -> bytes:
        """The file's bytes."""
        with plt.rc_context():
            plots.use_style()
            plt.rcParams["font.sans-serif"] = ["DejaVu Sans"]
            drawn = self.draw()
            if isinstance(drawn, bytes):
                return drawn
            file = io.BytesIO()
            metadata = {"Software": None, DIGEST: self.digest()}
            drawn.savefig(file, format="png", metadata=metadata)
            plt.close(drawn)
        return file.getvalue()


def from_records(frame: pd.DataFrame) -> list[Picture]:
    """The figures drawn from the evidence; `frame` is in the outline's order."""
    full = frame[frame.profile == "full"]
    rivals = _of(full, "06_augmentation", outline.RIVALS)
    chosen = ("FinalCNN", *outline.PARTS)
    parts = _of(full, "07_final", chosen)
    return [
        _recipes(full),
        _differences(full),
        *(_curves(full, name, *spec) for name, spec in CURVES.items()),
        _comparison(rivals, "dropout_augmentation.png", "Dropout against augmentation", AUGMENTED),
        _comparison(parts, "ablation.png", "FinalCNN with one part changed", chosen),
        _sizes(frame),
        _confusion(_of(full, "07_final", ("FinalCNN",))),
    ]


def others() -> list[Picture]:
    """The figures that need no record: the descent, and images of the sample."""
    images = data.load("sample")
    title = f"{CIFAR}: eight training images of each class"
    samples = partial(plots.samples, images.train, images.classes, title=title)
    found = [Picture("descent.gif", _descent), Picture("samples.png", samples)]
    for name in ("bird", "ship"):
        first = images.train.images[images.train.labels == images.classes.index(name)][0]
        title = f"{CIFAR}: an image, 32 × 32 pixels"
        draw = partial(plots.enlarged, first, name, title=title)
        found.append(Picture(f"CIFAR-10_{name}.png", draw))
    return found


def is_current(picture: Picture, file: Path, content: bytes | None = None) -> bool:
    """Whether a file is the picture: of the same records, with the same pixels but for rounding."""
    if not file.exists():
        return False
    with Image.open(file) as kept, Image.open(io.BytesIO(content or picture.content())) as drawn:
        if kept.info.get(DIGEST) != drawn.info.get(DIGEST):
            return False
        return _near(_frames(kept), _frames(drawn))


def write(pictures: list[Picture], folder: Path) -> list[Path]:
    """Draw the pictures whose files are not current; those written."""
    written = []
    for picture in pictures:
        content, path = picture.content(), folder / picture.name
        if not is_current(picture, path, content):
            write_whole(path, partial(Path.write_bytes, data=content))
            written.append(path)
    return written


def _frames(image: Image.Image) -> list[np.ndarray]:
    frames = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(np.asarray(image.convert("RGB"), dtype=int))
    return frames


def _near(some: list[np.ndarray], others: list[np.ndarray]) -> bool:
    if [each.shape for each in some] != [each.shape for each in others]:
        return False
    apart = [np.abs(a - b).max(axis=2) > LEVELS for a, b in zip(some, others, strict=True)]
    return max(each.mean() for each in apart) < SHARE


def _of(full: pd.DataFrame, notebook: str, variants: Collection[str]) -> pd.DataFrame:
    return full[(full.notebook == notebook) & full.variant.isin(list(variants))]


def _what_of(runs: pd.DataFrame) -> str:
    """Data, scale and seeds: "CIFAR-10, 45,000 training images, 30 epochs, n = 3 seeds"."""
    return f"{CIFAR}, {records.scale(runs)}, {_seeds(runs)}"


def _seeds(runs: pd.DataFrame) -> str:
    """ "one seed, so no spread", "n = 3 seeds" or "n = 1 to 3 seeds" a variant and size."""
    counts = runs.groupby(["variant", "train_size"]).seed.nunique()
    low, high = counts.min(), counts.max()
    if high == 1:
        return "one seed, so no spread"
    return f"n = {high} seeds" if low == high else f"n = {low} to {high} seeds"


def _recipes(full: pd.DataFrame) -> Picture:
    """The study's largest finding: two networks, each by the original's recipe and the final."""
    found = {network: numbers.by_recipe(full, network) for network in numbers.RECIPES}
    runs = pd.concat([each["runs"] for each in found.values()])
    title = f"The same network, another recipe ({CIFAR}, {records.scale(runs)})"
    rows = {}
    for network, each in found.items():
        summary = statistics.summary(each["runs"]).droplevel("notebook")
        rows[f"{network}\n{each['parameters']:,} parameters"] = summary
    source = {name: row.round(6).to_dict() for name, row in rows.items()}
    draw = partial(_draw_recipes, rows, title)
    return Picture("recipe.png", draw, [title, source], runs)


def _draw_recipes(rows: Mapping[str, pd.DataFrame], title: str) -> Figure:
    figure, ax = plt.subplots(figsize=(9, 3.2), layout="constrained")
    figure.suptitle(title, fontsize=12)
    names = {"original": "by the original's recipe", "final": "by the final recipe"}
    colours = plots.colours(names)
    for place, row in enumerate(rows.values()):
        start, end = 100 * row["mean"]["original"], 100 * row["mean"]["final"]
        arrow = {"arrowstyle": "->", "color": "0.5", "shrinkA": 9, "shrinkB": 9}
        ax.annotate("", (end, place), (start, place), arrowprops=arrow)
        between: dict[str, Any] = {"ha": "center", "va": "center", "backgroundcolor": "white"}
        ax.text((2 * start + end) / 3, place, f"{end - start:+.1f} points", **between)
        for recipe, marker in (("original", "o"), ("final", "D")):
            mean = 100 * row["mean"][recipe]
            half = 100 * row["high"][recipe] - mean
            look: dict[str, Any] = {"color": colours[recipe], "fmt": marker, "capsize": 4, "ms": 8}
            ax.errorbar(mean, place, xerr=half, label=names[recipe], **look)
            below = f"{mean:.2f} % (n = {row['n'][recipe]})"
            ax.text(mean, place + 0.3, below, ha="center", color=colours[recipe])
    claim = f"the original's claim, {numbers.CLAIM:.2f} %"
    ax.axvline(numbers.CLAIM, color="0.2", ls="--", lw=1, label=claim)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.margins(x=0.14)
    ax.set_xlabel("test accuracy (%); bars: 95 % t-interval of the mean")
    ax.grid(False, axis="y")
    handles, labels = ax.get_legend_handles_labels()
    shown = dict(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown, loc="outside lower center", ncols=len(shown))
    return figure


def _curves(
    full: pd.DataFrame, name: str, notebook: str, variants: tuple[str, ...], what: str
) -> Picture:
    runs = _of(full, notebook, variants)
    title = f"{what} ({_what_of(runs)})"
    histories = {each: runs.history[runs.variant == each].tolist() for each in variants}
    draw = partial(plots.learning_curves, histories, title=title, among=variants)
    return Picture(name, draw, [title, variants, histories], runs)


def _comparison(runs: pd.DataFrame, name: str, what: str, among: Sequence[str]) -> Picture:
    title = f"{what}: test accuracy ({_what_of(runs)})"
    source = runs[["variant", "seed", "accuracy"]].to_json(orient="values")
    draw = partial(plots.comparison, runs, title=title, among=among)
    return Picture(name, draw, [title, source, among], runs)


def _differences(full: pd.DataFrame) -> Picture:
    found = compared.of_study(full)
    groups: dict[str, dict[str, Comparison | None]] = {}
    for section in outline.SECTIONS:
        heading = section.notebook.replace("_", " · ", 1).replace("_", ", ")
        groups[heading] = {}
        for each in compared.of_section(found, section):
            reported = each if isinstance(each, Comparison) else None
            primary = (each.a, each.b) in section.primary
            groups[heading][_row_label(each, primary)] = reported
    what = "What each change does to the test accuracy"
    title = f"{what} ({CIFAR}, paired by seed, {full.train_size.max():,} training images)"
    source = {
        heading: {label: each and asdict(each) for label, each in rows.items()}
        for heading, rows in groups.items()
    }
    draw = partial(plots.differences, groups, title=title)
    return Picture("differences.png", draw, [title, source], full)


def _row_label(each: Outcome, primary: bool) -> str:
    """ "corrected − SimpleCNN  (n = 10, primary)", or "(3 of 10 seeds)" if it is not reported."""
    n = f"n = {each.n}"
    if not isinstance(each, Comparison):
        n = f"{each.n} of {each.declared} seeds"
    return f"{each.b} − {each.a}  ({n}{', primary' if primary else ''})"


def _sizes(frame: pd.DataFrame) -> Picture:
    runs = frame[(frame.notebook == "06_augmentation") & frame.variant.isin(AUGMENTED)]
    runs = runs[runs.groupby("variant").train_size.transform("nunique") > 1]
    epochs = f"{runs.epochs.min()} to {runs.epochs.max()} epochs"
    title = f"DropoutCNN: test accuracy against training images ({CIFAR}, {epochs}, {_seeds(runs)})"
    source = runs[["variant", "seed", "train_size", "accuracy"]].to_json(orient="values")
    draw = partial(plots.against_size, runs, title=title, among=AUGMENTED)
    return Picture("sizes.png", draw, [title, source], runs)


def _confusion(runs: pd.DataFrame) -> Picture:
    counts = np.sum(runs.confusion.tolist(), axis=0)
    title = f"FinalCNN: what it takes for what ({CIFAR}, test images, sums; {_seeds(runs)})"
    draw = partial(plots.confusion_matrix, counts, data.CLASSES, title=title)
    return Picture("confusion_matrix.png", draw, [title, counts.tolist()], runs)


def _descent() -> bytes:
    """The two walks that notebook 04 begins with."""
    line = descent.surface("line_fit")
    walks = {
        "gradient descent, 24 points a step": descent.walk(line, "sgd", 0.1, STEPS),
        "SGD, 1 point a step": descent.walk(line, "sgd", 0.1, STEPS, batch=1),
    }
    paths = {name: walk[["w0", "w1"]] for name, walk in walks.items()}
    title = f"Fit of a line to 24 points: gradient descent against SGD, {STEPS} steps"
    xlim, ylim = line.limits
    return plots.descent_animation(line.loss, paths, xlim=xlim, ylim=ylim, title=title, log=True)
