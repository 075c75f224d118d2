"""The three explorers: what each page is given, and the still image that stands before it."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cifar_utils import augment, classify, data, models, plots
from cifar_utils import descent as surfaces
from cifar_utils.explore import export
from cifar_utils.explore.page import Explorer, explorer

SURFACES = {
    "line_fit": "Fit of a line",
    "ravine": "Ravine",
    "saddle": "Saddle",
    "noisy_bowl": "Noisy bowl",
}
RATES = {
    "sgd": 0.06, "momentum": 0.01, "nesterov": 0.01, "rmsprop": 0.05, "adam": 0.1, "adamw": 0.1,
}  # fmt: skip
MOST_STEPS = 200
MOST_PARAMETERS = 288_778  # of a network that runs in a page: FinalCNN's


def walk() -> Explorer:
    """The walk of an image: the released networks of at most MOST_PARAMETERS run in the page."""
    chosen = _photographs(a_class=2)
    model, record = classify.released_network()
    first = chosen.images[:1]
    inputs = data.normalise(first, record["data"]["mean"], record["data"]["std"])
    maps = models.feature_maps(model, inputs)
    convolutions = {name: each for name, each in maps.items() if name.startswith("Conv2d")}
    title = "What FinalCNN's convolutions make of an image"
    figure = plots.feature_maps(convolutions, first[0] / 255, title=title)
    content = {"networks": _networks(), "images": _images(chosen)}
    return explorer("walk", "The walk of an image", figure, content)


def descent() -> Explorer:
    """Walking downhill: optimizers on the surfaces of `cifar_utils.descent`."""
    ravine = surfaces.surface("ravine")
    shown = {name: RATES[name] for name in ("sgd", "momentum", "adam")}
    walks = {name: surfaces.walk(ravine, name, lr, 40) for name, lr in shown.items()}
    paths = {name: points[["w0", "w1"]].to_numpy() for name, points in walks.items()}
    xlim, ylim = ravine.limits
    title = "Three walkers in a ravine, 40 steps"
    figure = plots.descent_paths(ravine.loss, paths, xlim=xlim, ylim=ylim, title=title)
    content = {"surfaces": [_surface(name) for name in SURFACES], "rates": RATES}
    return explorer("descent", "Walking downhill", figure, content)


def augmentation() -> Explorer:
    """Forty random changes of one image, and what the released FinalCNN says of each."""
    chosen = _photographs(a_class=1)
    _, record = classify.released_network()
    recipe = record["recipe"]
    first = data.CLASSES.index("horse")
    changes = augment.build(recipe["augmentation"], recipe["padding"])
    draws = changes(chosen.images[first].expand(10, -1, -1, -1), torch.Generator().manual_seed(0))
    figure = plots.augmentations({recipe["augmentation"]: draws}, title="Ten draws of one image")
    content = {
        "network": _network(classify.FIRST_CHOICE),
        "images": _images(chosen),
        "first": first,
        "training": {"padding": recipe["padding"], "share": 50, "degrees": 0, "size": 0},
    }
    return explorer("augmentation", "Forty draws of one image", figure, content)


def _surface(name: str) -> dict[str, Any]:
    """A surface, and what chance brings a walker on it with seed 0, as `descent.walk` draws it."""
    surface = surfaces.surface(name)
    random = np.random.default_rng(0)
    order, noise = [], []
    for _ in range(MOST_STEPS):
        order.extend(random.permutation(len(surface.examples))[:1].tolist())
        noise.append(_rounded(random.normal(0, surface.gradient_noise, 2)))
    lowest = (0.0, 1.0) if name == "saddle" else (0.0, 0.0)
    if surface.examples:
        x, y = np.array(surface.examples).T
        slope, level = np.polyfit(x, y, 1)
        lowest = (float(level), float(slope))
    return {
        "name": name,
        "label": SURFACES[name],
        "start": surface.start,
        "limits": surface.limits,
        "examples": [_rounded(pair) for pair in surface.examples],
        "lowest": _rounded(lowest),
        "order": order,
        "noise": noise,
    }


def _rounded(numbers: Iterable[float]) -> list[float]:
    """To twelve decimals, since the last digits differ between processors."""
    return [round(float(number), 12) for number in numbers]


def _networks() -> list[dict[str, Any]]:
    """The released networks of at most MOST_PARAMETERS, FinalCNN first."""
    names = sorted(classify.released(), key=lambda name: name != classify.FIRST_CHOICE)
    exported = [_network(name) for name in names]
    return [network for network in exported if network["parameters"] <= MOST_PARAMETERS]


def _network(name: str) -> dict[str, Any]:
    model, record = classify.released_network(name=name)
    return export.as_json(model, record["data"]["mean"], record["data"]["std"], name)


def _photographs(a_class: int) -> data.Split:
    """The first test images of each class of the sample, class by class."""
    test = data.load("sample").test
    places = [torch.nonzero(test.labels == label)[:a_class, 0] for label in range(10)]
    first = torch.cat(places)
    return data.Split(test.images[first], test.labels[first])


def _images(chosen: data.Split) -> list[dict[str, str]]:
    return [
        {"name": data.CLASSES[label], "pixels": _base64(image)}
        for image, label in zip(chosen.images, chosen.labels.tolist(), strict=True)
    ]


def _base64(image: Tensor) -> str:
    """Red, green and blue of each pixel, row after row."""
    return base64.b64encode(image.permute(1, 2, 0).contiguous().numpy().tobytes()).decode()
