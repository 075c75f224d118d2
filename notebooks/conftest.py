"""How nbval compares the notebooks: every cell, on every machine, and exactly but for training.

Cells tagged `training` show what float32 training gave, which differs a little between processors
and thread counts: decimals are compared with a tolerance; of their figures only the size and the
number of panels are. The figures of all other cells are compared pixel by pixel.

The kernel is the interpreter that pytest runs in, whatever the notebook's metadata say, and draws
figures into the notebook, whatever the shell or a matplotlibrc says.
"""

import base64
import io
import re
from collections.abc import Callable, Generator
from functools import partial

import numpy as np
import pytest
from nbval.plugin import IPyNbCell
from PIL import Image

from cifar_utils.batch import kernel

# The widest differences seen between 1 and 2 threads, AVX-512, AVX2 and SSE4.1 (imitated) were 12 %
# and, of numbers with a %, 4.4 points.
RELATIVE, ABSOLUTE, POINTS = 0.12, 0.06, 5.0
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    cells = [item for item in items if isinstance(item, IPyNbCell)]
    if cells:
        _prepare(config)
    for item in cells:
        trained = "training" in item.cell.metadata.get("tags", [])
        item.sanitize = partial(_sanitized, item.sanitize, trained)
        if not trained:
            compared = set(item.parent.skip_compare) - {"image/png"}
            item.compare_outputs = partial(item.compare_outputs, skip_compare=compared)


def _prepare(config: pytest.Config) -> None:
    config.option.nbval_current_env = config.option.nbval_kernel_name is None
    try:
        kernel.require_asserts()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kernel.environment().items():
            patch.setenv(name, value)
        return (yield)  # in it a notebook's first cell starts the kernel


def _sanitized(sanitize: Callable[[object], object], trained: bool, output: object) -> object:
    """nbval's own `sanitize`, and then the way in which this output is to be compared."""
    text = sanitize(output)
    if not isinstance(text, str):
        return text
    if text.startswith(PNG):
        return Figure(text)
    return Near(text) if trained else text
