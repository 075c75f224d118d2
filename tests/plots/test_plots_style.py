import hashlib
import io
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from plot_inputs import history

from cifar_utils import plots


def test_use_style_sets_the_resolution() -> None:
    with matplotlib.rc_context():
        plots.use_style()
        assert plt.rcParams["figure.dpi"] == 80


OF_THE_READER = """
text.usetex: True
font.family: monospace
font.size: 23
mathtext.fontset: cm
axes.facecolor: 222222
axes.grid.axis: x
lines.linewidth: 5
lines.dash_capstyle: round
legend.loc: center
savefig.bbox: tight
savefig.facecolor: ff0000
path.sketch: 1, 100, 2
figure.constrained_layout.h_pad: 1
image.cmap: jet
"""


def drawn() -> str:
    """What a figure in the study's style looks like, pixel by pixel."""
    plots.use_style()
    figure = plots.loss_against_step({"a": [0.1, 0.2, 0.1]}, title="A rate of 10 % and $x^2$")
    file = io.BytesIO()
    figure.savefig(file, format="raw")
    return hashlib.sha256(file.getvalue()).hexdigest()


def test_no_matplotlibrc_changes_a_figure_or_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with matplotlib.rc_context():
        expected = drawn()
    (tmp_path / "matplotlibrc").write_text(OF_THE_READER)
    with matplotlib.rc_context(fname=tmp_path / "matplotlibrc"):
        monkeypatch.setattr(matplotlib, "rcParamsOrig", plt.rcParams.copy())  # as at the import
        assert plt.rcParams["text.usetex"]
        assert drawn() == expected


def test_use_style_leaves_the_backend_and_the_font_is_matplotlib_s_own() -> None:
    with matplotlib.rc_context({"backend": "svg"}):
        plots.use_style()
        assert plt.rcParams["backend"] == "svg"
        assert plt.rcParams["font.family"] == ["DejaVu Sans"]


def test_a_name_keeps_its_colour_whatever_follows() -> None:
    assert plots.colours(["a", "b"])["b"] == plots.colours(["a", "b", "a", "c"])["b"]
    assert len(set(plots.colours("abcdefghij").values())) == 10


def test_a_long_title_is_wrapped() -> None:
    title = plots.enlarged(torch.zeros(3, 4, 4), "cat", title="word " * 30).get_suptitle()
    assert title.count("word") == 30 and max(map(len, title.splitlines())) <= 45
    title = "word " * 4 + "word (45,000 images, n = 3)"
    lines = plots.enlarged(torch.zeros(3, 4, 4), "cat", title=title).get_suptitle().splitlines()
    assert lines[-1] == "(45,000 images, n = 3)" and len(lines) == 2


def test_learning_curves_of_some_variants_keep_the_looks_they_have_among_all() -> None:
    everything = {name: history() for name in "abc"}
    all_lines = plots.learning_curves(everything, title="all").axes[0].lines
    some = plots.learning_curves({"c": history()}, title="some", among=everything).axes[0].lines
    assert (some[1].get_color(), some[1].get_marker()) == (
        all_lines[5].get_color(),
        all_lines[5].get_marker(),
    )
    assert some[1].get_color() != all_lines[1].get_color()


def test_learning_curves_refuse_a_variant_that_is_not_among_all() -> None:
    with pytest.raises(ValueError, match=r"\['b'\] are not in `among`"):
        plots.learning_curves({"b": history()}, title="bad", among=["a"])


def test_a_variant_looks_like_no_other_also_beyond_ten() -> None:
    figure = plots.learning_curves(
        {str(number): history(2) for number in range(12)}, title="curves"
    )
    lines = figure.axes[0].lines[1::2]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 12
    assert lines[0].get_color() == plots.colours(["0"])["0"]
