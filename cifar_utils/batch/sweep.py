"""A notebook on a grid of parameters: its jobs, and which values do best on validation data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from cifar_utils import plots, records
from cifar_utils.batch import study
from cifar_utils.batch.jobs import Job
from cifar_utils.data import TITLES, locate
from cifar_utils.files import slug, write_whole


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep, and the names of the parameters that vary in it."""

    jobs: Sequence[Job]
    names: Sequence[str]
    title: str

    @property
    def picture(self) -> Path:
        """Where the plot goes: beside the folders of the runs."""
        return self.jobs[0].folder.parents[2] / f"{slug(self.title)[:200]}.png"


def plan(
    notebook: Path,
    profile: str,
    overrides: Mapping[str, str],
    seeds: int,
    out: Path,
    locate: Callable[[str], object] = locate,
) -> Sweep:
    """A job for every combination of comma-separated values and every seed.

    Raises:
        ValueError: no values, an empty one, the same one twice, or anything of `study.plan`.
    """
    if not overrides:
        raise ValueError("a sweep needs at least one -p NAME=VALUE,VALUE,…")
    choices = {name: _split(notebook, name, text) for name, text in overrides.items()}
    varying = [name for name, values in choices.items() if len(values) > 1] or list(choices)
    jobs = []
    for values in itertools.product(*choices.values()):
        point = dict(zip(choices, values, strict=True))
        name = ", ".join(f"{each}={point[each]}" for each in varying)
        planned = study.plan([notebook], profile, point, seeds, out, locate)
        jobs += [replace(job, point=name) for job in planned]
    if len({job.folder for job in jobs}) < len(jobs):
        raise ValueError("two combinations of values would share a folder; sweep them one by one")
    jobs.sort(key=lambda job: job.parameters["seed"])
    given = (f"{name}={','.join(values)}" for name, values in choices.items())
    return Sweep(jobs, varying, ", ".join([notebook.stem, Path(profile).stem, *given]))


def runs(sweep: Sweep) -> pd.DataFrame:
    """A row a run: what varies, variant, seed, data, val_size, val_accuracy (a fraction)."""
    frames = []
    for job in sweep.jobs:
        frame = records.load(job.folder)[["variant", "seed", "data", "val_accuracy"]]
        sizes = [records.read(path)["data"]["val"] for path in job.folder.glob("*/record.json")]
        values = {name: job.parameters[name] for name in sweep.names}
        frames.append(frame.assign(**values, val_size=min(sizes, default=0)))
    return pd.concat(frames, ignore_index=True)


def table(frame: pd.DataFrame, names: Sequence[str]) -> str:
    """Mean ± standard deviation of validation accuracy, best first, and what its decimals mean."""
    groups = frame.groupby([*names, "variant"], sort=False).val_accuracy
    points = (100 * groups.agg(["mean", "std"])).assign(n=groups.count())
    points = points.sort_values("mean", ascending=False, kind="stable").reset_index()
    digits, why = _decimals(points, frame.val_size.min())
    shown = points[[*names, "variant", "n"]].assign(
        **{
            "validation %": [
                "–" if n == 0 else f"{mean:.{digits}f}" + f" ± {std:.{digits}f}" * (n > 1)
                for n, mean, std in zip(points["n"], points["mean"], points["std"], strict=True)
            ]
        }
    )  # fmt: skip
    text = shown.to_string(index=False, float_format=lambda value: f"{value:.4g}")
    return (
        f"{text}\n\nMean ± standard deviation over seeds of validation accuracy, in percent, best "
        f"first; the test set plays no part in it. {why}"
    )


def draw(frame: pd.DataFrame, sweep: Sweep) -> Path:
    """Draw the sweep into its picture, and return the path."""
    title = (
        f"{sweep.title}\n"
        f"validation accuracy on {', '.join(TITLES[name] for name in frame.data.unique())}, "
        f"{frame.val_size.min():,} images"
    )
    plots.use_style()
    figure = plots.sweep(frame, sweep.names, title=title)
    write_whole(sweep.picture, lambda beside: figure.savefig(beside, format="png"))
    plt.close(figure)
    return sweep.picture


def _split(notebook: Path, name: str, text: str) -> list[str]:
    """The values of one parameter, checked against the notebook's own annotation."""
    values = [value.strip() for value in text.split(",")]
    if "" in values:
        raise ValueError(f"-p {name}={text} has an empty value; write it as -p name=value,value")
    if name == "seed" and len(values) > 1:
        raise ValueError(f"-p {name}={text}: several seeds are asked for by --seeds {len(values)}")
    typed = [study.typed_parameters(notebook, {name: value})[name] for value in values]
    for place, value in enumerate(typed):
        if value in typed[:place]:
            raise ValueError(f"-p {name}={text} has the value {value} twice")
    return values


def _decimals(points: pd.DataFrame, val_size: int) -> tuple[int, str]:
    """How many decimals of a percentage mean something, and why."""
    several = points[points.n > 1]
    if len(several):
        error = math.sqrt((several["std"] ** 2 / several.n).mean())
        known = f"a mean's standard error over {_span(several.n)} seeds is"
    else:
        share = (points["mean"] / 100).clip(0.01, 0.99)
        error = 100 * math.sqrt((share * (1 - share)).max() / val_size)
        known = f"one seed shows no spread, but {val_size:,} images alone make an error of"
    digits = min(2, max(0, -math.floor(math.log10(max(error, 100 / val_size)))))
    count = ("No decimal means", "One decimal means", "Two decimals mean")[digits]
    return digits, f"{count} something: {known} about {error:.2g} points."


def _span(numbers: pd.Series) -> str:
    low, high = numbers.min(), numbers.max()
    return f"{low}" if low == high else f"{low} to {high}"
