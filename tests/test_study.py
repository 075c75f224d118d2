import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from command_line import call
from filelock import FileLock
from nbformat.v4 import new_code_cell, new_notebook

from cifar_utils import results, study

PARAMETERS = """
dataset: str = "sketches"  # the data
train_size: int = 100  # training images
val_size: int = 50  # validation images
epochs: int = 1  # passes
lr: float = 0.001  # learning rate
optimizer: str = "adam"  # its name
loud: bool = False  # say more
fail: str = ""  # a word to fail with
seed: int = 0  # of everything
profile: str = "quick"  # the name of the runs
out: str = ""  # folder for records
"""
BODY = """
from cifar_utils import data, models, results, training
images = data.load(dataset, train_size=train_size, val_size=val_size)
recipe = training.Recipe(epochs, 50, optimizer, lr, seed=seed)
model = models.build("SimpleCNN", seed)
results.Experiment("{name}", profile, out).run("plain", model, images, recipe)
"""
AFTER = """
if fail == "{name}":
    raise RuntimeError("it was to fail")
"""


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "notebooks"
    (folder / "profiles").mkdir(parents=True)
    for name in ("01_first", "02_second"):
        cells = [new_code_cell(PARAMETERS.strip(), metadata={"tags": ["parameters"]})]
        cells += [new_code_cell(part.format(name=name).strip()) for part in (BODY, AFTER)]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}),
                       folder / f"{name}.ipynb")  # fmt: skip
    (folder / "profiles" / "quick.yaml").write_text("dataset: sketches\nlr: 1e-3\n")
    for name, lr in (("two", 0.001), ("two.02_second", 0.01), ("lost", 0.1), ("lost.09_none", 0.1)):
        (folder / "profiles" / f"{name}.yaml").write_text(f"lr: {lr}\n")
    (folder / "profiles" / "odd.yaml").write_text("width: 3\n")
    (folder / "profiles" / "list.yaml").write_text("- lr\n")
    monkeypatch.setattr(study, "NOTEBOOKS", folder)
    monkeypatch.setattr(study, "PROFILES", folder / "profiles")
    return folder


def test_run_leaves_notebooks_records_and_one_table(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "runs"
    code, said = call(capsys, "run", "--out", out, "--jobs", 2, "--seeds", 2)
    assert code == 0
    assert said.splitlines()[0].startswith("Data: sketches, the drawn stand-in")
    assert said.splitlines()[-1] == said.splitlines()[0]
    for name in ("01_first", "02_second"):
        for seed in (0, 1):
            folder = out / "quick" / name / f"seed-{seed}"
            assert nbformat.read(folder / f"{name}.ipynb", 4).cells[-1].execution_count
            record = json.loads((folder / "plain" / "record.json").read_text())
            assert (record["notebook"], record["seed"], record["profile"]) == (name, seed, "quick")
            assert f"{record['test']['accuracy']:.4g}" in said
    for column in ("notebook", "variant", "validation", "test", "precision", "recall", "f1",
                   "roc_auc", "mcc", "seconds"):  # fmt: skip
        assert column in said
    stamps = [path.stat().st_mtime_ns for path in sorted(out.rglob("*.ipynb"))]
    code, _ = call(capsys, "run", "--out", out, "--jobs", 2, "--seeds", 2)
    assert code == 0
    assert stamps == [path.stat().st_mtime_ns for path in sorted(out.rglob("*.ipynb"))]


def test_a_notebook_that_fails_does_not_stop_the_others(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code, said = call(capsys, "run", "--out", tmp_path, "-p", "fail=01_first", "--jobs", 1)
    assert code == 1
    assert "FAILED 01_first, seed 0: cell [4]: RuntimeError: it was to fail" in said
    assert "02_second, seed 0: done" in said
    label = "quick+fail-01_first"
    assert len(results.load(tmp_path / label)) == 2
    nan = call(capsys, "run", "02", "--out", tmp_path, "-p", "lr=1e30", "-p", "optimizer=sgd")
    assert nan[0] == 1
    assert "02_second, plain, seed 0: the loss stopped being finite in epoch 1" in nan[1]


def test_ctrl_c_ends_cleanly_and_the_next_call_goes_on(notebooks: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    script = (
        "import sys; from pathlib import Path; from cifar_utils import study, __main__ as cli\n"
        f"study.NOTEBOOKS = Path({str(notebooks)!r})\n"
        "study.PROFILES = study.NOTEBOOKS / 'profiles'\n"
        "sys.exit(cli.entry(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, "run", "01", "--out", str(out), "-p", "epochs=2000"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # a shell's background jobs ignore SIGINT, and their children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    checkpoint = out / "quick+epochs-2000" / "01_first" / "seed-0" / "plain" / "checkpoint.pt"
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert checkpoint.exists()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Stopped" in errors and "Traceback" not in errors
    left = {path.name for path in checkpoint.parent.iterdir()}
    assert left == {"checkpoint.pt"}


def test_a_run_that_another_has_under_way_is_left_to_it(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "quick" / "01_first" / "seed-0"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        code, said = call(capsys, "run", "--out", tmp_path)
        assert code == 1 and f"another run is at work in {folder}" in said
        assert "02_second, seed 0: done" in said
        assert not list(folder.glob("*.ipynb"))
    code, said = call(capsys, "run", "--out", tmp_path)
    assert code == 0 and "01_first, seed 0: done" in said


BAD = [
    (["run", "09_none"], "unknown notebook '09_none'; there are: 01_first, 02_second"),
    (["run", "--profile", "slow"], "unknown profile 'slow'; there are: list, lost, odd"),
    (["run", "--profile", "lost"], "unknown notebook '09_none'"),
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
    (["run", "-p", "out=elsewhere"], "use --profile or --out"),
    (["run", "--seeds", "0"], "--seeds is 0"),
    (["run", "--jobs", "0"], "--jobs is 0"),
    (["sweep", "01"], "at least one -p"),
    (["sweep", "01", "-p", "lr=0.1,fast"], "lr='fast' of 01_first must be of type float"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD, ids=lambda x: x if isinstance(x, str) else ""
)
def test_bad_input_is_one_sentence_before_anything_runs(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list, message: str
) -> None:
    code, said = call(capsys, *arguments, "--out", tmp_path / "runs")
    assert code != 0 and message in said
    assert "Traceback" not in said
    assert not list((tmp_path / "runs").rglob("*.ipynb"))


def test_cifar10_asked_for_and_absent_is_an_error_before_anything_runs(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    code, said = call(capsys, "run", "-p", "dataset=cifar10", "--out", tmp_path / "runs")
    assert code == 1 and f"CIFAR-10 is not in {tmp_path}; run `make data`" in said


def test_a_folder_that_cannot_be_written_is_named(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    code, said = call(capsys, "run", "--out", tmp_path / "file" / "runs")
    assert code == 1 and "can't be written" in said


def test_parameters_take_the_notebook_s_types(notebooks: Path) -> None:
    values = {"lr": "1e-3", "epochs": "4", "loud": "yes", "optimizer": "sgd"}
    typed = study.typed_parameters(notebooks / "01_first.ipynb", values)
    assert typed == {"lr": 0.001, "epochs": 4, "loud": True, "optimizer": "sgd"}
    assert study.typed_parameters(notebooks / "01_first.ipynb", {"lr": 1})["lr"] == 1.0


def test_a_profile_has_values_for_one_notebook(notebooks: Path, tmp_path: Path) -> None:
    first, second = study.plan(study.find_notebooks(), "two", {}, 1, tmp_path)
    assert (first.parameters["lr"], second.parameters["lr"]) == (0.001, 0.01)
    _, second = study.plan(study.find_notebooks(), "two", {"lr": "0.1"}, 1, tmp_path)
    assert second.parameters["lr"] == 0.1


def test_overrides_never_replace_a_profile_s_runs(notebooks: Path, tmp_path: Path) -> None:
    plain = study.plan(study.find_notebooks(["01"]), "quick", {}, 1, tmp_path)
    other = study.plan(study.find_notebooks(["01"]), "quick", {"epochs": "2"}, 1, tmp_path)
    assert plain[0].folder != other[0].folder
    assert other[0].parameters["profile"] == "quick+epochs=2"
    seeded = study.plan(study.find_notebooks(), "quick", {}, 2, tmp_path)
    assert [(job.notebook.stem, job.parameters["seed"]) for job in seeded] == [
        ("01_first", 0), ("02_second", 0), ("01_first", 1), ("02_second", 1),
    ]  # fmt: skip


def test_report_prints_what_the_records_say(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "empty").mkdir()
    assert call(capsys, "report", tmp_path / "empty") == (
        1, f"Error: there are no records in {tmp_path / 'empty'}\n",
    )  # fmt: skip
    call(capsys, "run", "01", "--out", tmp_path / "runs")
    code, said = call(capsys, "report", tmp_path / "runs")
    accuracy = results.load(tmp_path / "runs").accuracy[0]
    assert code == 0 and f"{accuracy:.4g}" in said and "sketches" in said
