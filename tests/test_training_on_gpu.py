"""That no step of training on a GPU waits for the host, seen without a GPU.

PyTorch's fake tensors have a device and a shape, and no numbers: a step that copies between
devices shows it, and one that asks for a number fails.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cifar_utils import augment, checkpoint, data, models, training

GPU = torch.device("cuda", 0)


class Copies(TorchDispatchMode):
    """Notes every operation between the processor and the GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, Tensor)]
        if len({x.device.type for x in tensors}) > 1:
            self.seen.append(str(operation))
        return result


class GeneratorOnGpu:
    """As much of one as `fit` needs; there is none without a GPU."""

    device = GPU

    def manual_seed(self, seed: int) -> "GeneratorOnGpu":
        return self


def drawn_on_gpu(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def drawn(*sizes: Any, generator: GeneratorOnGpu, device: torch.device) -> Tensor:
        assert generator.device == device
        return draw(*sizes, device=device)

    return drawn


def fake_backward(model: nn.Module) -> Callable[[Tensor], None]:
    """Gradients of the right shape; PyTorch's own backward pass needs a GPU."""

    def backward(loss: Tensor) -> None:
        for p in model.parameters():
            p.grad = torch.empty_like(p)

    return backward


@contextmanager
def pretended_gpu(model: nn.Module) -> Iterator[None]:
    """Tensors on a GPU that is not there; the model's are put on it."""
    augment._reflected_windows.cache_clear()
    data._row_of_pixels.cache_clear()
    with ExitStack() as stack:
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        for layer in model.modules():
            for name, p in layer._parameters.items():
                if p is not None:
                    layer._parameters[name] = nn.Parameter(torch.empty(p.shape, device=GPU))
            for name, buffer in layer._buffers.items():
                layer._buffers[name] = torch.zeros(buffer.shape, dtype=buffer.dtype, device=GPU)
        changes = [
            mock.patch.object(torch, "Generator", lambda device: GeneratorOnGpu()),
            mock.patch.object(nn.Module, "to", lambda module, *_, **__: module),
            mock.patch.object(Tensor, "backward", fake_backward(model)),
            mock.patch.object(training, "digest", lambda *_: ""),
        ]
        for name in ("rand", "randint", "randperm"):
            changes.append(mock.patch.object(torch, name, drawn_on_gpu(getattr(torch, name))))
        for change in changes:
            stack.enter_context(change)
        yield
    augment._reflected_windows.cache_clear()
    data._row_of_pixels.cache_clear()


# not SGD: of its fused update PyTorch has no fake
OPTIMIZERS = [("muon", 0.9), ("adamw", 0.0), ("rmsprop", 0.0)]


@pytest.mark.filterwarnings("ignore:.*(data pointer|Disabling autocast|data_ptr).*:UserWarning")
@pytest.mark.parametrize(("optimizer", "momentum"), OPTIMIZERS)
def test_only_the_first_step_copies_anything_to_the_gpu(
    small: data.Data, optimizer: str, momentum: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.build("PlainCNN")
    recipe = training.Recipe(
        1, 64, optimizer, 0.01, momentum, weight_decay=0.1, schedule="onecycle",
        label_smoothing=0.1, augmentation="crop+flip+rotation+cutout", averaging=0.9,
        precision="bfloat16",
    )  # fmt: skip
    copies, after_each = Copies(), []
    step = training._State._step

    def noting(state: training._State, *batch: Tensor) -> Tensor:
        assert all(x.device == GPU for x in batch)
        logits = step(state, *batch)
        after_each.append(copies.seen.copy())
        return logits

    monkeypatch.setattr(training._State, "_step", noting)
    with pretended_gpu(model):
        state = training._State(model, small, recipe, GPU)
        with (
            copies,
            pytest.raises(DataDependentOutputException),
        ):  # the epoch's own loss, at its end
            state._train()
    assert len(after_each) == 7
    assert after_each[-1] == after_each[0]
    assert len(copies.seen) == len(after_each[0]) + 1


@pytest.mark.filterwarnings("ignore:.*(data pointer|data_ptr).*:UserWarning")
def test_validation_copies_its_answers_once(small: data.Data) -> None:
    model = models.build("FinalCNN").eval()
    copies = Copies()
    with pretended_gpu(model):
        here = data.Split(*(torch.empty_like(x, device=GPU) for x in vars(small.train).values()))
        with copies:
            logits = training.predict(model, here, small, batch_size=50)
    assert logits.shape == (400, 10) and logits.device.type == "cpu"
    assert copies.seen.count("aten._to_copy.default") == len(copies.seen) == 3  # mean, std, logits


def test_a_checkpoint_of_another_kind_of_device_is_set_aside(
    small: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    recipe = training.Recipe(1, 100)
    training.fit(models.build("SimpleCNN"), small, recipe, folder=tmp_path, verbose=False)
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["fingerprint"]
    state["generator"] = torch.zeros(16, dtype=torch.uint8)  # as CUDA's are
    checkpoint.save(state, path)
    run = training.fit(models.build("SimpleCNN"), small, recipe, folder=tmp_path, verbose=False)
    assert "it is of another kind of device than cpu" in capsys.readouterr().out
    assert (tmp_path / "checkpoint.pt.unreadable").exists() and len(run.history) == 1
