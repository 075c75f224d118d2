"""The notebooks in batch: profiles, parameters, seeds, sweeps, jobs side by side, resume.

Knows notebooks only by papermill. Every job is one notebook with one set of parameters, executed
by papermill in a process of its own, so that a job that dies takes no other with it.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import papermill
import yaml
from tqdm import tqdm

from cifar_utils import metrics, results
from cifar_utils.data import PROJECT, check_sizes, locate
from cifar_utils.files import check_writable
from cifar_utils.training import Recipe

NOTEBOOKS = PROJECT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"
SET_BY_STUDY = ("profile", "out")
STOP_SECONDS = 8
YES, NO = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True, eq=False)
class Job:
    """One notebook, its parameters, and the folder that its output and records go to."""

    notebook: Path
    parameters: Mapping[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        """For people: "03_pooling, seed 0"."""
        return f"{self.notebook.stem}, seed {self.parameters['seed']}"

    @property
    def output(self) -> Path:
        """Where papermill writes the executed notebook."""
        return self.folder / self.notebook.name


@dataclass(frozen=True)
class Outcome:
    """What became of a job: how long it took, and its error (None: it ran to its end)."""

    job: Job
    seconds: float
    error: str | None = None


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


def read_profile(name: str) -> dict[str, Any]:
    """The parameters of a profile: a name in notebooks/profiles, or a YAML file of one's own.

    Raises:
        ValueError: unknown, or not a list of `name: value`.
    """
    path = Path(name) if Path(name).is_file() else PROFILES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in PROFILES.glob("*.yaml")))
        raise ValueError(f"unknown profile {name!r}; there are: {known}, or a YAML file's path")
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
        ValueError: an item without "=", or a name that the study sets itself.
    """
    overrides = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not (name and equals):
            raise ValueError(f"-p {item}: write it as -p name=value")
        if name in SET_BY_STUDY:
            raise ValueError(f"-p {name}=…: the study sets {name} itself; use --profile or --out")
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
) -> list[Job]:
    """The jobs, checked, seed by seed: each pass over the notebooks completes one more seed.

    A run with overrides goes to a folder of its own, so that it never replaces the profile's.

    Raises:
        ValueError: anything that would only be found out once training has started.
    """
    if seeds < 1:
        raise ValueError(f"--seeds is {seeds}; it must be at least 1")
    label = "+".join([Path(profile).stem, *(f"{k}={v}" for k, v in overrides.items())])
    values = {**read_profile(profile), **overrides, "profile": label}
    typed = {notebook: typed_parameters(notebook, values) for notebook in notebooks}
    for notebook in notebooks:
        _check_values(notebook, typed[notebook])
    jobs = []
    for extra in range(seeds):
        for notebook in notebooks:
            seed = typed[notebook].get("seed", 0) + extra
            folder = out.resolve() / results.slug(label) / notebook.stem / f"seed-{seed}"
            parameters = typed[notebook] | {"seed": seed, "out": str(folder)}
            jobs.append(Job(notebook, parameters, folder))
    return jobs


def plan_sweep(
    notebook: Path, profile: str, overrides: Mapping[str, str], seeds: int, out: Path
) -> list[Job]:
    """A job for every combination of comma-separated values and every seed."""
    names, choices = list(overrides), [value.split(",") for value in overrides.values()]
    grid = [dict(zip(names, values, strict=True)) for values in itertools.product(*choices)]
    jobs = [job for point in grid for job in plan([notebook], profile, point, seeds, out)]
    return sorted(jobs, key=lambda job: job.parameters["seed"])


def run(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Execute jobs, `workers` at a time, and give each outcome as it comes.

    One that fails does not stop the others. On Ctrl-C the running ones are stopped too; what
    they have recorded stays, and the next call goes on from there.

    Raises:
        ValueError: fewer than one worker.
        OSError: a folder that can't be written, before anything runs.
    """
    if workers < 1:
        raise ValueError(f"--jobs is {workers}; it must be at least 1")
    for job in jobs:
        check_writable(job.folder)
    running: dict[Job, subprocess.Popen] = {}
    pool = ThreadPoolExecutor(workers)
    pending = {pool.submit(_execute, job, workers, running) for job in jobs}
    try:
        with tqdm(total=len(jobs), unit="notebook", disable=None) as bar:
            while pending:
                done, pending = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
                bar.set_postfix_str("; ".join(job.name for job in list(running)))
                for future in done:
                    bar.update()
                    yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(running.values()):
            _stop(process)
        pool.shutdown()


def summary_table(jobs: Sequence[Job]) -> pd.DataFrame:
    """A row a run of these jobs: validation accuracy, the six test metrics, seconds."""
    frames = [results.load(job.folder) for job in jobs if job.folder.exists()]
    frame = pd.concat(frames, ignore_index=True) if frames else results.load(PROJECT / "none")
    columns = ["notebook", "variant", "seed", "val_accuracy", *metrics.NAMES, "seconds"]
    return frame[columns].rename(columns={"val_accuracy": "validation", "accuracy": "test"})


def sweep_table(jobs: Sequence[Job], names: Sequence[str]) -> pd.DataFrame:
    """Mean ± std over seeds of validation accuracy, a row a combination and variant, best first."""
    frames = [
        results.load(job.folder).assign(**{name: job.parameters[name] for name in names})
        for job in jobs
    ]
    runs = pd.concat(frames, ignore_index=True)
    groups = runs.groupby([*names, "variant"], sort=False).val_accuracy
    return groups.agg(n="count", mean="mean", std="std").sort_values("mean", ascending=False)


def diverged(jobs: Sequence[Job]) -> list[str]:
    """A sentence for every run whose loss stopped being finite."""
    return [
        f"{row.notebook}, {row.variant}, seed {row.seed}: the loss stopped being finite in epoch "
        f"{row.diverged['epoch']} at learning rate {row.diverged['lr']:g}; lower lr"
        for job in jobs
        for row in results.load(job.folder).itertuples()
        if isinstance(row.diverged, dict)
    ]


def _execute(job: Job, workers: int, running: dict[Job, subprocess.Popen]) -> Outcome:
    if _is_done(job):
        return Outcome(job, 0.0)
    start = time.monotonic()
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--log-level", "ERROR"]
    command += [str(job.notebook), str(job.output), "--cwd", str(NOTEBOOKS)]
    command += ["--parameters_yaml", yaml.safe_dump(dict(job.parameters))]
    process = subprocess.Popen(
        command,
        env={"OMP_NUM_THREADS": threads, "PYTHONWARNINGS": "ignore"} | os.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    running[job] = process
    _, errors = process.communicate()
    del running[job]
    seconds = time.monotonic() - start
    if process.returncode == 0:
        return Outcome(job, seconds)
    lines = errors.strip().splitlines() or [f"papermill ended with {process.returncode}"]
    return Outcome(job, seconds, _failed_cell(job.output) or lines[-1])


def _stop(process: subprocess.Popen) -> None:
    """Let papermill save its notebook; kill it where it does not end."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _is_done(job: Job) -> bool:
    """Whether the output is this very notebook, executed to its end with these parameters."""
    try:
        executed = nbformat.read(job.output, as_version=4)
        source = nbformat.read(job.notebook, as_version=4)
    except Exception:
        return False
    told = executed.metadata.get("papermill", {})
    cells = [
        cell.source
        for cell in executed.cells
        if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    return (
        told.get("exception") is None
        and told.get("end_time") is not None
        and told.get("parameters") == dict(job.parameters)
        and cells == [cell.source for cell in source.cells]
    )


def _failed_cell(output: Path) -> str | None:
    """The error of an executed notebook and the cell it came from."""
    if not output.exists():
        return None
    for cell in nbformat.read(output, as_version=4).cells:
        for shown in cell.get("outputs", []):
            if shown.output_type == "error" and "raises-exception" not in cell.metadata.tags:
                return f"cell [{cell.execution_count}]: {shown.ename}: {shown.evalue}"
    return None


def _convert(value: Any, wanted: str) -> Any:
    if wanted == "bool" and isinstance(value, str) and value.lower() in (*YES, *NO):
        return value.lower() in YES
    if wanted == "float" and not isinstance(value, bool):
        return float(value)
    if wanted == "int" and (isinstance(value, str) or type(value) is int):
        return int(value)
    if wanted == "str" and isinstance(value, str) or wanted == type(value).__name__:
        return value
    raise ValueError(value)


def _check_values(notebook: Path, values: Mapping[str, Any]) -> None:
    known = papermill.inspect_notebook(str(notebook))
    names = [each.name for each in fields(Recipe) if each.name in known and each.name in values]
    try:
        Recipe(**{name: values[name] for name in names})
        check_sizes(values.get("train_size", 0), values.get("val_size", 5000))
        locate(values.get("dataset", "auto"))
    except (ValueError, OSError) as error:
        raise type(error)(f"{notebook.stem}: {error}") from error
