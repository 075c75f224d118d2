"""What the choice of the validation images leaves open: `python benchmarks/splits.py`.

All runs of the study validate on the same 5,000 images and train on the other 45,000. This trains
FinalCNN once on each of five splits, with everything else as in its record of seed 0, and keeps a
record of each in results/splits. What has its record is not trained again; what was stopped goes
on from its last epoch. Each run has a process and one thread.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import torch

from cifar_utils import data, models, records, training
from cifar_utils.experiment import Experiment

EXAMPLE = records.EVIDENCE / "07_final" / "FinalCNN.seed0.json"
KEPT = records.EVIDENCE / "splits"
CHECKPOINTS = data.PROJECT / "runs" / "splits"


def train(
    split: int, epochs: int, train_size: int = 0, kept: Path = KEPT, checkpoints: Path = CHECKPOINTS
) -> dict[str, Any]:
    """Train FinalCNN on one split, on one thread, and keep its record; or read it back."""
    torch.set_num_threads(1)
    example = records.read(EXAMPLE)
    recipe = training.Recipe(**(example["recipe"] | {"epochs": epochs}))
    images = data.load("cifar10", train_size=train_size, seed=split)
    model = models.build(example["network"], recipe.seed)
    path = kept / f"split-{split}.seed{recipe.seed}.json"
    if path.exists() and records.read(path)["digest"] == training.digest(model, images, recipe):
        return records.read(path)
    experiment = Experiment(example["notebook"], "splits", checkpoints)
    run = experiment.run(f"split {split}", model, images, recipe, verbose=False)
    records.write(run.record, path)
    return run.record


@click.command()
@click.option("--splits", default=5, show_default=True, help="Seeds of the split, from 0 on.")
@click.option("--jobs", default=1, show_default=True, help="Runs side by side.")
def main(splits: int, jobs: int) -> None:
    """Train FinalCNN on several splits; print validation and test accuracy."""
    epochs = records.read(EXAMPLE)["recipe"]["epochs"]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(train, split, epochs) for split in range(splits)]
        for done in as_completed(waiting):
            click.echo(line(done.result()))
    frame = records.load(KEPT)
    told = (100 * frame[["val_accuracy", "accuracy"]]).agg(["mean", "std"]).round(2)
    click.echo(f"\n{told.to_string()}")


def line(record: dict[str, Any]) -> str:
    """A run in one line."""
    validation = record["history"][-1]["val_accuracy"]
    accuracies = f"validation {validation:.2%}, test {record['test']['accuracy']:.2%}"
    return f"{record['variant']}: {accuracies}, {record['seconds']:.0f} s"


if __name__ == "__main__":
    main()
