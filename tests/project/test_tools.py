"""Other people's tools, by their own command lines, on a notebook at a small size."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from cifar_utils.data import PROJECT

pytestmark = pytest.mark.tools
NOTEBOOK = PROJECT / "notebooks" / "05_dropout.ipynb"
TINY = {"dataset": "sample", "train_size": 200, "val_size": 50, "epochs": 1}


def begin(*arguments: object) -> subprocess.Popen[str]:
    """`python -m …` at work in the folder of the notebooks."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=NOTEBOOK.parent,
        env={name: value for name, value in os.environ.items() if name != "MPLBACKEND"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], ok: bool = True) -> str:
    """What it prints to its end."""
    out, error = process.communicate()
    assert (process.returncode == 0) is ok, out + error
    return out


def tool(*arguments: object, ok: bool = True) -> str:
    """What `python -m …` prints."""
    return finish(begin(*arguments), ok)


def errors(path: Path) -> list[str]:
    """Errors of an executed notebook, and cells that were never reached."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    never = [cell.source for cell in cells if cell.execution_count is None]
    return never + [o.evalue for cell in cells for o in cell.outputs if o.output_type == "error"]


def figures(path: Path) -> int:
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    return sum("image/png" in o.get("data", {}) for cell in cells for o in cell.outputs)


@pytest.fixture(scope="module")
def by_jupyter(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """`jupyter execute` at work on a copy, while papermill is on another: so it takes less long."""
    copy = tmp_path_factory.mktemp("jupyter") / NOTEBOOK.name
    papermill.execute_notebook(NOTEBOOK, copy, TINY, prepare_only=True, progress_bar=False)
    process = begin("jupyter", "execute", "--inplace", copy)
    yield copy, process
    process.kill()


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory, by_jupyter: object) -> Path:
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


def test_jupyter_executes_it(by_jupyter: tuple[Path, subprocess.Popen[str]]) -> None:
    output, process = by_jupyter
    finish(process)
    assert not errors(output)
    assert figures(output) == figures(NOTEBOOK)


def test_nbconvert_makes_a_page_of_it(executed: Path, tmp_path: Path) -> None:
    tool("jupyter", "nbconvert", "--to", "html", "--output-dir", tmp_path, executed)
    page = (tmp_path / f"{NOTEBOOK.stem}.html").read_text()
    assert page.count('src="data:image/png') == figures(executed) > 0


def test_nbval_gets_the_outputs_again_and_fails_on_a_cell_that_does_not_run(
    executed: Path, tmp_path: Path
) -> None:
    """Strict, with the notebooks' own tolerance, and no record to read the runs back from."""
    shutil.copy(NOTEBOOK.with_name("conftest.py"), tmp_path)
    output = nbformat.read(executed, 4)
    for cell in output.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = cell.source.replace(
                str(executed.parent / "records"), str(tmp_path / "records")
            )
    cells = sum(cell.cell_type == "code" for cell in output.cells)
    output.cells.append(nbformat.v4.new_code_cell("1 / 0"))
    nbformat.write(output, tmp_path / NOTEBOOK.name)
    nbval = ["pytest", "-q", "-rf", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider"]
    said = tool(*nbval, tmp_path / NOTEBOOK.name, ok=False)
    # where CI is set, pytest puts the whole message behind the cell's name
    assert re.findall(r"^FAILED .*::Cell (\d+)", said, re.MULTILINE) == [str(cells)], said
    assert f"1 failed, {cells} passed" in said
