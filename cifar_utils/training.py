"""fit(): the training loop, its history, and how a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.profiler import record_function as stage
from tqdm import tqdm

from cifar_utils import augment, checkpoint, metrics
from cifar_utils.data import Data, Split, batches
from cifar_utils.inference import evaluate, predict, predict_six_views
from cifar_utils.machine import choose_device, environment, mixed_precision
from cifar_utils.models import count_parameters
from cifar_utils.recipe import SCHEDULES, MovingAverage, Recipe, make_optimizer

__all__ = [
    "SCHEDULES",
    "Recipe",
    "Run",
    "digest",
    "evaluate",
    "fit",
    "make_optimizer",
    "predict",
    "predict_six_views",
]

PRINTED_EPOCHS = 10
TESTS = "test", "test_flip", "test_six"  # one view, two, six


@dataclass
class Run:
    """One trained network and what was measured on the way.

    `history` has a row an epoch: epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr,
    seconds. Losses are cross-entropies in nats, without label smoothing; accuracies fractions;
    all are means over samples. The training columns are gathered during the epoch, in training
    mode and on augmented images. `test` has the six metrics, empty if the test set was not
    looked at; `test_flip` those of the probabilities averaged over each image and its mirror
    image. `confusion` counts test images: a row a true class, a column a predicted one.
    """

    model: nn.Module
    recipe: Recipe
    history: pd.DataFrame
    record: dict[str, Any] = field(repr=False)

    @property
    def test(self) -> dict[str, float]:
        """The six test metrics as fractions (MCC: −1 … 1)."""
        return {k: math.nan if v is None else v for k, v in self.record["test"].items()}

    @property
    def test_flip(self) -> dict[str, float]:
        """The six test metrics with flip averaging, after Krizhevsky et al. (2012)."""
        return {k: math.nan if v is None else v for k, v in self.record["test_flip"].items()}

    @property
    def confusion(self) -> list[list[int]]:
        """Counts of test images, C×C."""
        counts: list[list[int]] = self.record["confusion"]
        return counts

    @property
    def diverged(self) -> dict[str, float] | None:
        """Epoch and learning rate at which a loss stopped being finite, or None."""
        where: dict[str, float] | None = self.record["diverged"]
        return where


def fit(
    model: nn.Module,
    data: Data,
    recipe: Recipe,
    *,
    folder: str | Path | None = None,
    test: bool = True,
    verbose: bool = True,
    device: str | None = None,
) -> Run:
    """Train `model` in place, validate after every epoch, look at the test set once, at the end.

    Args:
        folder: where `checkpoint.pt` is written after every epoch. A run that was stopped goes
            on from there and ends with the same weights as one that was not.
        test: False leaves the test set alone, as a search for a recipe must.
        verbose: a line an epoch (every few epochs in a long run).
        device: "cpu", "cuda", "mps"; by default the fastest there is.

    Raises:
        ValueError: a batch larger than the training split.
    """
    if recipe.batch_size > len(data.train):
        raise ValueError(
            f"batch_size is {recipe.batch_size}, but the training split has {len(data.train)} "
            "images; lower batch_size or raise train_size"
        )
    state = _State(model, data, recipe, choose_device(device))
    kept = Path(folder) / "checkpoint.pt" if folder else None
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        if kept and kept.exists():
            checkpoint.restore(state, kept, state.device)
            if state.history:
                print(f"going on after epoch {len(state.history)} of {recipe.epochs}")
        while len(state.history) < recipe.epochs and not state.diverged:
            state.run_epoch()
            if verbose:
                _print_epoch(state.history[-1], recipe.epochs)
            if kept:
                checkpoint.save(state.state_dict(), kept)
    model.load_state_dict(state.result.state_dict())
    record = state.record(test)
    if state.diverged and verbose:
        print(
            f"diverged: the loss stopped being finite in epoch {state.diverged['epoch']} at "
            f"learning rate {state.diverged['lr']:g}; a lower lr may help"
        )
    return Run(model, recipe, pd.DataFrame(state.history), record)


def untrained(model: nn.Module, data: Data, recipe: Recipe) -> Run:
    """A run of no epoch, for a variant that is left out: all that it would have measured is NaN."""
    state = _State(model, data, recipe, choose_device())
    losses = dict.fromkeys(("train_loss", "train_accuracy", "val_loss", "val_accuracy"), math.nan)
    state.history = [{"epoch": 0, **losses, "lr": recipe.lr, "seconds": 0.0}]
    record = state.record(test=True) | {"diverged": None}
    return Run(model, recipe, pd.DataFrame(state.history), record)


def digest(model: nn.Module, data: Data, recipe: Recipe) -> str:
    """What determines a run's numbers, as 16 hex digits: the network with its initial weights,
    the recipe with its seed, the data with its split and normalisation.
    """
    fingerprint = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        fingerprint.update(name.encode())
        fingerprint.update(tensor.detach().cpu().contiguous().numpy())
    settings = asdict(recipe)
    if recipe.precision == "auto":
        del settings["precision"]  # younger than the first records, whose digests stay as they are
    rest = [settings, data.digest, data.mean, data.std]
    fingerprint.update(json.dumps(rest, sort_keys=True).encode())
    return fingerprint.hexdigest()[:16]


class _State:
    """What an epoch changes: everything a checkpoint must bring back."""

    def __init__(self, model: nn.Module, data: Data, recipe: Recipe, device: torch.device) -> None:
        self.model, self.data, self.recipe, self.device = model, data, recipe, device
        self.digest = digest(model, data, recipe)
        model.to(device).to(memory_format=torch.channels_last)
        self.train, self.val = (
            Split(split.images.to(device), split.labels.to(device))
            for split in (data.train, data.val)
        )
        self.optimizer = make_optimizer(model, recipe)
        steps = recipe.epochs * math.ceil(len(data.train) / recipe.batch_size)
        self.scheduler = SCHEDULES[recipe.schedule](self.optimizer, recipe, steps)
        self.move, self.alter = augment.build(recipe.augmentation, recipe.padding).split()
        draws_on = device if device.type == "cuda" else "cpu"  # no step waits for a copy
        self.generator = torch.Generator(draws_on).manual_seed(recipe.seed)
        self.precision = mixed_precision(device, recipe.precision)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.averaged = MovingAverage(model, recipe.averaging) if recipe.averaging else None
        self.history: list[dict[str, float]] = []

    @property
    def result(self) -> nn.Module:
        """The network that is validated and tested: the average, where there is one."""
        return self.averaged.module if self.averaged else self.model

    @property
    def diverged(self) -> dict[str, float] | None:
        """The last epoch, if its losses are not finite."""
        last = self.history[-1] if self.history else {"train_loss": 0.0, "val_loss": 0.0}
        if math.isfinite(last["train_loss"]) and math.isfinite(last["val_loss"]):
            return None
        return {"epoch": last["epoch"], "lr": last["lr"]}

    def run_epoch(self) -> None:
        """Train on every image once, then validate."""
        start = time.perf_counter()
        lr = float(self.scheduler.get_last_lr()[0])
        train_loss, train_accuracy = self._train()
        val_loss, val_accuracy = evaluate(self.result, self.val, self.data)
        row: dict[str, float] = {"epoch": len(self.history) + 1}
        row |= {"train_loss": train_loss, "train_accuracy": train_accuracy}
        row |= {"val_loss": val_loss, "val_accuracy": val_accuracy}
        row |= {"lr": lr, "seconds": time.perf_counter() - start}
        self.history.append(row)

    def _train(self) -> tuple[float, float]:
        losses, counts, correct = [], [], torch.zeros((), dtype=torch.int64, device=self.device)
        self.model.train()
        epoch = batches(self.train, self.recipe.batch_size, self.generator)
        steps = math.ceil(len(self.train) / self.recipe.batch_size)
        label = f"epoch {len(self.history) + 1}/{self.recipe.epochs}"
        for images, labels in tqdm(epoch, label, steps, leave=False, disable=None):
            with stage("augmentation"):
                images = self.move(images, self.generator)
            images = self.data.normalise(images)
            with stage("augmentation"):
                images = self.alter(images, self.generator)
            logits = self._step(images, labels)
            with stage("bookkeeping"), torch.no_grad():
                losses.append(F.cross_entropy(logits, labels))
                counts.append(len(labels))
                correct += (logits.argmax(1) == labels).sum()
        total = torch.stack(losses).cpu().double() @ torch.tensor(counts).double()
        return total.item() / len(self.train), correct.item() / len(self.train)

    def _step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One update of the weights; the batch's logits, float32 N×C."""
        smoothing = self.recipe.label_smoothing
        with (
            stage("forward"),
            torch.autocast(self.device.type, self.precision, enabled=bool(self.precision)),
        ):
            logits: Tensor = self.model(images).float()
            loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        with stage("backward"):
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
        with stage("update"):
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.scheduler.step()
            if self.averaged:
                self.averaged.update_parameters(self.model)
        return logits

    def state_dict(self) -> dict[str, Any]:
        """All that an epoch changes, and the digest of what determines it."""
        return {
            "digest": self.digest,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else {},
            "scaler": self.scaler.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "generator": self.generator.get_state(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all(),
            "history": self.history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave.

        Raises:
            ValueError: it was given on another kind of device, whose random numbers are others.
        """
        if state["generator"].shape != self.generator.get_state().shape:
            raise ValueError(f"it is of another kind of device than {self.device.type}")
        self.model.load_state_dict(state["model"])
        if self.averaged:
            self.averaged.load_state_dict(state["averaged"])
        self.scaler.load_state_dict(state["scaler"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["random"].cpu())
        here = state["cuda_random"][: torch.cuda.device_count()]
        torch.cuda.set_rng_state_all([each.cpu() for each in here])
        self.history = state["history"]

    def record(self, test: bool) -> dict[str, Any]:
        """The run as JSON's types; the test set is looked at here and nowhere else."""
        tested: dict[str, Any] = {"confusion": [], "predicted": ""} | {name: {} for name in TESTS}
        if test and self.diverged:
            tested |= dict.fromkeys(TESTS, dict.fromkeys(metrics.NAMES))
        elif test:
            tested = self._test()
        sizes = {k: len(getattr(self.data, k)) for k in ("train", "val", "test")}
        statistics = {"mean": list(self.data.mean), "std": list(self.data.std)}
        return {
            "digest": self.digest,
            "network": type(self.model).__name__,
            "parameters": count_parameters(self.model),
            "recipe": asdict(self.recipe),
            "data": {"name": self.data.name, **sizes, **statistics, "digest": self.data.digest},
            "history": [_finite(row) for row in self.history],
            **tested,
            "diverged": self.diverged,
            "environment": environment(self.device),
            "seconds": sum(row["seconds"] for row in self.history),
        }

    def _test(self) -> dict[str, Any]:
        labels = self.data.test.labels
        views = predict_six_views(self.model, self.data.test, self.data)
        seen, mirrored = views[0], views[3]
        return {
            "test": metrics.scores(labels, seen),
            "test_flip": metrics.scores(labels, (seen + mirrored) / 2),
            "test_six": metrics.scores(labels, views.mean(0)),
            "confusion": metrics.confusion(labels, seen.argmax(1)).tolist(),
            "predicted": "".join(map(str, seen.argmax(1).tolist())),  # a digit an image
        }


def _finite(row: dict[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {key: value if math.isfinite(value) else None for key, value in row.items()}


def _print_epoch(row: dict[str, float], epochs: int) -> None:
    every = math.ceil(epochs / PRINTED_EPOCHS)
    if row["epoch"] % every and row["epoch"] not in (1, epochs):
        return
    print(
        f"epoch {row['epoch']:{len(str(epochs))}}/{epochs}"
        f" | train loss {row['train_loss']:.3f}, accuracy {row['train_accuracy']:6.1%}"
        f" | validation loss {row['val_loss']:.3f}, accuracy {row['val_accuracy']:6.1%}"
        f" | {row['seconds']:.1f} s"
    )
