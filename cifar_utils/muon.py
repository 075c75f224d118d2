"""Muon: momentum whose update of a weight matrix is made orthogonal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

STEPS = 5
COEFFICIENTS = 3.4445, -4.7750, 2.0315  # steepest at zero, after Jordan et al. (2024)
LIKE_ADAM = 0.2  # root mean square of Adam's usual update, in learning rates


def orthogonalised(matrix: Tensor, steps: int = STEPS) -> Tensor:
    """U·Vᵀ of the singular value decomposition U·S·Vᵀ, nearly: float A×B to the same shape.

    Newton and Schulz's iteration with the coefficients of Jordan et al. (2024), "Muon: An
    optimizer for hidden layers in neural networks": matrix products alone, and singular values
    that end between 0.7 and 1.2 rather than at 1, which serves an optimizer as well. Its factors
    are polynomials of the Gram matrix, so all but the first and the last product are of the
    matrix's shorter side.
    """
    a, b, c = COEFFICIENTS
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp(min=1e-7)
    gram = wide @ wide.T
    product = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for _ in range(steps):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product, gram = factor @ product, factor @ gram @ factor
    wide = product @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised: every direction of a weight matrix moves equally far.

    A convolution's kernel out×in×h×w is the matrix out×(in·h·w), a vector one of a single column,
    of whose momentum only the direction is left. Updates are scaled to Adam's usual size and
    weight decay is decoupled, after Liu et al. (2025), "Muon is scalable for LLM training".
    `torch.optim.Muon` does the same, in bfloat16, for parameters of two dimensions alone.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # takes no closure
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            lr, momentum = group["lr"], group["momentum"]
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                average = state["momentum"].mul_(momentum).add_(p.grad)
                matrix = p.grad.add(average, alpha=momentum).reshape(len(p), -1)
                scale = LIKE_ADAM * max(matrix.shape) ** 0.5
                p.mul_(1 - lr * group["weight_decay"])
                p.add_(orthogonalised(matrix).view_as(p), alpha=-lr * scale)
