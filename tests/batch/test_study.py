"""A study: its notebooks run side by side, once, and what is asked for wrongly."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import toy_notebook
from command_line import call, call_once
from filelock import FileLock
from processes import PATIENCE, alive, command_lines, until
from torchvision.datasets import CIFAR10
from toy_notebook import told

from cifar_utils import records
from cifar_utils.batch import jobs, study

NAMES = ("01_first", "02_second")
THE_SAMPLE = (
    "Data: the sample, 7,000 photographs of CIFAR-10. For all 60,000: `make data`, then "
    "`python -m cifar_utils run --profile full`."
)


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("notebooks")
    toy_notebook.write_study(folder, *NAMES)
    profiles = {"two": "lr: 0.001", "two.02_second": "lr: 0.01", "whole": "dataset: cifar10",
                "mixed": "dataset: sample", "mixed.01_first": "dataset: cifar10",
                "odd": "width: 3", "list": "- lr"}  # fmt: skip
    for name, text in profiles.items():
        (folder / "profiles" / f"{name}.yaml").write_text(f"{text}\n")
    with pytest.MonkeyPatch.context() as patch:
        toy_notebook.use(folder, patch)
        yield folder


@pytest.fixture(autouse=True)
def in_the_study(notebooks: Path) -> None:
    """Every test here is about these notebooks."""


@pytest.fixture(scope="module")
def runs(notebooks: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A study of two seeds, called while another call is at work in one folder, and then again."""
    out = tmp_path_factory.mktemp("runs")
    taken = out / "quick" / "01_first" / "seed-0"
    taken.mkdir(parents=True)
    arguments = ("run", "--out", out, "--jobs", 2, "--seeds", 2)
    with FileLock(taken / ".lock"):
        code, first = call_once(*arguments)
        assert code == 1 and not list(taken.glob("*.ipynb"))
    code, second = call_once(*arguments)
    assert code == 0
    return out, [first, second]


def test_run_leaves_notebooks_records_and_one_table(
    runs: tuple[Path, list[str]], capsys: pytest.CaptureFixture
) -> None:
    out, (_, said) = runs
    first, *_, last = said.splitlines()
    assert first == last == THE_SAMPLE
    for name in NAMES:
        for seed in (0, 1):
            folder = out / "quick" / name / f"seed-{seed}"
            assert nbformat.read(folder / f"{name}.ipynb", 4).cells[-1].execution_count
            record = json.loads((folder / "plain" / "record.json").read_text())
            assert (record["notebook"], record["seed"], record["profile"]) == (name, seed, "quick")
            (row,) = [line.split() for line in said.splitlines()
                      if line.split()[:3] == [name, "plain", str(seed)]]  # fmt: skip
            assert row[3:5] == [f"{0.6 + seed / 100:.4g}", "0.0123"]
    for column in ("notebook", "variant", "validation", "test", "precision", "recall", "f1",
                   "roc_auc", "mcc", "seconds"):  # fmt: skip
        assert column in said


def test_what_is_done_is_not_run_again(
    notebooks: Path, runs: tuple[Path, list[str]], capsys: pytest.CaptureFixture
) -> None:
    out, _ = runs
    stamps = [path.stat().st_mtime_ns for path in sorted(out.rglob("*.ipynb"))]
    count = len(told(notebooks))
    code, said = call(capsys, "run", "--out", out, "--jobs", 2, "--seeds", 2)
    assert code == 0 and said.count("done (before)") == 4
    assert stamps == [path.stat().st_mtime_ns for path in sorted(out.rglob("*.ipynb"))]
    assert len(told(notebooks)) == count


def test_a_run_that_another_has_under_way_is_left_to_it(runs: tuple[Path, list[str]]) -> None:
    out, (first, second) = runs
    folder = out / "quick" / "01_first" / "seed-0"
    assert f"FAILED 01_first, seed 0: another run is at work in {folder}" in first
    others = ("01_first, seed 1", "02_second, seed 0", "02_second, seed 1")
    assert all(f"{name}: done" in first for name in others)
    assert all(f"{name}: done (before)" in second for name in others)
    assert "01_first, seed 0: done" in second and second.count("before") == 3


def test_report_prints_what_the_records_say(
    runs: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    assert call(capsys, "report", tmp_path / "empty") == (
        1, f"Error: there are no records in {tmp_path / 'empty'}\n",
    )  # fmt: skip
    code, said = call(capsys, "report", runs[0])
    assert code == 0 and "0.0123" in said and "CIFAR-10 sample" in said


def test_a_notebook_that_fails_does_not_stop_the_others_and_a_lost_run_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code, said = call(capsys, "run", "--out", tmp_path, "--jobs", 1, "-p", "fail=01_first",
                      "-p", "lr=1e30", "-p", "optimizer=sgd")  # fmt: skip
    assert code == 1
    assert "FAILED 01_first, seed 0: cell [4]: RuntimeError: it was to fail" in said
    assert "02_second, seed 0: done" in said
    assert "02_second, plain, seed 0: the loss stopped being finite in epoch 1" in said
    assert len(records.load(tmp_path / "quick+fail-01_first+lr-1e30+optimizer-sgd")) == 2


def test_ctrl_c_ends_cleanly_and_the_next_call_goes_on(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    arguments = ["run", "01", "--out", tmp_path / "runs", "-p", f"hold={hold}"]
    before = len(told(notebooks))
    with command_lines(tmp_path / "said") as start:
        process = start(*arguments)
        until(lambda: len(told(notebooks)) > before)
        kernel_and_papermill = told(notebooks)[-1][2:]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.join(PATIENCE)
    said = (tmp_path / "said").read_text()
    assert process.exitcode == 130, said
    assert "Stopped" in said and "Traceback" not in said
    until(lambda: not any(map(alive, kernel_and_papermill)), 15)
    (left,) = (path.parent for path in (tmp_path / "runs").rglob("weights.pt"))
    assert {path.name for path in left.iterdir()} == {"weights.pt"}
    hold.unlink()
    code, said = call(capsys, *arguments)
    assert code == 0 and "01_first, seed 0: done" in said


BAD = [
    (["run", "09_none"], "unknown notebook '09_none'; there are: 01_first, 02_second"),
    (["run", "--profile", "slow"], "unknown profile 'slow'; there are: list, mixed, odd"),
    (["run", "--profile", "odd"], "01_first has no parameter 'width'; it has: dataset, train_size"),
    (["run", "--profile", "list"], "must be lines of `parameter: value`"),
    (["run", "-p", "depth=3"], "no parameter 'depth'"),
    (["run", "-p", "epochs=few"], "epochs='few' of 01_first must be of type int"),
    (["run", "-p", "epochs=1.5"], "epochs='1.5' of 01_first must be of type int"),
    (["run", "-p", "loud=perhaps"], "loud='perhaps' of 01_first must be of type bool"),
    (["run", "-p", "epochs=0"], "epochs is 0; it must be at least 1"),
    (["run", "-p", "epochs"], "write it as -p name=value"),
    (["run", "-p", "optimizer=adamm"], "unknown optimizer 'adamm'; there are: sgd"),
    (["run", "-p", "train_size=-3"], "train_size is -3"),
    (["run", "-p", "dataset=mnist"], "unknown dataset 'mnist'"),
    (["run", "-p", "out=elsewhere"], "the study sets out itself; use --out"),
    (["run", "-p", "profile=mine"], "the study sets profile itself; use --profile"),
    (["run", "-p", "only=plain"], "the study sets only itself; use verify or complete"),
    (["run", "--seeds", "0"], "--seeds is 0"),
    (["run", "--jobs", "0"], "--jobs is 0"),
    (["sweep", "01"], "at least one -p"),
    (["sweep", "01", "-p", "lr=0.1,fast"], "lr='fast' of 01_first must be of type float"),
    (["sweep", "01", "-p", "only=a,b"], "the study sets only itself; use verify or complete"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda x: x if isinstance(x, str) else ""
)
def test_bad_input_is_one_sentence_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list, message: str
) -> None:
    code, said = call(capsys, *arguments, "--out", tmp_path / "runs")
    assert code != 0 and message in said
    assert "Traceback" not in said
    assert not list((tmp_path / "runs").rglob("*.ipynb"))


def test_cifar10_asked_for_and_absent_is_an_error_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    code, said = call(capsys, "run", "-p", "dataset=cifar10", "--out", tmp_path / "runs")
    assert code == 1 and f"CIFAR-10 is not in {tmp_path}; run `make data`" in said


def test_what_is_no_part_of_the_study_is_named_and_ignored(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "run", lambda planned, place: iter(()))
    strangers = [notebooks / "09_none.ipynb", notebooks / "profiles" / "two.09_none.yaml"]
    for path in strangers:
        path.touch()
    code, said = call(capsys, "run", "--profile", "two", "--out", tmp_path)
    assert code == 0
    assert "Ignored, as the study has no such part: 09_none.ipynb, two.09_none.yaml\n" in said
    for path in strangers:
        path.unlink()


@pytest.mark.parametrize(
    ("profile", "line"), [("whole", "Data: CIFAR-10, all 60,000 images."), ("mixed", THE_SAMPLE)]
)
def test_first_and_last_line_say_what_the_numbers_are_of(
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    line: str,
) -> None:
    (tmp_path / CIFAR10.base_folder).mkdir()
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    monkeypatch.setattr(jobs, "run", lambda planned, place: iter(()))
    code, said = call(capsys, "run", "--profile", profile, "--out", tmp_path / "runs")
    assert code == 0 and said.splitlines()[0] == said.splitlines()[-1] == line


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    code, said = call(capsys, "run", "--out", tmp_path / "file" / "runs")
    assert code == 1 and "can't be written" in said


def test_parameters_take_the_notebook_s_types(notebooks: Path) -> None:
    values = {"lr": "1e-3", "epochs": "4", "loud": "yes", "optimizer": "sgd"}
    typed = study.typed_parameters(notebooks / "01_first.ipynb", values)
    assert typed == {"lr": 0.001, "epochs": 4, "loud": True, "optimizer": "sgd"}
    assert study.typed_parameters(notebooks / "01_first.ipynb", {"lr": 1})["lr"] == 1.0


def test_a_profile_has_values_for_one_notebook(tmp_path: Path) -> None:
    first, second = study.plan(study.find_notebooks(), "two", {}, 1, tmp_path)
    assert (first.parameters["lr"], second.parameters["lr"]) == (0.001, 0.01)
    _, second = study.plan(study.find_notebooks(), "two", {"lr": "0.1"}, 1, tmp_path)
    assert second.parameters["lr"] == 0.1


def test_overrides_never_replace_a_profile_s_runs(tmp_path: Path) -> None:
    plain = study.plan(study.find_notebooks(["01"]), "quick", {}, 1, tmp_path)
    other = study.plan(study.find_notebooks(["01"]), "quick", {"epochs": "2"}, 1, tmp_path)
    assert plain[0].folder != other[0].folder
    assert other[0].parameters["profile"] == "quick+epochs=2"
    seeded = study.plan(study.find_notebooks(), "quick", {}, 2, tmp_path)
    assert [(job.notebook.stem, job.parameters["seed"]) for job in seeded] == [
        ("01_first", 0), ("02_second", 0), ("01_first", 1), ("02_second", 1),
    ]  # fmt: skip
