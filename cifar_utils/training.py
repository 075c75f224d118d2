"""fit(): the training loop, its recipe, its history, checkpoint and resume."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.profiler import record_function as stage
from tqdm import tqdm

from cifar_utils import augment, metrics
from cifar_utils.data import Data, Split, batches
from cifar_utils.files import set_aside, write_whole
from cifar_utils.machine import PRECISIONS, choose_device, environment, mixed_precision
from cifar_utils.models import count_parameters
from cifar_utils.muon import Muon

# fused: one pass over the weights, where PyTorch has it
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda groups, recipe: torch.optim.SGD(groups, recipe.lr, recipe.momentum, fused=True),
    "nesterov": lambda groups, recipe: torch.optim.SGD(
        groups, recipe.lr, recipe.momentum, nesterov=True, fused=True
    ),
    "rmsprop": lambda groups, recipe: torch.optim.RMSprop(
        groups, recipe.lr, momentum=recipe.momentum
    ),
    "adam": lambda groups, recipe: torch.optim.Adam(groups, recipe.lr, fused=True),
    "adamw": lambda groups, recipe: torch.optim.AdamW(groups, recipe.lr, fused=True),
    "muon": lambda groups, recipe: Muon(groups, recipe.lr, recipe.momentum),
}
SCHEDULES: dict[str, Callable[..., lr_scheduler.LRScheduler]] = {
    "constant": lambda optimizer, recipe, steps: lr_scheduler.ConstantLR(optimizer, factor=1),
    "cosine": lambda optimizer, recipe, steps: lr_scheduler.CosineAnnealingLR(optimizer, steps),
    "onecycle": lambda optimizer, recipe, steps: lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, total_steps=steps + 1, cycle_momentum=False
    ),
}
PRINTED_EPOCHS = 10


@dataclass(frozen=True)
class Recipe:
    """All that decides how a network is trained; checked when it is made.

    Weight decay falls on weights alone, not on biases and BatchNorm's γ and β. With "onecycle"
    (Smith and Topin, 2019) `lr` is the highest rate; with "cosine" (Loshchilov and Hutter, 2017)
    the first. `padding` is the crop's, in pixels. `averaging` above 0 keeps a moving average of
    the weights and of BatchNorm's statistics, of which each step leaves that part (0.99: about a
    hundred steps); it is the average that is validated, tested and returned (Polyak and Juditsky,
    1992). `precision` is the number format of forward and backward pass: "float32"; "bfloat16",
    which keeps weights, losses and BatchNorm's statistics in float32 and is faster where the
    processor has instructions for it; "auto", float32 except on CUDA. `seed` fixes batches,
    augmentation and dropout.

    Raises:
        ValueError: a value that cannot be; the message names it and says what can.
    """

    epochs: int = 3
    batch_size: int = 100
    optimizer: str = "adam"
    lr: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    label_smoothing: float = 0.0
    augmentation: str = "none"
    padding: int = 4
    averaging: float = 0.0
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for each in fields(self):
            value, wanted = getattr(self, each.name), type(each.default)
            accepted = (int, float) if wanted is float else wanted
            if isinstance(value, bool) or not isinstance(value, accepted):
                raise ValueError(f"{each.name} is {value!r}; it must be of type {wanted.__name__}")
        for name, lowest in (("epochs", 1), ("batch_size", 1), ("padding", 0), ("seed", 0)):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {lowest}")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise ValueError(f"lr is {self.lr}; it must be above 0")
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise ValueError(f"weight_decay is {self.weight_decay}; it must be 0 or more")
        for name in ("momentum", "label_smoothing", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in 0 … 1, below 1")
        choices = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}; there are: {', '.join(known)}"
                )
        if self.optimizer == "nesterov" and self.momentum == 0:
            raise ValueError("optimizer 'nesterov' needs a momentum above 0, such as 0.9")
        augment.build(self.augmentation, self.padding)


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
        return self.record["confusion"]

    @property
    def diverged(self) -> dict[str, float] | None:
        """Epoch and learning rate at which a loss stopped being finite, or None."""
        return self.record["diverged"]


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
    checkpoint = Path(folder) / "checkpoint.pt" if folder else None
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        if checkpoint and checkpoint.exists():
            state.restore(checkpoint)
        while len(state.history) < recipe.epochs and not state.diverged:
            state.run_epoch()
            if verbose:
                _print_epoch(state.history[-1], recipe.epochs)
            if checkpoint:
                state.save(checkpoint)
    model.load_state_dict(state.result.state_dict())
    record = state.record(test)
    if state.diverged and verbose:
        print(
            f"diverged: the loss stopped being finite in epoch {state.diverged['epoch']} at "
            f"learning rate {state.diverged['lr']:g}; a lower lr may help"
        )
    return Run(model, recipe, pd.DataFrame(state.history), record)


def predict(
    model: nn.Module, split: Split, data: Data, batch_size: int = 200, mirrored: bool = False
) -> Tensor:
    """Logits float32 N×C on the CPU, in evaluation mode, without gradients.

    `mirrored` asks for those of the mirror images.
    """
    device = next(model.parameters()).device
    with torch.inference_mode(), _evaluating(model):
        logits = []
        for images, _ in batches(split, batch_size):
            inputs = data.normalise(images.to(device))
            logits.append(model(inputs.flip(3) if mirrored else inputs).float().cpu())
    return torch.cat(logits)


def evaluate(model: nn.Module, split: Split, data: Data) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy, over the samples of a split."""
    logits, labels = predict(model, split, data), split.labels.cpu()
    loss = F.cross_entropy(logits, labels).item()
    return loss, (logits.argmax(1) == labels).float().mean().item()


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over this very model's parameters."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return OPTIMIZERS[recipe.optimizer](groups, recipe)


def digest(model: nn.Module, data: Data, recipe: Recipe) -> str:
    """What determines a run's numbers, as 16 hex digits: the network with its initial weights,
    the recipe with its seed, the data with its split and normalisation.
    """
    fingerprint = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        fingerprint.update(name.encode())
        fingerprint.update(tensor.detach().cpu().contiguous().numpy())
    told = asdict(recipe)
    if recipe.precision == "auto":
        del told["precision"]  # younger than the first records, whose digests stay as they are
    rest = [told, data.digest, data.mean, data.std]
    fingerprint.update(json.dumps(rest, sort_keys=True).encode())
    return fingerprint.hexdigest()[:16]


class _State:
    """What an epoch changes: everything a checkpoint must bring back."""

    def __init__(self, model: nn.Module, data: Data, recipe: Recipe, device: torch.device) -> None:
        self.model, self.data, self.recipe, self.device = model, data, recipe, device
        self.digest = digest(model, data, recipe)
        model.to(device, memory_format=torch.channels_last)
        self.train = Split(data.train.images.to(device), data.train.labels.to(device))
        self.optimizer = make_optimizer(model, recipe)
        steps = recipe.epochs * math.ceil(len(data.train) / recipe.batch_size)
        self.scheduler = SCHEDULES[recipe.schedule](self.optimizer, recipe, steps)
        self.move, self.alter = augment.build(recipe.augmentation, recipe.padding).split()
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.precision = mixed_precision(device, recipe.precision)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.averaged: AveragedModel | None = None
        if recipe.averaging:
            average = get_ema_multi_avg_fn(recipe.averaging)
            self.averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
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
        lr = self.scheduler.get_last_lr()[0]
        train_loss, train_accuracy = self._train()
        val_loss, val_accuracy = evaluate(self.result, self.data.val, self.data)
        row = {"epoch": len(self.history) + 1}
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
            logits = self.model(images).float()
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

    def save(self, path: Path) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
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
        write_whole(path, lambda beside: torch.save(state, beside))

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint of the same run; set one aside that does not read."""
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            if state["digest"] != self.digest:
                print(f"{path} is of another network, recipe or data; starting from the beginning")
                return
            self.model.load_state_dict(state["model"])
            if self.averaged:
                self.averaged.load_state_dict(state["averaged"])
            self.scaler.load_state_dict(state["scaler"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.scheduler.load_state_dict(state["scheduler"])
        except Exception as error:
            set_aside(path, error)
            return
        self.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["random"].cpu())
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda_random"]])
        self.history = state["history"]
        print(f"going on after epoch {len(self.history)} of {self.recipe.epochs}")

    def record(self, test: bool) -> dict[str, Any]:
        """The run as JSON's types; the test set is looked at here and nowhere else."""
        tested: dict[str, Any] = {"test": {}, "test_flip": {}, "confusion": [], "predicted": ""}
        if test and self.diverged:
            tested |= dict.fromkeys(("test", "test_flip"), dict.fromkeys(metrics.NAMES))
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
        seen, mirrored = (
            predict(self.model, self.data.test, self.data, mirrored=flip).softmax(1)
            for flip in (False, True)
        )
        return {
            "test": metrics.scores(labels, seen),
            "test_flip": metrics.scores(labels, (seen + mirrored) / 2),
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


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, the mode it had afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
