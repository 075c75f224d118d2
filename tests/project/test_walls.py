"""Who may import whom: the contracts in pyproject.toml, and the notebooks."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from cifar_utils.batch import study
from cifar_utils.data import PROJECT

NOTEBOOKS = study.find_notebooks()
OUTSIDE = {"batch", "report", "__main__"}  # of the core, which is all that a notebook imports
BREACHES = {
    "the core imports batch": ("training.py", "from cifar_utils.batch import study"),
    "the core imports report": ("models.py", "import cifar_utils.report.pages"),
    "batch imports report": ("batch/keep.py", "from cifar_utils.report import figures"),
    "report imports batch": ("report/pages.py", "from cifar_utils.batch import study"),
    "training imports records": ("training.py", "from cifar_utils import records"),
    "a new module has no place": ("novel.py", ""),
}


def imports(source: str) -> set[str]:
    """The modules that a cell imports, each name of `from … import` as a module of its own."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    script = shutil.which("lint-imports", path=Path(sys.executable).parent)
    command = [str(script), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its contracts, to be broken."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "cifar_utils", tmp_path / "cifar_utils", ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_are_kept(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0 and "0 broken" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("breach", BREACHES)
def test_a_forbidden_import_breaks_a_contract(copy: Path, breach: str) -> None:
    module, line = BREACHES[breach]
    path = copy / "cifar_utils" / module
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    done = lint_imports(copy)
    assert done.returncode == 1 and "1 broken" in done.stdout, done.stdout + done.stderr
    assert path.stem in done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_import_the_core_alone(notebook: Path) -> None:
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    modules = {module for cell in cells for module in imports(cell.source)}
    own = {module.split(".")[1] for module in modules if module.startswith("cifar_utils.")}
    assert own and not own & OUTSIDE
    assert not {module for module in modules if module.endswith("ipynb")}
    assert "cifar_utils" not in modules  # import cifar_utils would hide what is used of it


def test_an_import_of_the_outside_is_seen() -> None:
    seen = imports("from cifar_utils import data, batch\nfrom cifar_utils.report import pages")
    assert seen == {"cifar_utils.data", "cifar_utils.batch", "cifar_utils.report.pages"}
