"""One variant of a notebook, trained alone: the rest of the notebook runs around it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import nbformat

from cifar_utils import results, study
from cifar_utils.jobs import Job, Outcome
from cifar_utils.results import Only


def plan(notebook: str, only: Only, profile: str, seed: int, folder: Path) -> Job:
    """The notebook, ready to train one variant into `folder`; `profile` as a record names it.

    What stands in `folder` stays, so that a run that was stopped goes on.

    Raises:
        ValueError: a notebook, profile or parameter that there is not, or no record in `only` to
            stand in for the other variants.
    """
    if not only.others:
        raise ValueError(f"{notebook} has no record yet; `{results.command(notebook)}` makes some")
    name, values = results.split_profile(profile)
    path = study.find_notebooks([notebook])[0]
    job = study.plan([path], name, study.read_overrides(values), 1, folder)[0]
    only.ask(folder)
    return replace(
        job,
        notebook=_forgiving_copy(path, folder / "source"),
        parameters={**job.parameters, "seed": seed, "out": str(folder)},
        folder=folder,
        point=only.variant,
    )


def record_of(job: Job) -> Path:
    """Where the variant's record is written."""
    return job.folder / results.slug(job.point) / "record.json"


def with_reason(outcome: Outcome) -> Outcome:
    """The outcome of such a job: an error where there is no record, and none where there is."""
    if record_of(outcome.job).exists():
        return replace(outcome, error=None)
    missing = f"the notebook has no variant {outcome.job.point!r}"
    stopped = f", or did not come to it: {outcome.error}" if outcome.error else ""
    return replace(outcome, error=missing + stopped)


def _forgiving_copy(notebook: Path, folder: Path) -> Path:
    """A copy whose cells may fail, apart from those that run the experiment.

    Between the variants a notebook looks at networks that are not trained now.
    """
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        if cell.cell_type == "code" and not re.search(r"\bexperiment\b", cell.source):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "raises-exception"]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(content, folder / notebook.name)
    return folder / notebook.name
