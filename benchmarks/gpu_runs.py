"""Runs on a GPU for `gpu.py`: side by side on one card, stopped in time, recorded as elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import click
import torch
from recipe_search import CANDIDATES, KEPT, Candidate, build, read_candidates

from cifar_utils import data, records, training
from cifar_utils.files import slug, write_whole
from cifar_utils.recipe import Recipe


@dataclass(frozen=True)
class Setting:
    """What every part is told. `images` and `epochs` of 0 leave data and recipes whole."""

    out: Path
    device: str
    dataset: str = "cifar10"
    images: int = 0
    epochs: int = 0
    seeds: int = 1
    first: int = 0
    jobs: int = 1
    until: float = float("inf")  # seconds, as time.time() counts them
    search: str = "07_final"
    candidates: tuple[str, ...] = ()
    variant: str = "PlainCNN"
    checkpoints: Path = data.PROJECT / "runs" / "gpu"

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.time() > self.until

    @property
    def warm_up(self) -> Setting:
        """The same with a few images: a first run pays for loading code and choosing kernels."""
        return replace(self, images=min(self.images or 2000, 2000))

    def load(self, val_size: int = 0) -> data.Data:
        """The data, read once."""
        return load(self.dataset, self.images, val_size)

    def fitted(self, recipe: Recipe) -> Recipe:
        """The recipe, cut to the images and epochs asked for."""
        batch = min(recipe.batch_size, self.images // 4) if self.images else recipe.batch_size
        return replace(recipe, batch_size=batch, epochs=self.epochs or recipe.epochs)


@cache
def load(dataset: str, images: int, val_size: int) -> data.Data:
    """All of a data set, or so many training and test images of it and half as many validation."""
    if not images:
        return data.load(dataset, val_size=val_size)
    few = data.load(dataset, train_size=images, val_size=val_size or max(10, images // 2))
    order = data.stratified_order(few.test.labels, seed=0)[:images]
    test = data.Split(few.test.images[order], few.test.labels[order])
    return replace(few, test=test, digest=f"{few.digest}, {images} test images")


def recorded(variant: str, seed: int = 0) -> dict[str, Any]:
    """A full-scale record of notebook 07."""
    return records.read(records.EVIDENCE / "07_final" / f"{variant}.seed{seed}.json")


def recipe_of(variant: str, seed: int = 0) -> Recipe:
    """The recipe of a record."""
    return Recipe(**recorded(variant, seed)["recipe"])


class OutOfTime(Exception):
    """A run was stopped between two epochs; what it had measured is its argument."""


@contextmanager
def stopping(until: float) -> Iterator[None]:
    """Within, `fit` begins no epoch after that time, but raises OutOfTime with its history."""
    run_epoch = training._State.run_epoch

    def in_time(state: training._State) -> None:
        if time.time() > until:
            raise OutOfTime(state.history)
        run_epoch(state)

    with mock.patch.object(training._State, "run_epoch", in_time):
        yield


@dataclass(frozen=True)
class Task:
    """A run to make: what is trained, what its record is called, whether it looks at the test."""

    candidate: Candidate
    names: dict[str, str]
    test: bool

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.names['variant']}, seed {self.candidate.recipe.seed}"


def run(setting: Setting, task: Task) -> dict[str, Any]:
    """Train one task: {"record", "weights"}, a path, or {"stopped", "history"} if time was up."""
    torch.set_num_threads(1)
    candidate, images = task.candidate, setting.load()
    model = build(candidate, images)
    names = task.names | {"seed": candidate.recipe.seed}
    folder = setting.checkpoints / names["profile"] / file_of(names, Path()).with_suffix("")
    kept, weights = folder / "record.json", folder / "weights.pt"
    searched = [file_of(names, records.EVIDENCE)] * (names["profile"] == "search")
    for path in filter(Path.exists, [kept, *searched]):
        record = records.read(path)
        if record["digest"] == training.digest(model, images, candidate.recipe):
            return {"record": record, "weights": str(weights)}
    try:
        with stopping(setting.until):
            made = training.fit(
                model, images, candidate.recipe,
                folder=folder, test=task.test, verbose=False, device=setting.device,
            )  # fmt: skip
    except OutOfTime as stopped:
        return {"stopped": task.name, "history": stopped.args[0]}
    named = {"schema": records.SCHEMA, **names}
    state = {key: value.cpu() for key, value in made.model.state_dict().items()}
    write_whole(weights, lambda beside: torch.save(state, beside))
    records.write(made.record | named, kept)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return {"record": made.record | named, "weights": str(weights)}


def attempt(setting: Setting, task: Task) -> dict[str, Any]:
    """What `run` gives; of a task that fails its error, so that the others go on."""
    try:
        return run(setting, task)
    except Exception as error:
        return {"stopped": task.name, "history": [], "error": f"{type(error).__name__}: {error}"}


def side_by_side(setting: Setting, tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
    """What `attempt` gives for each task, as they end; `setting.jobs` processes share the card."""
    if setting.jobs == 1:
        for task in tasks:
            yield attempt(setting, task)
        return
    with ProcessPoolExecutor(setting.jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(attempt, setting, task) for task in tasks]
        for done in as_completed(waiting):
            yield done.result()


def chosen(setting: Setting) -> list[Candidate]:
    """The candidates asked for, by default all of the search, each with every seed.

    Raises:
        click.UsageError: one that the search does not have.
    """
    known = read_candidates(CANDIDATES, setting.search)
    unknown = [name for name in setting.candidates if name not in known]
    if unknown:
        raise click.UsageError(f"unknown {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in setting.candidates or known]


def seeded(candidate: Candidate, seed: int, setting: Setting) -> Candidate:
    """The candidate with another seed, cut to what was asked for."""
    return replace(candidate, recipe=replace(setting.fitted(candidate.recipe), seed=seed))


def search(setting: Setting) -> Iterator[dict[str, Any]]:
    """Records of candidates, on validation images alone, as recipe_search.py makes them."""
    tasks = [
        Task(
            seeded(each, each.recipe.seed + setting.first + seed, setting),
            {"notebook": each.notebook, "variant": each.name, "profile": "search"},
            test=False,
        )
        for seed in range(setting.seeds)
        for each in chosen(setting)
    ]
    for found in gathered(setting, tasks):
        del found["weights"]
        yield found


def final(setting: Setting) -> Iterator[dict[str, Any]]:
    """Full-scale records of one named candidate, a seed each, and final.pt with their weights."""
    if len(setting.candidates) != 1:
        raise click.UsageError("final needs one --candidate, the one that the search chose")
    names = {"notebook": "07_final", "variant": setting.variant, "profile": "full"}
    candidate = chosen(setting)[0]
    seeds = range(setting.first, setting.first + setting.seeds)
    tasks = [Task(seeded(candidate, seed, setting), names, test=True) for seed in seeds]
    for found in gathered(setting, tasks):
        weights = {
            str(seed): torch.load(path, weights_only=True)
            for seed, path in found.pop("weights").items()
        }
        write_whole(setting.out / "final.pt", lambda at, w=weights: torch.save(w, at))
        yield found


def gathered(setting: Setting, tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
    """All that is there after each task: a table, the records, the weights' paths by seed."""
    made: list[dict[str, Any]] = []
    stopped: list[dict[str, Any]] = []
    weights: dict[int, str] = {}
    for done in side_by_side(setting, tasks):
        if "stopped" in done:
            stopped.append(done)
        else:
            made.append(done["record"])
            weights[done["record"]["seed"]] = done["weights"]
        table = sorted(map(line, made), key=lambda row: -row["validation"])
        yield {"n": len(made), "left": len(tasks) - len(made), "jobs": setting.jobs,
               "table": table, "stopped": stopped, "records": list(made),
               "weights": dict(weights)}  # fmt: skip


def file_of(names: Mapping[str, Any], results: Path) -> Path:
    """Where a record of these names is kept: that of a search as recipe_search.py keeps it."""
    if names["profile"] != "search":
        return results / records.file_name(names)
    file = f"{slug(names['variant'])}.seed{names['seed']}.json"
    return results / KEPT.name / names["notebook"] / file


def line(record: dict[str, Any]) -> dict[str, Any]:
    """A record in short."""
    last = record["history"][-1]
    row = {"variant": record["variant"], "seed": record["seed"], "seconds": record["seconds"]}
    row |= {"train": last["train_accuracy"] or 0.0, "validation": last["val_accuracy"] or 0.0}
    for views in training.TESTS:
        if record[views]:
            row[views] = record[views]["accuracy"]
    return row


def keep(
    records_found: Sequence[dict[str, Any]], weights: dict[str, Any], results: Path
) -> list[str]:
    """Put records, and the weights of the best seed on validation images, below results/.

    Only whole runs on CIFAR-10 count; what is not kept is named. Returns a line each.
    """
    told, best = [], {}
    for record in records_found:
        whole = data.training_images(0, 0, "cifar10")
        if (record["data"]["name"], record["data"]["train"]) != ("cifar10", whole):
            told.append(
                f"left out {record['variant']}: trained on {record['data']['train']} images"
            )
            continue
        path = file_of(record, results)
        records.write(record, path)
        told.append(f"kept {path}")
        if record["profile"] == "full":
            best[record["history"][-1]["val_accuracy"] or 0.0] = (path, str(record["seed"]))
    if best and weights:
        path, seed = best[max(best)]
        state = weights[seed]
        write_whole(path.with_suffix(".pt"), lambda beside: torch.save(state, beside))
        told.append(f"kept {path.with_suffix('.pt')}")
    return told
