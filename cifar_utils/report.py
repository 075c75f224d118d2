"""README's table and the figures in images/, from the records in results/ alone."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cifar_utils import metrics, plots, results
from cifar_utils.data import CLASSES, PROJECT

README = PROJECT / "README.md"
IMAGES = PROJECT / "images"
START, END = "<!-- records: start -->", "<!-- records: end -->"
HEADINGS = ("notebook", "variant", "network", "parameters", "epochs", "n", "accuracy %",
            "precision %", "recall %", "F1 %", "ROC-AUC %", "MCC %")  # fmt: skip


def table(frame: pd.DataFrame) -> str:
    """A markdown table: for each variant n and the six test metrics, mean ± std over seeds."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for (notebook, variant), runs in frame.groupby(["notebook", "variant"], sort=False):
        first = runs.iloc[0]
        cells = [notebook, variant, first.network, f"{first.parameters:,}", f"{first.epochs}"]
        cells += [f"{len(runs)}", *(_mean_and_spread(runs[name]) for name in metrics.NAMES)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def provenance(frame: pd.DataFrame) -> str:
    """One sentence: data sizes, seeds and hardware of the records."""
    first = frame.iloc[0]
    where = first.environment
    return (
        f"Test set of {np.sum(first.confusion):,} images, looked at once a run; "
        f"{first.train_size:,} training images; {len(frame)} run(s), seeds "
        f"{', '.join(map(str, sorted(frame.seed.unique())))}; {where['processor']} "
        f"({where['instructions']}), {where['threads']} thread(s), torch {where['torch']}, "
        f"Python {where['python']}."
    )


def readme_block(frame: pd.DataFrame) -> str:
    """What stands between README's two marks."""
    if frame.empty:
        return f"{START}\nThere are no full-scale records yet.\n{END}"
    return f"{START}\n{table(frame)}\n\n{provenance(frame)}\n{END}"


def write_readme(frame: pd.DataFrame, path: Path = README) -> None:
    """Put the records' table between README's marks.

    Raises:
        ValueError: the marks are not there.
    """
    text = path.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(START)}.*{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{path} has no lines {START} and {END} to put the table between")
    path.write_text(pattern.sub(lambda _: readme_block(frame), text), encoding="utf-8")


def draw_images(frame: pd.DataFrame, folder: Path = IMAGES) -> list[Path]:
    """Learning curves and confusion matrix of FinalCNN, where it has records."""
    final = frame[frame.notebook == "07_final"]
    if final.empty:
        return []
    plots.use_style()
    n = f"CIFAR-10, {len(final)} seed(s)"
    counts = np.sum(final.confusion.tolist(), axis=0)
    figures = {
        "final.png": plots.learning_curves(results.histories(final), title=f"FinalCNN: {n}"),
        "confusion_matrix.png": plots.confusion_matrix(
            counts, CLASSES, title=f"FinalCNN, test images: {n}"
        ),
    }
    folder.mkdir(exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / name, metadata={"Software": None})
        plt.close(figure)
    return [folder / name for name in figures]


def _mean_and_spread(values: pd.Series) -> str:
    mean = f"{100 * values.mean():.2f}"
    return f"{mean} ± {100 * values.std():.2f}" if len(values) > 1 else mean
