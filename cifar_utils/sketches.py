"""Sketches, the stand-in for CIFAR-10: pictures of the same ten classes, drawn by program.

So that everything runs with no data and no network. A class is data: two *views*, each a list of
parts (ellipse, limb, polygon) on a square from -1 to 1, x to the right and y downwards. A picture
is one of the views with random proportions, pose and colours, painted on a random backdrop with
clutter behind it and sometimes something in front of it, under random light, with pixel noise.

Pixels are made with +, -, *, / and the square root alone: IEEE 754 rounds these alike on every
machine, as it does not sines, exponentials and matrix products.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 32  # pixels
CHUNK = 200  # pictures drawn from one random generator, equally many of each class
# How hard it is: set so that depth, more pictures and augmentation each gain visibly.
USUAL = 0.4  # share of the pictures put in their class's usual scene, the rest get any scene
WOBBLE = 0.035  # largest change of a part's numbers; less than any ellipse's radius
SIZE, SHIFT = (0.6, 1.05), 0.25  # of a view, on the square from -1 to 1
TURN = 0.2  # tangent of half the largest angle a view is turned by (23 degrees)
NOISE = 0.15  # largest pixel noise, where white is 1
COLOURS = ("main", "second", "dark", "light", "accent")


class Part(NamedTuple):
    """One painted shape; points are x1, y1, x2, y2, …"""

    kind: str
    colour: str
    points: tuple[float, ...]
    radii: tuple[float, ...] = ()


def ellipse(colour: str, x: float, y: float, radius_x: float, radius_y: float) -> Part:
    """Upright ellipse around (x, y)."""
    return Part("ellipse", colour, (x, y), (radius_x, radius_y))


def limb(colour: str, x: float, y: float, to_x: float, to_y: float, *radii: float) -> Part:
    """Round-ended stroke between two points, its radius going from the first given to the last."""
    return Part("limb", colour, (x, y, to_x, to_y), (radii[0], radii[-1]))


def polygon(colour: str, *points: float) -> Part:
    """Convex polygon."""
    return Part("polygon", colour, points)


def box(colour: str, left: float, top: float, right: float, bottom: float) -> Part:
    """Upright rectangle."""
    return polygon(colour, left, top, right, top, right, bottom, left, bottom)


def pair(*parts: Part) -> tuple[Part, ...]:
    """Parts, and their mirror images on the other side of the vertical axis."""
    sides = (1, -1) * 8
    return parts + tuple(
        part._replace(points=tuple(-s * p for s, p in zip(sides, part.points, strict=False)))
        for part in parts
    )


def wheels(y: float, radius: float, *xs: float) -> tuple[Part, ...]:
    """Dark wheels with light hubs."""
    sizes = (("dark", radius), ("light", radius * 0.45))
    return tuple(ellipse(colour, x, y, size, size) for x in xs for colour, size in sizes)


def legs(top: float, foot: float, radius: float, *xs: float) -> tuple[Part, ...]:
    """Legs straight down."""
    return tuple(limb("main", x, top, x, foot, radius, radius * 0.7) for x in xs)


# fmt: off
VIEWS: dict[str, tuple[tuple[Part, ...], ...]] = {
    "airplane": (
        (polygon("second", -0.9, -0.5, -0.65, -0.5, -0.4, 0, -0.8, 0),
         limb("main", -0.75, 0, 0.75, 0.05, 0.1, 0.16), limb("dark", -0.4, -0.02, 0.6, 0, 0.03),
         polygon("second", -0.1, 0.05, 0.3, 0.05, -0.25, 0.6, -0.5, 0.6)),
        (*(polygon("second", -0.05, 0, 0.35, 0, -0.3, s * 0.85, -0.55, s * 0.85) for s in (-1, 1)),
         *(polygon("second", -0.8, 0, -0.55, 0, -0.8, s * 0.35, -0.95, s * 0.35) for s in (-1, 1)),
         limb("main", -0.8, 0, 0.75, 0, 0.09, 0.13), ellipse("dark", 0.7, 0, 0.08, 0.07)),
    ),
    "automobile": (
        (polygon("main", -0.5, 0, -0.3, -0.38, 0.25, -0.38, 0.5, 0),
         polygon("light", -0.36, 0, -0.24, -0.28, 0.2, -0.28, 0.36, 0),
         box("main", -0.9, -0.05, 0.9, 0.32), ellipse("accent", 0.84, 0.06, 0.07, 0.07),
         *wheels(0.34, 0.2, -0.52, 0.52)),
        (*pair(box("dark", 0.42, 0.3, 0.68, 0.62)),
         polygon("main", -0.6, -0.05, -0.42, -0.5, 0.42, -0.5, 0.6, -0.05),
         polygon("light", -0.46, -0.08, -0.34, -0.4, 0.34, -0.4, 0.46, -0.08),
         box("main", -0.75, -0.05, 0.75, 0.45), box("dark", -0.3, 0.12, 0.3, 0.3),
         *pair(ellipse("accent", 0.54, 0.14, 0.12, 0.1))),
    ),
    "bird": (
        (*(limb("dark", x, 0.3, x, 0.75, 0.035) for x in (-0.05, 0.12)),
         polygon("second", -0.35, 0, -0.3, 0.25, -0.9, 0.4, -0.9, 0.2),
         ellipse("main", 0, 0.1, 0.45, 0.32), polygon("accent", 0.5, -0.4, 0.5, -0.2, 0.82, -0.27),
         ellipse("main", 0.36, -0.3, 0.22, 0.21), ellipse("dark", 0.42, -0.34, 0.05, 0.05),
         limb("second", 0.12, 0.08, -0.4, 0.2, 0.17, 0.05)),
        (polygon("second", -0.25, 0, 0.2, 0, -0.1, -0.8, -0.35, -0.85),
         polygon("second", -0.2, 0.05, 0.2, 0.05, 0.35, 0.7, 0.1, 0.75),
         polygon("main", -0.3, -0.05, -0.3, 0.1, -0.8, 0.25, -0.8, -0.1),
         ellipse("main", 0, 0.02, 0.42, 0.2), polygon("accent", 0.55, -0.15, 0.55, 0, 0.8, -0.05),
         ellipse("main", 0.45, -0.08, 0.17, 0.16), ellipse("dark", 0.5, -0.12, 0.04, 0.04)),
    ),
    "cat": (
        (*pair(polygon("main", 0.1, -0.4, 0.6, -0.1, 0.58, -0.85),
               polygon("accent", 0.3, -0.4, 0.5, -0.3, 0.5, -0.65)),
         ellipse("main", 0, 0.05, 0.62, 0.55), ellipse("light", 0, 0.35, 0.24, 0.16),
         *pair(ellipse("light", 0.25, -0.05, 0.14, 0.12), ellipse("dark", 0.25, -0.05, 0.06, 0.11),
               limb("light", 0.2, 0.3, 0.8, 0.22, 0.025)),
         ellipse("accent", 0, 0.22, 0.09, 0.07)),
        (limb("second", -0.3, 0.6, -0.75, 0.3, 0.08), limb("second", -0.75, 0.3, -0.65, -0.2, 0.08),
         *pair(polygon("main", 0.02, -0.5, 0.34, -0.4, 0.32, -0.9)),
         limb("main", 0, 0, 0, 0.5, 0.26, 0.38), ellipse("light", 0, 0.2, 0.15, 0.25),
         *pair(limb("main", 0.15, 0.4, 0.15, 0.8, 0.09)), ellipse("main", 0, -0.32, 0.36, 0.29),
         *pair(ellipse("dark", 0.14, -0.35, 0.07, 0.07)), ellipse("accent", 0, -0.22, 0.05, 0.04)),
    ),
    "deer": (
        (*(limb("dark", *line, 0.035) for line in (
            (0.46, -0.45, 0.3, -0.92), (0.38, -0.65, 0.1, -0.75), (0.56, -0.45, 0.74, -0.92),
            (0.64, -0.65, 0.9, -0.72))),
         *legs(0.2, 0.88, 0.06, -0.45, -0.3, 0.2, 0.35), limb("main", -0.42, 0.12, 0.3, 0.1, 0.2),
         ellipse("light", -0.58, 0.08, 0.1, 0.14), limb("main", 0.3, 0, 0.5, -0.35, 0.14, 0.1),
         limb("main", 0.5, -0.36, 0.8, -0.25, 0.13, 0.06), ellipse("dark", 0.56, -0.38, 0.04, 0.04),
         limb("second", 0.42, -0.4, 0.25, -0.42, 0.07, 0.04)),
        (*pair(limb("dark", 0.15, -0.35, 0.42, -0.92, 0.045),
               limb("dark", 0.3, -0.65, 0.75, -0.8, 0.04),
               limb("dark", 0.24, -0.5, 0.6, -0.5, 0.035),
               limb("second", 0.2, -0.2, 0.55, -0.3, 0.13, 0.05)),
         limb("main", 0, 0.5, 0, 0.9, 0.25, 0.35), limb("main", 0, -0.15, 0, 0.45, 0.27, 0.14),
         *pair(ellipse("dark", 0.17, -0.1, 0.06, 0.06)), ellipse("dark", 0, 0.52, 0.11, 0.08)),
    ),
    "dog": (
        (ellipse("main", 0, -0.05, 0.52, 0.55), ellipse("accent", 0, 0.62, 0.12, 0.2),
         ellipse("light", 0, 0.3, 0.3, 0.28), ellipse("dark", 0, 0.15, 0.14, 0.1),
         *pair(limb("second", 0.45, -0.45, 0.68, 0.25, 0.13, 0.19),
               ellipse("dark", 0.2, -0.15, 0.08, 0.08))),
        (limb("main", -0.5, 0, -0.8, -0.4, 0.09, 0.06),
         *legs(0.2, 0.75, 0.1, -0.45, -0.25, 0.25, 0.42),
         limb("main", -0.4, 0.1, 0.35, 0.1, 0.24), limb("main", 0.35, 0.05, 0.5, -0.3, 0.18),
         limb("light", 0.5, -0.3, 0.85, -0.2, 0.2, 0.11), ellipse("main", 0.48, -0.35, 0.25, 0.22),
         ellipse("dark", 0.9, -0.25, 0.07, 0.06), limb("second", 0.35, -0.4, 0.3, -0.05, 0.1, 0.12),
         ellipse("dark", 0.6, -0.4, 0.05, 0.05)),
    ),
    "frog": (
        (*pair(ellipse("second", 0.62, 0.35, 0.3, 0.28),
               limb("second", 0.5, 0.62, 0.85, 0.65, 0.09),
               ellipse("main", 0.36, -0.4, 0.22, 0.2)),
         ellipse("main", 0, 0.15, 0.68, 0.48), ellipse("light", 0, 0.42, 0.42, 0.22),
         *pair(ellipse("light", 0.36, -0.42, 0.14, 0.13), ellipse("dark", 0.36, -0.42, 0.07, 0.08),
               limb("dark", 0, 0.16, 0.45, 0.05, 0.035), limb("main", 0.25, 0.4, 0.3, 0.7, 0.09))),
        (*pair(limb("second", 0.3, 0.3, 0.75, 0.1, 0.13), limb("second", 0.75, 0.1, 0.6, 0.7, 0.09),
               limb("second", 0.25, -0.2, 0.65, -0.5, 0.08)),
         ellipse("main", 0, 0.1, 0.36, 0.52), ellipse("main", 0, -0.38, 0.32, 0.26),
         limb("light", 0, -0.2, 0, 0.45, 0.05),
         *pair(ellipse("light", 0.24, -0.52, 0.11, 0.11),
               ellipse("dark", 0.25, -0.54, 0.06, 0.06))),
    ),
    "horse": (
        (limb("second", -0.6, -0.05, -0.82, 0.5, 0.08, 0.11),
         *legs(0.2, 0.88, 0.09, -0.5, -0.35, 0.25, 0.4),
         limb("second", 0.25, -0.15, 0.5, -0.72, 0.14, 0.1),
         limb("main", -0.42, 0.05, 0.3, 0.05, 0.25),
         limb("main", 0.35, 0, 0.6, -0.6, 0.21, 0.12),
         limb("main", 0.6, -0.6, 0.88, -0.35, 0.14, 0.09),
         polygon("main", 0.5, -0.65, 0.62, -0.7, 0.55, -0.9)),
        (*(limb("second", x, y, x - 0.2, y + 0.2, 0.12)
           for x, y in ((0, -0.6), (-0.2, -0.25), (-0.35, 0.15))),
         limb("main", -0.35, 0.9, 0.1, -0.4, 0.48, 0.25),
         limb("main", 0.1, -0.4, 0.62, 0.25, 0.25, 0.15),
         polygon("main", -0.1, -0.5, 0.12, -0.6, 0.02, -0.95),
         limb("second", 0.1, -0.65, 0.25, -0.4, 0.07),
         ellipse("dark", 0.24, -0.32, 0.06, 0.06), ellipse("dark", 0.68, 0.24, 0.05, 0.05)),
    ),
    "ship": (
        (limb("dark", 0.1, -0.9, 0.1, -0.1, 0.035), box("light", -0.45, -0.22, 0.4, 0.15),
         box("accent", -0.3, -0.55, -0.08, -0.2), limb("dark", -0.35, -0.05, 0.3, -0.05, 0.045),
         polygon("main", -0.9, 0.1, 0.95, 0.1, 0.65, 0.52, -0.75, 0.52),
         polygon("second", -0.8, 0.4, 0.74, 0.4, 0.65, 0.54, -0.75, 0.54)),
        (limb("dark", 0, -0.9, 0, 0.3, 0.035), polygon("light", 0.07, -0.85, 0.07, 0.2, 0.65, 0.2),
         polygon("accent", -0.07, -0.7, -0.07, 0.2, -0.5, 0.2),
         polygon("main", -0.75, 0.3, 0.8, 0.3, 0.5, 0.62, -0.55, 0.62)),
    ),
    "truck": (
        (box("second", -0.92, -0.55, 0.32, 0.35), box("dark", -0.9, 0.3, 0.88, 0.42),
         polygon("main", 0.38, -0.25, 0.68, -0.25, 0.92, 0.08, 0.92, 0.38, 0.38, 0.38),
         polygon("light", 0.46, -0.16, 0.64, -0.16, 0.78, 0.06, 0.46, 0.06),
         *wheels(0.46, 0.17, -0.68, -0.28, 0.64)),
        (*pair(box("dark", 0.4, 0.5, 0.64, 0.85)), box("second", -0.68, -0.85, 0.68, 0.3),
         box("main", -0.58, -0.5, 0.58, 0.62), box("light", -0.46, -0.4, 0.46, -0.02),
         *(box("dark", -0.28, y, 0.28, y + 0.07) for y in (0.12, 0.26, 0.4)),
         *pair(ellipse("accent", 0.45, 0.42, 0.1, 0.09))),
    ),
}

PAINT = ((0.9, 0.9, 0.92), (0.6, 0.63, 0.68), (0.8, 0.15, 0.12), (0.15, 0.3, 0.7),
         (0.9, 0.75, 0.2), (0.2, 0.22, 0.25))
FUR = ((0.5, 0.33, 0.18), (0.33, 0.2, 0.12), (0.5, 0.5, 0.5), (0.85, 0.55, 0.25),
       (0.9, 0.85, 0.75), (0.15, 0.13, 0.13))
SKIN = ((0.3, 0.6, 0.2), (0.45, 0.5, 0.2), (0.5, 0.4, 0.25))
SCENES = {
    "sky": ((0.45, 0.65, 0.95), (0.8, 0.88, 0.95)),
    "sea": ((0.7, 0.82, 0.92), (0.15, 0.35, 0.5)),
    "grass": ((0.6, 0.7, 0.6), (0.35, 0.5, 0.2)),
    "road": ((0.65, 0.62, 0.58), (0.4, 0.4, 0.42)),
    "room": ((0.75, 0.65, 0.5), (0.5, 0.35, 0.25)),
    "wood": ((0.2, 0.3, 0.15), (0.35, 0.28, 0.15)),
}
# class: the colours it comes in, the scene it is most often in
HABITS = {
    "airplane": (PAINT, "sky"), "automobile": (PAINT, "road"), "bird": (FUR + PAINT, "sky"),
    "cat": (FUR, "room"), "deer": (FUR[:3], "wood"), "dog": (FUR, "room"), "frog": (SKIN, "wood"),
    "horse": (FUR, "grass"), "ship": (PAINT, "sea"), "truck": (PAINT, "road"),
}
# fmt: on


def draw(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw the first `count` pictures of the endless series that belongs to `seed`.

    Returns images (uint8, count x 3 x 32 x 32) and labels (int64, count): 0 to 9, in the order of
    CIFAR-10's classes, shuffled, equally many of each in every full `CHUNK`.
    Raises ValueError when count or seed is negative.
    """
    for name, value in (("count", count), ("seed", seed)):
        if value < 0:
            raise ValueError(f"{name} is {value}, but it cannot be negative; give 0 or more")
    images = np.empty((count, 3, SIDE, SIDE), np.uint8)
    labels = np.empty(count, np.int64)
    for start in range(0, count, CHUNK):
        here = slice(start, start + CHUNK)
        pictures, classes = _draw_chunk(np.random.default_rng((seed, start // CHUNK)))
        images[here] = pictures[: count - start]
        labels[here] = classes[: count - start]
    return torch.from_numpy(images), torch.from_numpy(labels)


def _draw_chunk(rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = rng.permutation(np.arange(CHUNK) % len(VIEWS))
    canvas = _backdrop(labels, rng)
    for _ in range(3):
        _blob(canvas, 0.1, 0.4, rng)
    choice = rng.integers(2, size=CHUNK)
    for label, (name, views) in enumerate(VIEWS.items()):
        for number, view in enumerate(views):
            rows = np.flatnonzero((labels == label) & (choice == number))
            picture = canvas[rows]
            _paint(picture, view, HABITS[name][0], rng)
            canvas[rows] = picture
    _blob(canvas, 0.02, 0.2, rng)
    return _photograph(canvas, rng), labels


def _uniform(rng: Generator, low: float, high: float, *shape: int) -> Floats:
    return rng.random(shape, np.float32) * np.float32(high - low) + np.float32(low)


def _smooth(rng: Generator, cells: int, *shape: int) -> Floats:
    """Random field from -1 to 1 on the pixels, bilinear between cells + 1 random values a side."""
    field = _uniform(rng, -1, 1, *shape, cells + 1, cells + 1)
    place = (np.arange(SIDE, dtype=np.float32) + 0.5) * np.float32(cells / SIDE)
    left = place.astype(np.int64)
    part = place - left.astype(np.float32)  # an integer operand would make it all float64
    field = field[..., left] * (1 - part) + field[..., left + 1] * part
    part = part[:, None]
    return field[..., left, :] * (1 - part) + field[..., left + 1, :] * part


def _grid() -> tuple[Floats, Floats]:
    line = (np.arange(SIDE, dtype=np.float32) + 0.5) * (2 / SIDE) - 1
    return line[None, None, :], line[None, :, None]


def _backdrop(labels: NDArray[np.int64], rng: Generator) -> Floats:
    """Two colours, one above and one below a sharp or a soft horizon, with texture."""
    names = list(SCENES)
    usual = np.array([names.index(scene) for _, scene in HABITS.values()])[labels]
    scene = np.where(rng.random(CHUNK) < USUAL, usual, rng.integers(len(names), size=CHUNK))
    colours = np.array(list(SCENES.values()), np.float32)[scene]
    colours = (colours + _uniform(rng, -0.2, 0.2, CHUNK, 2, 3))[..., None, None]
    horizon = _uniform(rng, -0.6, 0.6, CHUNK, 1, 1)
    softness = _uniform(rng, 0.05, 1, CHUNK, 1, 1)
    below = np.clip((_grid()[1] - horizon) / softness + 0.5, 0, 1)[:, None]
    plain = colours[:, 0] + below * (colours[:, 1] - colours[:, 0])
    rough = _uniform(rng, 0, 0.3, CHUNK, 1, 1, 1)
    return plain + rough * (_smooth(rng, 4, CHUNK, 3) + _smooth(rng, 11, CHUNK, 1))


def _blob(canvas: Floats, smallest: float, largest: float, rng: Generator) -> None:
    """Paint a random stroke of a random, rather grey colour on every picture."""
    start = _uniform(rng, -1, 1, 2, CHUNK, 1, 1)
    stroke = [*start, *(start + _uniform(rng, -0.6, 0.6, 2, CHUNK, 1, 1))]
    stroke += [*_uniform(rng, smallest, largest, 2, CHUNK, 1, 1)]
    colour = _uniform(rng, 0.1, 0.9, CHUNK, 1) + _uniform(rng, -0.25, 0.25, CHUNK, 3)
    _cover(canvas, _distance("limb", stroke, *_grid()) * (SIDE / 2), colour)


def _cover(canvas: Floats, distance: Floats, colour: Floats) -> None:
    """Paint where the distance, in pixels, is negative; pixels on the edge in part."""
    amount = np.clip(0.5 - distance, 0, 1)[:, None]
    change = colour[:, :, None, None] - canvas
    change *= amount
    canvas += change


def _paint(canvas: Floats, view: tuple[Part, ...], coats: tuple, rng: Generator) -> None:
    count = len(canvas)
    x, y, size = _pose(count, rng)
    colours = dict(zip(COLOURS, _colours(count, coats, rng), strict=True))
    for part in view:
        exact = (*part.points, *part.radii)
        wobble = _uniform(rng, -WOBBLE, WOBBLE, len(exact), count, 1, 1)
        numbers = [value + change for value, change in zip(exact, wobble, strict=True)]
        _cover(canvas, _distance(part.kind, numbers, x, y) * size, colours[part.colour])


def _pose(count: int, rng: Generator) -> tuple[Floats, Floats, Floats]:
    """Coordinates of the pixels as a moved, turned, stretched, mirrored view has them."""
    size, stretch = _uniform(rng, *SIZE, count, 1, 1), _uniform(rng, 0.75, 1.25, count, 1, 1)
    x, y = (line - _uniform(rng, -SHIFT, SHIFT, count, 1, 1) for line in _grid())
    half = _uniform(rng, -TURN, TURN, count, 1, 1)  # tangent of half the angle
    cosine, sine = (1 - half * half) / (1 + half * half), 2 * half / (1 + half * half)
    side = np.where(rng.random((count, 1, 1)) < 0.5, -size, size)
    return (
        (cosine * x + sine * y) / side,
        (cosine * y - sine * x) / (size * stretch),
        size * (SIDE / 2),
    )


def _colours(count: int, coats: tuple, rng: Generator) -> list[Floats]:
    """One colour (count x 3) for each of `COLOURS`."""
    coat = np.array(coats, np.float32)
    main = coat[rng.integers(len(coat), size=count)]
    second = np.where(
        rng.random((count, 1)) < 0.5,
        main * np.float32(0.7),
        coat[rng.integers(len(coat), size=count)],
    )
    dark, light = np.full((2, count, 3), [[[0.1]], [[0.85]]], np.float32)
    accent = _uniform(rng, 0.2, 1, count, 3)
    return [
        colour + _uniform(rng, -0.15, 0.15, count, 3)
        for colour in (main, second, dark, light, accent)
    ]


def _distance(kind: str, numbers: list[Floats], x: Floats, y: Floats) -> Floats:
    """Signed distance of (x, y) to a part's edge (for an ellipse nearly), negative inside."""
    if kind == "ellipse":
        middle_x, middle_y, wide, high = numbers
        across, down = (x - middle_x) / wide, (y - middle_y) / high
        return (np.sqrt(across * across + down * down) - 1) * np.minimum(wide, high)
    if kind == "limb":
        from_x, from_y, to_x, to_y, radius, to_radius = numbers
        along_x, along_y, x, y = to_x - from_x, to_y - from_y, x - from_x, y - from_y
        share = (x * along_x + y * along_y) / (along_x * along_x + along_y * along_y)
        share = np.clip(share, 0, 1)
        x, y = x - share * along_x, y - share * along_y
        return np.sqrt(x * x + y * y) - (radius + share * (to_radius - radius))
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    distance = None
    (x0, y0), (x1, y1), (x2, y2) = corners[:3]
    turn = np.sign((x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0))
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        edge_x, edge_y = x1 - x0, y1 - y0
        length = np.sqrt(edge_x * edge_x + edge_y * edge_y) * turn
        side = (y - y0) * (edge_x / -length) + (x - x0) * (edge_y / length)
        distance = side if distance is None else np.maximum(distance, side)
    return distance


def _photograph(canvas: Floats, rng: Generator) -> NDArray[np.uint8]:
    """Uneven light, contrast, brightness and noise; from 0 to 1 in, from 0 to 255 out."""
    light = 1 + _uniform(rng, 0, 0.4, CHUNK, 1, 1, 1) * _smooth(rng, 2, CHUNK, 1)
    contrast = _uniform(rng, 0.5, 1.2, CHUNK, 1, 1, 1)
    brightness = _uniform(rng, 0.35, 0.65, CHUNK, 1, 1, 1)
    noise = _uniform(rng, 0, NOISE, CHUNK, 1, 1, 1) * _uniform(rng, -1, 1, *canvas.shape)
    shown = (canvas * light - 0.5) * contrast + brightness + noise
    return np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)
