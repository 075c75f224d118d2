"""A cell run a second time says what it said the first time: nothing goes on from what it trained.

Every cell of every notebook is run twice in place, in one shell, on few images and for few epochs.
Verdicts hold at full scale alone, so what cells assert is left out.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch
from matplotlib.text import Text
from traitlets.config import Config

from cifar_utils import data, training
from cifar_utils.batch import study

pytestmark = pytest.mark.twice
NOTEBOOKS = study.find_notebooks()
PARAMETERS = {"07_final": {"beside": "all"}}  # the runs that a reader may ask for
EPOCHS, IMAGES, BATCH = 2, 60, 3  # so that there are twenty batches, as one exercise counts


class WithoutAsserts(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.Pass:
        return ast.copy_location(ast.Pass(), node)


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A notebook's shell in this process, which has imported everything already."""
    alone = Config({"HistoryManager": {"enabled": False}})
    shell = InteractiveShell.instance(config=alone)
    shell.ast_transformers.append(WithoutAsserts())
    with plt.rc_context():  # of which a notebook's first cell changes much
        yield shell
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def small_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few images, few epochs, and figures as the numbers that they show."""
    load, fit, batches = data.load, training.fit, data.batches

    def few(*arguments: object, **options: object) -> data.Data:
        images = load(*arguments, **options)
        splits = {name: first(getattr(images, name)) for name in ("train", "val", "test")}
        return replace(images, **splits, digest=f"{images.digest}, few")

    def short(
        model: torch.nn.Module, images: data.Data, recipe: training.Recipe, **options: object
    ) -> training.Run:
        brief = replace(recipe, epochs=min(EPOCHS, recipe.epochs), batch_size=20)
        return fit(model, images, brief, **options)

    def small(split: data.Split, size: int, *order: torch.Generator) -> Iterator[tuple]:
        return batches(split, min(size, BATCH), *order)

    monkeypatch.setattr(data, "batches", small)
    monkeypatch.setattr(data, "load", few)
    monkeypatch.setattr(training, "fit", short)
    monkeypatch.setattr(plt, "show", tell_figures)


def first(split: data.Split) -> data.Split:
    """The first images, of each class alike."""
    order = data.stratified_order(split.labels, seed=0)[:IMAGES]
    return data.Split(split.images[order], split.labels[order])


def tell_figures() -> None:
    for number in plt.get_fignums():
        print(f"figure: {digest(plt.figure(number))}")
    plt.close("all")


def digest(figure: plt.Figure) -> str:
    """A word that changes with any line, step, pixel or text of a figure."""
    told = hashlib.sha256()
    for line in figure.findobj(Line2D):
        told.update(line.get_xydata().tobytes())
    for steps in figure.findobj(StepPatch):
        told.update(steps.get_data().values.tobytes())
    for image in figure.findobj(AxesImage):
        told.update(image.get_array().tobytes())
    for text in figure.findobj(Text):
        told.update(text.get_text().encode())
    return told.hexdigest()[:8]


def said(shell: InteractiveShell, source: str) -> str:
    """What a cell prints, shows and returns, without the seconds that it took."""
    with capture_output() as seen:
        result = shell.run_cell(source)
    assert result.success, f"{source}\n\n{result.error_before_exec or result.error_in_exec!r}"
    shown = [str(output.data.get("text/plain")) for output in seen.outputs]
    return re.sub(r"\d+\.\d+ s\b", "… s", "\n".join([seen.stdout, *shown]))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_cell_says_the_same_twice(notebook: Path, shell: InteractiveShell) -> None:
    different = []
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        once, again = (said(shell, cell.source) for _ in range(2))
        if once != again:
            different.append(f"{cell.source}\n\nfirst:\n{once}\nsecond:\n{again}")
        if "parameters" in cell.metadata.get("tags", ()):
            shell.push(PARAMETERS.get(notebook.stem, {}))
    assert not different, "\n\n".join(different)
