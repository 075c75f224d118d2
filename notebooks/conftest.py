"""How nbval compares the notebooks: exactly, but for cells that depend on data or on training.

Cells tagged `data` show something of CIFAR-10: compared exactly where it is on disk, only run
where it is not. Cells tagged `training` show what float32 training gave, which differs a little
between processors and thread counts: decimals are compared with a tolerance.
"""

import re

import pytest
from nbval.plugin import IPyNbCell

from cifar_utils.data import locate

RELATIVE, ABSOLUTE, POINTS = 0.15, 0.06, 6.0
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = locate() is not None
    for item in items:
        if not isinstance(item, IPyNbCell):
            continue
        tags = item.cell.metadata.get("tags", [])
        if {"data", "training"} & set(tags) and not here:
            item.options["check"] = False
        elif "training" in tags:
            sanitize = item.sanitize
            item.sanitize = lambda text, sanitize=sanitize: (
                Near(sanitize(text)) if isinstance(text, str) else text
            )
