"""How nbval compares the notebooks: exactly, but for cells that depend on data or on training.

Cells tagged `data` show something of CIFAR-10: compared exactly where it is on disk, only run
where it is not. Cells tagged `training` show what float32 training gave, which differs a little
between processors and thread counts: decimals are compared with a tolerance, figures not at all.
The figures of all other cells are compared pixel by pixel.
"""

import base64
import io
import re
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from nbval.plugin import IPyNbCell
from PIL import Image

from cifar_utils.data import locate

RELATIVE, ABSOLUTE, POINTS = 0.15, 0.06, 6.0
PNG = "iVBORw0KGgo"  # how every PNG begins in base64
LEVELS, SHARE = 48, 0.0001  # of 255; of the pixels
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")
SECONDS = re.compile(r"\d+\.\d+ s\b")


class Near(str):
    """Text that equals another if its words and whole numbers do and its decimals nearly do."""

    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __eq__(self, other: object) -> bool:
        mine, theirs = (SECONDS.sub("… s", str.__str__(text)) for text in (self, other))
        if NUMBER.sub("#", mine).split() != NUMBER.sub("#", theirs).split():
            return False
        pairs = zip(NUMBER.findall(mine), NUMBER.findall(theirs), strict=True)
        return all(_near(a, b) for a, b in pairs)


def _near(a: str, b: str) -> bool:
    if "." not in a or "." not in b:
        return a == b
    x, y = (float(text.replace(",", "").rstrip("%")) for text in (a, b))
    return x == pytest.approx(y, rel=RELATIVE, abs=POINTS if "%" in a else ABSOLUTE)


class Figure(str):
    """A PNG in base64 that equals another if hardly a pixel differs by more than an edge does."""

    __hash__ = str.__hash__

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __eq__(self, other: object) -> bool:
        mine, theirs = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), dtype=int)
            for text in (self, other)
        )
        if mine.shape != theirs.shape:
            return False
        return (np.abs(mine - theirs).max(2) > LEVELS).mean() < SHARE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = locate() is not None
    for item in items:
        if not isinstance(item, IPyNbCell):
            continue
        tags = item.cell.metadata.get("tags", [])
        if {"data", "training"} & set(tags) and not here:
            item.options["check"] = False
            continue
        trained = "training" in tags
        item.sanitize = partial(_sanitized, item.sanitize, trained)
        if not trained:
            compared = set(item.parent.skip_compare) - {"image/png"}
            item.compare_outputs = partial(item.compare_outputs, skip_compare=compared)


def _sanitized(sanitize: Callable[[object], object], trained: bool, output: object) -> object:
    """nbval's own `sanitize`, and then the way in which this output is to be compared."""
    text = sanitize(output)
    if not isinstance(text, str):
        return text
    if text.startswith(PNG):
        return Figure(text)
    return Near(text) if trained else text
