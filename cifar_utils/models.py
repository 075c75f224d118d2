"""The study's networks, none with a skip connection; their layer tables and feature maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shape = tuple[int, ...]


class SimpleCNN(nn.Module):
    """Two 5×5 convolutions, two linear layers; 52,202 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, images: Tensor) -> Tensor:
        """float32 N×3×32×32 to logits N×10."""
        x = F.relu(self.pool1(self.conv1(images)))
        x = F.relu(self.pool2(self.conv2(x)))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class NotSimpleCNN(nn.Module):
    """Three 3×3 convolutions, each normalised, pooled, rectified; 288,778 parameters.

    Max-pooling before the ReLU is the same function as after it, on a quarter of the values.
    With `batchnorm=False` the normalisation is left out: 288,554 parameters. `width` multiplies
    the channels of the convolutions.
    """

    def __init__(self, batchnorm: bool = True, width: int = 1) -> None:
        super().__init__()
        widths = (3, 16 * width, 32 * width, 64 * width)
        self.blocks = nn.Sequential()
        for fan_in, fan_out in zip(widths, widths[1:], strict=False):
            self.blocks.append(nn.Conv2d(fan_in, fan_out, 3, padding=1))
            if batchnorm:
                self.blocks.append(nn.BatchNorm2d(fan_out))
            self.blocks.append(nn.MaxPool2d(2))
        self.fc1 = nn.Linear(1024 * width, 256)
        self.fc2 = nn.Linear(256, 10)

    def forward(self, images: Tensor) -> Tensor:
        """float32 N×3×32×32 to logits N×10."""
        x = images
        for layer in self.blocks:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                x = F.relu(x)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class PoolingCNN(nn.Module):
    """Two 3×3 convolutions with BatchNorm, each followed by a pooling of one kind.

    "max" and "average": 532,298 parameters. "strided": a learned 2×2 convolution of stride 2 in
    the place of each pooling, 537,466. "global": max, then the average of each whole map, so that
    32 numbers reach the linear layers, 16,202. ReLU comes before the pooling: for the average the
    order matters.
    """

    def __init__(self, pool: str = "max") -> None:
        super().__init__()
        # all are made, used or not: the same seed then gives the other layers the same weights
        kinds = {
            "max": (nn.MaxPool2d(2), nn.MaxPool2d(2)),
            "average": (nn.AvgPool2d(2), nn.AvgPool2d(2)),
            "strided": (nn.Conv2d(16, 16, 2, stride=2), nn.Conv2d(32, 32, 2, stride=2)),
            "global": (nn.MaxPool2d(2), nn.AvgPool2d(16)),
        }
        if pool not in kinds:
            raise ValueError(f"unknown pool {pool!r}; there are: {', '.join(kinds)}")
        first, second = kinds[pool]
        self.conv1, self.norm1 = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.pool1 = first
        self.conv2, self.norm2 = nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.pool2 = second
        self.fc1 = nn.Linear(32 if pool == "global" else 2048, 256)
        self.fc2 = nn.Linear(256, 10)

    def forward(self, images: Tensor) -> Tensor:
        """float32 N×3×32×32 to logits N×10."""
        x = self.pool1(F.relu(self.norm1(self.conv1(images))))
        x = self.pool2(F.relu(self.norm2(self.conv2(x))))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class DropoutCNN(nn.Module):
    """Two 5×5 convolutions, three linear layers, dropout between them; 62,006 parameters."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"dropout p is {p}; it must be at least 0 and below 1")
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(400, 120)
        self.dropout = nn.Dropout(p)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, images: Tensor) -> Tensor:
        """float32 N×3×32×32 to logits N×10."""
        x = F.relu(self.pool1(self.conv1(images)))
        x = F.relu(self.pool2(self.conv2(x)))
        x = self.dropout(F.relu(self.fc1(x.flatten(1))))
        return self.fc3(F.relu(self.fc2(x)))


class FinalCNN(NotSimpleCNN):
    """The final network: NotSimpleCNN's layers, 288,778 parameters, under a better recipe."""

    def __init__(self, width: int = 1) -> None:
        super().__init__(width=width)


class PlainCNN(nn.Module):
    """Convolutions in place of the large linear layer, and no more parameters than FinalCNN.

    Seven 3×3 convolutions with BatchNorm, three of them followed by a pooling, then the largest
    value of each map and one linear layer: 286,602 parameters. `widths` are the channels of the
    convolutions, `pooled` the places of those that a 2×2 pooling follows ("max" or "average").
    """

    WIDTHS = (32, 48, 64, 80, 88, 88, 80)
    POOLED = (1, 3, 5)

    def __init__(
        self, widths: Sequence[int] = WIDTHS, pooled: Sequence[int] = POOLED, pool: str = "max"
    ) -> None:
        super().__init__()
        pooling = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[pool]
        self.blocks = nn.Sequential()
        fan_in = 3
        for place, fan_out in enumerate(widths):
            self.blocks.append(nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False))
            self.blocks.append(nn.BatchNorm2d(fan_out))
            if place in pooled:
                self.blocks.append(pooling(2))
            self.blocks.append(nn.ReLU())
            fan_in = fan_out
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.fc = nn.Linear(fan_in, 10)

    def forward(self, images: Tensor) -> Tensor:
        """float32 N×3×32×32 to logits N×10."""
        return self.fc(self.pool(self.blocks(images)).flatten(1))


class FastCNN(nn.Module):
    """Seven convolutions that learn fast, after airbench94 (Jordan, 2024).

    1,971,352 parameters that training changes.

    The first, 2×2, is fixed: it makes neighbouring colours uncorrelated (see `whiten`). Six 3×3
    convolutions begin as the identity as far as their channels go; BatchNorm has no γ, and the
    logits are divided by 9. `widths` are the channels of the three pairs.
    """

    def __init__(self, widths: Sequence[int] = (64, 256, 256)) -> None:
        super().__init__()
        self.whitening = nn.Conv2d(3, 24, 2)
        self.whitening.weight.requires_grad_(False)
        self.blocks = nn.Sequential(nn.GELU())
        fan_in = 24
        for fan_out in widths:
            self.blocks += _identity_convolution(fan_in, fan_out, nn.MaxPool2d(2))
            self.blocks += _identity_convolution(fan_out, fan_out)
            fan_in = fan_out
        self.pool = nn.MaxPool2d(3)
        self.fc = nn.Linear(fan_in, 10, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """float32 N×3×32×32 to logits N×10."""
        x = self.pool(self.blocks(self.whitening(images)))
        return self.fc(x.flatten(1)) / 9


def _identity_convolution(fan_in: int, fan_out: int, *pool: nn.Module) -> nn.Sequential:
    """Convolution, pooling if any, BatchNorm and GELU; the first `fan_in` maps begin as copies."""
    convolution = nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight[:fan_in].data)
    norm = nn.BatchNorm2d(fan_out, momentum=0.4)
    norm.weight.requires_grad_(False)
    return nn.Sequential(convolution, *pool, norm, nn.GELU())


def whiten(layer: nn.Conv2d, images: Tensor) -> None:
    """Set a convolution's weights to the principal components of patches, and to minus those.

    The patches are those of `images`, float32 N×C×H×W, normalised. Each component is divided by
    its standard deviation, so that half of the outputs have the covariance 1 on these images; the
    layer has two output channels for each number of a patch.
    """
    height, width = layer.kernel_size
    patches = F.unfold(images, (height, width)).transpose(1, 2).flatten(0, 1)
    variances, components = torch.linalg.eigh(torch.cov(patches.T.double()))
    scaled = (components / (variances + 5e-4).sqrt()).T.flip(0).to(layer.weight.dtype)
    kernels = scaled.view(-1, images.shape[1], height, width)
    layer.weight.data = torch.cat([kernels, -kernels])


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    network.__name__: network
    for network in (SimpleCNN, NotSimpleCNN, PoolingCNN, DropoutCNN, FinalCNN, PlainCNN, FastCNN)
}


def build(name: str, seed: int = 0, **options: object) -> nn.Module:
    """A network with the initial weights of `seed`; the global random state is left as it was.

    Raises:
        ValueError: an unknown network or option; the message lists those that exist.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; there are: {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = NETWORKS[name](**options)
        except TypeError as error:
            raise ValueError(f"{name} does not take {options}: {error}") from error
    return model.to(memory_format=torch.channels_last)


def count_parameters(model: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def feature_maps(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The output of every layer, in order, for float32 images N×3×H×W, in evaluation mode.

    Keys are torchsummary's names: "Conv2d-1", "MaxPool2d-2", …
    """
    maps: dict[str, Tensor] = {}

    def keep(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        maps[f"{type(layer).__name__}-{len(maps) + 1}"] = output.detach()

    _with_hooks(model, images, keep)
    return maps


def layer_table(model: nn.Module, input_shape: Shape = (3, 32, 32)) -> pd.DataFrame:
    """torchsummary's table as data, a row a layer: output shape, parameters, multiply-adds.

    The model, its running statistics and the random state are left as they were. Multiply-adds
    are those of convolutions and linear layers for one image; the rest costs little beside them.
    """
    rows: list[dict[str, object]] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        rows.append(
            {
                "layer": f"{type(layer).__name__}-{len(rows) + 1}",
                "output shape": str([-1, *output.shape[1:]]),
                "parameters": sum(p.numel() for p in layer.parameters()),
                "multiply_adds": _multiply_adds(layer, output),
            }
        )

    device = next(model.parameters()).device
    _with_hooks(model, torch.zeros(1, *input_shape, device=device), note)
    return pd.DataFrame(rows)


def receptive_field(model: nn.Module, input_shape: Shape = (3, 32, 32)) -> pd.DataFrame:
    """The part of the image that one unit sees, in pixels, a row a convolution or pooling.

    `field` is the side of its square, `step` how far the squares of two neighbours are apart,
    `start` the first row and column of the first unit's square, below 0 in the padding. Kernels
    are square; layers that see the whole image (linear ones, adaptive poolings) have no row.
    """
    layers: list[nn.Module] = []
    blank = torch.zeros(1, *input_shape, device=next(model.parameters()).device)
    _with_hooks(model, blank, lambda layer, *_: layers.append(layer))
    rows, field, step, start = [], 1, 1, 0
    for number, layer in enumerate(layers, 1):
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            sizes = (layer.kernel_size, layer.stride, layer.padding)
            kernel, stride, padding = (n if isinstance(n, int) else int(n[0]) for n in sizes)
            start -= padding * step
            field += (kernel - 1) * step
            step *= stride
            name = f"{type(layer).__name__}-{number}"
            rows.append({"layer": name, "field": field, "step": step, "start": start})
    return pd.DataFrame(rows)


def print_torchsummary(model: nn.Module, input_shape: Shape = (3, 32, 32)) -> None:
    """torchsummary's own table, without its side effects.

    Left to itself torchsummary expects CUDA, feeds random images to BatchNorm's running
    statistics and moves the random state.
    """
    import torchsummary  # needed here alone, and not where networks are only trained

    with torch.random.fork_rng(devices=[]), evaluating(model):
        torchsummary.summary(model, input_shape, device="cpu")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, the mode it had afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _with_hooks(model: nn.Module, images: Tensor, hook: Callable[..., None]) -> None:
    """One pass in evaluation mode that calls `hook(layer, inputs, output)` on every layer."""
    leaves = [layer for layer in model.modules() if not any(layer.children())]
    handles = [layer.register_forward_hook(hook) for layer in leaves]
    try:
        with torch.inference_mode(), evaluating(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()


def _multiply_adds(layer: nn.Module, output: Tensor) -> int:
    if isinstance(layer, nn.Conv2d):
        return output[0].numel() * layer.weight[0].numel()
    if isinstance(layer, nn.Linear):
        return layer.weight.numel()
    return 0
