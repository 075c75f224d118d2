"""Optimizers walking on a surface of two parameters, which one can see. Everything is float64."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

Value = TypeVar("Value", float, np.ndarray, Tensor)
Examples = tuple[tuple[float, float], ...]
State = dict[str, Any]


@dataclass(frozen=True)
class Surface:
    """A loss over (w0, w1): formula, start, limits ((w0 low, high), (w1 low, high)) to draw within.

    `examples` are pairs (x, y) if the loss is a mean over data; `gradient_noise` is the standard
    deviation of the normal noise that a walker meets on either component of the gradient.
    """

    name: str
    formula: Callable[[Any, Any, Examples], Any]
    start: tuple[float, float]
    limits: tuple[tuple[float, float], tuple[float, float]] = ((-2, 2), (-2, 2))
    examples: Examples = ()
    gradient_noise: float = 0.0

    def loss(self, w0: Value, w1: Value) -> Value:
        """Height over all examples, for floats, arrays or tensors w0 and w1; of their shape."""
        height: Value = self.formula(w0, w1, self.examples)
        return height

    def gradient(self, point: Tensor, examples: Examples) -> Tensor:
        """Gradient of the loss over `examples` at `point` (2 float64), without noise: 2 float64."""
        point = point.detach().clone().requires_grad_()
        return torch.autograd.grad(self.formula(point[0], point[1], examples), point)[0]

    def example_gradients(self, w0: float, w1: float) -> np.ndarray:
        """Each example's own gradient, N×2 float64; their mean is the gradient of the loss."""
        point = torch.tensor([w0, w1], dtype=torch.float64)
        return np.array([self.gradient(point, (example,)) for example in self.examples])


def line_fit(count: int = 24, noise: float = 0.3, seed: int = 0) -> Surface:
    """Mean squared error of the line w0 + w1·x on `count` seeded, noisy examples of 0.5 + 1.5x."""
    random = np.random.default_rng(seed)
    x = random.uniform(0, 2, count)
    y = 0.5 + 1.5 * x + random.normal(0, noise, count)
    return Surface(
        "line_fit",
        lambda w0, w1, pairs: sum((w0 + w1 * x - y) ** 2 for x, y in pairs) / len(pairs),
        start=(-1.5, 0.5),
        limits=((-2, 3), (-1, 4)),
        examples=tuple(zip(x.tolist(), y.tolist(), strict=True)),
    )


_BUILT = (
    line_fit(),
    # Its noise is drawn by the seed of the walk.
    Surface("noisy_bowl", lambda w0, w1, _: (w0**2 + w1**2) / 2, (-1.5, 1.2), gradient_noise=1),
    # 25 times as steep across as along.
    Surface("ravine", lambda w0, w1, _: (w0**2 + 25 * w1**2) / 2, (-4, 1.5), ((-5, 5), (-2, 2))),
    # A saddle at (0, 0), minima at (0, ±1); starts close to the ridge.
    Surface("saddle", lambda w0, w1, _: (w0**2 - w1**2 + w1**4 / 2) / 2, (-1.5, 0.01)),
)
SURFACES = {surface.name: surface for surface in _BUILT}


def surface(name: str) -> Surface:
    """Give the surface of that name; ValueError names those that exist."""
    if name not in SURFACES:
        raise ValueError(f"unknown surface {name!r}; there are: {', '.join(SURFACES)}")
    return SURFACES[name]


# The rules by hand: (weights, gradient, state of the step before, {} at first, lr, momentum) in,
# (step to add to the weights, state) out. Nothing is changed in place.


def sgd(w: Value, g: Value, state: State, lr: float, mu: float = 0.0) -> tuple[Value, State]:
    """Downhill, further where it is steeper (Cauchy 1847; on samples Robbins & Monro 1951)."""
    return -lr * g, state


def momentum(w: Value, g: Value, state: State, lr: float, mu: float = 0.9) -> tuple[Value, State]:
    """A heavy ball, which keeps the part mu of its velocity (Polyak 1964)."""
    velocity = mu * state.get("velocity", 0) + g
    return -lr * velocity, {"velocity": velocity}


def nesterov(w: Value, g: Value, state: State, lr: float, mu: float = 0.9) -> tuple[Value, State]:
    """Momentum that looks one step ahead (Nesterov 1983, in the form of Sutskever et al. 2013)."""
    velocity = mu * state.get("velocity", 0) + g
    return -lr * (g + mu * velocity), {"velocity": velocity}


def rmsprop(w: Value, g: Value, state: State, lr: float, mu: float = 0.0) -> tuple[Value, State]:
    """Gradient over the root of its running mean square (Tieleman & Hinton 2012)."""
    square = 0.99 * state.get("square", 0) + 0.01 * g**2
    return -lr * g / (square**0.5 + 1e-8), {"square": square}


def adam(w: Value, g: Value, state: State, lr: float, mu: float = 0.0) -> tuple[Value, State]:
    """Running mean over root of running square, freed of their start at 0 (Kingma & Ba 2015)."""
    t = state.get("t", 0) + 1
    mean = 0.9 * state.get("mean", 0) + 0.1 * g
    square = 0.999 * state.get("square", 0) + 0.001 * g**2
    step = -lr * mean / (1 - 0.9**t) / ((square / (1 - 0.999**t)) ** 0.5 + 1e-8)
    return step, {"t": t, "mean": mean, "square": square}


def adamw(w: Value, g: Value, state: State, lr: float, mu: float = 0.0) -> tuple[Value, State]:
    """Adam, beside which the weights decay by lr · 0.01 a step (Loshchilov & Hutter 2019)."""
    step, state = adam(w, g, state, lr)
    return step - lr * 0.01 * w, state


BY_HAND = {rule.__name__: rule for rule in (adam, adamw, momentum, nesterov, rmsprop, sgd)}


def walk(
    surface: Surface, optimizer: str, lr: float, steps: int, *, momentum: float = 0.9,
    batch: int | None = None, seed: int = 0, by_hand: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Walk with torch.optim's adam, adamw, momentum, nesterov, rmsprop or sgd; or with BY_HAND's.

    momentum: of momentum and nesterov. batch: examples drawn a step (line_fit only), None: all,
    which is gradient descent. seed: of these draws and of the surface's gradient noise.
    Returns steps+1 rows with float64 w0, w1 and loss (over all examples, without noise), index
    step; row 0 is the start; a walk that diverges ends in inf or nan. ValueError: bad input.
    """
    _check(optimizer, lr, steps, batch, len(surface.examples))
    random, path = np.random.default_rng(seed), []
    state: State = {}
    weights = torch.tensor(surface.start, dtype=torch.float64)
    library = None if by_hand else _library(optimizer, weights, lr, momentum)
    for _ in range(steps + 1):
        path.append([*weights.tolist(), surface.loss(*weights).item()])
        drawn = random.permutation(len(surface.examples))[:batch]
        noise = torch.from_numpy(random.normal(0, surface.gradient_noise, 2))
        weights.grad = noise + surface.gradient(weights, tuple(surface.examples[i] for i in drawn))
        if library:
            library.step()
        else:
            step, state = BY_HAND[optimizer](weights, weights.grad, state, lr, momentum)
            weights += step
    return pd.DataFrame(path, columns=["w0", "w1", "loss"]).rename_axis("step")


walk_by_hand = functools.partial(walk, by_hand=True)


def _library(name: str, weights: Tensor, lr: float, momentum: float) -> torch.optim.Optimizer:
    if name in ("momentum", "nesterov"):
        return torch.optim.SGD([weights], lr, momentum, nesterov=name == "nesterov")
    kinds: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop,
        "sgd": torch.optim.SGD,
    }
    return kinds[name]([weights], lr)


def _check(optimizer: str, lr: float, steps: int, batch: int | None, count: int) -> None:
    if optimizer not in BY_HAND:
        raise ValueError(f"unknown optimizer {optimizer!r}; there are: {', '.join(BY_HAND)}")
    if not 0 < lr < math.inf:
        raise ValueError(f"lr must be a positive number, not {lr}")
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, not {steps}")
    if batch is not None and not 1 <= batch <= count:
        raise ValueError(f"batch={batch} cannot be drawn from the surface's {count} examples")


def largest_stable_lr(surface: Surface, at: tuple[float, float]) -> float:
    """2 / λ_max of the Hessian at (w0, w1): above it gradient descent grows; inf if λ_max ≤ 0."""
    point = torch.tensor(at, dtype=torch.float64)
    curvature = torch.autograd.functional.hessian(lambda w: surface.loss(w[0], w[1]), point)
    steepest = torch.linalg.eigvalsh(curvature)[-1].item()
    return 2 / steepest if steepest > 0 else math.inf
