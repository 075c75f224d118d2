"""What all tests of figures share: no window is opened, and no figure stays in memory."""

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import pytest

from cifar_utils import plots

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Close what the test drew; a figure that is kept all the same can still be looked at."""
    yield
    plt.close("all")


@pytest.fixture
def study_style() -> Iterator[None]:
    """The theme that the notebooks draw in."""
    with matplotlib.rc_context():
        plots.use_style()
        yield
