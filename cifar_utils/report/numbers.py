"""What the pages say in numbers: plain values, tables and verdicts, from the records alone.

The templates name what `facts` returns; nothing here knows a language.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_utils import metrics, models, outline, records, statistics, uncertainty
from cifar_utils.data import PROJECT
from cifar_utils.files import read_text, slug
from cifar_utils.outline import Question, Section
from cifar_utils.report import compared
from cifar_utils.report.compared import Key, Outcome, Unreported
from cifar_utils.statistics import Comparison

SPEED = PROJECT / "benchmarks" / "throughput.json"
TIME = PROJECT / "benchmarks" / "time_to_accuracy.json"
TIME_94 = PROJECT / "benchmarks" / "time_to_94.json"
COVERAGE = PROJECT / "benchmarks" / "coverage.json"

VIEWS = ("one_view", "flip", "six_views", "six_where_unsure")  # of benchmarks/time_to_94.py
CLAIM, AIM = 80.90, 91.50  # percent: the original's for its final network; this study's own
# Test accuracies in percent that the original reported, beside the runs that redo its own.
REPORTED = {
    ("01_baseline", "SimpleCNN"): 64.05,
    ("02_deeper_batchnorm", "NotSimpleCNN"): 72.09,
    ("03_pooling", "average"): 70.10,
    ("07_final", "FinalCNN"): CLAIM,
}
RECIPES = {  # of one network: by the original's recipe, and by the final one
    "SimpleCNN": (("01_baseline", "SimpleCNN"), ("07_final", "SimpleCNN instead")),
    "NotSimpleCNN": (("02_deeper_batchnorm", "NotSimpleCNN"), ("07_final", "FinalCNN")),
}
MISTAKES = {  # what shows the cost: the notebook, the right way and the mistaken one
    "evaluation_mode": ("02_deeper_batchnorm", "NotSimpleCNN", outline.IN_EVALUATION),
    "dropout_on": ("05_dropout", "p = 0.5", outline.NEVER_OFF),
    "augmented_test": ("06_augmentation", "crop + flip", outline.SHAKEN),
    "half": ("02_deeper_batchnorm", "SimpleCNN", outline.HALF),
    "itself": ("06_augmentation", "none", "crop + flip"),
}


def facts(frame: pd.DataFrame) -> dict[str, Any]:
    """All that the templates name, from the evidence (`records.all_evidence`)."""
    frame = outline.in_order(frame)
    full = frame[frame.profile == "full"]
    found = compared.of_study(full)
    reported = [each for each in found.values() if isinstance(each, Comparison)]
    return {
        "chapters": {each.notebook: _chapter(frame, found, each) for each in outline.SECTIONS},
        "networks": [_network(of_variant(full, *names), names) for names in outline.NETWORKS],
        "claim": target(of_variant(full, "07_final", "FinalCNN"), CLAIM),
        "aim": target(of_variant(full, "07_final", "PlainCNN"), AIM),
        "recipes": {network: by_recipe(full, network) for network in RECIPES},
        "mistakes": {key: _mistake(full, *names) for key, names in MISTAKES.items()},
        "flattery": _flattery(full),
        "apart": _apart(full),
        "primary": compared.primary_rows(found),
        "declared": len(found),
        "reported": len(reported),
        "exploratory": sum(each.corrected is None for each in reported),
        "runs": _provenance(full),
        "speed": _speed(SPEED),
        "time": _time(TIME),
        "fastest": _time_to_94(TIME_94),
        "coverage": _coverage(COVERAGE),
    }


def of_variant(runs: pd.DataFrame, notebook: str, variant: str) -> pd.DataFrame:
    """The runs of one variant."""
    return runs[(runs.notebook == notebook) & (runs.variant == variant)]


def _mistake(full: pd.DataFrame, notebook: str, right: str, mistaken: str) -> Outcome:
    return compared.between(full, (notebook, right), (notebook, mistaken))


def by_recipe(full: pd.DataFrame, network: str) -> dict[str, Any]:
    """One network by the original's recipe and by the final one, and the difference."""
    original, final = (of_variant(full, *names) for names in RECIPES[network])
    change = compared.between(full, *RECIPES[network])
    both = pd.concat([original.assign(variant="original"), final.assign(variant="final")])
    return {
        "parameters": final.parameters.iloc[0],
        "original": 100 * original.accuracy.mean(),
        "final": 100 * final.accuracy.mean(),
        "change": change,
        "runs": both,
    }


def target(runs: pd.DataFrame, goal: float) -> dict[str, Any]:
    """Whether one variant's mean test accuracy reaches `goal` (percent), by its 95 % intervals.

    "kind" is of these test images, so by the interval over seeds, and "unreported" without all of
    the declared seeds; "wide" is of any test images, so by that over seeds and images.
    """
    first = runs.iloc[0]
    declared = outline.declared_seeds(first.notebook, first.variant)
    runs = runs[runs.seed < declared].dropna(subset="accuracy")
    found = {
        "name": _full_name(first),
        "parameters": first.parameters,
        "goal": goal,
        "kind": "unreported",
        "n": len(runs),
        "declared": declared,
        "accuracy": mean_and_spread(runs.accuracy),
        "flip": mean_and_spread(runs.flip_accuracy),
    }
    if len(runs) < declared:
        return found
    row = 100 * statistics.summary(runs).iloc[0]
    wide = uncertainty.of_network(runs)
    wide_low, wide_high = 100 * wide.low, 100 * wide.high
    return found | {
        "kind": _place(row.low, row.high, goal),
        "low": row.low,
        "high": row.high,
        "above": (100 * runs.accuracy > goal).sum(),
        "images": int(np.sum(first.confusion)),
        "wide": {"kind": _place(wide_low, wide_high, goal), "low": wide_low, "high": wide_high},
    }


def splits(runs: pd.DataFrame) -> dict[str, Any]:
    """Accuracies of one network where only the split differs: which images validate."""
    columns = {"validation": runs.val_accuracy, "test": runs.accuracy}
    return {"n": len(runs)} | {name: mean_and_spread(values) for name, values in columns.items()}


def _place(low: float, high: float, goal: float) -> str:
    return "reached" if low > goal else "missed" if high < goal else "open"


def _chapter(frame: pd.DataFrame, found: Mapping[Key, Outcome], section: Section) -> dict[str, Any]:
    """A notebook's answers and tables; "questions" by their keys in the outline."""
    every = frame[frame.notebook == section.notebook]
    runs = every[every.profile == "full"]
    variants = {name: runs[runs.variant == name] for name in runs.variant.unique()}
    names = [names for names in REPORTED if names[0] == section.notebook]
    first: Any = runs.iloc[0]
    return {
        "questions": {
            each.key: _question(runs, found, section.notebook, each) for each in section.questions
        },
        "rates": {name: some.lr.iloc[0] for name, some in variants.items()},
        "reported": [target(of_variant(runs, *each), REPORTED[each]) for each in names],
        "comparisons": compared.of_section(found, section),
        "primary": section.primary,
        "metrics": [
            _metrics(name, some, REPORTED.get((section.notebook, name)))
            for name, some in variants.items()
        ],
        "sizes": _sizes(every),
        "lost": {name: n for name, some in variants.items() if (n := some.accuracy.isna().sum())},
        "commands": _commands(every),
        "first": records.file_name(first),
    }


def _question(
    runs: pd.DataFrame, found: Mapping[Key, Outcome], notebook: str, question: Question
) -> dict[str, Any]:
    """Its comparisons, those reported alike together, largest first; those against expectation."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    surprises = []
    for a, b, expected in question.pairs:
        each = found[notebook, a, b]
        groups.setdefault((a, each.verdict), []).append(each)
        contrary = {1: statistics.LOWER, -1: statistics.HIGHER}.get(expected)
        if each.verdict == contrary:
            surprises.append(b)
    return {
        "groups": [sorted(group, key=_largest_first) for group in groups.values()],
        "surprises": surprises,
        "gaps": {name: _gap(runs[runs.variant == name]) for name in question.gaps},
    }


def _largest_first(each: Outcome) -> float:
    return 0.0 if isinstance(each, Unreported) else -abs(each.difference)


def _gap(runs: pd.DataFrame) -> float:
    """Training minus validation accuracy in the last epoch, runs that diverged left out."""
    last = pd.DataFrame([rows[-1] for rows in runs.history[runs.accuracy.notna()]])
    return (last.train_accuracy - last.val_accuracy).mean()


def _metrics(name: str, runs: pd.DataFrame, reported: float | None) -> list[str]:
    """A row: parameters, epochs, n, the six test metrics, what the original reported."""
    first, n = runs.iloc[0], runs.accuracy.count()
    row = [name, f"{first.parameters:,}", f"{first.epochs}", f"{n}", mean_and_spread(runs.accuracy)]
    row += [mean_and_spread(runs[metric], 1) for metric in metrics.NAMES[1:]]
    return [*row, f"{reported:.2f}" if reported else ""]


def _network(runs: pd.DataFrame, names: tuple[str, str]) -> dict[str, Any]:
    """A row of the table of networks, and the notebook it is from."""
    row = _metrics(_full_name(runs.iloc[0]), runs, REPORTED.get(names))
    return {"notebook": names[0], "number": names[0][:2], "row": row}


def _sizes(runs: pd.DataFrame) -> list[list[str]]:
    """Test accuracy at each number of training images, a row a number, a column a rival."""
    rows = []
    for (size, epochs), some in runs.groupby(["train_size", "epochs"]):
        columns = [some.accuracy[some.variant == variant] for variant in outline.RIVALS]
        n = "/".join(dict.fromkeys(str(column.count()) for column in columns))
        rows.append([f"{size:,}", f"{epochs}", n, *map(mean_and_spread, columns)])
    return rows


def _commands(runs: pd.DataFrame) -> list[str]:
    """What makes the runs and brings their records into results/, the full scale first."""
    lines = []
    for profile in sorted(runs.profile.unique(), key=lambda name: (name != "full", name)):
        notebook, some = runs.notebook.iloc[0], runs[runs.profile == profile]
        lines.append(records.command(notebook, profile, int(some.seed.max()) + 1))
        lines.append(f"python -m cifar_utils report runs/{slug(profile)} --keep")
    return lines


def _flattery(full: pd.DataFrame) -> dict[str, float]:
    """What choosing the best epoch by the images that are reported would add at most, in points."""
    curves = [[row["val_accuracy"] for row in rows] for rows in full.history]
    gains = pd.Series([max(curve) - curve[-1] for curve in curves if None not in curve])
    return {"runs": len(gains), "mean": 100 * gains.mean(), "std": 100 * gains.std()}


def _apart(full: pd.DataFrame) -> dict[str, float]:
    """How far two single runs of a variant lie apart: √2 of the spread, pooled over variants."""
    seeds = full.dropna(subset="accuracy").groupby(["notebook", "variant"]).accuracy
    several = seeds.agg(["var", "count"]).query("count > 1")
    freedom = several["count"] - 1
    variance = (several["var"] * freedom).sum() / freedom.sum()
    return {"variants": len(several), "points": 100 * math.sqrt(2 * variance)}


def _provenance(full: pd.DataFrame) -> dict[str, Any]:
    names = ["processor", "instructions", "threads", "torch", "python"]
    machines = pd.DataFrame(full.environment.tolist())[names].drop_duplicates()
    return {
        "count": len(full),
        "tested": sum(map(sum, full.confusion.iloc[0])),
        "trained": full.train_size.max(),
        "seeds": ", ".join(map(str, sorted(full.seed.unique()))),
        "hours": full.seconds.sum() / 3600,
        "machines": machines.to_dict(orient="records"),
    }


def _speed(path: Path) -> dict[str, Any]:
    """What benchmarks/throughput.py wrote, and its rates beside the plain loop's best."""
    speed = json.loads(read_text(path))
    rates = speed["images_per_second"]
    plain = max(rate for name, rate in rates.items() if name.startswith("plain"))
    speed["rates"] = [[name, f"{rate:,.0f}", f"{rate / plain:.2f}"] for name, rate in rates.items()]
    return speed


def _time(path: Path) -> dict[str, Any]:
    """What benchmarks/time_to_accuracy.py wrote, in means and spreads over seeds."""
    measured = json.loads(read_text(path))
    runs = pd.DataFrame(measured["runs"])
    return {
        "claim": 100 * measured["claim"],
        "epochs": runs.epochs[0],
        "accuracy": mean_and_spread(runs.test),
        "seconds": f"{runs.seconds.mean():.0f} ± {runs.seconds.std():.0f}",
        "operations": runs.operations.mean() / 1e12,
        "n": len(runs),
        "reached": (runs.test >= measured["claim"]).sum(),
        "environment": measured["environment"],
    }


def _time_to_94(path: Path) -> dict[str, Any]:
    """What benchmarks/time_to_94.py wrote, in means and spreads over seeds."""
    measured = json.loads(read_text(path))
    runs = pd.DataFrame(measured["runs"])
    views = {name: mean_and_spread(runs[name]) for name in VIEWS}
    minutes = runs.seconds / 60
    return views | {
        "claim": 100 * measured["claim"],
        "parameters": models.count_parameters(models.build("FastCNN")),
        "epochs": runs.epochs[0],
        "minutes": f"{minutes.mean():.0f} ({minutes.min():.0f} … {minutes.max():.0f})",
        "longest": f"{minutes.max():.0f}",
        "operations": runs.operations.mean() / 1e14,
        "n": len(runs),
        "reached": (runs.six_views >= measured["claim"]).sum(),
        "environment": runs.environment[0],
    }


def _coverage(path: Path) -> dict[str, Any]:
    """What benchmarks/coverage.py wrote: in which share of studies an interval held the truth."""
    measured = json.loads(read_text(path))
    shares = pd.DataFrame(measured["coverage"])
    table = shares.pivot_table("held", ["magnitudes", "method"], "n", sort=False)
    chosen = shares[shares.method.str.endswith("crossed") & (shares.n >= 5)].held
    naive = shares[(shares.method == "difference: bootstrap") & (shares.n == 5)].held
    return {
        "studies": measured["studies"],
        "images": measured["images"],
        "seeds": list(table.columns),
        "rows": (100 * table).map("{:.1f}".format).reset_index().to_numpy().tolist(),
        "magnitudes": measured["magnitudes"],
        "least": 100 * chosen.min(),
        "most": 100 * chosen.max(),
        "naive": 100 * naive.min(),
        "two_looks": 100 * measured["two_looks"]["errors"],
    }


def _full_name(run: pd.Series) -> str:
    """A run's network and variant, "PoolingCNN, average"; "FinalCNN" where they are the same."""
    return ", ".join(dict.fromkeys((run.network, run.variant)))


def mean_and_spread(values: pd.Series, decimals: int = 2) -> str:
    """Fractions as "85.56 ± 0.31" percent; a value left NaN by divergence does not count."""
    mean, std = 100 * values.mean(), 100 * values.std()
    return f"{mean:.{decimals}f} ± {std:.{decimals}f}"
