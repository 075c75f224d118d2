"""Other people's tools, by their own command lines, on a notebook at a small size."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from cifar_utils.data import PROJECT

NOTEBOOK = PROJECT / "notebooks" / "05_dropout.ipynb"
TINY = {"dataset": "sketches", "train_size": 200, "val_size": 50, "epochs": 1}


def tool(*arguments: object, ok: bool = True) -> str:
    """What `python -m …` prints, in the folder of the notebooks."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=NOTEBOOK.parent,
        env={name: value for name, value in os.environ.items() if name != "MPLBACKEND"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout


def errors(path: Path) -> list[str]:
    """Errors of an executed notebook, and cells that were never reached."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    never = [cell.source for cell in cells if cell.execution_count is None]
    return never + [o.evalue for cell in cells for o in cell.outputs if o.output_type == "error"]


def figures(path: Path) -> int:
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    return sum("image/png" in o.get("data", {}) for cell in cells for o in cell.outputs)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The notebook executed by papermill's command line, given every parameter that it lists."""
    folder = tmp_path_factory.mktemp("papermill")
    listed = tool("papermill", "--help-notebook", NOTEBOOK)
    entry = re.compile(r"^  (\w+): (int|float|str|bool) \(default (.+)\)\s+(\S.*)$", re.MULTILINE)
    values = {name: yaml.safe_load(default) for name, _, default, _ in entry.findall(listed)}
    assert set(values) == set(papermill.inspect_notebook(str(NOTEBOOK)))
    values |= TINY | {"seed": 7, "profile": "of my own", "out": str(folder / "records")}
    options = [option for name, value in values.items() for option in ("-p", name, value)]
    output = folder / NOTEBOOK.name
    tool("papermill", "--no-progress-bar", NOTEBOOK, output, *options)
    assert nbformat.read(output, 4).metadata.papermill.parameters == values
    return output


def test_papermill_runs_with_every_parameter_it_lists(executed: Path) -> None:
    assert not errors(executed)
    assert list(executed.parent.glob("records/*/record.json"))


def test_jupyter_executes_it(tmp_path: Path) -> None:
    output = tmp_path / NOTEBOOK.name
    papermill.execute_notebook(NOTEBOOK, output, TINY, prepare_only=True, progress_bar=False)
    tool("jupyter", "execute", "--inplace", output)
    assert not errors(output)
    assert figures(output) == figures(NOTEBOOK)


def test_nbconvert_makes_a_page_of_it(executed: Path, tmp_path: Path) -> None:
    tool("jupyter", "nbconvert", "--to", "html", "--output-dir", tmp_path, executed)
    page = (tmp_path / f"{NOTEBOOK.stem}.html").read_text()
    assert page.count('src="data:image/png') == figures(executed) > 0


def test_nbval_fails_on_a_cell_that_does_not_run(executed: Path, tmp_path: Path) -> None:
    nbval = ["pytest", "-q", "--nbval-current-env", "-p", "no:cacheprovider"]
    broken = nbformat.read(executed, 4)
    broken.cells.insert(1, nbformat.v4.new_code_cell("1 / 0"))
    del broken.cells[2:]
    nbformat.write(broken, tmp_path / "broken.ipynb")
    tool(*nbval, "--nbval", "--nbval-lax", tmp_path / "broken.ipynb", ok=False)


def test_nbval_gets_the_outputs_again(executed: Path, tmp_path: Path) -> None:
    """Strict, with the notebooks' own tolerance, and no record to read the runs back from."""
    shutil.copy(NOTEBOOK.with_name("conftest.py"), tmp_path)
    output = nbformat.read(executed, 4)
    for cell in output.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = cell.source.replace(
                str(executed.parent / "records"), str(tmp_path / "records")
            )
    nbformat.write(output, tmp_path / NOTEBOOK.name)
    tool("pytest", "-q", "--nbval", "--nbval-current-env", tmp_path / NOTEBOOK.name)
