"""The recipe: all that decides how a network is trained, and the optimizers and schedules in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cifar_utils import augment
from cifar_utils.machine import PRECISIONS
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
        if self.seed >= 2**63:
            raise ValueError(f"seed is {self.seed}; it must be below 2 to the power of 63")
        if not (self.lr > 0 and math.isfinite(self.lr)):
            raise ValueError(f"lr is {self.lr}; it must be above 0")
        if not (self.weight_decay >= 0 and math.isfinite(self.weight_decay)):
            raise ValueError(f"weight_decay is {self.weight_decay}; it must be 0 or more")
        for name in ("momentum", "label_smoothing", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in 0 … 1, below 1")
        choices: dict[str, Collection[str]] = {
            "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS,
        }  # fmt: skip
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}; there are: {', '.join(known)}"
                )
        if self.optimizer == "nesterov" and self.momentum == 0:
            raise ValueError("optimizer 'nesterov' needs a momentum above 0, such as 0.9")
        augment.build(self.augmentation, self.padding)


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over this very model's parameters."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return OPTIMIZERS[recipe.optimizer](groups, recipe)


class MovingAverage(AveragedModel):
    """A copy of a network with the moving average of its weights and of BatchNorm's statistics.

    Every update leaves the part `decay` of the average.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)
        super().__init__(model, multi_avg_fn=average, use_buffers=True)
        self.average = average

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """PyTorch's own, without its copy to the GPU, for which the host would wait each time."""
        if self.n_averaged == 0:  # it is counted on the CPU
            super().update_parameters(model)
            return
        for floating in (True, False):  # BatchNorm counts its batches in whole numbers
            ours, theirs = (
                [
                    tensor
                    for tensor in [*network.parameters(), *network.buffers()]
                    if tensor.is_floating_point() == floating
                ]
                for network in (self.module, model)
            )
            if ours:
                self.average(ours, theirs, self.n_averaged)
        self.n_averaged += 1
