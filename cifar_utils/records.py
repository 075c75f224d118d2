"""Run records: written, read, gathered into tables.

A record is one JSON file of one run: one notebook, one variant, one seed, one profile.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cifar_utils import metrics, outline
from cifar_utils.data import PROJECT
from cifar_utils.files import read_text, slug, write_whole
from cifar_utils.training import Run

SCHEMA = 1
INSTALLED = Path(__file__).with_name("results")  # where a wheel has them (pyproject.toml)
EVIDENCE = INSTALLED if INSTALLED.is_dir() else PROJECT / "results"
COLUMNS = (
    "notebook", "variant", "seed", "profile", "network", "parameters", "data", "epochs",
    "lr", "train_size", "train_loss", "val_accuracy", *metrics.NAMES, "flip_accuracy", "seconds",
    "diverged", "remark", "environment", "history", "confusion", "predicted",
)  # fmt: skip


def write(record: Mapping[str, Any], path: Path) -> None:
    """Write a record, whole or not at all."""
    text = json.dumps(record, indent=1, allow_nan=False)
    # one line for each row of numbers: short files, readable differences
    text = re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    write_whole(path, lambda beside: beside.write_text(text + "\n", encoding="utf-8"))


def read(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        ValueError: it is not JSON, of another schema, or lacks a key.
    """
    record = json.loads(read_text(path))
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"not a record of schema {SCHEMA}")
    needed = ("notebook", "variant", "profile", "seed", "digest", "parameters", "recipe", "data",
              "history", "test", "confusion", "environment", "seconds")  # fmt: skip
    missing = [key for key in needed if key not in record]
    if missing:
        raise ValueError(f"keys are missing: {', '.join(missing)}")
    return record


def file_name(record: Mapping[str, Any]) -> str:
    """A record's place below results/: `notebook/variant.seed0.json`.

    What differs from the full profile stands before the seed:
    `06_augmentation/none.train_size-1000-epochs-200.seed0.json`.
    """
    profile, values = split_profile(record["profile"])
    beside = slug("-".join([*([] if profile == "full" else [profile]), *values]))
    parts = [slug(record["variant"]), *filter(None, [beside])]
    return f"{record['notebook']}/{'.'.join(parts)}.seed{record['seed']}.json"


def split_profile(label: str) -> tuple[str, list[str]]:
    """What a record calls its profile: "full+lr=0.1+epochs=9" is "full" and the values set."""
    name, *values = re.split(r"\+(?=\w+=)", label)
    return name, values


def is_evidence(profile: str) -> bool:
    """Whether runs of a profile count: "full", and "full+train_size=1000+epochs=100" beside it."""
    return re.fullmatch(r"full(\+train_size=\d+(\+epochs=\d+)?)?", profile) is not None


def command(notebook: str, profile: str = "full", seeds: int = 1) -> str:
    """What makes such records: a line for the shell."""
    name, values = split_profile(profile)
    if name == "search":
        return f"python benchmarks/recipe_search.py {notebook}"
    if name == "splits":
        return "python benchmarks/splits.py"
    words = [f"python -m cifar_utils run {notebook} --profile {name}"]
    words += [f"--seeds {seeds}"] * (seeds > 1) + [f"-p {value}" for value in values]
    return " ".join(words)


def read_all(folder: str | Path) -> dict[Path, dict[str, Any]]:
    """All records below a folder by their files; whatever else is JSON there is named."""
    found = {}
    for path in sorted(Path(folder).rglob("*.json")):
        try:
            record = read(path)
            _row(record)
        except (ValueError, OSError, LookupError, TypeError, AttributeError) as error:
            print(f"skipped {path}: it is not a record that reads ({error})")
        else:
            found[path] = record
    return found


def load(
    folder: str | Path = EVIDENCE, notebook: str | None = None, profile: str | None = None
) -> pd.DataFrame:
    """All records below a folder, a row a run, sorted; other files are named and left alone.

    Columns are COLUMNS: accuracies and metrics are fractions, `lr` is the recipe's (the highest
    of a schedule), `train_loss` (nats) and `val_accuracy` those of the last epoch, `history` a
    list of a dict an epoch; `remark` says which runs did not learn, and is empty for all others.
    """
    rows = [
        _row(record)
        for record in read_all(folder).values()
        if notebook in (None, record["notebook"]) and profile in (None, record["profile"])
    ]
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    return frame.sort_values(["notebook", "seed"], kind="stable", ignore_index=True)


def all_evidence(folder: str | Path = EVIDENCE) -> pd.DataFrame:
    """The records that count: at full scale, and at full scale but for the training images."""
    frame = load(folder)
    return frame[frame.profile.map(is_evidence).astype(bool)].reset_index(drop=True)


def evidence(
    notebook: str, variants: Collection[str] | None = None, folder: str | Path = EVIDENCE
) -> pd.DataFrame:
    """The full-scale records of a notebook, in the outline's order; says plainly what they are.

    `variants` are those wanted; by default all that the notebook has records of. Records of fewer
    training images come along, if any; what is said counts those with the most.

    Raises:
        ValueError: there is no such record; the message says what makes some.
    """
    frame = all_evidence(Path(folder) / notebook)
    if variants is not None:
        frame = frame[frame.variant.isin(list(variants))]
    if frame.empty:
        made = command(notebook)
        raise ValueError(f"{folder} has no such record of {notebook}; `{made}` makes some")
    largest = frame[frame.train_size == frame.train_size.max()]
    seeds = largest.groupby("variant").seed.nunique()
    print(
        f"{_many(len(largest), 'run')} of {notebook} at full scale: "
        f"{_many(largest.variant.nunique(), 'variant')}, "
        f"{_many(_range(seeds), 'seed')} each, {scale(largest)}."
    )
    return outline.in_order(frame)


def sources(frame: pd.DataFrame) -> dict[str, str]:
    """The commands that make the runs of a frame, each with the folder of its records."""
    found = {}
    for (notebook, profile), runs in frame.groupby(["notebook", "profile"]):
        folder = f"search/{notebook}" if profile == "search" else f"{notebook}"
        made = command(str(notebook), str(profile), int(runs.seed.max()) + 1)
        found[made] = f"{EVIDENCE.name}/{folder}/"
    return found


def drawn_from(frame: pd.DataFrame) -> str:
    """What stands under a figure: the records that it shows, and the commands that make them."""
    made = sources(frame)
    folders = ", ".join(dict.fromkeys(made.values()))
    commands = "".join(f"\n  {each}" for each in made)
    return f"Drawn from {_many(len(frame), 'record')} in {folders}, made by{commands}"


def scale(frame: pd.DataFrame) -> str:
    """How large the runs are: "45,000 training images, 30 epochs"."""
    largest = frame[frame.train_size == frame.train_size.max()]
    return f"{largest.train_size.max():,} training images, {_range(largest.epochs)} epochs"


def table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Live runs side by side, a row a variant: parameters, losses, accuracies, test metrics."""
    rows = [_row(run.record) for run in runs.values()]
    columns = ["parameters", "train_loss", "val_accuracy", *metrics.NAMES]
    return pd.DataFrame(rows, index=pd.Index(list(runs), name="variant"))[columns]


def histories(frame: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
    """Every variant's learning curves, a table a seed."""
    groups = frame.groupby("variant", sort=False).history
    return {str(variant): [pd.DataFrame(rows) for rows in group] for variant, group in groups}


def percent(
    frame: pd.DataFrame, columns: Sequence[str] = ("val_accuracy", *metrics.NAMES)
) -> pd.DataFrame:
    """A copy for reading: those of `columns` that are there in percent, and all of it rounded."""
    shown = [name for name in columns if name in frame]
    return frame.round(4).assign(**{name: (100 * frame[name]).round(2) for name in shown})


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    last = record["history"][-1]
    return {
        **{key: record.get(key) for key in COLUMNS},
        **{name: _number(record["test"].get(name)) for name in metrics.NAMES},
        "flip_accuracy": _number(record.get("test_flip", {}).get("accuracy")),
        "data": record["data"]["name"],
        "epochs": record["recipe"]["epochs"],
        "lr": record["recipe"]["lr"],
        "train_size": record["data"]["train"],
        "train_loss": _number(last["train_loss"]),
        "val_accuracy": _number(last["val_accuracy"]),
        "remark": _remark(record),
    }


def _remark(record: Mapping[str, Any]) -> str:
    """What sets a run apart that did not learn; judged by the test images, else the validation."""
    if record.get("diverged"):
        return "diverged"
    accuracy, split = record["test"].get("accuracy"), "test"
    if accuracy is None:
        accuracy, split = record["history"][-1]["val_accuracy"], "val"
    if accuracy is None or not record["data"].get(split):
        return ""
    learned = metrics.above_chance(accuracy, record["data"][split])
    return "" if learned else "not above chance"


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _many(count: int | str, noun: str) -> str:
    return f"{count} {noun}{'' if str(count) == '1' else 's'}"


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low}" if low == high else f"{low} to {high}"
