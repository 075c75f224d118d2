"""The READMEs' tables in Markdown, from records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from cifar_utils import metrics
from cifar_utils.results import Comparison

# Test accuracies in percent that the original reported, beside the runs that redo its own.
ORIGINAL = {
    ("01_baseline", "SimpleCNN"): 64.05,
    ("02_deeper_batchnorm", "NotSimpleCNN"): 72.09,
    ("03_pooling", "average"): 70.10,
    ("07_final", "FinalCNN"): 80.90,
}


def markdown(headings: str, rows: Sequence[Sequence[str]]) -> str:
    """A table; `headings` are joined by " | "."""
    lines = [headings, " | ".join(["---"] * len(headings.split(" | "))), *map(" | ".join, rows)]
    return "\n".join(f"| {line} |" for line in lines)


def metrics_table(
    runs: pd.DataFrame,
    variants: Sequence[tuple[str, str]],
    words: Mapping[str, str],
    named: bool = False,
) -> str:
    """Parameters, epochs, n, the six test metrics and the original's figure, a row a variant.

    `variants` are pairs (notebook, variant); those without a run are left out. `named` asks for
    the network's name before the variant's.
    """
    rows = []
    for notebook, variant in variants:
        some = of_variant(runs, notebook, variant)
        if len(some):
            first, n = some.iloc[0], some.accuracy.notna().sum()
            name = full_name(first) if named else variant
            row = [name, f"{first.parameters:,}", f"{first.epochs}", f"{n}"]
            row.append(mean_and_spread(some.accuracy))
            row += [mean_and_spread(some[metric], 1) for metric in metrics.NAMES[1:]]
            original = ORIGINAL.get((notebook, variant)) if first.profile == "full" else None
            rows.append([*row, f"{original:.2f}" if original else ""])
    return markdown(words["metrics headings"], rows)


def sizes_table(records: pd.DataFrame, variants: Sequence[str], words: Mapping[str, str]) -> str:
    """Test accuracy at each number of training images, fewest first, a column a variant."""
    rows = []
    for (size, epochs), some in records.groupby(["train_size", "epochs"]):
        columns = [some.accuracy[some.variant == variant] for variant in variants]
        n = dict.fromkeys(str(column.count()) for column in columns)
        row = [f"{size:,}", f"{epochs}", "/".join(n), *map(mean_and_spread, columns)]
        rows.append(row)
    return markdown(" | ".join([words["sizes headings"], *variants]), rows)


def comparisons_table(
    comparisons: Sequence[tuple[int, Comparison]], words: Mapping[str, str]
) -> str:
    """Difference of test accuracy, 95 % interval, n and verdict, a row a comparison.

    Each stands beside its number of training images.
    """
    rows = []
    for images, each in comparisons:
        interval = f"{signed(each.low)} … {signed(each.high)}" if each.n > 1 else "–"
        row = [each.b, each.a, signed(each.difference), interval, f"{images:,}", f"{each.n}"]
        rows.append([*row, words[f"verdict {each.verdict}"]])
    return markdown(words["comparison headings"], rows)


def of_variant(runs: pd.DataFrame, notebook: str, variant: str) -> pd.DataFrame:
    """The runs of one variant."""
    return runs[(runs.notebook == notebook) & (runs.variant == variant)]


def full_name(run: pd.Series) -> str:
    """A run's network and variant, "PoolingCNN, average"; "FinalCNN" where they are the same."""
    return ", ".join(dict.fromkeys((run.network, run.variant)))


def mean_and_spread(values: pd.Series, decimals: int = 2) -> str:
    """Fractions as "85.56 ± 0.31" percent; no spread for one, "–" for none."""
    values = values.dropna()
    if values.empty:
        return "–"
    mean = f"{100 * values.mean():.{decimals}f}"
    return f"{mean} ± {100 * values.std():.{decimals}f}" if len(values) > 1 else mean


def signed(fraction: float) -> str:
    """A fraction as points with its sign: "+1.20", "−0.35"."""
    rounded = round(100 * fraction, 2) + 0.0  # which makes −0.0 a 0.0
    return f"{rounded:+.2f}".replace("-", "−")
