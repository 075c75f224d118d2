"""The figures in images/: what each shows, drawn anew from records, and whether a file still is it.

A figure drawn from records carries their digest, so that the least change of a record is noticed,
and its pixels are compared too, so that a change of the drawing is. The fonts are matplotlib's own.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from cifar_utils import data, descent, findings, outline, plots, results
from cifar_utils.files import write_whole

DIGEST = "Records"
LEVELS, SHARE = 48, 0.0005  # of 255; of the pixels: what other processors may draw otherwise
STEPS = 40  # of the animation: a frame each
CIFAR = data.TITLES["cifar10"]
AUGMENTED = ("none", *outline.MOVES, *(each for each in outline.RIVALS if "dropout" in each))
CURVES = {
    "SimpleCNN.png": ("01_baseline", ("SimpleCNN", "corrected"), "SimpleCNN under two recipes"),
    "NotSimpleCNN.png": (
        "02_deeper_batchnorm",
        ("SimpleCNN", "NotSimpleCNN", outline.BARE, outline.NEVER_BACK),
        "Depth, BatchNorm, and evaluation mode never put back",
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
    """A file of images/: how to draw it, and what it is drawn from (as JSON; "": no records)."""

    name: str
    draw: Callable[[], Figure | bytes]
    source: Any = ""

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
    """The figures that the evidence has records for; `frame` is in the outline's order."""
    found = [_curves(frame, name, *spec) for name, spec in CURVES.items()]
    rivals = _strongest(frame, "06_augmentation", outline.RIVALS)
    what = "Dropout against augmentation"
    found.append(_comparison(rivals, "dropout_augmentation.png", what, AUGMENTED))
    chosen = ("FinalCNN", *outline.PARTS)
    parts = _strongest(frame, "07_final", chosen)
    if parts.variant.nunique() > 1:
        found.append(_comparison(parts, "ablation.png", "FinalCNN with one part changed", chosen))
    final = _strongest(frame, "07_final", ("FinalCNN",))
    found += [_differences(frame), _sizes(frame), _confusion(final[final.accuracy.notna()])]
    return [picture for picture in found if picture]


def others() -> list[Picture]:
    """The descent; where CIFAR-10 is on disk, pictures of it."""
    found = [Picture("descent.gif", _descent)]
    if data.locate("auto"):
        images = data.load("cifar10")
        title = f"{CIFAR}: eight training pictures of each class"
        found.append(
            Picture(
                "samples.png", partial(plots.samples, images.train, images.classes, title=title)
            )
        )
        for name in ("bird", "ship"):
            first = images.train.images[images.train.labels == images.classes.index(name)][0]
            title = f"{CIFAR}: a picture, 32 × 32 pixels"
            draw = partial(plots.picture, first, name, title=title)
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
            write_whole(path, lambda beside, content=content: beside.write_bytes(content))
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


def _strongest(frame: pd.DataFrame, notebook: str, variants: Collection[str]) -> pd.DataFrame:
    runs = results.strongest(frame[frame.notebook == notebook], variants)
    return runs[runs.variant.isin(list(variants))]


def _what_of(runs: pd.DataFrame) -> str:
    """Data, scale and seeds: "CIFAR-10, 45,000 training images, 30 epochs, n = 3 seeds"."""
    return f"{CIFAR}, {results.scale(runs)}, {_seeds(runs)}"


def _seeds(runs: pd.DataFrame) -> str:
    """ "one seed, so no spread", "n = 3 seeds" or "n = 1 to 3 seeds" a variant and size."""
    counts = runs.groupby(["variant", "train_size"]).seed.nunique()
    low, high = counts.min(), counts.max()
    if high == 1:
        return "one seed, so no spread"
    return f"n = {high} seeds" if low == high else f"n = {low} to {high} seeds"


def _curves(
    frame: pd.DataFrame, name: str, notebook: str, variants: tuple[str, ...], what: str
) -> Picture | None:
    runs = _strongest(frame, notebook, variants)
    if runs.empty:
        return None
    title = f"{what} ({_what_of(runs)})"
    histories = {
        variant: runs.history[runs.variant == variant].tolist()
        for variant in variants
        if variant in set(runs.variant)
    }
    draw = partial(plots.learning_curves, histories, title=title, among=variants)
    return Picture(name, draw, [title, variants, histories])


def _comparison(runs: pd.DataFrame, name: str, what: str, among: Sequence[str]) -> Picture | None:
    if not runs.accuracy.notna().any():
        return None
    title = f"{what}: test accuracy ({_what_of(runs)})"
    source = runs[["variant", "seed", "accuracy"]].to_json(orient="values")
    draw = partial(plots.comparison, runs, title=title, among=among)
    return Picture(name, draw, [title, source, among])


def _differences(frame: pd.DataFrame) -> Picture | None:
    groups, most = {}, frame.train_size.max()
    for section in outline.SECTIONS:
        compared = findings.of_section(frame, section)
        rows = {}
        for images, each in compared:
            mark = f", {images:,} images" if images < most else ""
            rows[f"{each.b} − {each.a}  (n = {each.n}{mark})"] = each
        if rows:
            groups[section.notebook.replace("_", " · ", 1).replace("_", ", ")] = rows
    if not groups:
        return None
    what = "What each change does to the test accuracy"
    title = f"{what} ({CIFAR}, paired by seed, {most:,} images or as said)"
    source = {
        heading: {k: vars(each) for k, each in rows.items()} for heading, rows in groups.items()
    }
    return Picture(
        "differences.png", partial(plots.differences, groups, title=title), [title, source]
    )


def _sizes(frame: pd.DataFrame) -> Picture | None:
    runs = frame[(frame.notebook == "06_augmentation") & frame.variant.isin(AUGMENTED)]
    runs = runs[runs.profile != "part"]
    runs = runs[runs.groupby("variant").train_size.transform("nunique") > 1]
    if runs.empty:
        return None
    epochs = f"{runs.epochs.min()} to {runs.epochs.max()} epochs"
    title = f"DropoutCNN: test accuracy against training images ({CIFAR}, {epochs}, {_seeds(runs)})"
    source = runs[["variant", "seed", "train_size", "accuracy"]].to_json(orient="values")
    draw = partial(plots.against_size, runs, title=title, among=AUGMENTED)
    return Picture("sizes.png", draw, [title, source])


def _confusion(runs: pd.DataFrame) -> Picture | None:
    if runs.empty:
        return None
    counts = np.sum(runs.confusion.tolist(), axis=0)
    title = f"FinalCNN: what it takes for what ({CIFAR}, test images, sums; {_seeds(runs)})"
    draw = partial(plots.confusion_matrix, counts, data.CLASSES, title=title)
    return Picture("confusion_matrix.png", draw, [title, counts.tolist()])


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
