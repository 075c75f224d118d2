"""That nbval, as notebooks/conftest.py sets it, sees what has changed, and only that."""

import base64
import importlib.util
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from cifar_utils import data
from cifar_utils.batch import study

pytestmark = pytest.mark.tools
NOTEBOOKS = study.find_notebooks()


def load_conftest() -> object:
    path = data.PROJECT / "notebooks" / "conftest.py"
    spec = importlib.util.spec_from_file_location("notebooks_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("committed", "computed", "equal"),
    [
        ("loss 1.50, accuracy 40.1% | 3.2 s", "loss 1.54, accuracy 43.0% | 9.9 s", True),
        ("epoch 1/3 | loss 1.50", "epoch 2/3 | loss 1.50", False),
        ("loss 1.50", "loss 2.10", False),
        ("accuracy 40.1%", "accuracy 52.0%", False),
        ("difference +1.2%", "difference -0.9%", True),
        ("52,202 parameters", "52,203 parameters", False),
        ("max 0.51", "average 0.51", False),
    ],
)  # fmt: skip
def test_the_tolerance_of_training_outputs(committed: str, computed: str, equal: bool) -> None:
    near = load_conftest().Near
    assert (near(committed) == near(computed)) is equal
    assert (near(committed) != near(computed)) is not equal


def drawn(height: float) -> str:
    figure, ax = plt.subplots(figsize=(9, 4.8), dpi=80)
    ax.plot([0.0, 1.0, 1.5, 1.8], marker="o")
    ax.plot([1.0, 1.0, height, 1.0], marker="X")
    ax.set_title("loss after each step")
    png = io.BytesIO()
    figure.savefig(png)
    plt.close(figure)
    return base64.encodebytes(png.getvalue()).decode()


def test_a_figure_with_one_number_changed_is_another_figure() -> None:
    figure = load_conftest().Figure
    assert figure(drawn(1.2)) == figure(drawn(1.2))
    assert figure(drawn(1.2)) != figure(drawn(1.25))
    assert figure(drawn(1.2)) != figure(drawn(9.0))


PLOT = "%matplotlib inline\nimport matplotlib.pyplot as plt\n"
CELLS = {
    "number": "0.8556",
    "shape": "print(list((0,) * 3), (100, 3, 32, 32))",
    "verdict": "print('max is better than average by 1.20 points')",
    "figure": PLOT + "plt.subplots(1, 2)[1][0].plot([0, 1, 3], marker='o')\nplt.show()",
}
CHANGES = [("0.8556", "0.8557"), ("3, 32", "3, 16"), ("max is better", "average is better"),
           ("[0, 1, 3]", "[0, 1, 3.2]")]  # fmt: skip
COARSE = [("0.8556", "0.5556"), *CHANGES[1:3], ("subplots(1, 2)", "subplots(1, 3)")]


def tags_of_compared_cells() -> list[tuple[str, ...]]:
    """Each set of tags that a code cell of the notebooks has, but what test_notebooks lists."""
    cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells]
    every = {tuple(cell.metadata.get("tags", ())) for cell in cells if cell.cell_type == "code"}
    return sorted(tags for tags in every if "nbval-ignore-output" not in tags)


def tagged(source: str, tags: tuple[str, ...]) -> nbformat.NotebookNode:
    return new_code_cell(source, metadata={"tags": list(tags)})


def test_nbval_sees_a_changed_number_shape_verdict_and_figure_whatever_the_tags(
    tmp_path: Path,
) -> None:
    shutil.copy(data.PROJECT / "notebooks" / "conftest.py", tmp_path)
    every = tags_of_compared_cells()
    assert {(), ("training",)} <= {*every}
    same = [tagged(source, tags) for tags in ((), ("training",)) for source in CELLS.values()]
    other = [tagged(source, tags) for tags in every for source in CELLS.values()]
    notebook = new_notebook(cells=[*same, *other])
    NotebookClient(notebook, kernel_name="python3").execute()
    changes = [each for tags in every for each in (COARSE if "training" in tags else CHANGES)]
    for cell, (old, new) in zip(other, changes, strict=True):
        assert cell.source.count(old) == 1
        cell.source = cell.source.replace(old, new)  # its output stays that of the code as it was
    nbformat.write(notebook, tmp_path / "changed.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-rA", "."]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    passed, failed = (
        {int(place) for place in re.findall(rf"{word} changed\.ipynb::Cell (\d+)", told)}
        for word in ("PASSED", "FAILED")
    )
    assert passed == {*range(len(same))}, told
    assert failed == {*range(len(same), len(notebook.cells))}, told
