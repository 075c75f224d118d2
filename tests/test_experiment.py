"""A notebook's runs: recorded, read back, resumed; one variant trained alone."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cifar_utils import data, metrics, models, records, statistics, training
from cifar_utils.batch import study
from cifar_utils.experiment import Experiment
from cifar_utils.recipe import Recipe

SHORT = Recipe(epochs=1, batch_size=20)
Do = Callable[..., training.Run]


@pytest.fixture
def run(tiny: data.Data, tmp_path: Path) -> Do:
    """Run a variant of a notebook that keeps its runs."""

    def run(variant: str = "p = 0.5", only: str = "", **change: object) -> training.Run:
        recipe = replace(SHORT, **change)
        experiment = Experiment("05_dropout", "quick", tmp_path, only)
        return experiment.run(variant, models.build("SimpleCNN", recipe.seed), tiny, recipe)

    return run


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes that were trained."""
    seen, fit = [], training.fit
    monkeypatch.setattr(
        training, "fit", lambda *wanted, **more: seen.append(wanted[2]) or fit(*wanted, **more)
    )
    return seen


def test_a_record_holds_what_others_rely_on(run: Do, tmp_path: Path) -> None:
    done = run()
    record = json.loads((tmp_path / "p-0.5" / "record.json").read_text())
    assert record == done.record == records.read(tmp_path / "p-0.5" / "record.json")
    assert (record["notebook"], record["variant"], record["seed"]) == ("05_dropout", "p = 0.5", 0)
    assert record["profile"] == "quick" and record["parameters"] == 52_202
    assert record["data"]["name"] == "sample" and record["data"]["train"] == 40
    assert set(record["test"]) == {"accuracy", "precision", "recall", "f1", "roc_auc", "mcc"}
    assert np.sum(record["confusion"]) == 20 and record["recipe"]["lr"] == 1e-3
    assert {"python", "torch", "threads", "processor", "code"} <= set(record["environment"])
    weights = torch.load(tmp_path / "p-0.5" / "weights.pt", weights_only=True)
    assert torch.equal(weights["conv1.weight"], done.model.conv1.weight)
    assert sorted(p.name for p in (tmp_path / "p-0.5").iterdir()) == ["record.json", "weights.pt"]


def test_what_has_its_record_is_not_trained_again(
    run: Do, tmp_path: Path, trained: list[Recipe]
) -> None:
    first, again = run(), run()
    assert len(trained) == 1 and again.record == first.record
    assert torch.equal(again.model.conv1.weight, first.model.conv1.weight)
    assert again.history.equals(first.history) and again.test == first.test
    run(lr=2e-3)
    assert len(trained) == 2
    assert records.read(tmp_path / "p-0.5" / "record.json")["recipe"]["lr"] == 2e-3


@pytest.mark.parametrize("name", ["record.json", "weights.pt"])
def test_a_file_that_does_not_read_is_set_aside_and_made_again(
    run: Do, tmp_path: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    first = run()
    path = tmp_path / "p-0.5" / name
    path.write_bytes(path.read_bytes()[:50])
    again = run()
    assert f"{name} does not read" in capsys.readouterr().out
    assert path.with_name(f"{name}.unreadable").exists()
    assert again.record["test"] == first.record["test"]


def test_a_diverged_run_is_recorded_and_the_others_go_on(run: Do, tmp_path: Path) -> None:
    run("good")
    run("bad", optimizer="sgd", lr=1e9)
    frame = records.load(tmp_path)
    assert frame.variant.tolist() == ["bad", "good"]
    assert frame.diverged[0] == {"epoch": 1, "lr": 1e9} and math.isnan(frame.accuracy[0])
    assert statistics.summary(frame).n.to_dict() == {("05_dropout", "good"): 1}


def test_a_folder_that_cannot_be_written_is_named_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/runs can't be written.*another folder"):
        Experiment("05_dropout", out=tmp_path / "file" / "runs")


def test_only_one_variant_is_trained_and_to_the_same_numbers(
    run: Do, tmp_path: Path, trained: list[Recipe], capsys: pytest.CaptureFixture
) -> None:
    whole = [run(name) for name in ("p = 0", "p = 0.5")][1]
    for folder in tmp_path.iterdir():
        shutil.rmtree(folder)
    trained.clear()
    other, asked = (run(name, only="p = 0.5") for name in ("p = 0", "p = 0.5"))
    assert len(trained) == 1 and [path.parent.name for path in tmp_path.rglob("*.pt")] == ["p-0.5"]
    assert (asked.test, asked.confusion) == (whole.test, whole.confusion)
    assert torch.equal(asked.model.conv1.weight, whole.model.conv1.weight)
    assert "p = 0: not trained, since only 'p = 0.5' was asked for" in capsys.readouterr().out
    assert torch.equal(other.model.conv1.weight, models.build("SimpleCNN").conv1.weight)


def test_an_untrained_run_has_the_shape_of_a_run_and_no_number(run: Do) -> None:
    other, asked = (run(name, only="p = 0.5") for name in ("p = 0", "p = 0.5"))
    assert set(other.record) == set(asked.record) and set(other.history) == set(asked.history)
    for run_of_it in (other.test, other.test_flip):
        assert set(run_of_it) == set(asked.test) and all(map(math.isnan, run_of_it.values()))
    assert other.history.filter(regex="loss|accuracy").isna().all(axis=None)
    assert other.diverged is None
    table = records.table({"p = 0": other, "p = 0.5": asked})
    assert table.accuracy.isna().tolist() == [True, False]


def test_a_record_that_holds_is_told_to_who_waits_for_it_by_its_time(
    run: Do, tmp_path: Path
) -> None:
    run()
    path = tmp_path / "p-0.5" / "record.json"
    written = path.stat().st_mtime_ns
    run()
    run("p = 0", only="p = 0.5")
    assert path.stat().st_mtime_ns == written
    run(only="p = 0.5")
    assert path.stat().st_mtime_ns > written


def test_a_run_that_did_not_learn_is_marked(tiny: data.Data, run: Do, tmp_path: Path) -> None:
    run("lost", optimizer="sgd", lr=1e9)
    run("guesses", optimizer="muon", lr=1e6)
    network = models.build("SimpleCNN")
    learner = Recipe(epochs=12, batch_size=10, lr=3e-3)
    easy = replace(tiny, val=tiny.train, test=tiny.train)  # what it has seen, it knows
    learns = Experiment("05_dropout", out=tmp_path).run("learns", network, easy, learner)
    searched = {**learns.record, "variant": "searched", "test": {}}  # by its validation images
    records.write(searched, tmp_path / "searched" / "record.json")
    frame = records.load(tmp_path).set_index("variant")
    assert np.isfinite(frame.train_loss["guesses"]) and frame.train_loss["guesses"] > 1e6
    expected = {"guesses": "not above chance", "lost": "diverged", "learns": "", "searched": ""}
    assert frame.remark.to_dict() == expected
    summary = study.summary_table([SimpleNamespace(folder=tmp_path)]).set_index("variant")
    assert summary.remark.to_dict() == expected


@pytest.mark.parametrize(
    ("accuracy", "images", "expected"),
    [(0.10, 10_000, False), (0.105, 10_000, False), (0.107, 10_000, True),
     (0.107, 1_000, False), (0.13, 1_000, True), (0.05, 10_000, False), (0.2, 20, False)],
)  # fmt: skip
def test_chance_reaches_two_standard_errors_above_a_tenth(
    accuracy: float, images: int, expected: bool
) -> None:
    assert metrics.above_chance(accuracy, images) is expected
