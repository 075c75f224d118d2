"""Ways of making `fit`'s step on a GPU, for `gpu.py steps` to measure; `fit` has the first alone.

Networks this small may keep a GPU waiting for launches: a step under Muon has hundreds. Fewer of
them, or a graph that launches them all at once, would then be what the speed is about.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from cifar_utils import data, machine, models, training
from cifar_utils.muon import LIKE_ADAM, Muon, orthogonalised
from cifar_utils.training import _State

Step = Callable[[Tensor], object]  # trains on the images of these places, int64 N
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cudaGraphLaunch")


class LightMuon(Muon):
    """Muon's update in fewer launches: all tensors at once where PyTorch can, vectors in one go.

    What Newton and Schulz's iteration makes of a vector is its direction times one number, the
    same for all. The rate may be a tensor, as a graph needs it.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            averages = [self._average(p) for p in params]
            torch._foreach_mul_(averages, group["momentum"])
            torch._foreach_add_(averages, [p.grad for p in params])
            moves = torch._foreach_add([p.grad for p in params], averages, alpha=group["momentum"])
            directions = self._directions(list(moves))
            sides = [max(len(p), p.numel() // len(p)) for p in params]
            torch._foreach_mul_(directions, [LIKE_ADAM * side**0.5 for side in sides])
            torch._foreach_mul_(directions, -group["lr"])
            if group["weight_decay"]:
                torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(params, directions)

    def _average(self, p: Tensor) -> Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        return state["momentum"]

    def _directions(self, moves: list[Tensor]) -> list[Tensor]:
        """Orthogonal matrices, and vectors of one length, in the shapes of the moves."""
        if moves[0].ndim > 1:
            return [orthogonalised(each.reshape(len(each), -1)).view(each.shape) for each in moves]
        lengths = torch._foreach_norm(moves)
        torch._foreach_clamp_min_(lengths, 1e-7)
        vectors = list(torch._foreach_div(moves, lengths))
        torch._foreach_mul_(vectors, UNIT)
        return vectors


UNIT = orthogonalised(torch.ones(1, 1)).item()  # what becomes of a singular value of 1


def lighten(state: _State) -> None:
    """Put LightMuon in the place of Muon; other optimizers stay."""
    if isinstance(state.optimizer, Muon):
        state.optimizer.__class__ = LightMuon


def eager(state: _State) -> Step:
    """What `fit` does with a batch, bookkeeping aside."""

    def step(chosen: Tensor) -> Tensor:
        images, labels = state.train.images[chosen], state.train.labels[chosen]
        images = state.data.normalise(state.move(images, state.generator))
        return state._step(state.alter(images, state.generator), labels)

    return step


def light(state: _State) -> Step:
    """The same with fewer launches in the update."""
    lighten(state)
    return eager(state)


def compiled(state: _State) -> Step:
    """The same, forward and backward pass by torch.compile."""
    lighten(state)
    state.model = torch.compile(state.model, mode="reduce-overhead", dynamic=False)
    step = eager(state)

    def marked(chosen: Tensor) -> object:
        torch.compiler.cudagraph_mark_step_begin()
        return step(chosen)

    return marked


def graph(state: _State) -> Step:
    """The same as one CUDA graph: augmentation, forward, backward, update in a single launch.

    All batches must be of one size.
    """
    lighten(state)
    for group in state.optimizer.param_groups:
        group["lr"] = torch.tensor(group["lr"], device=state.device)  # the schedule fills it
        if "capturable" in group:
            group["capturable"] = True
    scheduler, state.scheduler = state.scheduler, SimpleNamespace(step=lambda: None)
    work = eager(state)
    recorded: list[torch.cuda.CUDAGraph] = []
    places = torch.zeros(state.recipe.batch_size, dtype=torch.int64, device=state.device)

    def record(chosen: Tensor) -> None:
        """Three steps beside the stream, as PyTorch asks for, then the graph; places are kept."""
        places.copy_(chosen)
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(3):
                work(places)
        torch.cuda.current_stream().wait_stream(beside)
        made = torch.cuda.CUDAGraph()
        made.register_generator_state(state.generator)
        state.optimizer.zero_grad()
        with torch.cuda.graph(made):
            work(places)
        recorded.append(made)

    def step(chosen: Tensor) -> None:
        if not recorded:
            record(chosen)
        places.copy_(chosen)
        recorded[0].replay()
        scheduler.step()

    return step


WAYS: dict[str, Callable[[_State], Step]] = {
    "eager": eager, "light Muon": light, "light Muon, tuned": light, "compiled": compiled,
    "graph": graph, "graph, tuned": graph,
}  # fmt: skip


def wait(device: torch.device) -> None:
    """Until the GPU has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(
    way: str, network: str, recipe: training.Recipe, images: data.Data, device: str
) -> dict:
    """Milliseconds and launches of a step, and what an epoch taught, to see that it is right.

    The epoch's last batch is left out where it is smaller than the others. Ways called "tuned"
    have cuDNN try its kernels for each convolution and take the fastest.
    """
    torch.backends.cudnn.benchmark = "tuned" in way
    model = models.build(network, recipe.seed)
    state = _State(model, images, replace(recipe, epochs=recipe.epochs + 4), torch.device(device))
    step = WAYS[way](state)
    whole = len(images.train) // recipe.batch_size * recipe.batch_size
    order = torch.randperm(len(images.train), device=state.device)[:whole]
    batches = order.split(recipe.batch_size)
    model.train()
    start = time.perf_counter()
    for chosen in (batches * 3)[:3]:
        step(chosen)  # compiles, records, has cuDNN choose
    wait(state.device)
    first = time.perf_counter() - start
    start = time.perf_counter()
    for chosen in batches:
        step(chosen)
    issued = time.perf_counter() - start
    wait(state.device)
    total = time.perf_counter() - start
    loss, accuracy = training.evaluate(model, state.val, images)
    return {
        "way": way,
        "network": network,
        "milliseconds": 1000 * total / len(batches),
        "issued_in_milliseconds": 1000 * issued / len(batches),
        "images_per_second": whole / total,
        "first_three_steps_seconds": first,
        "launches": launches(step, batches[0]),
        "val_loss": loss,
        "val_accuracy": accuracy,
        "precision": str(machine.mixed_precision(state.device, recipe.precision)),
    }


def launches(step: Step, chosen: Tensor) -> int:
    """How many kernels, or graphs, the host launches in a step."""
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiled:
        step(chosen)
    return sum(row.count for row in profiled.key_averages() if row.key in LAUNCHES)


def failure(error: Exception) -> dict[str, Any]:
    """What is written down of a way that this machine can't go."""
    return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
