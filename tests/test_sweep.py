"""Sweeps: the table, the picture, and that nothing which can die or fill up costs finished runs.

The notebook here only pretends to train, so that a job takes as long as its kernel to start: its
accuracy is 0.5 + lr + seed / 100, it adds a line to the file `log`, and where `hold` is a file it
waits, in the middle of its work, until that file is gone.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from command_line import call
from nbformat.v4 import new_code_cell, new_notebook

from cifar_utils import __main__ as cli
from cifar_utils import jobs, plots, study, sweep

PARAMETERS = """
dataset: str = "sketches"  # the data
lr: float = 0.1  # learning rate
optimizer: str = "adam"  # its name
log: str = ""  # where to tell
hold: str = ""  # what to wait for, with seed 1
seed: int = 0  # of everything
profile: str = "quick"  # the name of the runs
out: str = ""  # folder for records
"""
BODY = """
import json, os, time
from pathlib import Path
with open(log, "a") as told:
    told.write(f"{lr} {seed} {os.getpid()} {os.getppid()}\\n")
folder = Path(out) / "plain"
folder.mkdir(parents=True, exist_ok=True)
(folder / "weights.pt").write_bytes(b"w" * 100_000)
while seed == 1 and Path(hold).is_file():
    time.sleep(0.05)
accuracy = 0.5 + lr + seed / 100
record = {"schema": 1, "notebook": "01_first", "variant": "plain", "profile": profile,
          "seed": seed, "digest": "", "parameters": 1, "recipe": {"epochs": 1, "lr": lr},
          "data": {"name": "sketches", "train": 100, "val": 1000},
          "history": [{"train_loss": 1.0, "val_accuracy": accuracy}],
          "test": {"accuracy": 0.0123}, "confusion": [], "environment": {}, "seconds": 1}
(folder / "record.json").write_text(json.dumps(record))
"""
PATIENCE = 300  # seconds, on a machine that has much else to do
TABLE = [["0.2", "plain", "2", "70.5", "±", "0.7"], ["0.1", "plain", "2", "60.5", "±", "0.7"]]


@pytest.fixture(autouse=True)
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "notebooks"
    (folder / "profiles").mkdir(parents=True)
    cells = [new_code_cell(PARAMETERS.strip(), metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(BODY.strip()), new_code_cell("print('the end')")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "01_first.ipynb")
    (folder / "profiles" / "quick.yaml").write_text(f"log: {tmp_path / 'log'}\n")
    monkeypatch.setattr(study, "NOTEBOOKS", folder)
    monkeypatch.setattr(study, "PROFILES", folder / "profiles")
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs Linux and its root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def rows(said: str) -> list[list[str]]:
    """The lines of the table."""
    return [line.split() for line in said.splitlines() if " plain " in line]


def told(tmp_path: Path) -> list[list[str]]:
    """What the notebooks told: learning rate, seed, the kernel's process, papermill's."""
    log = tmp_path / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return sys.platform != "linux"
    except ProcessLookupError:
        return False


def in_a_process(said: Path, arguments: list[object]) -> None:
    # a shell's background jobs ignore SIGINT, and their children inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with said.open("w") as sys.stdout:
        sys.stderr = sys.stdout
        code = cli.entry([str(argument) for argument in arguments])
    os._exit(code or 0)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ForkProcess]]:
    """Start the command line in a process of its own, forked: that spares it PyTorch's import."""
    started = []

    def command(*arguments: object) -> ForkProcess:
        parent = get_context("fork").Process(
            target=in_a_process, args=(tmp_path / "said", arguments)
        )
        parent.start()
        started.append(parent)
        return parent

    yield command
    for parent in started:
        parent.kill()


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_sweep_killed_outright_leaves_nobody_behind_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture, start: Callable[..., ForkProcess]
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    arguments = ["sweep", "01", "-p", "lr=0.1,0.2", "-p", f"hold={hold}", "--seeds", 2,
                 "--jobs", 2, "--out", tmp_path / "runs"]  # fmt: skip
    parent = start(*arguments)
    until(lambda: len(told(tmp_path)) == 4)
    processes = [process for line in told(tmp_path)[2:] for process in line[2:]]
    assert all(map(alive, processes))
    parent.kill()
    until(lambda: not any(map(alive, processes)), 15)
    finished = contents(tmp_path / "runs")
    finished = {path: seen for path, seen in finished.items() if "seed-0" in path.parts}
    hold.unlink()
    code, said = call(capsys, *arguments)
    assert (code, rows(said)) == (0, TABLE)
    assert sorted(line[:2] for line in told(tmp_path)[4:]) == [["0.1", "1"], ["0.2", "1"]]
    assert finished.items() <= contents(tmp_path / "runs").items()
    # all is done now: nothing runs, and the table and the picture are the same
    code, said = call(capsys, *arguments)
    assert (code, rows(said), len(told(tmp_path))) == (0, TABLE, 6)
    picture = Path(said.split("Plot: ")[1].splitlines()[0])
    assert picture.parent == tmp_path / "runs" and picture.read_bytes()[:4] == b"\x89PNG"
    assert "0.0123" not in said and "1.2" not in said and "accuracy" in said


def test_a_killed_kernel_or_papermill_fails_its_job_alone_and_is_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture, start: Callable[..., ForkProcess]
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    arguments = ["sweep", "01", "-p", "lr=0.1,0.2,0.3", "-p", f"hold={hold}", "-p", "seed=1",
                 "--jobs", 3, "--out", tmp_path / "runs"]  # fmt: skip
    parent = start(*arguments)
    until(lambda: len(told(tmp_path)) == 3)
    processes = {line[0]: (int(line[2]), int(line[3])) for line in told(tmp_path)}
    os.kill(processes["0.1"][0], signal.SIGKILL)
    os.kill(processes["0.2"][1], signal.SIGKILL)
    until(lambda: not alive(processes["0.2"][0]), 15)
    hold.unlink()
    parent.join(PATIENCE)
    assert parent.exitcode == 1
    said = (tmp_path / "said").read_text()
    assert f"FAILED 01_first, lr=0.1, hold={hold}" not in said  # what does not vary is not named
    assert "FAILED 01_first, lr=0.1, seed 1: nbclient.exceptions.DeadKernelError" in said
    assert "FAILED 01_first, lr=0.2, seed 1: papermill was ended by SIGKILL" in said
    assert rows(said) == [["0.3", "plain", "1", "81"]]
    code, said = call(capsys, *arguments)
    assert code == 0
    assert [row[0] for row in rows(said)] == ["0.3", "0.2", "0.1"]
    assert sorted(line[0] for line in told(tmp_path)[3:]) == ["0.1", "0.2"]


def test_what_does_not_read_a_full_disk_and_a_read_only_one(
    tmp_path: Path, disk: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep_of(values: str) -> tuple[int, str]:
        return call(capsys, "sweep", "01", "-p", f"lr={values}", "--out", disk, "--jobs", 2)

    assert sweep_of("0.1,0.2")[0] == 0
    first, second = (disk / f"quick+lr-{lr}" / "01_first" / "seed-0" for lr in (0.1, 0.2))
    whole = contents(first)
    record = (second / "plain" / "record.json").read_text()
    (second / "plain" / "record.json").write_text(record[:100])
    code, said = sweep_of("0.1,0.2")
    assert (code, [row[:4] for row in rows(said)]) == (
        0, [["0.2", "plain", "1", "70"], ["0.1", "plain", "1", "60"]],
    )  # fmt: skip
    assert contents(first) == whole and len(told(tmp_path)) == 3
    whole = contents(first) | contents(second)

    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb") as file:
        file.write(bytes(50_000_000))
    code, said = sweep_of("0.1,0.2,0.3")
    assert code == 1 and "is full: 0.0 MB are free" in said and "Traceback" not in said
    assert len(told(tmp_path)) == 3
    monkeypatch.setattr(jobs, "ROOM", 80_000)  # it is found out in the middle of a run
    os.truncate(filler, filler.stat().st_size - 100_000)
    code, said = sweep_of("0.1,0.2,0.3")
    assert code == 1 and len(told(tmp_path)) == 4
    assert "FAILED 01_first, lr=0.3, seed 0: " in said and "is full" in said
    assert [row[0] for row in rows(said)] == ["0.2", "0.1"]
    assert whole.items() <= contents(disk).items()
    filler.unlink()
    code, said = sweep_of("0.1,0.2,0.3")
    assert code == 0 and [row[0] for row in rows(said)] == ["0.3", "0.2", "0.1"]

    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    code, said = sweep_of("0.1,0.4")
    assert code == 1 and "quick+lr-0.4/01_first/seed-0 can't be written (Read-only" in said
    assert len(told(tmp_path)) == 5


HALF_DONE = {
    "half-written": lambda text: text[: len(text) // 2],
    "the last cell never answered": lambda text: text.replace("shell.execute_reply", "gone"),
    "answers of an earlier run": lambda text: text.replace('"start_time": "2', '"start_time": "3'),
    "other parameters": lambda text: text.replace('"lr": 0.1', '"lr": 0.3'),
    "another source": lambda text: text.replace("the end", "an end"),
    "a failure": lambda text: text.replace('"exception": null,\n   "in', '"exception": true, "in'),
}


def test_only_a_notebook_that_ran_to_its_end_is_done(notebooks: Path, tmp_path: Path) -> None:
    planned = sweep.plan(notebooks / "01_first.ipynb", "quick", {"lr": "0.1"}, 1, tmp_path / "runs")
    (job,) = planned.jobs
    assert not jobs.is_done(job)
    outcomes = list(jobs.run([job], jobs.ThisMachine(1)))
    assert [outcome.error for outcome in outcomes] == [None] and jobs.is_done(job)
    text = job.output.read_text()
    for what, change in HALF_DONE.items():
        assert change(text) != text, what
        job.output.write_text(change(text))
        assert not jobs.is_done(job), what
    job.output.write_text(text)
    (job.folder / "other").mkdir()
    assert jobs.is_done(job)  # a folder that is no run's
    (job.folder / "other" / "checkpoint.pt").touch()
    assert not jobs.is_done(job)  # a run that has begun


BAD = [
    ([], "at least one -p"),
    (["-p", "lr=0.1,,0.2"], "-p lr=0.1,,0.2 has an empty value"),
    (["-p", "lr="], "write it as -p name=value"),
    (["-p", "lr=0.1,1e-1"], "-p lr=0.1,1e-1 has the value 0.1 twice"),
    (["-p", "lr=0.1", "-p", "lr=0.2"], "-p lr=… is given twice"),
    (["-p", "lr=0.1,fast"], "lr='fast' of 01_first must be of type float"),
    (["-p", "lr=0.1,nan"], "lr='nan' of 01_first must be of type float"),
    (["-p", "lr=0.1,-0.1"], "lr is -0.1; it must be above 0"),
    (["-p", "optimizer=sgd,adamm"], "unknown optimizer 'adamm'"),
    (["-p", "depth=1,2"], "no parameter 'depth'"),
    (["-p", "seed=0,1"], "several seeds are asked for by --seeds 2"),
    (["-p", "log=a-b,a b"], "would share a folder"),
    (["-p", "lr=1", "--seeds", "0"], "--seeds is 0"),
    (["-p", "lr=1", "--jobs", "0"], "--jobs is 0"),
    (["-p", "lr=1", "--jobs", "2", "--dask", "127.0.0.1:1"], "--jobs is of this machine"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[bad[1] for bad in BAD])
def test_bad_grids_are_one_sentence_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list, message: str
) -> None:
    code, said = call(capsys, "sweep", "01", *arguments, "--out", tmp_path / "runs")
    assert code != 0 and message in said and "Traceback" not in said
    assert not (tmp_path / "runs").exists()


def frame_of(accuracy: dict[tuple, list[float]], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame([
        dict(zip(names, point, strict=True))
        | {"variant": "plain", "seed": seed, "data": "sketches", "val_size": 1000,
           "val_accuracy": value}
        for point, values in accuracy.items() for seed, value in enumerate(values)
    ])  # fmt: skip


def test_the_table_shows_the_decimals_that_mean_something() -> None:
    wide = frame_of({(0.1,): [0.40, 0.50, 0.60], (0.2,): [0.52, 0.62, 0.72]}, ["lr"])
    text = sweep.table(wide, ["lr"])
    assert rows(text) == [["0.2", "plain", "3", "62", "±", "10"], ["0.1", "plain", "3", "50", "±",
                          "10"]]  # fmt: skip
    assert "No decimal means something" in text and "about 5.8 points" in text
    narrow = frame_of({(0.1,): [0.6000, 0.6006]}, ["lr"])  # below the weight of one image
    assert rows(sweep.table(narrow, ["lr"])) == [["0.1", "plain", "2", "60.0", "±", "0.0"]]
    alone = sweep.table(frame_of({(0.1,): [0.5]}, ["lr"]), ["lr"])
    assert rows(alone) == [["0.1", "plain", "1", "50"]]
    assert "1,000 images alone make an error of about 1.6 points" in alone
    diverged = frame_of({(9.0,): [float("nan")], (0.1,): [0.5, float("nan")]}, ["lr"])
    assert rows(sweep.table(diverged, ["lr"])) == [["0.1", "plain", "1", "50"],
                                                   ["9", "plain", "0", "–"]]  # fmt: skip


def test_the_picture_has_the_numbers_on_an_axis_and_the_rest_in_colours() -> None:
    grid = {(lr, name): [0.5 + lr, 0.6 + lr] for lr in (0.1, 0.001, 0.01) for name in ("b", "a")}
    frame = frame_of(grid, ["lr", "optimizer"])
    figure = plots.sweep(frame, ["lr", "optimizer"], title="T, sketches")
    (ax,) = figure.axes
    assert figure.get_suptitle() == "T, sketches"
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "lr (logarithmic scale)")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    handles, labels = ax.get_legend_handles_labels()
    assert labels == ["b (n = 2)", "a (n = 2)"]
    heights = handles[0].lines[0].get_ydata()
    assert heights == pytest.approx([55.1, 56, 65])
    assert handles[0].lines[0].get_color() != handles[1].lines[0].get_color()
    (bars,) = handles[0].lines[2]
    half = (bars.get_segments()[0][1][1] - bars.get_segments()[0][0][1]) / 2
    assert half == pytest.approx(100 * pd.Series([0.5, 0.6]).std())
    for values, scale in (((1, 10), "linear"), ((0, 0.001, 0.1), "symlog"), ((-1, 50), "linear")):
        other = frame_of({(value,): [0.5] for value in values}, ["lr"])
        assert plots.sweep(other, ["lr"], title="T").axes[0].get_xscale() == scale
    ones = {key: accuracies[:1] for key, accuracies in grid.items()}
    single = plots.sweep(frame_of(ones, ["lr", "optimizer"]), ["lr", "optimizer"], title="T")
    for picture, apart in ((figure, True), (single, False)):
        lines = [handle.lines[0] for handle in picture.axes[0].get_legend_handles_labels()[0]]
        assert np.array_equal(*(line.get_xdata() for line in lines)) != apart
    names = frame_of({("sgd",): [0.5, 0.7], ("adam",): [0.6]}, ["optimizer"])
    (ax,) = plots.sweep(names, ["optimizer"], title="T").axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["sgd", "adam"]
    assert ax.get_legend_handles_labels()[1] == ["plain (n = 1–2)"]
    plt.close("all")


def test_the_bar_is_silent_where_stderr_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Place:
        name, slots = "nowhere", 2

        def execute(self, job: jobs.Job) -> jobs.Outcome:
            if job.parameters["seed"]:
                raise OSError("no such luck")
            return jobs.Outcome(job, 1.0)

        def stop(self) -> None:
            pass

    notebook = study.find_notebooks(["01"])[0]
    planned = study.plan([notebook], "quick", {}, 2, tmp_path)
    outcomes = list(jobs.run(planned, Place()))
    assert {outcome.error for outcome in outcomes} == {None, "no such luck"}
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    list(jobs.run(planned[:1], Place()))
    shown = capsys.readouterr().err
    assert "1/1" in shown and "notebook" in shown
