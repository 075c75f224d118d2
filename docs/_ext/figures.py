"""Figures on the dark page: paper and ink inverted, photographs and feature maps as they are.

What is drawn in few colours has the class that book.css inverts. Of any other figure a second
image is made, in which all but the photographs is inverted; Furo shows the one or the other.
"""

from pathlib import Path

import numpy as np
from docutils import nodes
from PIL import Image
from scipy import ndimage
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

SHADES = 16  # of each channel, where colours are counted by their share of the area
COMMONEST, SHARE = 8, 0.8  # paper, ink and a few tints cover nearly all of a drawing …
AREAS = 100  # … and a photograph or a feature map has hundreds of areas of one colour each
SOFT = 0.92  # as in book.css: white becomes as dark as the page, black a light grey
# Red, green and blue after CSS's hue-rotate(180deg): an inverted blue is a light blue again.
HUES_TURNED = np.array([[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]])
TOUCHING = np.ones((3, 3))  # of a pixel's neighbours all eight count as touching it
SMALLEST = 20  # pixels: what is lower or narrower is a word or a line


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_node(nodes.image, override=True, html=(write, HTML5Translator.depart_image))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(translator: HTML5Translator, node: nodes.image) -> None:
    """Write a figure, and after one that holds photographs the same for the dark page."""
    builder, source = translator.builder, Path(translator.builder.srcdir, node["uri"])
    if source.suffix not in (".png", ".gif"):
        HTML5Translator.visit_image(translator, node)
        return
    with Image.open(source) as image:  # of an animation, the first picture
        figure = image.convert("RGB")
    few = has_few_colours(figure)
    node["classes"].append("few-colours" if few else "only-light")
    HTML5Translator.visit_image(translator, node)  # from here on the address in the book
    if not few:
        dark = node.deepcopy()
        dark["uri"] = f"{node['uri'].removesuffix(source.suffix)}-dark.png"
        dark["classes"] = ["only-dark"]
        folder = Path(builder.outdir, builder.imagedir)
        folder.mkdir(exist_ok=True)
        darkened(figure).save(folder / Path(dark["uri"]).name)
        HTML5Translator.visit_image(translator, dark)


def has_few_colours(figure: Image.Image) -> bool:
    """Whether it is a drawing or curves, and holds no photograph and no feature map."""
    pixels = np.asarray(figure.convert("RGB"), dtype=np.int64)
    counts = np.unique(_numbered(pixels // (256 // SHADES)), return_counts=True)[1]
    covered = np.sort(counts)[-COMMONEST:].sum() / counts.sum()
    return bool(covered >= SHARE and _areas(pixels) <= AREAS)


def darkened(figure: Image.Image) -> Image.Image:
    """The figure with light ink on dark paper; what is_photograph in it keeps its colours."""
    pixels = np.asarray(figure.convert("RGB"), dtype=np.int64)
    white = (pixels == 255).all(2)
    whites = ndimage.label(white)[0]
    edges = (whites[0], whites[-1], whites[:, 0], whites[:, -1])
    paper = np.isin(whites, np.concatenate(edges)) & white
    kept = np.zeros(white.shape, dtype=bool)
    for place in ndimage.find_objects(ndimage.label(~paper, TOUCHING)[0]):
        kept[place] |= is_photograph(pixels[place])
    inverted = (SOFT - (2 * SOFT - 1) * pixels / 255) @ HUES_TURNED.T
    shown = np.where(kept[..., None], SOFT * pixels / 255, inverted)
    return Image.fromarray((255 * shown.clip(0, 1)).round().astype(np.uint8))


def is_photograph(part: np.ndarray) -> bool:
    """Whether a part of a figure (H×W×3) is a photograph or a map: many colours, little paper."""
    if min(part.shape[:2]) < SMALLEST:
        return False
    on_paper = (part == 255).all(2).mean() > 0.5
    colours, areas = len(np.unique(_numbered(part))), _areas(part)
    return areas > 60 or (not on_paper and (areas > 6 or colours > 100))


def _numbered(pixels: np.ndarray) -> np.ndarray:
    """Colours (H×W×3) as one number each, H×W."""
    return pixels @ np.array([256**2, 256, 1])


def _areas(pixels: np.ndarray) -> int:
    """How many colours fill a square of 3×3 pixels somewhere; the soft edges of letters do not."""
    colours = _numbered(pixels)
    squares = np.lib.stride_tricks.sliding_window_view(colours, (3, 3))
    flat = squares.min((2, 3)) == squares.max((2, 3))
    return len(np.unique(colours[1:-1, 1:-1][flat]))
