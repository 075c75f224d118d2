"""Sweeps: the table, the picture, and that nothing which can die or fill up costs finished runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from command_line import call
from processes import PATIENCE, alive, command_lines, until
from toy_notebook import rows, told

from cifar_utils import plots
from cifar_utils.batch import jobs, study, sweep
from cifar_utils.files import slug

pytestmark = pytest.mark.usefixtures("notebooks")


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


def contents(folder: Path) -> dict[Path, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_what_is_killed_fails_alone_leaves_nobody_behind_and_is_run_again(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    hold = notebooks / "hold"
    arguments = ["sweep", "01", "-p", "lr=0.1,0.2,0.3", "-p", f"hold={hold}", "-p", "seed=1",
                 "--jobs", 3, "--out", tmp_path / "runs"]  # fmt: skip
    with command_lines(tmp_path / "said") as start:
        # a kernel and another job's papermill die
        hold.touch()
        parent = start(*arguments)
        until(lambda: len(told(notebooks)) == 3)
        processes = {line[0]: (int(line[2]), int(line[3])) for line in told(notebooks)}
        os.kill(processes["0.1"][0], signal.SIGKILL)
        os.kill(processes["0.2"][1], signal.SIGKILL)
        until(lambda: not alive(processes["0.2"][0]), 15)
        hold.unlink()
        parent.join(PATIENCE)
        assert parent.exitcode == 1
        said = (tmp_path / "said").read_text()
        assert f"FAILED 01_first, lr=0.1, hold={hold}" not in said  # what varies is named alone
        likely = "; too little memory is the likeliest reason: "
        assert f"FAILED 01_first, lr=0.1, seed 1: the kernel died{likely}" in said
        assert f"FAILED 01_first, lr=0.2, seed 1: papermill was ended by SIGKILL{likely}" in said
        assert rows(said) == [["0.3", "plain", "1", "81"]]
        finished = contents(tmp_path / "runs" / f"quick+lr-0.3+hold-{slug(str(hold))}+seed-1")
        assert finished

        # the caller dies
        hold.touch()
        parent = start(*arguments)
        until(lambda: len(told(notebooks)) == 5)
        others = [process for line in told(notebooks)[3:] for process in line[2:]]
        assert all(map(alive, others))
        parent.kill()
        until(lambda: not any(map(alive, others)), 15)

    hold.unlink()
    for _ in range(2):  # the second time all is done, and nothing runs
        code, said = call(capsys, *arguments)
        assert code == 0
        assert rows(said) == [[lr, "plain", "1", str(51 + round(100 * float(lr)))]
                              for lr in ("0.3", "0.2", "0.1")]  # fmt: skip
        assert sorted(line[0] for line in told(notebooks)[5:]) == ["0.1", "0.2"]
    assert finished.items() <= contents(tmp_path / "runs").items()
    picture = Path(said.split("Plot: ")[1].splitlines()[0])
    assert picture.parent == tmp_path / "runs" and picture.read_bytes()[:4] == b"\x89PNG"
    assert "0.0123" not in said and "1.2" not in said and "accuracy" in said  # the test set's


def test_a_full_disk_and_a_read_only_one_cost_nothing_that_is_finished(
    notebooks: Path, disk: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep_of(values: str) -> tuple[int, str]:
        return call(capsys, "sweep", "01", "-p", f"lr={values}", "--out", disk, "--jobs", 2)

    assert sweep_of("0.1")[0] == 0
    whole = contents(disk / "quick+lr-0.1" / "01_first" / "seed-0")
    assert whole

    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb") as file:
        file.write(bytes(50_000_000))
    code, said = sweep_of("0.1,0.3")
    assert code == 1 and "is full: 0.0 MB are free" in said and "Traceback" not in said
    assert len(told(notebooks)) == 1
    monkeypatch.setattr(jobs, "ROOM", 80_000)  # it is found out in the middle of a run
    os.truncate(filler, filler.stat().st_size - 100_000)
    code, said = sweep_of("0.1,0.3")
    assert code == 1 and len(told(notebooks)) == 2
    assert "FAILED 01_first, lr=0.3, seed 0: " in said and "is full" in said
    assert [row[0] for row in rows(said)] == ["0.1"]
    assert whole.items() <= contents(disk).items()
    filler.unlink()
    code, said = sweep_of("0.1,0.3")
    assert code == 0 and [row[0] for row in rows(said)] == ["0.3", "0.1"]

    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    code, said = sweep_of("0.1,0.4")
    assert code == 1 and "quick+lr-0.4/01_first/seed-0 can't be written (Read-only" in said
    assert len(told(notebooks)) == 3


def test_the_jobs_of_a_grid_come_seed_by_seed(notebooks: Path, tmp_path: Path) -> None:
    values = {"lr": "0.1,0.2", "optimizer": "sgd"}
    planned = sweep.plan(notebooks / "01_first.ipynb", "quick", values, 2, tmp_path)
    assert [job.name for job in planned.jobs] == [
        f"01_first, lr={lr}, seed {seed}" for seed in (0, 1) for lr in (0.1, 0.2)
    ]


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
    record = job.folder / "plain" / "record.json"
    told_by_it = record.read_text()
    record.write_text(told_by_it[:100])
    assert not jobs.is_done(job)
    record.write_text(told_by_it)
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
        | {"variant": "plain", "seed": seed, "data": "sample", "val_size": 1000,
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
    figure = plots.sweep(frame, ["lr", "optimizer"], title="T, CIFAR-10 sample")
    (ax,) = figure.axes
    assert figure.get_suptitle() == "T, CIFAR-10 sample"
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
