"""One variant trained alone: to verify its record, or because it has none."""

import json
from pathlib import Path

import nbformat
import pytest
from command_line import call
from nbformat.v4 import new_code_cell, new_notebook

from cifar_utils import complete, data, models, outline, results, study, training, verify

PARAMETERS = """
dataset: str = "auto"  # the data
train_size: int = 100  # training images
val_size: int = 50  # validation images
epochs: int = 1  # passes
lr: float = 0.001  # learning rate
seed: int = 0  # of everything
profile: str = "quick"  # the name of the runs
out: str = ""  # folder for records
"""
SETUP = """
from cifar_utils import data, models, results, training
images = data.load(dataset, train_size=train_size, val_size=val_size)
recipe = training.Recipe(epochs, 50, "adam", lr, seed=seed)
experiment = results.Experiment("01_first", profile, out)
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


VARIANTS = ("first", "second", "last, wide")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook with an assert between its variants, and the records of two of its seeds."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "full.yaml").write_text("dataset: sketches\nepochs: 9\n")
    cells = [new_code_cell(PARAMETERS.strip(), metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(part.strip()) for part in (SETUP, FIRST, LOOK, LAST)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "01_first.ipynb")
    images = data.load("sketches", train_size=100, val_size=50)
    for seed in (0, 1):
        recipe = training.Recipe(1, 50, "adam", 1e-3, seed=seed)
        out = tmp_path / "runs" / f"{seed}"
        experiment = results.Experiment("01_first", "full+train_size=100+epochs=1", out)
        for variant in VARIANTS:
            model = models.build("SimpleCNN", seed)
            experiment.run(variant, model, images, recipe, verbose=False)
    results.publish(tmp_path / "runs", tmp_path / "results")
    monkeypatch.setattr(study, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(study, "PROFILES", tmp_path / "profiles")
    monkeypatch.setattr(results, "EVIDENCE", tmp_path / "results")
    return tmp_path / "results" / "01_first.last-wide.train_size-100-epochs-1.seed1.json"


def test_one_record_is_made_again_and_nothing_else_is_trained(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for _ in range(2):  # afresh each time
        code, said = call(capsys, "verify", kept, "--out", tmp_path / "again")
    assert code == 0, said
    assert "run 01_first --profile full --seeds 2 -p train_size=100 -p epochs=1" in said
    assert "The same to the digit" in said
    (folder,) = (tmp_path / "again").iterdir()
    made = [results.read(path) for path in folder.rglob("record.json")]
    assert [(record["variant"], record["seed"]) for record in made] == [("last, wide", 1)]
    cells = nbformat.read(folder / "01_first.ipynb", 4).cells
    shown = json.dumps(cells)
    assert "first: not trained" in shown and "it is not trained" in shown


@pytest.mark.parametrize(
    ("change", "agrees", "words"),
    [(0.0, True, "Within the spread"), (0.02, True, "Within the spread"),
     (-0.5, False, "Differs by -50.00 points")],
)  # fmt: skip
def test_a_repetition_is_judged_by_the_spread_of_the_seeds(
    kept: Path, change: float, agrees: bool, words: str
) -> None:
    record = results.read(kept)
    other = kept.with_name(kept.name.replace("seed1", "seed0"))
    beside = results.read(other)
    beside["test"]["accuracy"] = record["test"]["accuracy"] + 0.05
    results.write(beside, other)
    test = {**record["test"], "mcc": 0.0, "accuracy": record["test"]["accuracy"] + change}
    verdict = verify.compare(record, {**record, "test": test})
    assert verdict.seeds == 2 and verdict.spread == pytest.approx(0.05 / 2**0.5)
    assert verdict.agrees is agrees and words in str(verdict)
    other.unlink()
    alone = verify.compare(record, {**record, "test": test})
    assert not alone.agrees and "no other seed" in str(alone)
    assert verify.compare(record, record).agrees


def test_another_accuracy_ends_with_code_1(
    kept: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = verify.Verdict(0.8, 0.6, False, 0.01, 3)
    monkeypatch.setattr(verify, "run", lambda *_: verdict)
    code, said = call(capsys, "verify", kept)
    assert code == 1 and "Differs by -20.00 points" in said


def test_a_changed_recipe_is_named_before_it_is_trained(kept: Path, tmp_path: Path) -> None:
    record = results.read(kept)
    results.Only("last, wide", [record], record["recipe"]).ask(tmp_path / "asked")
    experiment = results.Experiment("01_first", "full", tmp_path / "asked")
    recipe = training.Recipe(1, 50, "adam", 1e-2, seed=1)
    images = data.load("sketches", train_size=100, val_size=50)
    with pytest.raises(ValueError, match=r"lr was 0\.001 and is 0\.01"):
        experiment.run("last, wide", models.build("SimpleCNN", 1), images, recipe)
    assert not list((tmp_path / "asked").rglob("*.pt"))


def test_report_prints_the_command_of_each_record(
    kept: Path, capsys: pytest.CaptureFixture
) -> None:
    code, said = call(capsys, "report", kept.parent, "--commands")
    made = "python -m cifar_utils run 01_first --profile full --seeds 2 -p train_size=100 -p epoch"
    assert code == 0 and f"01_first, last, wide, seed 1: {made}s=1" in said
    assert said.count("python -m cifar_utils run") == 2 * len(VARIANTS)


def test_what_cannot_be_made_again_is_one_sentence(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "poor.json").write_text("{}")
    code, said = call(capsys, "verify", tmp_path / "poor.json")
    assert code == 1 and "poor.json is not a record that can be made again" in said
    monkeypatch.setattr(verify.jobs, "run", lambda jobs, _: [verify.jobs.Outcome(jobs[0], 1.0)])
    code, said = call(capsys, "verify", kept, "--out", tmp_path / "again")
    assert code == 1 and "the notebook has no variant 'last, wide'" in said
    record = {**results.read(kept), "notebook": "09_none"}
    results.write(record, tmp_path / "lost.json")
    code, said = call(capsys, "verify", tmp_path / "lost.json", "--out", tmp_path / "again")
    assert code == 1 and "unknown notebook '09_none'" in said


def test_what_results_lack_is_trained_alone_and_kept(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in this process
    section = outline.Section("01_first", VARIANTS, (), ())
    monkeypatch.setattr(outline, "SECTIONS", (section,))
    profile = "full+train_size=100+epochs=1"
    before = {path: path.read_bytes() for path in kept.parent.iterdir()}
    whole = before.pop(kept)
    kept.unlink()
    for seeds in (2, 2):
        code, said = call(capsys, "complete", "--profile", profile, "--seeds", seeds,
                          "--out", tmp_path / "runs", "--jobs", 1)  # fmt: skip
        assert code == 0, said
    assert said.startswith("0 runs have no record in results/.")
    assert {path: path.read_bytes() for path in kept.parent.iterdir() if path != kept} == before
    again, then = results.read(kept), json.loads(whole)
    assert (again["test"], again["digest"]) == (then["test"], then["digest"])
    assert not (tmp_path / "runs" / "complete" / kept.stem / "first" / "record.json").exists()


def test_the_jobs_that_are_missing_come_seed_by_seed(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = outline.Section("01_first", (*VARIANTS, "fourth"), (), ())
    monkeypatch.setattr(outline, "SECTIONS", (section,))
    kept.unlink()
    profile = "full+train_size=100+epochs=1"
    jobs = complete.plan(["01_first"], profile, 3, tmp_path / "out")
    names = [f"01_first, {variant}, seed {seed}" for variant, seed in (
        ("fourth", 0), ("last, wide", 1), ("fourth", 1), ("first", 2), ("second", 2),
        ("last, wide", 2), ("fourth", 2))]  # fmt: skip
    assert [job.name for job in jobs] == names
    for record in kept.parent.iterdir():
        record.unlink()
    with pytest.raises(ValueError, match="01_first has no record yet"):
        complete.plan(["01_first"], profile, 1, tmp_path / "out")


def test_a_variant_that_the_notebook_has_not_is_said(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = outline.Section("01_first", ("fourth",), (), ())
    monkeypatch.setattr(outline, "SECTIONS", (section,))
    code, said = call(capsys, "complete", "--profile", "full+train_size=100+epochs=1",
                      "--seeds", 1, "--out", tmp_path)  # fmt: skip
    assert code == 1 and "the notebook has no variant 'fourth'" in said
