"""Figures that answer a hand: one self-contained page each, in JupyterLab and in the book alike.

Each function gives an `Explorer`; as the last line of a cell it shows itself.
`python -m cifar_utils.explore` writes the pages into a folder and opens them.
"""

from cifar_utils.explore.figures import augmentation, descent, walk
from cifar_utils.explore.page import Explorer

__all__ = ["Explorer", "augmentation", "descent", "walk"]
