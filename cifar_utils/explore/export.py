"""A network of the study as JSON that a page can run: a list of layers, BatchNorm folded away."""

from __future__ import annotations

import base64
import operator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import fx, nn

from cifar_utils import data
from cifar_utils.models import count_parameters

Layer = dict[str, Any]
Floats = NDArray[np.float64]
ACTIVATIONS = {nn.ReLU: "relu", nn.GELU: "gelu", F.relu: "relu", F.gelu: "gelu"}
SIMPLE_POOLING = (nn.MaxPool2d, nn.AvgPool2d)
BITS, FEW_BITS = 16, 13  # of a weight; the few where a layer has so many weights that size counts
MANY = 50_000


def as_json(model: nn.Module, mean: list[float], std: list[float], name: str) -> dict[str, Any]:
    """The network in evaluation mode, for images normalised by `mean` and `std`.

    Keys: name, parameters, mean, std, classes and layers. A layer has a kind ("convolution",
    "max_pool", "average_pool", "relu", "gelu", "flatten", "linear", "divide") and what that needs;
    weights are packed by `pack`, biases are plain numbers.

    Raises:
        ValueError: it is no chain of such layers; the message names what does not fit.
    """
    return {
        "name": name,
        "parameters": count_parameters(model),
        "mean": list(mean),
        "std": list(std),
        "classes": list(data.CLASSES),
        "layers": [_written(layer) for layer in _folded(_chain(model))],
    }


def pack(weights: Floats) -> dict[str, Any]:
    """Weights, the output first, as whole numbers of steps; each output has a step of its own.

    {"steps": [an output's step, …], "bits": b, "packed": base64}. Each number of steps plus
    2^(b−1) is a whole number of b bits, the highest first, one after the other.
    """
    bits = FEW_BITS if weights.size > MANY else BITS
    middle = 2 ** (bits - 1)
    rows = weights.reshape(len(weights), -1)
    largest = np.abs(rows).max(axis=1)
    steps = np.where(largest > 0, largest, 1) / (middle - 1)
    levels = np.rint(rows / steps[:, None]).astype(np.int64) + middle
    as_bits = np.unpackbits(levels.astype(">u2").reshape(-1, 1).view(np.uint8), axis=1)
    packed = np.packbits(as_bits[:, 16 - bits :])
    return {
        "steps": [_short(step) for step in steps],
        "bits": bits,
        "packed": base64.b64encode(packed.tobytes()).decode(),
    }


def _chain(model: nn.Module) -> list[Any]:
    """What the network does to an image, one after the other: layers, and functions by name."""
    traced = fx.symbolic_trace(model.eval())
    found: list[Any] = []
    before: fx.Node | None = None
    for node in traced.graph.nodes:
        if node.op not in ("placeholder", "output"):
            if node.all_input_nodes != [before]:
                raise ValueError(f"{node} takes more than what the layer before it gives")
            found.append(_step(node, traced))
        before = node
    return [step for step in found if step is not None]


def _step(node: fx.Node, traced: fx.GraphModule) -> Any:
    if node.op == "call_module":
        layer = traced.get_submodule(str(node.target))
        if isinstance(layer, nn.Dropout):
            return None
        known = (nn.Conv2d, nn.Linear, nn.BatchNorm2d, nn.AdaptiveMaxPool2d, *SIMPLE_POOLING)
        if isinstance(layer, known):
            return layer
        if type(layer) in ACTIVATIONS:
            return {"kind": ACTIVATIONS[type(layer)]}
        raise ValueError(f"a page can't run the layer {layer}")
    if node.target in ACTIVATIONS:
        return {"kind": ACTIVATIONS[node.target]}
    if node.target == "flatten" and node.args[1:] == (1,):
        return {"kind": "flatten"}
    if node.target is operator.truediv:
        return {"kind": "divide", "by": node.args[1]}
    raise ValueError(f"a page can't run {node.format_node()}")


def _folded(chain: list[Any]) -> list[Layer]:
    """Layers as dictionaries; each BatchNorm is part of the convolution before it."""
    layers: list[Layer] = []
    for step in chain:
        if isinstance(step, nn.BatchNorm2d):
            _fold(step, layers)
        else:
            layers.append(step if isinstance(step, dict) else _layer(step))
    return layers


def _layer(step: nn.Module) -> Layer:
    if isinstance(step, nn.Conv2d):
        _refuse(step, step.stride != (1, 1) or step.groups != 1 or step.dilation != (1, 1))
        _refuse(step, isinstance(step.padding, str) or step.padding_mode != "zeros")
        sides = {*step.kernel_size}, {*step.padding}
        _refuse(step, any(len(side) > 1 for side in sides))
        size, padding = step.kernel_size[0], int(step.padding[0])
        shape = {"inputs": step.in_channels, "outputs": step.out_channels}
        return {"kind": "convolution", **shape, "size": size, "padding": padding, **_numbers(step)}
    if isinstance(step, nn.Linear):
        shape = {"inputs": step.in_features, "outputs": step.out_features}
        return {"kind": "linear", **shape, **_numbers(step)}
    if isinstance(step, nn.AdaptiveMaxPool2d):
        _refuse(step, step.output_size not in (1, (1, 1)))
        return {"kind": "max_pool", "size": 0}  # the whole map
    assert isinstance(step, SIMPLE_POOLING)
    _refuse(step, step.stride != step.kernel_size or step.padding != 0 or step.ceil_mode)
    kind = "max_pool" if isinstance(step, nn.MaxPool2d) else "average_pool"
    return {"kind": kind, "size": step.kernel_size}


def _refuse(layer: nn.Module, wrong: bool) -> None:
    if wrong:
        raise ValueError(f"a page can't run the layer {layer}")


def _numbers(layer: nn.Conv2d | nn.Linear) -> dict[str, Floats]:
    weights = _float64(layer.weight)
    bias = np.zeros(len(weights)) if layer.bias is None else _float64(layer.bias)
    return {"weights": weights, "bias": bias}


def _fold(norm: nn.BatchNorm2d, layers: list[Layer]) -> None:
    """(x − mean) / √(variance + ε) · γ + β is one more weight and bias of each output.

    A pooling between the two changes nothing, a max-pooling as long as no channel is turned over.
    """
    assert norm.running_mean is not None and norm.running_var is not None
    slope = _float64(norm.weight) / np.sqrt(_float64(norm.running_var) + norm.eps)
    place = len(layers) - 1
    if place > 0 and layers[place]["kind"] in ("max_pool", "average_pool"):
        if layers[place]["kind"] == "max_pool" and (slope <= 0).any():
            raise ValueError(f"{norm} turns a channel over after its max-pooling: it can't fold")
        place -= 1
    if place < 0 or layers[place]["kind"] != "convolution":
        raise ValueError(f"{norm} follows no convolution: it can't fold")
    layer = layers[place]
    layer["weights"] = layer["weights"] * slope[:, None, None, None]
    layer["bias"] = (layer["bias"] - _float64(norm.running_mean)) * slope + _float64(norm.bias)


def _written(layer: Layer) -> Layer:
    if "weights" not in layer:
        return layer
    numbers = {"weights": pack(layer["weights"]), "bias": [_short(b) for b in layer["bias"]]}
    return layer | numbers


def _short(number: float) -> float:
    """Seven digits, a float32's worth."""
    return float(f"{number:.7g}")


def _float64(tensor: torch.Tensor) -> Floats:
    return tensor.detach().cpu().double().numpy()
