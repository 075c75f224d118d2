"""The notebooks in batch: profiles, parameters and seeds become jobs, their records one table.

Knows notebooks only by papermill.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from papermill.translators import PythonTranslator

from cifar_utils import metrics, outline, records
from cifar_utils.batch import checks, profiles
from cifar_utils.batch import jobs as jobs_module
from cifar_utils.batch.jobs import Job, Outcome, ThisMachine
from cifar_utils.data import PROJECT, locate
from cifar_utils.files import slug

NOTEBOOKS = PROJECT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"
NAMES = tuple(section.notebook for section in outline.SECTIONS)
SET_BY_STUDY = {
    "profile": "use --profile",
    "out": "use --out",
    "only": "use verify or complete",
}
YES, NO = ("true", "yes", "1"), ("false", "no", "0")
WHOLE_NUMBER = re.compile(r"[-+]?(0|[1-9][\d_]*)")  # not 010, which is eight to some


def find_notebooks(names: Sequence[str] = ()) -> list[Path]:
    """The study's notebooks by name ("03_pooling", "03"), or all of them, in order.

    Raises:
        ValueError: a name that is none of the study's, or whose file is gone.
    """
    chosen = []
    for name in names or NAMES:
        stem = name.removesuffix(".ipynb").rpartition("/")[2]
        matching = [each for each in NAMES if stem in (each, each.split("_")[0])]
        if not matching:
            raise ValueError(f"unknown notebook {name!r}; there are: {', '.join(NAMES)}")
        chosen += [NOTEBOOKS / f"{each}.ipynb" for each in matching]
    if gone := [str(path) for path in chosen if not path.is_file()]:
        raise ValueError(f"the study's notebooks are not all there; get back {', '.join(gone)}")
    return chosen


def strangers() -> list[str]:
    """Names of what lies among the notebooks and profiles and takes no part in the study."""
    notebooks = [path.name for path in NOTEBOOKS.glob("*.ipynb") if path.stem not in NAMES]
    parts = [path.name for path in PROFILES.glob("*.*.yaml")]
    return sorted(notebooks) + sorted(each for each in parts if each.split(".")[1] not in NAMES)


def read_profile(name: str, notebook: str = "") -> dict[str, Any]:
    """A profile's parameters, as text; it is a name in notebooks/profiles, or one's own YAML file.

    Beside `full.yaml` a file `full.07_final.yaml` holds what is other for that notebook.

    Raises:
        ValueError: unknown, or not a list of `name: value`.
    """
    return profiles.read(profiles.find(PROFILES, name)[0], notebook)


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


def parameters_of(notebook: Path) -> dict[str, Any]:
    """The parameters that a notebook lists, by name, as papermill reads them.

    Raises:
        ValueError: it is no notebook, or has no cell tagged `parameters`.
    """
    try:
        cells = nbformat.read(notebook, as_version=4).cells
        (cell,) = (each for each in cells if "parameters" in each.metadata.get("tags", []))
    except Exception as error:  # of many kinds, from nbformat and JSON
        raise ValueError(f"{notebook} is no notebook with one cell tagged parameters") from error
    return {each.name: each for each in PythonTranslator.inspect(cell)}


def typed_parameters(notebook: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` in the types that the notebook's own annotations ask for.

    Raises:
        ValueError: a parameter that the notebook does not have, or a value of another type.
    """
    known = parameters_of(notebook)
    typed = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(
                f"{notebook.stem} has no parameter {name!r}; it has: {', '.join(known)}"
            )
        wanted = known[name].inferred_type_name
        try:
            typed[name] = _convert(value, wanted)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{name}={value!r} of {notebook.stem} must be of type {wanted}"
            ) from error
    return typed


def all_parameters(notebook: Path, profile: str, overrides: Mapping[str, str]) -> dict[str, Any]:
    """All parameters of a notebook: its own, those of the profile, those set beside it."""
    known = parameters_of(notebook)
    own = {name: ast.literal_eval(each.default) for name, each in known.items()}
    given = {**read_profile(profile, notebook.stem), **overrides}
    return own | typed_parameters(notebook, given)


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
    name = profiles.find(PROFILES, profile)[1]
    label = "+".join([name, *(f"{key}={value}" for key, value in overrides.items())])
    own = {**overrides, "profile": label}
    typed = {
        notebook: typed_parameters(notebook, read_profile(profile, notebook.stem) | own)
        for notebook in notebooks
    }
    for notebook in notebooks:
        every = all_parameters(notebook, profile, own)
        checks.check_values(notebook.stem, every, seeds, locate)
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
    """A row a run of these jobs: validation accuracy, test metrics, seconds, what is wrong."""
    frames = [records.load(job.folder) for job in jobs if job.folder.exists()]
    frame = pd.concat(frames, ignore_index=True) if frames else records.load(PROJECT / "none")
    columns = ["notebook", "variant", "seed", "val_accuracy", *metrics.NAMES, "seconds", "remark"]
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
    if wanted == "int" and (type(value) is int or WHOLE_NUMBER.fullmatch(value)):
        return int(value)
    if wanted == "str" and isinstance(value, str) or wanted == type(value).__name__:
        return value
    raise ValueError(value)
