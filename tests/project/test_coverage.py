"""The simulation of intervals, and what the choice of the split leaves open."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from cifar_utils import data, records, uncertainty

BENCHMARKS = data.PROJECT / "benchmarks"
LOAD = data.load


def script(name: str) -> ModuleType:
    """A benchmark as a module, under a name that no package has."""
    spec = spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


coverage, splits = script("coverage"), script("splits")


def test_the_simulation_gives_the_accuracies_and_correlations_it_was_told() -> None:
    size = coverage.Magnitudes("made up", (0.62, 0.70), 0.03, 0.6, 0.1)
    random = np.random.default_rng(0)
    a, b = coverage.simulate(size, 400, random)
    assert a.shape == (400, coverage.IMAGES) and a.dtype == bool
    assert (a.mean(), b.mean()) == pytest.approx((0.62, 0.70), abs=0.02)
    assert a.mean(1).std() == pytest.approx(0.03, rel=0.15)
    found = coverage.measure("again", a, b)
    assert found.accuracies == (a.mean(), b.mean()) and found.measured_on == 400
    assert found.seed == pytest.approx(0.03, rel=0.15)
    assert found.image == pytest.approx(0.6, abs=0.02)
    assert found.image_by_variant == pytest.approx(0.1, abs=0.02)


def test_the_correlation_behind_two_answers_is_found_again() -> None:
    below = stats.multivariate_normal.cdf([0.3, -0.5], cov=[[1, 0.7], [0.7, 1]])
    chances = stats.norm.cdf([0.3, -0.5])
    assert coverage.correlation(below, *chances) == pytest.approx(0.7, abs=1e-3)


def test_an_interval_holds_the_truth_as_often_as_it_says_where_it_is_exact() -> None:
    # seeds that differ much and images that hardly count: Student's case
    size = coverage.Magnitudes("made up", (0.62, 0.64), 0.03, 0.6, 0.01)
    shares = coverage.held(size, 5, 300, np.random.default_rng(0))
    assert shares["difference: crossed"] == pytest.approx(0.95, abs=0.04)
    assert shares["difference: bootstrap"] < shares["difference: crossed"]
    assert shares["accuracy: bound"] >= shares["accuracy: crossed"]


def test_two_looks_err_more_often_than_one() -> None:
    assert coverage.two_looks(200_000, np.random.default_rng(1)) == pytest.approx(0.086, abs=0.002)


def test_the_kept_coverage_is_that_of_an_interval_at_95_percent() -> None:
    told = json.loads((BENCHMARKS / "coverage.json").read_text())
    assert told["studies"] >= 2000
    found = pd.DataFrame(told["coverage"])
    assert set(found.n) == set(coverage.SEEDS)
    chosen = found[found.method.str.endswith("crossed") & (found.n >= 5)]
    assert len(chosen) == 4 * len(told["magnitudes"]) >= 8
    assert chosen.held.between(0.94, 0.96).all(), chosen
    assert told["two_looks"]["errors"] == pytest.approx(0.086, abs=0.001)


def test_magnitudes_are_measured_where_answers_are_kept(tmp_path: Path) -> None:
    assert coverage.measured(tmp_path) == []
    random = np.random.default_rng(0)
    size = coverage.Magnitudes("made up", (0.6, 0.7), 0.02, 0.5, 0.1)
    truth = uncertainty._digits(uncertainty.LABELS.read_text().strip())
    example = records.read(records.EVIDENCE / "03_pooling" / "max.seed0.json")
    for variant, right in zip(("max", "average"), coverage.simulate(size, 4, random), strict=True):
        for seed, row in enumerate(right):
            predicted = "".join(map(str, np.where(row, truth, (truth + 1) % 10)))
            names = {"variant": variant, "seed": seed, "predicted": predicted}
            record = example | names
            records.write(record, tmp_path / records.file_name(record))
    (found,) = coverage.measured(tmp_path)
    assert found.name == "03: average − max" and found.measured_on == 4
    assert found.accuracies == pytest.approx((0.6, 0.7), abs=0.04)


def test_a_split_has_its_own_validation_images_and_a_record_that_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splits.data, "load", split_of_the_sample)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    places = {"kept": tmp_path / "kept", "checkpoints": tmp_path / "checkpoints"}
    found = [splits.train(split, epochs=1, train_size=200, **places) for split in (0, 1)]
    assert [each["variant"] for each in found] == ["split 0", "split 1"]
    assert {each["seed"] for each in found} == {0} and found[0]["digest"] != found[1]["digest"]
    assert found[0]["profile"] == "splits" and 0 < found[0]["test"]["accuracy"] < 1
    assert "validation" in splits.line(found[0]) and "split 0" in splits.line(found[0])
    monkeypatch.setattr(splits.Experiment, "run", None)  # not trained again
    assert splits.train(0, epochs=1, train_size=200, **places) == found[0]
    assert set(records.load(places["kept"]).profile) == {"splits"}
    assert not records.is_evidence("splits")


def split_of_the_sample(dataset: str, train_size: int, seed: int) -> data.Data:
    assert dataset == "cifar10"
    return LOAD("sample", train_size=train_size, val_size=100, seed=seed)


def test_a_splits_record_tells_what_makes_it() -> None:
    assert records.command("07_final", "splits", 1) == "python benchmarks/splits.py"
