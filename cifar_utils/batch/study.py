"""The notebooks in batch: profiles, parameters and seeds become jobs, their records one table.

Knows notebooks only by papermill.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import papermill
import yaml

from cifar_utils import metrics, records
from cifar_utils.batch import jobs as jobs_module
from cifar_utils.batch.jobs import Job, Outcome, ThisMachine
from cifar_utils.data import PROJECT, check_sizes, locate
from cifar_utils.files import slug
from cifar_utils.recipe import Recipe

NOTEBOOKS = PROJECT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"
SET_BY_STUDY = {
    "profile": "use --profile",
    "out": "use --out",
    "only": "use verify or complete",
}
YES, NO = ("true", "yes", "1"), ("false", "no", "0")


def find_notebooks(names: Sequence[str] = ()) -> list[Path]:
    """The study's notebooks by name ("03_pooling", "03"), or all of them, in order.

    Raises:
        ValueError: an unknown name; the message lists those that exist.
    """
    every = {path.stem: path for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))}
    chosen = []
    for name in names:
        stem = Path(name).stem
        matching = [path for key, path in every.items() if stem in (key, key.split("_")[0])]
        if not matching:
            raise ValueError(f"unknown notebook {name!r}; there are: {', '.join(every)}")
        chosen += matching
    return chosen or list(every.values())


def read_profile(name: str, notebook: str = "") -> dict[str, Any]:
    """The parameters of a profile: a name in notebooks/profiles, or a YAML file of one's own.

    Beside `full.yaml` a file `full.07_final.yaml` holds what is other for that notebook.

    Raises:
        ValueError: unknown, not a list of `name: value`, or such a file for an unknown notebook.
    """
    path = Path(name) if Path(name).is_file() else PROFILES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted({each.name.partition(".")[0] for each in PROFILES.glob("*.yaml")}))
        raise ValueError(f"unknown profile {name!r}; there are: {known}, or a YAML file's path")
    for beside in path.parent.glob(f"{path.stem}.*.yaml"):
        find_notebooks([beside.stem.removeprefix(f"{path.stem}.")])
    own = path.with_name(f"{path.stem}.{notebook}.yaml")
    return _read_yaml(path) | (_read_yaml(own) if own.is_file() else {})


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"profile {path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"profile {path} must be lines of `parameter: value`")
    return values


def read_overrides(items: Iterable[str]) -> dict[str, str]:
    """`["lr=0.1", …]` as a mapping.

    Raises:
        ValueError: an item without "=", a name given twice, or one that the study sets itself.
    """
    overrides = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals):
            raise ValueError(f"-p {item}: write it as -p name=value")
        if name in SET_BY_STUDY:
            raise ValueError(f"-p {name}=…: the study sets {name} itself; {SET_BY_STUDY[name]}")
        if name in overrides:
            raise ValueError(f"-p {name}=… is given twice; a sweep takes -p {name}=value,value")
        overrides[name] = value
    return overrides


def typed_parameters(notebook: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` in the types that the notebook's own annotations ask for.

    Raises:
        ValueError: a parameter that the notebook does not have, or a value of another type.
    """
    known = papermill.inspect_notebook(str(notebook))
    typed = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(
                f"{notebook.stem} has no parameter {name!r}; it has: {', '.join(known)}"
            )
        wanted = known[name]["inferred_type_name"]
        try:
            typed[name] = _convert(value, wanted)
        except ValueError as error:
            raise ValueError(
                f"{name}={value!r} of {notebook.stem} must be of type {wanted}"
            ) from error
    return typed


def plan(
    notebooks: Sequence[Path],
    profile: str,
    overrides: Mapping[str, str],
    seeds: int,
    out: Path,
    locate: Callable[[str], object] = locate,
) -> list[Job]:
    """The jobs, checked, seed by seed: each pass over the notebooks completes one more seed.

    A run with overrides goes to a folder of its own, so that it never replaces the profile's.
    `locate` is that of the place where the jobs will run.

    Raises:
        ValueError: anything that would only be found out once training has started.
    """
    if seeds < 1:
        raise ValueError(f"--seeds is {seeds}; it must be at least 1")
    label = "+".join([Path(profile).stem, *(f"{k}={v}" for k, v in overrides.items())])
    own = {**overrides, "profile": label}
    typed = {
        notebook: typed_parameters(notebook, read_profile(profile, notebook.stem) | own)
        for notebook in notebooks
    }
    for notebook in notebooks:
        _check_values(notebook, typed[notebook], locate)
    jobs = []
    for extra in range(seeds):
        for notebook in notebooks:
            seed = typed[notebook].get("seed", 0) + extra
            folder = out.resolve() / slug(label) / notebook.stem / f"seed-{seed}"
            parameters = typed[notebook] | {"seed": seed, "out": str(folder)}
            jobs.append(Job(notebook, parameters, folder))
    return jobs


def run(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Run jobs on this machine, `workers` at a time; as `jobs.run`, which see."""
    return jobs_module.run(jobs, ThisMachine(workers))


def summary_table(jobs: Sequence[Job]) -> pd.DataFrame:
    """A row a run of these jobs: validation accuracy, the six test metrics, seconds."""
    frames = [records.load(job.folder) for job in jobs if job.folder.exists()]
    frame = pd.concat(frames, ignore_index=True) if frames else records.load(PROJECT / "none")
    columns = ["notebook", "variant", "seed", "val_accuracy", *metrics.NAMES, "seconds"]
    return frame[columns].rename(columns={"val_accuracy": "validation", "accuracy": "test"})


def diverged(jobs: Sequence[Job]) -> list[str]:
    """A sentence for every run whose loss stopped being finite."""
    return [
        f"{run['notebook']}, {run['variant']}, seed {run['seed']}: the loss stopped being finite "
        f"in epoch {run['diverged']['epoch']} at learning rate {run['diverged']['lr']:g}; lower lr"
        for job in jobs
        for run in records.load(job.folder).to_dict("records")
        if isinstance(run["diverged"], dict)
    ]


def _convert(value: Any, wanted: str) -> Any:
    if wanted == "bool" and isinstance(value, str) and value.lower() in (*YES, *NO):
        return value.lower() in YES
    if wanted == "float" and not isinstance(value, bool) and math.isfinite(float(value)):
        return float(value)
    if wanted == "int" and (isinstance(value, str) or type(value) is int):
        return int(value)
    if wanted == "str" and isinstance(value, str) or wanted == type(value).__name__:
        return value
    raise ValueError(value)


def _check_values(
    notebook: Path, values: Mapping[str, Any], locate: Callable[[str], object]
) -> None:
    known = papermill.inspect_notebook(str(notebook))
    names = [each.name for each in fields(Recipe) if each.name in known and each.name in values]
    try:
        Recipe(**{name: values[name] for name in names})
        check_sizes(values.get("train_size", 0), values.get("val_size", 5000))
        locate(values.get("dataset", "auto"))
    except (ValueError, OSError) as error:
        raise type(error)(f"{notebook.stem}: {error}") from error
