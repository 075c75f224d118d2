"""One variant trained alone: `verify` makes a record again, `complete` makes the missing ones.

Both run a notebook with its parameter `only`, which leaves the other variants untrained, and end it
as soon as the variant has its record.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cifar_utils import data, outline, records
from cifar_utils.batch import jobs as jobs_module
from cifar_utils.batch import keep, study
from cifar_utils.batch.execute import PATIENCE, Patience
from cifar_utils.batch.jobs import Job, Outcome, Place
from cifar_utils.files import slug


def plan_variant(notebook: str, variant: str, profile: str, seed: int, folder: Path) -> Job:
    """The notebook, ready to train one variant into `folder`; `profile` as a record names it.

    What stands in `folder` stays, so that a run that was stopped goes on.

    Raises:
        ValueError: a notebook, profile or parameter that there is not.
    """
    name, values = records.split_profile(profile)
    path = study.find_notebooks([notebook])[0]
    job = study.plan([path], name, study.read_overrides(values), 1, folder)[0]
    parameters = {**job.parameters, "seed": seed, "out": str(folder), "only": variant}
    return replace(job, parameters=parameters, folder=folder, point=variant)


def plan_missing(notebooks: Sequence[str], seeds: int | None, out: Path) -> list[Job]:
    """A job for each variant and seed of the notebooks that has no full-scale record.

    `seeds` None takes for each variant as many as the outline declares.
    """
    wanted = {
        (section.notebook, variant): seeds or outline.declared_seeds(section.notebook, variant)
        for section in outline.SECTIONS
        if section.notebook in notebooks
        for variant in section.variants
    }
    jobs = []
    for seed in range(max(wanted.values(), default=0)):
        for (notebook, variant), count in wanted.items():
            if seed >= count:
                continue
            names = {"notebook": notebook, "variant": variant, "profile": "full", "seed": seed}
            file = records.file_name(names)
            if not (records.EVIDENCE / file).exists():
                folder = out.resolve() / file.removesuffix(".json")
                jobs.append(plan_variant(notebook, variant, "full", seed, folder))
    return jobs


def complete(jobs: Sequence[Job], place: Place) -> Iterator[Outcome]:
    """Run the jobs as `jobs.run` does; keep each record in results/ as soon as it is there."""
    for outcome in jobs_module.run(jobs, place):
        if not outcome.error:
            keep.publish(outcome.job.folder, records.EVIDENCE)
        yield outcome


@dataclass(frozen=True)
class Verdict:
    """Test accuracies (fractions) of a record and of its repetition.

    `spread` is the standard deviation over `seeds` runs of the variant; NaN for one.
    """

    record: float
    again: float
    identical: bool
    spread: float
    seeds: int

    @property
    def agrees(self) -> bool:
        """Whether they are equal, or no further apart than two seeds of the variant would be.

        Two runs' difference has √2 times the spread of one; twice that is seldom exceeded.
        """
        return self.identical or abs(self.again - self.record) <= 2 * math.sqrt(2) * self.spread

    def __str__(self) -> str:
        """One sentence."""
        both = f"test accuracy {100 * self.again:.2f} %, in the record {100 * self.record:.2f} %"
        if self.identical:
            return f"The same to the digit: {both}, and every other metric as recorded."
        spread = f"{100 * self.spread:.2f} points (standard deviation over {self.seeds} seeds)"
        if self.agrees:
            return f"Within the spread: {both}; between two seeds lie about {spread}."
        points = f"Differs by {100 * (self.again - self.record):+.2f} points: {both}"
        if math.isnan(self.spread):
            return f"{points}; results/ has no other seed of it, so no spread to judge this by."
        return f"{points}; that is more than the spread, {spread}, explains."


def read(path: Path) -> dict[str, Any]:
    """Read the record; ValueError names the file that is none."""
    try:
        return records.read(path)
    except ValueError as error:
        raise ValueError(f"{path} is not a record that can be made again: {error}") from error


def plan_again(path: Path, out: Path) -> Job:
    """The notebook of the record at `path`, ready to train that record's variant alone.

    Its folder below `out` is made anew once the job has it to itself.

    Raises:
        ValueError: not a record, or one of a notebook, profile or parameter that is no more.
        FileNotFoundError: the record is CIFAR-10's, which is not here.
    """
    record = read(path)
    data.locate(record["data"]["name"])
    folder = out.resolve() / records.file_name(record).removesuffix(".json")
    names = {key: record[key] for key in ("notebook", "variant", "profile", "seed")}
    job = plan_variant(**names, folder=folder)
    parameters = {**job.parameters, "dataset": record["data"]["name"]}
    return replace(job, parameters=parameters, anew=True)


def verify(path: Path, out: Path, patience: Patience = PATIENCE) -> Verdict:
    """Make the record at `path` again and compare.

    Raises:
        ValueError: as `plan_again`; the notebook did not come to the variant, and why; or the
            recipe is another by now.
    """
    job, record = plan_again(path, out), read(path)
    threads = record["environment"]["threads"]  # another number of them rounds otherwise
    place = jobs_module.ThisMachine(1, patience, threads)
    (outcome,) = jobs_module.run([job], place)
    if outcome.error:
        raise ValueError(f"{path.name} was not made again: {outcome.error} (see {job.output})")
    again = records.read(job.folder / slug(job.point) / "record.json")
    _check_recipe(record["recipe"], again["recipe"])
    return compare(record, again)


def compare(record: Mapping[str, Any], again: Mapping[str, Any]) -> Verdict:
    """The record and its repetition, beside the spread of the variant's seeds in results/."""
    accuracies = {each["seed"]: _accuracy(each) for each in _other_seeds(record)}
    accuracies[record["seed"]] = _accuracy(record)
    n = len(accuracies)
    mean = sum(accuracies.values()) / n
    squares = sum((value - mean) ** 2 for value in accuracies.values())
    identical = all(record[key] == again[key] for key in ("test", "confusion"))
    spread = math.sqrt(squares / (n - 1)) if n > 1 else math.nan
    return Verdict(_accuracy(record), _accuracy(again), identical, spread, n)


def _accuracy(record: Mapping[str, Any]) -> float:
    value = record["test"].get("accuracy")
    return math.nan if value is None else value


def _other_seeds(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records in results/ of the same notebook, variant and profile."""
    same = ("notebook", "variant", "profile")
    kept = records.read_all(records.EVIDENCE / record["notebook"])
    return [each for each in kept.values() if all(each[k] == record[k] for k in same)]


def _check_recipe(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ValueError for recipes that differ; keys that are younger than `then` don't count."""
    changed = [
        f"{name} was {then[name]!r} and is {now.get(name)!r}"
        for name in then
        if then[name] != now.get(name)
    ]
    if changed:
        raise ValueError(f"the record's recipe is no longer the notebook's: {'; '.join(changed)}")
