"""The search for recipes, on validation data alone: `python benchmarks/recipe_search.py 07_final`.

Trains every candidate of recipes.yaml on all of CIFAR-10, never looks at the test set, and keeps
a record of each in results/search. What has its record is not trained again; what was stopped
goes on.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import pandas as pd
import torch
import yaml
from torch import nn
from tqdm import tqdm

from cifar_utils import data, models, records, training
from cifar_utils.experiment import Experiment
from cifar_utils.files import slug

CANDIDATES = Path(__file__).with_name("recipes.yaml")
KEPT = records.EVIDENCE / "search"
CHOSEN = "Muon"  # for FinalCNN, by the validation images; notebook 07 says why
WHITENED = 5_000  # images whose patches whiten a first layer
CHECKPOINTS = data.PROJECT / "runs" / "search"


@dataclass(frozen=True)
class Candidate:
    """A recipe that a notebook's network is tried with, and the network's own options."""

    notebook: str
    network: str
    name: str
    recipe: training.Recipe
    options: dict[str, Any]


def read_candidates(path: Path, notebook: str) -> dict[str, Candidate]:
    """A notebook's candidates by name: the base and what each changes.

    Raises:
        click.UsageError: the file has none for this notebook.
    """
    searches = yaml.safe_load(path.read_text(encoding="utf-8"))
    if notebook not in searches:
        raise click.UsageError(f"no search {notebook!r}; there are: {', '.join(searches)}")
    told = searches[notebook]
    candidates = {}
    for name, changes in told["candidates"].items():
        settings = told["base"] | changes
        options = settings.pop("options", {})
        recipe = training.Recipe(**settings)
        candidates[name] = Candidate(notebook, told["network"], name, recipe, options)
    return candidates


def build(candidate: Candidate, images: data.Data) -> nn.Module:
    """The candidate's network with the initial weights of its seed; see `models.whiten`."""
    model = models.build(candidate.network, candidate.recipe.seed, **candidate.options)
    if isinstance(model, models.FastCNN):
        models.whiten(model.whitening, images.normalise(images.train.images[:WHITENED]))
    return model


def train(candidate: Candidate) -> dict[str, Any]:
    """Train one candidate on one thread, and keep its record."""
    torch.set_num_threads(1)
    recipe, images = candidate.recipe, data.load("cifar10")
    model = build(candidate, images)
    kept = KEPT / candidate.notebook / f"{slug(candidate.name)}.seed{recipe.seed}.json"
    if kept.exists() and records.read(kept)["digest"] == training.digest(model, images, recipe):
        return records.read(kept)
    folder = CHECKPOINTS / candidate.notebook / f"seed-{recipe.seed}"
    experiment = Experiment(candidate.notebook, "search", folder)
    run = experiment.run(candidate.name, model, images, recipe, test=False, verbose=False)
    records.write(run.record, kept)
    return run.record


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Validation accuracy and loss at the end, mean over seeds, best first."""
    frame = frame.assign(val_loss=[rows[-1]["val_loss"] for rows in frame.history])
    groups = frame.groupby("variant").agg(
        n=("seed", "count"),
        val_accuracy=("val_accuracy", "mean"),
        std=("val_accuracy", "std"),
        val_loss=("val_loss", "mean"),
        train_loss=("train_loss", "mean"),
        seconds=("seconds", "mean"),
    )
    return groups.sort_values("val_accuracy", ascending=False)


@click.command()
@click.argument("notebook")
@click.argument("names", nargs=-1)
@click.option("--seeds", default=1, show_default=True, help="Runs of each candidate.")
@click.option("--jobs", default=2, show_default=True, help="Candidates side by side.")
def main(notebook: str, names: tuple[str, ...], seeds: int, jobs: int) -> None:
    """Train NOTEBOOK's candidates called NAMES (all by default); print its records, best first."""
    candidates = read_candidates(CANDIDATES, notebook)
    unknown = set(names) - set(candidates)
    if unknown:
        raise click.UsageError(f"unknown {', '.join(unknown)}; there are: {', '.join(candidates)}")
    chosen = [candidates[name] for name in names or candidates]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [
            pool.submit(
                train, replace(each, recipe=replace(each.recipe, seed=each.recipe.seed + seed))
            )
            for seed in range(seeds)
            for each in chosen
        ]
        for done in tqdm(as_completed(waiting), "candidates", len(waiting), disable=None):
            record = done.result()
            accuracy = record["history"][-1]["val_accuracy"]
            tqdm.write(f"{record['variant']}, seed {record['seed']}: validation {accuracy:.2%}")
    frame = records.load(KEPT, notebook, "search")
    click.echo(table(frame).to_string(float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()
