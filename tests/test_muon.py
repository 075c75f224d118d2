"""Muon against the singular value decomposition and against PyTorch's own."""

import pytest
import torch
from torch import Tensor, nn

from cifar_utils.muon import LIKE_ADAM, Muon, orthogonalised


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stepped(start: Tensor, gradients: list[Tensor], optimizer: type, **options: object) -> Tensor:
    p = nn.Parameter(start.clone())
    steps = optimizer([p], **options)
    for gradient in gradients:
        p.grad = gradient.clone()
        steps.step()
    return p.detach()


@pytest.mark.parametrize("shape", [(16, 27), (64, 10), (30, 30), (1, 40), (40, 1)])
def test_a_matrix_keeps_its_directions_and_loses_their_lengths(shape: tuple[int, int]) -> None:
    matrix = random(*shape)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ orthogonalised(matrix) @ v.T
    kept = s > 0.05 * s.max()  # a direction that hardly is there takes more steps
    assert turned.diagonal()[kept].min() > 0.65 and turned.diagonal().max() < 1.25
    torch.testing.assert_close(turned, torch.diag(turned.diagonal()), atol=1e-4, rtol=0)
    torch.testing.assert_close(orthogonalised(100 * matrix), orthogonalised(matrix))
    assert orthogonalised(torch.zeros(shape)).eq(0).all()


@pytest.mark.parametrize("shape", [(16, 27), (64, 10)])
def test_matrices_move_as_by_pytorch_s_muon(shape: tuple[int, int]) -> None:
    start, gradients = random(*shape), [random(*shape, seed=seed) for seed in range(1, 5)]
    options = {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.3}
    ours = stepped(start, gradients, Muon, **options)
    theirs = stepped(start, gradients, torch.optim.Muon, adjust_lr_fn="match_rms_adamw", **options)
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.03 * moved  # theirs is rounded to bfloat16
    without_decay = stepped(start, gradients, Muon, **options | {"weight_decay": 0.0})
    assert (without_decay - theirs).norm() > 0.1 * moved


def test_a_kernel_moves_as_its_matrix_in_any_memory_format() -> None:
    start, gradients = random(8, 3, 5, 5), [random(8, 3, 5, 5, seed=seed) for seed in (1, 2)]
    options = {"lr": 0.01, "momentum": 0.9}
    flat = stepped(start.reshape(8, -1), [g.reshape(8, -1) for g in gradients], Muon, **options)
    for layout in (torch.contiguous_format, torch.channels_last):
        kernel = stepped(start.to(memory_format=layout), gradients, Muon, **options)
        torch.testing.assert_close(kernel.reshape(8, -1), flat)


def test_a_vector_moves_along_its_momentum_by_a_length_that_is_the_rate_s() -> None:
    start, gradient = torch.zeros(25), random(25)
    moved = stepped(start, [gradient], Muon, lr=0.01)
    length = 0.01 * LIKE_ADAM * 25**0.5
    assert 0.65 * length < moved.norm() < 1.25 * length
    assert torch.cosine_similarity(moved, -gradient, dim=0) > 0.9999
