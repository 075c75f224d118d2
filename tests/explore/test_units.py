"""What a page says of one unit: the pixels that it sees, and the sum that makes its number."""

import base64
from pathlib import Path
from typing import Any

import in_node
import pytest
import torch
from test_export import stirred
from torch import nn

from cifar_utils import data, models
from cifar_utils.explore import export

EXPLAINED = """
    const network = unpack(given.network);
    const image = Uint8ClampedArray.from(atob(given.pixels), (letter) => letter.charCodeAt(0));
    const maps = run(network, normalised(image, network));
    return network.layers.map((layer, i) => {
      const { channels, height, width } = maps[i + 1];
      const unit = { channel: channels >> 1, y: height >> 2, x: width >> 1 };
      const terms = { convolution: convolutionTerms, linear: linearTerms }[layer.kind];
      const found = terms ? terms(layer, maps[i], unit) : null;
      const split = found ? largestTerms(found.terms, 3) : null;
      return {
        kind: layer.kind, unit, value: maps[i + 1].values[placeOf(maps[i + 1], unit)],
        box: patch(network.layers.slice(0, i + 1), maps, unit),
        sum: found && found.terms.reduce((total, term) => total + term.sum, found.bias),
        split: found && split.largest.reduce((t, term) => t + term.sum, split.rest + found.bias),
        first: found && Math.abs(split.largest[0].sum),
        most: found && Math.max(...found.terms.map((term) => Math.abs(term.sum))),
        window: layer.kind.endsWith("pool") ? Array.from(pooled(layer, maps[i], unit)) : null,
      };
    });"""
NAMES = "convolutionTerms, largestTerms, linearTerms, patch, placeOf, pooled"


@pytest.fixture(params=["FinalCNN", "FastCNN"])
def explained(
    request: pytest.FixtureRequest, tmp_path: Path, tiny: data.Data
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """A network with random statistics, and what a page says of a unit of each layer."""
    options = {"widths": (8, 12, 12)} if request.param == "FastCNN" else {}
    model = stirred(models.build(request.param, **options))
    exported = export.as_json(model, list(tiny.mean), list(tiny.std), request.param)
    pixels = tiny.test.images[0].permute(1, 2, 0).contiguous().numpy().tobytes()
    given = {"network": exported, "pixels": base64.b64encode(pixels).decode()}
    names = f'{NAMES} }} from "{(in_node.FOLDER / "unit.mjs").as_uri()}";\n'
    names += "import { normalised, run, unpack"
    return model, in_node.call(tmp_path, "network.mjs", names, EXPLAINED, given)


def test_terms_and_bias_add_up_to_the_unit(
    explained: tuple[nn.Module, list[dict[str, Any]]],
) -> None:
    with_weights = [unit for unit in explained[1] if unit["kind"] in ("convolution", "linear")]
    assert len(with_weights) >= 5
    for unit in with_weights:
        assert unit["sum"] == pytest.approx(unit["value"], abs=1e-4)
        assert unit["split"] == pytest.approx(unit["value"], abs=1e-4)
        assert unit["first"] == unit["most"]


def test_a_pooled_unit_is_the_largest_of_its_window(
    explained: tuple[nn.Module, list[dict[str, Any]]],
) -> None:
    pools = [unit for unit in explained[1] if unit["kind"] == "max_pool"]
    assert len(pools) >= 3
    for unit in pools:
        assert len(unit["window"]) in (4, 9)
        assert max(unit["window"]) == unit["value"]


def test_the_patch_holds_every_pixel_that_the_unit_depends_on(
    explained: tuple[nn.Module, list[dict[str, Any]]],
) -> None:
    """Compared with the gradient of a twin with average pooling, which loses none on the way."""
    model, units = explained
    convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    seen = [unit for unit in units if unit["kind"] == "convolution"]
    assert len(convolutions) == len(seen)
    for place, unit in enumerate(seen):
        box = unit["box"]
        rows, columns = pixels_reached(model, convolutions[place], unit["unit"])
        assert (box["top"], box["bottom"]) == rows
        assert (box["left"], box["right"]) == columns


def pixels_reached(
    model: nn.Module, layer: nn.Conv2d, unit: dict[str, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row (+1) and column (+1) of the image with a gradient of the unit.

    All weights are made 1 and max-poolings averages, so that no gradient is lost on the way.
    """
    twin = models.build(type(model).__name__, **_options(model)).eval()
    for parameter in twin.parameters():
        parameter.data.fill_(1)
    _average(twin)
    place = [each for each in model.modules() if isinstance(each, nn.Conv2d)].index(layer)
    target = [each for each in twin.modules() if isinstance(each, nn.Conv2d)][place]
    kept: list[torch.Tensor] = []
    target.register_forward_hook(lambda _layer, _inputs, output: kept.append(output))
    image = torch.ones(1, 3, 32, 32, requires_grad=True)
    twin(image)
    kept[0][0, unit["channel"], unit["y"], unit["x"]].backward()
    assert image.grad is not None
    rows, columns = (image.grad[0, 0].abs().sum(axis).nonzero()[:, 0] for axis in (1, 0))
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def _options(model: nn.Module) -> dict[str, Any]:
    return {"widths": (8, 12, 12)} if isinstance(model, models.FastCNN) else {}


def _average(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            setattr(module, name, nn.AvgPool2d(child.kernel_size))
        elif isinstance(child, nn.GELU):
            setattr(module, name, nn.Identity())
        else:
            _average(child)
