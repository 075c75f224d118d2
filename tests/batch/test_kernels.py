"""The kernel of a batch run: whose interpreter and figures, how long, and what it prints."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import toy_notebook
from command_line import call
from PIL import Image
from processes import PATIENCE, command_lines, until

from cifar_utils.batch import execute, jobs, kernel, study
from cifar_utils.data import PROJECT

WORK = """
import os, sys, time
from pathlib import Path
print("epoch 1", flush=True)
while Path(hold).is_file():
    time.sleep(0.05)
print(sys.executable, os.environ["OMP_NUM_THREADS"])
"""
FIGURE = """
import matplotlib.pyplot as plt
plt.figure(figsize=(1, 1), dpi=50).add_subplot()
plt.show()
"""


def test_a_run_is_this_interpreter_s_with_figures_and_a_log_whatever_shell_and_metadata_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, hold = tmp_path / "notebooks", tmp_path / "hold"
    folder.mkdir()
    toy_notebook.write(folder / "01_first.ipynb", toy_notebook.PARAMETERS, WORK, FIGURE)
    without_kernel = nbformat.read(folder / "01_first.ipynb", 4)
    without_kernel.metadata.clear()
    nbformat.write(without_kernel, folder / "01_first.ipynb")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "quick.yaml").write_text(f"hold: {hold}\n")
    toy_notebook.use(folder, monkeypatch)
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: black\nno.such.key: 1\n")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("MATPLOTLIBRC", str(tmp_path / "matplotlibrc"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    another = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    another.parent.mkdir(parents=True)
    another.write_text(json.dumps({"argv": ["false"], "display_name": "", "language": "python"}))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(jobs, "usable_cores", lambda: 1)
    hold.touch()
    log = tmp_path / "runs" / "quick" / "01_first" / "seed-0" / "01_first.log"
    with command_lines(tmp_path / "said") as start:
        process = start("run", "--out", tmp_path / "runs", "--jobs", 1)
        until(lambda: log.exists() and log.read_text() == "epoch 1\n")  # while the cell is at work
        hold.unlink()
        process.join(PATIENCE)
    said = (tmp_path / "said").read_text()
    assert process.exitcode == 0, said
    assert f"What a notebook prints is beside it as it runs: {log}\n" in said
    cells = nbformat.read(log.with_suffix(".ipynb"), 4).cells
    assert cells[2].outputs[-1].text.endswith(f"{sys.executable} 1\n")
    (shown,) = cells[3].outputs
    assert shown.output_type == "display_data"
    monkeypatch.undo()
    picture = Image.open(io.BytesIO(base64.b64decode(shown.data["image/png"])))
    assert picture.convert("L").getpixel((0, 0)) == 255  # matplotlib's own white


def test_a_relative_cifar_root_is_a_folder_of_the_caller_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for given, meant in (("a b/é", tmp_path / "a b/é"), ("~/c", Path.home() / "c"), ("/d", "/d")):
        monkeypatch.setenv("CIFAR_ROOT", given)
        assert kernel.environment()["CIFAR_ROOT"] == str(meant)
    monkeypatch.delenv("CIFAR_ROOT")
    assert "CIFAR_ROOT" not in kernel.environment()


@pytest.mark.parametrize("target", ["lab", "notebooks"])
@pytest.mark.parametrize("given", ["a b/é", "~/c", "/d", ""])
def test_make_tells_jupyter_the_folder_that_the_caller_means(
    target: str, given: str, tmp_path: Path
) -> None:
    jupyter = tmp_path / "jupyter"
    jupyter.write_text('#!/bin/sh\necho "$CIFAR_ROOT"\n')
    jupyter.chmod(0o755)
    command = ["make", "--assume-old=.venv/.ready", f"BIN={tmp_path}", target]
    environment = os.environ | {"CIFAR_ROOT": given}
    said = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    meant = str(PROJECT / given) if given.startswith("a") else given
    assert said.stdout == f"{meant}\n", said.stderr


def test_a_cell_that_takes_too_long_ends_its_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    toy_notebook.write_study(tmp_path, "01_first")
    toy_notebook.use(tmp_path, monkeypatch)
    (tmp_path / "hold").touch()
    options = ("--out", tmp_path / "runs", "--cell-timeout", 0.0003)
    code, said = call(capsys, "run", "01", *options)
    late = "01_first, seed 0: a cell took more than 0.0003 hours; --cell-timeout grants more"
    assert code == 1 and f"FAILED {late}" in said


@pytest.mark.parametrize(
    ("message", "words"),
    [("Kernel didn't respond in 300 seconds", "did not start within 300 s; --start-timeout"),
     ("Kernel died before replying to kernel_info", "the kernel died before its first cell; too")],
)  # fmt: skip
def test_a_kernel_that_does_not_start_is_one_sentence(message: str, words: str) -> None:
    assert words in execute.in_words(RuntimeError(message), execute.PATIENCE)


def test_another_error_keeps_its_own_words() -> None:
    assert execute.in_words(RuntimeError("no luck"), execute.PATIENCE) == "RuntimeError: no luck"


def test_nbval_takes_this_interpreter_and_draws_into_the_notebook(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "notebooks" / "conftest.py", tmp_path)
    text = {"text/plain": "<Figure size 50x50 with 1 Axes>"}
    shown = nbformat.v4.new_output("display_data", text)
    cell = nbformat.v4.new_code_cell(FIGURE, outputs=[shown], execution_count=1)
    cell.metadata["tags"] = ["training"]
    metadata = {"kernelspec": {"name": "cifar10-env", "display_name": "of its author"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), tmp_path / "a.ipynb")
    (tmp_path / "rc").write_text("no.such.key: 1\n")  # matplotlib would say so, on stderr
    others = {"MPLBACKEND": "Agg", "MATPLOTLIBRC": str(tmp_path / "rc")}
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **others}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_a_study_without_asserts_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    kernel.require_asserts()
    monkeypatch.setattr(sys, "flags", type("Flags", (), {"optimize": 1}))
    for command in (["run", "no"], ["sweep", "no"], ["complete", "no"], ["verify", __file__]):
        code, said = call(capsys, *command, "--out", tmp_path / "runs")
        assert code == 1 and said.startswith("Error: PYTHONOPTIMIZE (or python -O)"), command
    assert not (tmp_path / "runs").exists()


def test_the_study_s_notebooks_name_a_kernel_that_any_jupyter_has() -> None:
    for path in study.find_notebooks():
        assert nbformat.read(path, 4).metadata.kernelspec.name == "python3"
