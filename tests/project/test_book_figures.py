"""On the dark page drawings are inverted, and photographs and feature maps are not."""

import base64
import re
from collections.abc import Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import ModuleType

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from sphinx.application import Sphinx

from cifar_utils import data, models, plots
from cifar_utils.batch import study
from cifar_utils.data import PROJECT
from cifar_utils.plots.drawings import augmentation, baseline, pooling


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The extension of the book; figures are drawn in the study's style."""
    monkeypatch.syspath_prepend(PROJECT / "docs" / "_ext")
    with matplotlib.rc_context():
        plots.use_style()
        yield import_module("figures")
    plt.close("all")


def drawn(figure: Figure) -> Image.Image:
    """The figure as the notebooks' PNGs have it, in the size that it was drawn in."""
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba()).copy()).convert("RGB")


def photograph_places(figure: Figure) -> list[tuple[slice, slice]]:
    """Rows and columns that the images of a figure fill, without their outermost pixels."""
    height = int(figure.bbox.height)
    boxes = [image.get_window_extent() for axes in figure.axes for image in axes.images]
    return [
        (
            slice(height - int(box.y1) + 3, height - int(box.y0) - 3),
            slice(int(box.x0) + 3, int(box.x1) - 3),
        )
        for box in boxes
    ]


def photographs() -> torch.Tensor:
    return data.load("sample").test.images[:24]


def curves() -> Figure:
    points = {epoch: 2.0 / epoch for epoch in range(1, 20)}
    return plots.response({"a": points, "b": points}, xlabel="x", ylabel="y", title="loss")


DRAWN = {
    "curves": curves,
    "numbers": lambda: pooling.four_poolings(torch.rand(4, 4), torch.ones(4)),
    "bars": lambda: baseline.loss_bars(torch.tensor([2.0, 1.0]), ["a", "b"], 0),
}
OTHERS = {
    "photographs": lambda: plots.augmentations({"a": photographs()[:8]}, title="a"),
    "many small photographs": lambda: plots.samples(
        data.load("sample").train, data.CLASSES, per_class=6, title="a"
    ),
    "a drawing with photographs": lambda: augmentation.kept_label(photographs()[0] / 255, "cat"),
    "feature maps": lambda: plots.feature_maps(maps(), torch.rand(3, 32, 32), title="maps"),
}


def maps() -> dict[str, torch.Tensor]:
    photograph = data.load("sample").test.images[:1] / 255
    return models.feature_maps(models.build("SimpleCNN"), photograph)


@pytest.mark.parametrize("name", DRAWN)
def test_drawings_and_curves_have_few_colours(name: str, figures: ModuleType) -> None:
    assert figures.has_few_colours(drawn(DRAWN[name]()))


@pytest.mark.parametrize("name", OTHERS)
def test_photographs_and_maps_have_many(name: str, figures: ModuleType) -> None:
    assert not figures.has_few_colours(drawn(OTHERS[name]()))


@pytest.mark.parametrize("name", OTHERS)
def test_on_the_dark_page_paper_is_dark_and_photographs_are_as_they_were(
    name: str, figures: ModuleType
) -> None:
    figure, shown = OTHERS[name](), []
    light = drawn(figure)
    dark = np.asarray(figures.darkened(light), dtype=float)
    assert dark.shape == np.asarray(light).shape
    assert dark[0, 0] == pytest.approx([20, 20, 20], abs=1)
    for place in photograph_places(figure):
        before, after = np.asarray(light, dtype=float)[place], dark[place]
        between = (before > 240).all(2)  # paper and its soft edge, between photographs in a row
        shown.append(abs(after - 0.92 * before)[~between].max())
    assert shown and max(shown) <= 1


def test_ink_beside_a_photograph_is_light(figures: ModuleType) -> None:
    light = drawn(augmentation.kept_label(photographs()[0] / 255, "cat"))
    dark = np.asarray(figures.darkened(light), dtype=int)
    ink = (np.asarray(light, dtype=int) < 60).all(2)
    for place in photograph_places(plt.gcf()):
        ink[place] = False
    assert ink.sum() > 500 and dark[ink].min() > 150


def test_one_hue_is_another_shade_of_the_same_when_inverted(figures: ModuleType) -> None:
    """A blue (0, 114, 178) becomes a light blue, as CSS's filters make it."""
    plain = np.full((40, 40, 3), 255, dtype=np.uint8)
    plain[10:14, 5:35] = (1, 115, 178)
    inverted = np.asarray(figures.darkened(Image.fromarray(plain)))[12, 20]
    red, green, blue = (int(value) for value in inverted)
    assert blue > green > red and blue > 200


def test_a_page_shows_a_photograph_s_figure_twice_and_a_drawing_once(
    figures: ModuleType, tmp_path: Path
) -> None:
    for name, draw in (("drawing", DRAWN["bars"]), ("photographs", OTHERS["photographs"])):
        drawn(draw()).save(tmp_path / f"{name}.png")
    (tmp_path / "index.rst").write_text(
        "Page\n====\n\n.. image:: drawing.png\n\n.. image:: photographs.png\n   :alt: a cat\n"
    )
    (tmp_path / "conf.py").write_text("extensions = ['figures']\n")
    out = tmp_path / "out"
    app = Sphinx(tmp_path, tmp_path, out, tmp_path / "trees", "html", status=None, warning=None)
    app.build()
    images = re.findall("<img [^>]*>", (out / "index.html").read_text())
    kinds = [re.search('class="([^"]*)"', image).group(1) for image in images]
    assert kinds == ["few-colours", "only-light", "only-dark"]
    assert [re.search('src="([^"]*)"', image).group(1) for image in images] == [
        "_images/drawing.png",
        "_images/photographs.png",
        "_images/photographs-dark.png",
    ]
    assert all('alt="a cat"' in image for image in images[1:])
    with Image.open(out / "_images" / "photographs-dark.png") as dark:
        assert max(dark.getpixel((0, 0))) < 30


def test_the_notebooks_drawings_are_told_from_those_with_photographs(figures: ModuleType) -> None:
    few = {}
    for path in study.find_notebooks():
        for cell in nbformat.read(path, 4).cells:
            shown = [output.get("data", {}) for output in cell.get("outputs", [])]
            pngs = [data["image/png"] for data in shown if "image/png" in data]
            if cell.id.startswith("draw-") and pngs:
                with Image.open(BytesIO(base64.b64decode(pngs[0]))) as image:
                    few[cell.id] = figures.has_few_colours(image)
    for name in ("draw-fields", "draw-fan", "draw-label"):
        assert few[name] is False, name
    assert sum(few.values()) > 20
