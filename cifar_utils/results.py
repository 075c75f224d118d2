"""Run records: written, read, gathered into tables, compared, put into words.

A record is one JSON file of one run: one notebook, one variant, one seed, one profile.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from scipy import stats
from torch import nn

from cifar_utils import metrics, outline, training
from cifar_utils.data import PROJECT, Data
from cifar_utils.files import check_writable, set_aside, write_whole
from cifar_utils.machine import choose_device
from cifar_utils.training import Recipe, Run

SCHEMA = 1
EVIDENCE = PROJECT / "results"
CONFIDENCE = 0.95
COLUMNS = (
    "notebook", "variant", "seed", "profile", "network", "parameters", "data", "epochs",
    "lr", "train_size", "train_loss", "val_accuracy", *metrics.NAMES, "flip_accuracy", "seconds",
    "diverged", "environment", "history", "confusion",
)  # fmt: skip


class Experiment:
    """The runs of one notebook; with a folder, what is done is kept and not done again."""

    def __init__(self, notebook: str, profile: str = "quick", out: str | Path = "") -> None:
        """Name the notebook ("03_pooling") and the profile; `out` "" keeps nothing.

        Raises:
            OSError: `out` can't be written.
        """
        self.notebook, self.profile = notebook, profile
        self.out = Path(out) if out else None
        self._only: Only | None = None
        if self.out:
            check_writable(self.out)
            self._only = Only.asked_for(self.out)

    def run(
        self,
        variant: str,
        model: nn.Module,
        data: Data,
        recipe: Recipe,
        *,
        test: bool = True,
        verbose: bool = True,
    ) -> Run:
        """Train `model` as one variant, or read the run back where the same one has its record.

        `test` and `verbose` are those of `training.fit`.

        Writes `<out>/<variant>/`: `weights.pt` (a plain state dict), then `record.json`; while
        the run lasts `checkpoint.pt`, from which a run that was stopped goes on.

        Where `<out>` asks for one variant only, the others come back untrained, and the notebook
        ends as soon as that one has its record.

        Raises:
            ValueError: the one variant no longer has the recipe that was asked for.
        """
        if self._only and variant != self._only.variant:
            print(f"{variant}: not trained, since it is not the one asked for")
            record = self._only.stand_in(variant)
            return Run(model, recipe, pd.DataFrame(record["history"]), record)
        if self._only:
            self._only.check(recipe)
        if verbose:
            print(f"{variant} ({data.title})")
        if not self.out:
            run = training.fit(model, data, recipe, test=test, verbose=verbose)
            run.record |= self._names(variant, recipe)
            return run
        folder = self.out / slug(variant)
        known = self._read_back(folder, model, data, recipe)
        if known:
            print(f"  already trained: {folder.name}/record.json")
            return known
        run = training.fit(model, data, recipe, folder=folder, test=test, verbose=verbose)
        run.record |= self._names(variant, recipe)
        state = {key: value.cpu() for key, value in model.state_dict().items()}
        write_whole(folder / "weights.pt", lambda beside: torch.save(state, beside))
        write(run.record, folder / "record.json")
        (folder / "checkpoint.pt").unlink(missing_ok=True)
        if self._only:
            raise SystemExit(0)  # papermill takes it for the notebook's end
        return run

    def _names(self, variant: str, recipe: Recipe) -> dict[str, Any]:
        names = {"notebook": self.notebook, "variant": variant, "profile": self.profile}
        return {"schema": SCHEMA, **names, "seed": recipe.seed}

    def _read_back(self, folder: Path, model: nn.Module, data: Data, recipe: Recipe) -> Run | None:
        path, weights = folder / "record.json", folder / "weights.pt"
        if not (path.exists() and weights.exists()):
            return None
        try:
            record = read(path)
        except ValueError as error:
            set_aside(path, error)
            return None
        if record["digest"] != training.digest(model, data, recipe):
            return None
        try:
            model.load_state_dict(torch.load(weights, weights_only=True))
        except Exception as error:
            set_aside(weights, error)
            return None
        model.to(choose_device(), memory_format=torch.channels_last)
        return Run(model, recipe, pd.DataFrame(record["history"]), record)


@dataclass(frozen=True)
class Only:
    """The one variant that a notebook is run for; `others` are records that stand in for the rest.

    It is asked for by a file in the folder that the notebook writes to. `recipe` is the one that
    the variant must have; empty asks for none.
    """

    FILE = "only.json"
    variant: str
    others: Sequence[Mapping[str, Any]]
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, out: Path) -> None:
        """Leave the file for `Experiment` to find."""
        write_whole(out / self.FILE, lambda beside: beside.write_text(json.dumps(vars(self))))

    @classmethod
    def asked_for(cls, out: Path) -> Only | None:
        """What the folder's file asks for, if there is one."""
        path = out / cls.FILE
        return cls(**json.loads(path.read_text())) if path.exists() else None

    def stand_in(self, variant: str) -> dict[str, Any]:
        """The kept record of another variant, or, where it has none, some other record."""
        known = [record for record in self.others if record["variant"] == variant]
        return {**(known or self.others)[0], "variant": variant}

    def check(self, recipe: Recipe) -> None:
        """Raise ValueError if a recipe is not the one asked for, before hours are spent on it."""
        now, then = asdict(recipe), self.recipe
        changed = [
            f"{name} was {then[name]!r} and is {now.get(name)!r}"
            for name in then
            if then[name] != now.get(name)
        ]
        if changed:
            raise ValueError(
                f"the record's recipe is no longer the notebook's: {'; '.join(changed)}"
            )


def write(record: Mapping[str, Any], path: Path) -> None:
    """Write a record, whole or not at all."""
    text = json.dumps(record, indent=1, allow_nan=False)
    # one line for each row of numbers: short files, readable differences
    text = re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
    write_whole(path, lambda beside: beside.write_text(text + "\n"))


def read(path: Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        ValueError: it is not JSON, of another schema, or lacks a key.
    """
    record = json.loads(path.read_text())
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise ValueError(f"not a record of schema {SCHEMA}")
    needed = ("notebook", "variant", "profile", "seed", "digest", "parameters", "recipe", "data",
              "history", "test", "confusion", "environment", "seconds")  # fmt: skip
    missing = [key for key in needed if key not in record]
    if missing:
        raise ValueError(f"keys are missing: {', '.join(missing)}")
    return record


def load(
    folder: str | Path = EVIDENCE, notebook: str | None = None, profile: str | None = None
) -> pd.DataFrame:
    """All records below a folder, a row a run, sorted; a file that does not read is set aside.

    Columns are COLUMNS: accuracies and metrics are fractions, `lr` is the recipe's (the highest
    of a schedule), `train_loss` (nats) and `val_accuracy` those of the last epoch, `history` a
    list of a dict an epoch.
    """
    rows = []
    for path in sorted(Path(folder).rglob("*.json")):
        try:
            record = read(path)
        except ValueError as error:
            set_aside(path, error)
            continue
        if notebook in (None, record["notebook"]) and profile in (None, record["profile"]):
            rows.append(_row(record))
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    return frame.sort_values(["notebook", "seed"], kind="stable", ignore_index=True)


def all_evidence(folder: str | Path = EVIDENCE) -> pd.DataFrame:
    """The records of every notebook that count: of the full scale, and of parts of the data."""
    frame = load(folder)
    return frame[frame.profile.map(is_evidence).astype(bool)].reset_index(drop=True)


def strongest(records: pd.DataFrame, variants: Collection[str]) -> pd.DataFrame:
    """The full-scale records where all `variants` have three seeds or more, else those of "part".

    Where "part" lacks one of them too, the full-scale ones that there are.
    """
    full, part = records[records.profile == "full"], records[records.profile == "part"]
    seeds = full[full.variant.isin(list(variants))].groupby("variant").seed.nunique()
    complete = len(seeds) == len(variants) and seeds.min() > 2
    return full if complete or not set(variants) <= set(part.variant) else part


def evidence(
    notebook: str, variants: Collection[str] | None = None, folder: str | Path = EVIDENCE
) -> pd.DataFrame:
    """The strongest records of a notebook; says plainly what they are, or that there are none.

    `variants` are those wanted, to be compared; by default all that the notebook has records of.
    Full-scale records come with those of fewer training images, if any; what is said counts those
    with the most. Rows are in the outline's order, which is the notebook's.
    """
    records = all_evidence(folder)
    records = records[records.notebook == notebook]
    wanted = set(records.variant if variants is None else variants)
    records = records[records.variant.isin(wanted)]
    chosen = strongest(records, wanted)
    if set(chosen.profile) != {"part"}:
        chosen = records[records.profile != "part"]
    frame = chosen[chosen.train_size == chosen.train_size.max()]
    if frame.empty:
        print(
            f"There is no full-scale record of {notebook} in results/ yet. "
            f"`{command(notebook)}` makes them."
        )
        return chosen
    seeds = frame.groupby("variant").seed.nunique()
    where = "on a part of the data" if set(frame.profile) == {"part"} else "at full scale"
    print(
        f"{_many(len(frame), 'run')} of {notebook} {where}: "
        f"{_many(frame.variant.nunique(), 'variant')}, "
        f"{_many(_range(seeds), 'seed')} each, {scale(frame)}."
    )
    return outline.in_order(chosen)


def scale(frame: pd.DataFrame) -> str:
    """How large the runs are: "45,000 training images, 30 epochs"."""
    largest = frame[frame.train_size == frame.train_size.max()]
    return f"{largest.train_size.max():,} training images, {_range(largest.epochs)} epochs"


def _many(count: int | str, noun: str) -> str:
    return f"{count} {noun}{'' if str(count) == '1' else 's'}"


def _range(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low}" if low == high else f"{low} to {high}"


def is_evidence(profile: str) -> bool:
    """Whether runs of a profile count: "full", "full+train_size=1000…" beside it, "part"."""
    return re.match(r"full(\+train_size=|$)|part$", profile) is not None


def split_profile(label: str) -> tuple[str, list[str]]:
    """What a record calls its profile: "full+lr=0.1+epochs=9" is "full" and the values set."""
    name, *values = re.split(r"\+(?=\w+=)", label)
    return name, values


def command(notebook: str, profile: str = "full", seeds: int = 1) -> str:
    """What makes such records: a line for the shell."""
    name, values = split_profile(profile)
    words = [f"python -m cifar_utils run {notebook} --profile {name}"]
    words += [f"--seeds {seeds}"] * (seeds > 1) + [f"-p {value}" for value in values]
    return " ".join(words)


def table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Live runs side by side, a row a variant: parameters, losses, accuracies, test metrics."""
    rows = [_row(run.record) for run in runs.values()]
    columns = ["parameters", "train_loss", "val_accuracy", *metrics.NAMES]
    return pd.DataFrame(rows, index=pd.Index(list(runs), name="variant"))[columns]


def summary(frame: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """n, mean, standard deviation and 95 % confidence interval of the mean, a row a variant.

    The interval is Student's; with one run it is NaN. Runs that diverged are left out of n.
    """
    if metric not in frame:
        raise ValueError(f"no column {metric!r}; there are: {', '.join(frame.columns)}")
    groups = frame.dropna(subset=[metric]).groupby(["notebook", "variant"], sort=False)[metric]
    result = groups.agg(n="count", mean="mean", std="std")
    half = _half_width(result["std"], result["n"])
    return result.assign(low=result["mean"] - half, high=result["mean"] + half)


@dataclass(frozen=True)
class Comparison:
    """b − a, paired by seed: the mean difference and its 95 % confidence interval."""

    a: str
    b: str
    metric: str
    n: int
    difference: float
    low: float
    high: float

    @property
    def zero_inside(self) -> bool:
        """Whether the interval holds zero; True where one seed gives no interval."""
        return not (self.low > 0 or self.high < 0)

    @property
    def verdict(self) -> str:
        """What the interval shows of b: "better", "worse", "same" (it holds zero), "single"."""
        if self.n < 2:
            return "single"
        if self.zero_inside:
            return "same"
        return "better" if self.low > 0 else "worse"

    def __str__(self) -> str:
        """The difference in points, its interval and what follows, in two lines."""
        points = (100 * value for value in (self.difference, self.low, self.high))
        difference, low, high = (f"{value:+.2f}".replace("-", "−") for value in points)
        metric = self.metric if self.metric.startswith("val_") else f"test {self.metric}"
        what = f"“{self.b}” − “{self.a}”, {metric}: {difference} points"
        if self.n < 2:
            return f"{what} (n = {self.n}: no spread, so no conclusion)."
        verdict = "the interval holds zero: no difference is shown"
        if not self.zero_inside:
            verdict = f"“{self.b if self.low > 0 else self.a}” is better"
        return f"{what}\n  (95 % interval {low} … {high}, n = {self.n} seeds); {verdict}."


def compare(frame: pd.DataFrame, a: str, b: str, metric: str = "accuracy") -> Comparison:
    """The difference b − a of a metric over the seeds that both variants have.

    Raises:
        ValueError: a variant that is not there, or no seed in common.
    """
    columns = {}
    for variant in (a, b):
        rows = frame[frame.variant == variant].dropna(subset=[metric])
        if rows.empty:
            known = ", ".join(frame.variant.unique())
            raise ValueError(f"no run of variant {variant!r}; there are: {known or 'none'}")
        columns[variant] = rows.set_index("seed")[metric]
    difference = (columns[b] - columns[a]).dropna()
    if difference.empty:
        raise ValueError(f"{a!r} and {b!r} have no seed in common; run both with the same seeds")
    n, mean = len(difference), difference.mean()
    half = _half_width(difference.std(), n)
    return Comparison(a, b, metric, n, mean, mean - half, mean + half)


def histories(frame: pd.DataFrame) -> dict[str, list[pd.DataFrame]]:
    """Every variant's learning curves, a table a seed."""
    groups = frame.groupby("variant", sort=False).history
    return {variant: [pd.DataFrame(rows) for rows in group] for variant, group in groups}


def slug(variant: str) -> str:
    """A variant's name as a folder's: "p = 0.5" becomes "p-0.5"."""
    return re.sub(r"[^\w.+]+", "-", variant).strip("-")


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
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _half_width(std: Any, n: Any) -> Any:
    """Half of Student's confidence interval of a mean; NaN for one run."""
    return stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * std / n**0.5


def percent(
    frame: pd.DataFrame, columns: Sequence[str] = ("val_accuracy", *metrics.NAMES)
) -> pd.DataFrame:
    """A copy for reading: those of `columns` that are there in percent, and all of it rounded."""
    shown = [name for name in columns if name in frame]
    return frame.round(4).assign(**{name: (100 * frame[name]).round(2) for name in shown})


def publish(folder: Path, target: Path) -> list[Path]:
    """Copy the evidence among the records of a study's folder, one file a run.

    Beside the record of the FinalCNN that is best on the validation images lie its weights.
    """
    sources = {}
    for path in sorted(Path(folder).rglob("record.json")):
        record = read(path)
        if is_evidence(record["profile"]):
            write(record, target / file_name(record))
            sources[target / file_name(record)] = path
    return [*sources, *_keep_best_weights(sources, target)]


def file_name(record: Mapping[str, Any]) -> str:
    """A record's name in results/: `notebook.variant.seed0.json`.

    What differs from the full profile stands before the seed: `….part.seed0.json`,
    `….train_size-1000-epochs-200.seed0.json`.
    """
    profile, values = split_profile(record["profile"])
    beside = slug("-".join([*([] if profile == "full" else [profile]), *values]))
    parts = [record["notebook"], slug(record["variant"]), *filter(None, [beside])]
    return f"{'.'.join(parts)}.seed{record['seed']}.json"


def _keep_best_weights(sources: Mapping[Path, Path], target: Path) -> list[Path]:
    """Copy the weights of the best FinalCNN among the new records and the one kept so far."""
    accuracies = {}
    kept_so_far = {old.with_suffix(".json") for old in target.glob("*.pt")}
    for kept in {*sources, *filter(Path.exists, kept_so_far)}:
        record = read(kept)
        if (record["variant"], record["profile"]) == ("FinalCNN", "full"):
            accuracies[kept] = record["history"][-1]["val_accuracy"]
    best = max(accuracies, key=accuracies.__getitem__, default=None)
    if best not in sources:
        return []
    weights = best.with_suffix(".pt")
    write_whole(weights, lambda to: shutil.copy(sources[best].with_name("weights.pt"), to))
    for old in set(target.glob("*.pt")) - {weights}:
        old.unlink()
    return [weights]
