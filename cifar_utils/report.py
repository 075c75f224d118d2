"""The READMEs' tables and the figures in images/, from the records in results/ alone."""

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
from cifar_utils.wording import ENGLISH, RUSSIAN

READMES = {PROJECT / "README.md": ENGLISH, PROJECT / "README.ru.md": RUSSIAN}
IMAGES = PROJECT / "images"
SPEED = PROJECT / "benchmarks" / "throughput.json"
CLAIM = PROJECT / "benchmarks" / "time_to_accuracy.json"


def records_block(frame: pd.DataFrame, words: Mapping[str, str] = ENGLISH) -> str:
    """The study in one table, a row a variant: n, six test metrics as mean ± std over seeds.

    Below it one sentence: data sizes, seeds and hardware.
    """
    if frame.empty:
        return words["no records"]
    rows = []
    for (notebook, variant), runs in frame.groupby(["notebook", "variant"], sort=False):
        first = runs.iloc[0]
        rows.append([notebook, variant, first.network, f"{first.parameters:,}", f"{first.epochs}"])
        rows[-1] += [f"{len(runs)}", *(_mean_and_spread(runs[name]) for name in metrics.NAMES)]
        rows[-1].append(_mean_and_spread(runs.flip_accuracy))
    provenance = words["provenance"].format(
        tested=np.sum(frame.confusion.iloc[0]),
        trained=frame.train_size.iloc[0],
        runs=len(frame),
        seeds=", ".join(map(str, sorted(frame.seed.unique()))),
        machine=words["machine"].format(**frame.environment.iloc[0]),
    )
    return f"{_table(words['headings'], rows)}\n\n{provenance}"


def speed_block(speed: Mapping[str, Any], words: Mapping[str, str] = ENGLISH) -> str:
    """How fast training is, from what benchmarks/throughput.py wrote."""
    rates = speed["images_per_second"]
    plain = max(rate for name, rate in rates.items() if name.startswith("plain"))
    rows = [[name, f"{rate:,.0f}", f"{rate / plain:.2f}"] for name, rate in rates.items()]
    measured = words["speed"].format(
        rounds=len(speed["rounds"]["fit, one process"]),
        machine=words["machine"].format(**speed["environment"]),
        fit=100 * speed["roofline_fraction"],
        study=100 * speed["study_roofline_fraction"],
        stages=", ".join(f"{name} {100 * share:.1f} %" for name, share in speed["stages"].items()),
        load=speed["load_seconds"],
        evaluate=speed["evaluate_10000_seconds"],
        memory=speed["peak_memory_gb"],
    )
    return f"{_table(words['speed headings'], rows)}\n\n{measured}"


def claim_block(claim: Mapping[str, Any], words: Mapping[str, str] = ENGLISH) -> str:
    """How soon the original's claim is reached, from what benchmarks/time_to_accuracy.py wrote."""
    runs = pd.DataFrame(claim["runs"])
    return words["claim"].format(
        claim=100 * claim["claim"],
        epochs=runs.epochs[0],
        test=_mean_and_spread(runs.test),
        seconds=runs.seconds.mean(),
        spread=runs.seconds.std(),
        operations=runs.operations.mean() / 1e12,
        runs=len(runs),
        reached=(runs.test >= claim["claim"]).sum(),
        machine=words["machine"].format(**claim["environment"]),
    )


def blocks(frame: pd.DataFrame, words: Mapping[str, str] = ENGLISH) -> dict[str, str]:
    """What stands between each pair of a README's marks."""
    found = {"records": records_block(frame, words)}
    for name, path, block in (("speed", SPEED, speed_block), ("claim", CLAIM, claim_block)):
        if path.exists():
            found[name] = block(json.loads(path.read_text()), words)
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


def write_readmes(frame: pd.DataFrame, readmes: Mapping[Path, Mapping[str, str]]) -> None:
    """Put every block between its marks, in each README in its language."""
    for path, words in readmes.items():
        text = path.read_text(encoding="utf-8")
        for name, block in blocks(frame, words).items():
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


def _table(headings: str, rows: list[list[str]]) -> str:
    lines = [headings, " | ".join(["---"] * len(rows[0])), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _mean_and_spread(values: pd.Series) -> str:
    if values.isna().all():
        return "–"
    mean = f"{100 * values.mean():.2f}"
    return f"{mean} ± {100 * values.std():.2f}" if len(values) > 1 else mean
