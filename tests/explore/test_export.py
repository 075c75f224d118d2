"""What the page's engine makes of a network is what PyTorch makes of it."""

import base64
import json
from pathlib import Path
from typing import Any

import in_node
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cifar_utils import classify, data, models
from cifar_utils.explore import export


def said_in_the_page(exported: dict[str, Any], images: Tensor, folder: Path) -> dict[str, Any]:
    """Logits of uint8 images, and the median of the milliseconds, from the engine in Node."""
    images.permute(0, 2, 3, 1).contiguous().numpy().tofile(folder / "pixels")
    script = """
        const network = unpack(given);
        const pixels = readFileSync("pixels");
        const [logits, times] = [[], []];
        for (let start = 0; start < pixels.length; start += 3072) {
          const begun = performance.now();
          const input = normalised(pixels.subarray(start, start + 3072), network);
          logits.push(Array.from(run(network, input).at(-1).values));
          times.push(performance.now() - begun);
        }
        times.sort((a, b) => a - b);
        return { logits, median: times[times.length >> 1] };"""
    said: dict[str, Any] = in_node.call(
        folder, "network.mjs", "normalised, run, unpack", script, exported
    )
    return said


def stirred(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random statistics, levels and scales for every BatchNorm, as after training."""
    random = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            count = layer.num_features
            layer.running_mean.copy_(0.3 * torch.randn(count, generator=random))
            layer.running_var.copy_(0.3 + torch.rand(count, generator=random))
            layer.bias.data.copy_(0.3 * torch.randn(count, generator=random))
            if layer.weight.requires_grad:
                layer.weight.data.copy_(0.5 + torch.rand(count, generator=random))
    return model.eval()


def test_released_network_says_the_same_of_a_thousand_images(tmp_path: Path) -> None:
    model, record = classify.released_network()
    mean, std = record["data"]["mean"], record["data"]["std"]
    images = data.load("sample").test.images
    assert len(images) == 1_000
    exported = export.as_json(model, mean, std, "FinalCNN")
    said = said_in_the_page(exported, images, tmp_path)
    with torch.inference_mode():
        expected = model(data.normalise(images, mean, std))
    logits = torch.tensor(said["logits"])
    assert (logits - expected).abs().max() < 1e-2
    assert torch.equal(logits.argmax(1), expected.argmax(1))
    assert said["median"] < 50, "milliseconds an image"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("FinalCNN", {}),
        ("PlainCNN", {}),
        ("PlainCNN", {"pool": "average"}),
        ("FastCNN", {"widths": (48, 88, 88)}),
        ("SimpleCNN", {}),
        ("DropoutCNN", {}),
        ("PoolingCNN", {"pool": "average"}),
    ],
)
def test_networks_with_random_statistics(
    name: str, options: dict[str, Any], tmp_path: Path, tiny: data.Data
) -> None:
    model = stirred(models.build(name, **options))
    images = tiny.test.images
    exported = export.as_json(model, list(tiny.mean), list(tiny.std), name)
    with torch.inference_mode():
        expected = model(tiny.normalise(images))
    logits = torch.tensor(said_in_the_page(exported, images, tmp_path)["logits"])
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-3)
    assert not any("BatchNorm" in layer["kind"] for layer in exported["layers"])


@pytest.mark.parametrize("size", [300, 60_000])  # of few and of many bits
def test_packed_weights_are_within_half_a_step(size: int) -> None:
    weights = np.random.default_rng(0).normal(size=(3, size // 3)) * [[1], [0.01], [100]]
    packed = export.pack(weights)
    bits = packed["bits"]
    raw = np.frombuffer(base64.b64decode(packed["packed"]), dtype=np.uint8)
    ones = np.unpackbits(raw)[: bits * weights.size].reshape(-1, bits)
    levels = ones.astype(np.int64) @ (1 << np.arange(bits)[::-1]) - 2 ** (bits - 1)
    steps = np.array(packed["steps"])[:, None]
    assert (np.abs(levels.reshape(weights.shape) * steps - weights) <= 0.501 * steps).all()
    assert bits == (16 if size == 300 else 13)


def test_export_is_the_same_at_every_run() -> None:
    model, record = classify.released_network()
    mean, std = record["data"]["mean"], record["data"]["std"]
    once, again = (json.dumps(export.as_json(model, mean, std, "FinalCNN")) for _ in range(2))
    assert once == again


class Skipping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return images + self.conv(images)


class Turned(nn.Module):
    """BatchNorm with a negative scale after its max-pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.BatchNorm2d(4))
        self.layers[2].weight.data[1] = -1

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Skipping(), "takes more than what the layer before it gives"),
        (Turned(), "turns a channel over"),
        (nn.Sequential(nn.BatchNorm2d(3)), "follows no convolution"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, stride=2)), "can't run the layer Conv2d"),
        (nn.Sequential(nn.Softplus()), "can't run the layer Softplus"),
    ],
)
def test_what_a_page_cannot_run_is_refused_by_name(model: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        export.as_json(model, [0.5] * 3, [0.2] * 3, "mine")
