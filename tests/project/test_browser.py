"""JupyterLab as `make lab` starts it, in headless Chromium: what a reader sees and does."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import nbformat
import papermill
import pytest
from selenium import webdriver

from cifar_utils.batch import study
from cifar_utils.data import PROJECT

NOTEBOOKS = study.find_notebooks()
TINY = {"dataset": "sample", "train_size": 200, "val_size": 50, "epochs": 2}
AT_ONCE = 2
MINUTES = 15  # only ever waited for where the machine is busy with other work

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's pages, its notebooks with papermill's injected small parameters."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    shutil.copy(PROJECT / "notebooks" / "start.md", folder / "notebooks")
    for path in NOTEBOOKS:
        copy = folder / "notebooks" / path.name
        papermill.execute_notebook(path, copy, TINY, prepare_only=True, progress_bar=False)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where `make lab`'s own command, on another port and without a window, says that it is."""
    hidden = ("MAKEFLAGS", "MPLBACKEND")  # of make test's own make, and of tests that draw
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(folder / "config")}
    recipe = subprocess.run(
        ["make", "--dry-run", "--always-make", "--no-print-directory", "lab"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    command = shlex.split(recipe[recipe.index("jupyter lab") :].replace("\\\n", " "))
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, "--no-browser", "--port=0"]
            + ["--LabApp.expose_app_in_browser=True", f"--LabApp.workspaces_dir={folder / 'ws'}"],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait(lambda: re.search(r"http://127\.0\.0\.1:\d+/\S+token=\w+", log.read_text()))[0]
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chrome = chromium.start(tmp_path_factory.mktemp("chromium"), "--window-size=1400,1000")
    chrome.set_script_timeout(60 * MINUTES)
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture(scope="module")
def lab(browser: webdriver.Chrome, address: str) -> webdriver.Chrome:
    """The browser, once JupyterLab has opened what it opens by itself."""
    browser.get(address)
    _wait(lambda: browser.execute_script("return Boolean(window.jupyterapp)"))
    browser.execute_async_script("jupyterapp.restored.then(arguments[0])")
    return browser


def _wait(condition: Any, seconds: float = 60 * MINUTES) -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
    return value


START = """
const [path, done] = arguments;
window.finished = window.finished || {};
window.models = window.models || {};
jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'}).then(async panel => {
  await panel.context.ready;
  await panel.sessionContext.ready;
  models[path] = panel.content.model;
  jupyterapp.shell.activateById(panel.id);
  jupyterapp.commands.execute('notebook:run-all-cells').then(
    async () => { await panel.context.save(); finished[path] = 'ran to its end'; },
    error => { finished[path] = String(error); });
  done();
});
"""
LOOK = """
return Object.entries(window.models || {}).map(([path, model]) => [path, finished[path] || '',
  Array.from(model.cells).filter(cell => cell.type === 'code').map(
    cell => [cell.executionState, cell.outputs.toJSON().map(o => o.text || '').join('')])]);
"""


@pytest.fixture(scope="module")
def watched(lab: webdriver.Chrome) -> dict[str, dict[int, list[str]]]:
    """All notebooks run, some at once: what each cell showed, look after look, while it ran."""
    waiting = [path.name for path in NOTEBOOKS]
    seen = {name: {} for name in waiting}
    running: set[str] = set()

    def all_done() -> bool:
        for name, finished, cells in lab.execute_script(LOOK):
            if finished:
                assert finished == "ran to its end", name
                running.discard(name)
            for number, (state, text) in enumerate(cells):
                looks = seen[name].setdefault(number, [])
                if state == "running" and text not in looks:
                    looks.append(text)
        while waiting and len(running) < AT_ONCE:
            running.add(waiting[0])
            lab.execute_async_script(START, waiting.pop(0))
        return not running

    _wait(all_done)
    return seen


def test_without_the_token_nothing_is_shown(address: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(address.split("/lab")[0] + "/api/contents")


def test_lab_opens_on_the_rendered_page_that_says_where_to_start(lab: webdriver.Chrome) -> None:
    shown = ".jp-MarkdownViewer li a[href]"
    _wait(lambda: len(lab.find_elements("css selector", shown)) >= len(NOTEBOOKS), 60)
    links = [link.get_attribute("textContent") for link in lab.find_elements("css selector", shown)]
    firsts = [nbformat.read(path, 4).cells[0].source for path in NOTEBOOKS]
    assert links == [first.splitlines()[0].lstrip("# ") for first in firsts]
    lab.find_elements("css selector", shown)[0].click()
    _wait(lambda: NOTEBOOKS[0].name in lab.current_url, 60)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_in_lab(path: Path, folder: Path, watched: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ran = nbformat.read(folder / "notebooks" / path.name, as_version=4)
        nbformat.validate(ran)
    code = [cell for cell in ran.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    committed = nbformat.read(path, as_version=4)
    with_figure = {cell.source for cell in committed.cells if _figures(cell)}
    assert with_figure
    assert all(_figures(cell) for cell in code if cell.source in with_figure)


def test_lines_of_training_come_while_the_cell_runs(watched: dict[str, Any]) -> None:
    growing = {
        name: max(len([text for text in looks if "epoch" in text]) for looks in cells.values())
        for name, cells in watched.items()
    }
    assert max(growing.values()) >= 3, growing


def test_figures_are_drawn(lab: webdriver.Chrome, watched: dict[str, Any]) -> None:
    drawn = lab.execute_script(
        "return Array.from(document.querySelectorAll('.jp-OutputArea img'), i => i.naturalWidth)"
    )
    assert drawn and min(drawn) > 100


def test_lab_warns_of_nothing(lab: webdriver.Chrome, watched: dict[str, Any]) -> None:
    for selector in (".Toastify__toast", ".jp-Dialog"):
        texts = [each.text for each in lab.find_elements("css selector", selector)]
        assert not texts
    severe = [entry["message"] for entry in lab.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe


def _figures(cell: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
