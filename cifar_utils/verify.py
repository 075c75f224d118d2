"""One record made again: its notebook runs, trains its variant alone, and the two are compared."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cifar_utils import data, jobs, results, single
from cifar_utils.jobs import Job
from cifar_utils.results import Only


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
        return results.read(path)
    except ValueError as error:
        raise ValueError(f"{path} is not a record that can be made again: {error}") from error


def plan(path: Path, out: Path) -> Job:
    """The notebook of the record at `path`, ready to train that record's variant alone.

    Its folder below `out` is made anew.

    Raises:
        ValueError: not a record, or one of a notebook, profile or parameter that is no more.
        FileNotFoundError: the record is CIFAR-10's, which is not here.
    """
    record = read(path)
    data.locate(record["data"]["name"])
    folder = out.resolve() / results.file_name(record).removesuffix(".json")
    shutil.rmtree(folder, ignore_errors=True)
    others = [each for each in _same_run(record, "seed") if each["variant"] != record["variant"]]
    only = Only(record["variant"], [*others, record], record["recipe"])
    job = single.plan(record["notebook"], only, record["profile"], record["seed"], folder)
    return replace(job, parameters={**job.parameters, "dataset": record["data"]["name"]})


def run(path: Path, out: Path) -> Verdict:
    """Make the record at `path` again and compare.

    Raises:
        ValueError: as `plan`; or the notebook did not come to the variant, and why.
    """
    job, record = plan(path, out), read(path)
    threads = record["environment"]["threads"]  # another number of them rounds otherwise
    place = jobs.ThisMachine(max(1, (os.cpu_count() or 1) // threads))
    (outcome,) = jobs.run([job], place)
    outcome = single.with_reason(outcome)
    if outcome.error:
        raise ValueError(f"{path.name} was not made again: {outcome.error} (see {job.output})")
    return compare(record, results.read(single.record_of(job)))


def compare(record: Mapping[str, Any], again: Mapping[str, Any]) -> Verdict:
    """The record and its repetition, beside the spread of the variant's seeds in results/."""
    accuracies = {each["seed"]: _accuracy(each) for each in _same_run(record, "variant")}
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


def _same_run(record: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The records in results/ of the same notebook and profile that share the value of `key`."""
    same = ("notebook", "profile", key)
    every = map(results.read, sorted(results.EVIDENCE.glob(f"{record['notebook']}.*.json")))
    return [each for each in every if all(each[name] == record[name] for name in same)]
