"""One variant trained alone: to verify its record, or because it has none."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import torch
import toy_notebook
from command_line import call
from filelock import FileLock
from processes import alive, command_lines, until

from cifar_utils import checkpoint, outline, records
from cifar_utils.batch import again, jobs, keep, study

PARAMETERS = """
dataset: str = "sample"  # the data
train_size: int = 100  # training images
epochs: int = 1  # passes
lr: float = 0.001  # learning rate
hold: str = ""  # what to wait for after an epoch
seed: int = 0  # of everything
profile: str = "quick"  # the name of the runs
only: str = ""  # train this variant alone; empty trains all
out: str = ""  # folder for records
"""
SETUP = """
import dataclasses
import os
import time
from pathlib import Path
from cifar_utils import checkpoint, data, models, training
from cifar_utils.experiment import Experiment
images = data.load(dataset, train_size=train_size, val_size=50)
images = dataclasses.replace(images, test=images.val)
recipe = training.Recipe(epochs, 50, "adam", lr, augmentation="flip", seed=seed)
experiment = Experiment("01_first", profile, out, only)

def save_and_wait(state, path, save=checkpoint.save):
    save(state, path)
    if Path(hold).is_file():
        Path(hold).write_text(f"{os.getpid()} {os.getppid()}")
    while Path(hold).is_file():
        time.sleep(0.05)

checkpoint.save = save_and_wait
"""
FIRST = """
runs = {
    name: experiment.run(name, models.build("SimpleCNN", seed), images, recipe)
    for name in ("first", "second")
}
"""
LOOK = """
seen = training.evaluate(runs["first"].model, images.test, images)[1]
assert abs(seen - runs["first"].test["accuracy"]) < 1e-6, "it is not trained"
"""
LAST = 'experiment.run("last, wide", models.build("SimpleCNN", seed), images, recipe)'
AFTER = 'print("after the last")'
CELLS = (PARAMETERS, SETUP, FIRST, LOOK, LAST, AFTER)
VARIANTS = ("first", "second", "last, wide")
SLOW = {"epochs": 2, "profile": "full"}
FAST = {"epochs": 2, "train_size": 60, "profile": "full+train_size=60"}


def run_whole(out: Path, **given: object) -> None:
    """All cells of the notebook, in this process."""
    values = {"dataset": "sample", "out": str(out)} | given
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "save", checkpoint.save)  # put back afterwards
        exec("\n".join([PARAMETERS, *lines, *CELLS[1:]]), {})


@pytest.fixture(scope="module")
def study_of_two_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook, one cell of which looks at what is trained, and its records."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "full.yaml").write_text("dataset: sample\nepochs: 2\n")
    toy_notebook.write(folder / "01_first.ipynb", *CELLS)
    torch.set_num_threads(1)
    for seed in (0, 1):
        run_whole(folder / "runs" / f"full-{seed}", seed=seed, **SLOW)
    run_whole(folder / "runs" / "fast", seed=1, **FAST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keep, "complaint", lambda *_: "")  # this study is not at full scale
        keep.publish(folder / "runs", folder / "results")
    shutil.rmtree(folder / "runs")
    return folder


@pytest.fixture
def results(
    study_of_two_seeds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder of records, which a test may change."""
    toy_notebook.use(study_of_two_seeds, monkeypatch)
    copy = shutil.copytree(study_of_two_seeds / "results", tmp_path / "results")
    monkeypatch.setattr(records, "EVIDENCE", copy)
    section = outline.Section("01_first", VARIANTS, (), ())
    monkeypatch.setattr(outline, "SECTIONS", (section,))
    monkeypatch.setattr(keep, "complaint", lambda *_: "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in this process
    return copy


def same_numbers(one: dict, other: dict) -> bool:
    """Whether two records differ in nothing but the seconds, and the place they were made at."""

    def told(record: dict) -> dict:
        history = [{**row, "seconds": 0} for row in record["history"]]
        threads = record["environment"]["threads"]
        return {**record, "seconds": 0, "history": history, "environment": threads}

    return told(one) == told(other)


def test_a_record_is_made_again_to_the_digit_and_nothing_else_is_trained(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept = results / "01_first" / "last-wide.train_size-60.seed1.json"
    code, said = call(capsys, "verify", kept, "--out", tmp_path / "again")
    assert code == 0, said
    assert "python -m cifar_utils run 01_first --profile full --seeds 2 -p train_size=60\n" in said
    assert "The same to the digit" in said
    (path,) = (tmp_path / "again").rglob("record.json")
    assert same_numbers(records.read(path), records.read(kept))
    (executed,) = (tmp_path / "again").rglob("01_first.ipynb")
    shown = json.dumps(nbformat.read(executed, 4))
    assert "first: not trained" in shown and "second: not trained" in shown
    assert "it is not trained" in shown  # a cell that looks at a network may fail
    assert "after the last\\n" not in shown  # once the record is there, that is the end


def test_what_results_lack_is_trained_alone_goes_on_after_a_kill_and_is_kept(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    monkeypatch.setattr(study, "read_profile", lambda *_: {**SLOW, "hold": str(hold),
                                                           "dataset": "sample"})  # fmt: skip
    before = {path: path.read_bytes() for path in results.rglob("*.json")}
    lost = results / "01_first" / "last-wide.seed1.json"
    whole = json.loads(before.pop(lost))
    lost.unlink()
    arguments = ("complete", "--seeds", 2, "--out", tmp_path / "runs", "--jobs", 1)
    with command_lines(tmp_path / "said") as start:
        parent = start(*arguments)
        until(hold.read_text)
        processes = hold.read_text().split()
        parent.kill()
        until(lambda: not any(map(alive, processes)), 15)
    hold.unlink()
    code, said = call(capsys, *arguments)
    assert code == 0 and said.startswith("1 runs have no record in results/."), said
    assert "\nData: the sample, 7,000 photographs of CIFAR-10." in said
    (executed,) = (tmp_path / "runs").rglob("01_first.ipynb")
    assert "going on after epoch 1 of 2" in executed.read_text()
    assert {path: path.read_bytes() for path in results.rglob("*.json") if path != lost} == before
    assert same_numbers(records.read(lost), whole)
    assert [path.parent.name for path in (tmp_path / "runs").rglob("record.json")] == ["last-wide"]
    code, said = call(capsys, *arguments)
    assert (code, said) == (0, "0 runs have no record in results/.\n")  # nor a word about data


BROKEN = """
class experiment:
    def run(variant):
        raise ValueError(f"{variant} has no data")
if seed:
    experiment.run(only)
raise RuntimeError("this cell may fail")
"""


def test_an_unknown_variant_and_a_failing_experiment_are_one_sentence_each(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = BROKEN.rsplit("\n", 2)[:2]
    toy_notebook.write(tmp_path / "01_first.ipynb", PARAMETERS, first, second)
    monkeypatch.setattr(study, "NOTEBOOKS", tmp_path)
    section = outline.Section("01_first", ("fourth",), (), ())
    monkeypatch.setattr(outline, "SECTIONS", (section,))
    of_another_recipe = tmp_path / "runs/complete/01_first/fourth.seed0/fourth/record.json"
    of_another_recipe.parent.mkdir(parents=True)
    of_another_recipe.write_text("{}")
    code, said = call(capsys, "complete", "--seeds", 2, "--out", tmp_path / "runs")
    assert code == 1
    assert "FAILED 01_first, fourth, seed 0: the notebook has no variant 'fourth' (see " in said
    assert re.search(r"FAILED .*, seed 1: cell \[3\]: ValueError: fourth has no data \(see ", said)
    assert not list(results.rglob("*fourth*"))


@pytest.mark.parametrize(
    ("change", "agrees", "words"),
    [(0.0, True, "Within the spread"), (0.02, True, "Within the spread"),
     (-0.5, False, "Differs by -50.00 points")],
)  # fmt: skip
def test_a_repetition_is_judged_by_the_spread_of_the_seeds(
    results: Path, change: float, agrees: bool, words: str
) -> None:
    kept, other = (results / "01_first" / f"last-wide.seed{seed}.json" for seed in (1, 0))
    record = records.read(kept)
    beside = records.read(other)
    beside["test"]["accuracy"] = record["test"]["accuracy"] + 0.05
    records.write(beside, other)
    test = {**record["test"], "mcc": 0.5, "accuracy": record["test"]["accuracy"] + change}
    verdict = again.compare(record, {**record, "test": test})
    assert verdict.seeds == 2 and verdict.spread == pytest.approx(0.05 / 2**0.5)
    assert verdict.agrees is agrees and words in str(verdict)
    other.unlink()
    alone = again.compare(record, {**record, "test": test})
    assert not alone.agrees and "no other seed" in str(alone)
    assert again.compare(record, record).agrees
    assert "The same to the digit" in str(again.compare(record, record))


def pretend(monkeypatch: pytest.MonkeyPatch, record: dict) -> None:
    """Let a job leave this record, without a process."""

    def run(planned: list[jobs.Job], _: jobs.Place) -> Iterator[jobs.Outcome]:
        for job in planned:
            records.write(record, job.folder / "last-wide" / "record.json")
            yield jobs.Outcome(job, 1.0)

    monkeypatch.setattr(jobs, "run", run)


def test_another_accuracy_and_another_recipe_end_with_code_1(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = results / "01_first" / "last-wide.seed1.json"
    record = records.read(path)
    accuracy = record["test"]["accuracy"]
    pretend(monkeypatch, {**record, "test": {**record["test"], "accuracy": accuracy - 0.99}})
    code, said = call(capsys, "verify", path, "--out", tmp_path / "again")
    assert code == 1 and "Differs by -99.00 points" in said
    younger = {**record["recipe"], "lr": 0.01, "sharpness": 3}  # a key that the record has not
    pretend(monkeypatch, {**record, "recipe": younger})
    code, said = call(capsys, "verify", path, "--out", tmp_path / "again")
    changed = "the record's recipe is no longer the notebook's: lr was 0.001 and is 0.01\n"
    assert code == 1 and said.endswith(changed)


class Nowhere:
    """A place that notes what its jobs begin with."""

    name, slots = "nowhere", 1

    def __init__(self) -> None:
        self.found: list[list[str]] = []

    def execute(self, job: jobs.Job) -> jobs.Outcome:
        self.found.append([path.name for path in job.folder.rglob("[!.]*")])
        return jobs.Outcome(job, 1.0)

    def stop(self) -> None:
        pass


def test_a_record_is_made_again_from_the_beginning_by_one_call_at_a_time(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = results / "01_first" / "last-wide.train_size-60.seed1.json"
    job = again.plan_again(path, tmp_path)
    half_done = job.folder / "last-wide" / "checkpoint.pt"
    half_done.parent.mkdir(parents=True)
    half_done.touch()
    with FileLock(job.folder / ".lock"):  # another call is at work there
        code, said = call(capsys, "verify", path, "--out", tmp_path)
        taken = f"was not made again: another run is at work in {job.folder}; wait for its end"
        assert code == 1 and taken in said
    assert half_done.exists()
    nowhere = Nowhere()
    list(jobs.run([again.plan_again(path, tmp_path)], nowhere))
    assert nowhere.found == [[]] and not half_done.parent.exists()
    assert job.name == "01_first, last, wide, seed 1"
    told = {"only": "last, wide", "seed": 1, "train_size": 60, "epochs": 2, "dataset": "sample",
            "profile": "full+train_size=60", "out": str(job.folder)}  # fmt: skip
    assert dict(job.parameters) == told


def test_the_jobs_that_are_missing_come_seed_by_seed(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = outline.Section("01_first", (*VARIANTS, "fourth"), (), ())
    monkeypatch.setattr(outline, "SECTIONS", (section,))
    (results / "01_first" / "last-wide.seed1.json").unlink()
    planned = again.plan_missing(["01_first"], 3, tmp_path / "out")
    names = [f"01_first, {variant}, seed {seed}" for variant, seed in (
        ("fourth", 0), ("last, wide", 1), ("fourth", 1), ("first", 2), ("second", 2),
        ("last, wide", 2), ("fourth", 2))]  # fmt: skip
    assert [job.name for job in planned] == names
    assert len({job.folder for job in planned}) == len(names)
    assert again.plan_missing(["02_second"], 3, tmp_path / "out") == []


def test_what_is_missing_is_counted_by_the_seeds_that_the_outline_declares(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = outline.Section("01_first", VARIANTS[:2], (), (), seeds=4)
    monkeypatch.setattr(outline, "SECTIONS", (section,))
    monkeypatch.setattr(outline, "FEWER_SEEDS", {("01_first", VARIANTS[1]): 3})
    planned = again.plan_missing(["01_first"], None, tmp_path / "out")
    found = [job.name.removeprefix("01_first, ") for job in planned]
    first, second = VARIANTS[:2]
    assert found == [f"{first}, seed 2", f"{second}, seed 2", f"{first}, seed 3"]


def test_what_failed_is_not_kept(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = results / "01_first" / "last-wide.seed1.json"
    job = again.plan_variant("01_first", "last, wide", "full", 1, tmp_path / "run")
    records.write(records.read(path), job.folder / "last-wide" / "record.json")
    path.unlink()
    for error, kept in (("the disk is full", False), (None, True)):
        outcome = jobs.Outcome(job, 1.0, error)
        monkeypatch.setattr(jobs, "run", lambda *_, outcome=outcome: iter([outcome]))
        assert list(again.complete([job], jobs.ThisMachine(1))) == [outcome]
        assert path.exists() is kept


def test_report_prints_the_command_of_each_record(
    results: Path, capsys: pytest.CaptureFixture
) -> None:
    code, said = call(capsys, "report", results, "--commands")
    made = "python -m cifar_utils run 01_first --profile full --seeds 2 -p train_size=60"
    assert code == 0 and f"01_first, last, wide, seed 1: {made}\n" in said
    assert said.count("python -m cifar_utils run") == 3 * len(VARIANTS)


def test_what_cannot_be_made_again_is_one_sentence(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(record: dict) -> str:
        records.write(record, tmp_path / "record.json")
        code, said = call(capsys, "verify", tmp_path / "record.json", "--out", tmp_path / "again")
        assert code == 1 and "Traceback" not in said
        return said.splitlines()[-1]

    record = records.read(results / "01_first" / "last-wide.seed1.json")
    assert "record.json is not a record that can be made again" in verify({})
    assert "unknown notebook '09_none'" in verify({**record, "notebook": "09_none"})
    assert "no parameter 'depth'" in verify({**record, "profile": "full+depth=3"})
    assert "unknown profile 'part'" in verify({**record, "profile": "part"})
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    real = {**record, "data": {**record["data"], "name": "cifar10"}}
    assert f"CIFAR-10 is not in {tmp_path}" in verify(real)
