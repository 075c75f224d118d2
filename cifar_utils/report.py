"""README's table and the figures in images/, from the records in results/ alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from cifar_utils import metrics, plots, results
from cifar_utils.data import CLASSES, PROJECT

README = PROJECT / "README.md"
IMAGES = PROJECT / "images"
SPEED = PROJECT / "benchmarks" / "throughput.json"
CLAIM = PROJECT / "benchmarks" / "time_to_accuracy.json"
HEADINGS = ("notebook", "variant", "network", "parameters", "epochs", "n", "accuracy %",
            "precision %", "recall %", "F1 %", "ROC-AUC %", "MCC %", "flip-averaged %")  # fmt: skip


def table(frame: pd.DataFrame) -> str:
    """A markdown table: for each variant n and the six test metrics, mean ± std over seeds."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for (notebook, variant), runs in frame.groupby(["notebook", "variant"], sort=False):
        first = runs.iloc[0]
        cells = [notebook, variant, first.network, f"{first.parameters:,}", f"{first.epochs}"]
        cells += [f"{len(runs)}", *(_mean_and_spread(runs[name]) for name in metrics.NAMES)]
        cells.append(_mean_and_spread(runs.flip_accuracy))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def provenance(frame: pd.DataFrame) -> str:
    """One sentence: data sizes, seeds and hardware of the records."""
    first = frame.iloc[0]
    where = first.environment
    return (
        f"Test set of {np.sum(first.confusion):,} images, looked at once a run; "
        f"{first.train_size:,} training images; {len(frame)} run(s), seeds "
        f"{', '.join(map(str, sorted(frame.seed.unique())))}; {_machine(where)}."
    )


def records_block(frame: pd.DataFrame) -> str:
    """README's table of the study, and where it comes from."""
    if frame.empty:
        return "There are no full-scale records yet."
    return f"{table(frame)}\n\n{provenance(frame)}"


def speed_block(speed: Mapping[str, Any], claim: Mapping[str, Any]) -> str:
    """README's account of speed, from the two files that the benchmarks write."""
    rates = speed["images_per_second"]
    plain = max(rate for name, rate in rates.items() if name.startswith("plain"))
    lines = ["| training FinalCNN, crop and flip | images/s | × plain |", "| --- | --- | --- |"]
    lines += [f"| {name} | {rate:,.0f} | {rate / plain:.2f} |" for name, rate in rates.items()]
    stages = ", ".join(f"{name} {100 * share:.1f} %" for name, share in speed["stages"].items())
    runs = pd.DataFrame(claim["runs"])
    return "\n".join(lines) + (
        f"\n\nMedians of {len(speed['rounds']['fit, one process'])} rounds, measured in turn on "
        f"{_machine(speed['environment'])}. `fit` reaches {100 * speed['roofline_fraction']:.0f} % "
        f"of the rate of a large matrix product on the same threads, two jobs "
        f"{100 * speed['study_roofline_fraction']:.0f} %. Of an epoch's time: {stages}. Loading "
        f"CIFAR-10 takes {speed['load_seconds']:.1f} s, evaluating 10,000 images "
        f"{speed['evaluate_10000_seconds']:.1f} s; one process holds at most "
        f"{speed['peak_memory_gb']:.2f} GB.\n\nFinalCNN clears the original study's "
        f"{100 * claim['claim']:.2f} % on the test set in {runs.epochs[0]} epochs: test accuracy "
        f"{_mean_and_spread(runs.test)} %, {runs.seconds.mean():.0f} ± {runs.seconds.std():.0f} s, "
        f"{runs.operations.mean() / 1e12:.1f}·10¹² floating-point operations (n = {len(runs)} "
        f"seeds, of which {(runs.test >= claim['claim']).sum()} clear it; "
        f"{_machine(claim['environment'])})."
    )


def blocks(frame: pd.DataFrame) -> dict[str, str]:
    """What stands between each pair of README's marks."""
    found = {"records": records_block(frame)}
    if SPEED.exists() and CLAIM.exists():
        found["speed"] = speed_block(json.loads(SPEED.read_text()), json.loads(CLAIM.read_text()))
    return found


def fill(text: str, name: str, block: str) -> str:
    """`text` with `block` between the marks called `name`.

    Raises:
        ValueError: the marks are not there.
    """
    start, end = (f"<!-- {name}: {at} -->" for at in ("start", "end"))
    pattern = re.compile(f"{start}.*{end}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no lines {start} and {end} to put the {name} between")
    return pattern.sub(lambda _: f"{start}\n{block}\n{end}", text)


def write_readme(found: Mapping[str, str], path: Path = README) -> None:
    """Put every block between its marks."""
    text = path.read_text(encoding="utf-8")
    for name, block in found.items():
        text = fill(text, name, block)
    path.write_text(text, encoding="utf-8")


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


def _machine(where: Mapping[str, Any]) -> str:
    return (
        f"{where['processor']} ({where['instructions']}), {where['threads']} thread(s), torch "
        f"{where['torch']}, Python {where['python']}"
    )


def _mean_and_spread(values: pd.Series) -> str:
    if values.isna().all():
        return "–"
    mean = f"{100 * values.mean():.2f}"
    return f"{mean} ± {100 * values.std():.2f}" if len(values) > 1 else mean
