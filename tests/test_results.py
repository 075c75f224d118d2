import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from cifar_utils import classify, data, models, results, training
from cifar_utils.training import Recipe

SHORT = Recipe(epochs=1, batch_size=100)


def run(small: data.Data, out: Path, variant: str = "p = 0.5", **change: object) -> training.Run:
    recipe = replace(SHORT, **change)
    model = models.build("SimpleCNN", recipe.seed)
    return results.Experiment("05_dropout", "quick", out).run(variant, model, small, recipe)


def test_a_record_holds_what_others_rely_on(small: data.Data, tmp_path: Path) -> None:
    done = run(small, tmp_path)
    record = json.loads((tmp_path / "p-0.5" / "record.json").read_text())
    assert record == done.record
    assert (record["notebook"], record["variant"], record["seed"]) == ("05_dropout", "p = 0.5", 0)
    assert record["profile"] == "quick" and record["parameters"] == 52_202
    assert record["data"]["name"] == "sketches" and record["data"]["train"] == 400
    assert set(record["test"]) == {"accuracy", "precision", "recall", "f1", "roc_auc", "mcc"}
    assert np.sum(record["confusion"]) == 2000 and record["recipe"]["lr"] == 1e-3
    assert {"python", "torch", "threads", "processor", "code"} <= set(record["environment"])
    weights = torch.load(tmp_path / "p-0.5" / "weights.pt", weights_only=True)
    assert torch.equal(weights["conv1.weight"], done.model.conv1.weight)


def test_what_has_its_record_is_not_trained_again(
    small: data.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(small, tmp_path)
    trained = []
    fit = training.fit
    monkeypatch.setattr(training, "fit", lambda *a, **k: trained.append(1) or fit(*a, **k))
    again = run(small, tmp_path)
    assert not trained and again.record == first.record
    assert torch.equal(again.model.conv1.weight, first.model.conv1.weight)
    assert again.history.equals(first.history) and again.test == first.test
    run(small, tmp_path, lr=2e-3)
    assert len(trained) == 1
    assert json.loads((tmp_path / "p-0.5" / "record.json").read_text())["recipe"]["lr"] == 2e-3


@pytest.mark.parametrize("name", ["record.json", "weights.pt"])
def test_a_file_that_does_not_read_is_set_aside_and_made_again(
    small: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    first = run(small, tmp_path)
    path = tmp_path / "p-0.5" / name
    path.write_bytes(path.read_bytes()[:50])
    again = run(small, tmp_path)
    assert f"{name} does not read" in capsys.readouterr().out
    assert path.with_name(f"{name}.unreadable").exists()
    assert again.record["test"] == first.record["test"]


def test_a_diverged_run_is_recorded_and_the_others_go_on(small: data.Data, tmp_path: Path) -> None:
    run(small, tmp_path, "good")
    run(small, tmp_path, "bad", optimizer="sgd", lr=1e9)
    frame = results.load(tmp_path)
    assert frame.variant.tolist() == ["bad", "good"]
    assert frame.diverged[0] == {"epoch": 1, "lr": 1e9} and math.isnan(frame.accuracy[0])
    assert results.summary(frame).n.to_dict() == {("05_dropout", "good"): 1}


def test_load_sets_aside_what_does_not_read_and_keeps_the_rest(
    small: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run(small, tmp_path, "good")
    for name, text in (("half", "{"), ("other", "[1, 2]"), ("old", '{"schema": 0}'),
                       ("poor", '{"schema": 1, "variant": "x"}')):  # fmt: skip
        (tmp_path / f"{name}.json").write_text(text)
    frame = results.load(tmp_path)
    assert frame.variant.tolist() == ["good"]
    said = capsys.readouterr().out
    assert all(f"{name}.json does not read" in said for name in ("half", "other", "old", "poor"))
    assert results.load(tmp_path, notebook="01_baseline").empty
    assert results.load(tmp_path, profile="full").empty


def test_a_record_is_whole_or_as_it_was(small: data.Data, tmp_path: Path) -> None:
    done = run(small, tmp_path)
    path = tmp_path / "p-0.5" / "record.json"
    before = path.read_text()
    with pytest.raises(ValueError):
        results.write({**done.record, "seconds": math.nan}, path)
    assert path.read_text() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["record.json", "weights.pt"]


def frame_of(values: dict[str, list[float]]) -> pd.DataFrame:
    rows = [
        {"notebook": "03", "variant": variant, "seed": seed, "accuracy": value}
        for variant, column in values.items()
        for seed, value in enumerate(column)
    ]
    return pd.DataFrame(rows)


def test_summary_equals_scipy() -> None:
    values = [0.70, 0.72, 0.71, 0.75]
    row = results.summary(frame_of({"max": values, "one": [0.5]})).loc[("03", "max")]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert row.tolist() == pytest.approx([4, np.mean(values), np.std(values, ddof=1), low, high])
    single = results.summary(frame_of({"one": [0.5]})).iloc[0]
    assert single.n == 1 and single["mean"] == 0.5 and math.isnan(single.low)


def test_compare_pairs_by_seed_and_equals_scipy() -> None:
    a, b = [0.70, 0.75, 0.72], [0.72, 0.765, 0.745]
    shuffled = frame_of({"a": a, "b": b}).sample(frac=1, random_state=0)
    found = results.compare(shuffled, "a", "b")
    interval = stats.ttest_rel(b, a).confidence_interval(0.95)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (np.mean(b) - np.mean(a), interval.low, interval.high)
    )
    assert not found.zero_inside and "“b” is better" in str(found) and "n = 3" in str(found)
    assert "“a” is better" not in str(found)
    assert "“b” is better" in str(results.compare(shuffled, "b", "a"))


def test_compare_says_when_nothing_is_shown() -> None:
    noisy = frame_of({"a": [0.70, 0.75, 0.72], "b": [0.75, 0.70, 0.73]})
    assert results.compare(noisy, "a", "b").zero_inside
    assert "no difference is shown" in str(results.compare(noisy, "a", "b"))
    single = results.compare(frame_of({"a": [0.7], "b": [0.8]}), "a", "b")
    assert single.zero_inside and "no conclusion" in str(single)
    asked = noisy.assign(val_accuracy=noisy.accuracy)
    assert ", val_accuracy: " in str(results.compare(asked, "a", "b", "val_accuracy"))
    with pytest.raises(ValueError, match="'c'; there are: a, b"):
        results.compare(noisy, "a", "c")
    apart = noisy[(noisy.variant == "a") != (noisy.seed == 0)]
    with pytest.raises(ValueError, match="no seed in common"):
        results.compare(apart, "a", "b")


def test_publish_copies_full_scale_records_only(small: data.Data, tmp_path: Path) -> None:
    run(small, tmp_path / "runs", "quick one")
    full = results.Experiment("05_dropout", "full", tmp_path / "runs")
    full.run("p = 0", models.build("SimpleCNN"), small, SHORT)
    kept = results.publish(tmp_path / "runs", tmp_path / "evidence")
    assert [path.name for path in kept] == ["05_dropout.p-0.seed0.json"]
    assert results.evidence("05_dropout", folder=tmp_path / "evidence").variant.tolist() == [
        "p = 0"
    ]


def test_runs_with_fewer_images_are_evidence_beside_the_others(
    small: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    fewer = data.load("sketches", train_size=200, val_size=100)
    sizes = {"full": small, "full+train_size=200": fewer, "full+lr=1": small, "search": small}
    for profile, images in sizes.items():
        experiment = results.Experiment("06_augmentation", profile, tmp_path / "runs" / profile)
        model = models.build("SimpleCNN")
        experiment.run("crop + flip", model, images, SHORT, verbose=False)
    kept = results.publish(tmp_path / "runs", tmp_path / "kept")
    assert sorted(path.name for path in kept) == [
        "06_augmentation.crop-+-flip.seed0.json",
        "06_augmentation.crop-+-flip.train_size-200.seed0.json",
    ]
    results.publish(tmp_path / "runs", tmp_path / "kept")
    capsys.readouterr()
    frame = results.evidence("06_augmentation", folder=tmp_path / "kept")
    assert sorted(frame.train_size) == [200, 400] and set(frame.lr) == {SHORT.lr}
    said = capsys.readouterr().out
    assert said.startswith("1 run of 06_augmentation at full scale: 1 variant, 1 seed each, 400")


def test_a_part_is_the_evidence_until_the_full_scale_has_three_seeds_of_all() -> None:
    def runs(profile: str, **seeds: int) -> pd.DataFrame:
        rows = [(profile, variant, seed) for variant, n in seeds.items() for seed in range(n)]
        return pd.DataFrame(rows, columns=["profile", "variant", "seed"])

    def chosen(*frames: pd.DataFrame) -> set[str]:
        return set(results.strongest(pd.concat(frames), {"a", "b"}).profile)

    part = runs("part", a=3, b=3)
    assert chosen(part) == chosen(runs("full", a=3, b=2), part) == {"part"}
    assert chosen(runs("full", a=3), part) == {"part"}
    assert chosen(runs("full", a=3, b=3), part) == {"full"}
    assert chosen(runs("full", a=1, b=1), runs("part", a=3)) == {"full"}


@pytest.mark.parametrize(
    ("profile", "words"),
    [("full", "--profile full --seeds 2"),
     ("full+train_size=100+augmentation=crop+flip",
      "--profile full --seeds 2 -p train_size=100 -p augmentation=crop+flip")],
)  # fmt: skip
def test_the_command_of_a_record(profile: str, words: str) -> None:
    assert results.command("06", profile, 2) == f"python -m cifar_utils run 06 {words}"
    assert results.command("06").endswith("run 06 --profile full")


def test_the_weights_of_the_finalcnn_best_on_validation_are_kept(
    small: data.Data, tmp_path: Path
) -> None:
    accuracies = {}
    for seed, epochs in ((0, 1), (1, 6), (2, 1)):
        folder = tmp_path / "runs" / f"seed-{seed}"
        experiment = results.Experiment("07_final", "full", folder)
        recipe = replace(SHORT, epochs=epochs, seed=seed)
        model = models.build("FinalCNN", seed)
        done = experiment.run("FinalCNN", model, small, recipe, verbose=False)
        accuracies[seed] = done.history.val_accuracy.iloc[-1]
    best = max(accuracies, key=accuracies.__getitem__)
    others = set(accuracies) - {best}
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "07_final.FinalCNN.seed9.pt").touch()  # whose record was taken away
    for seed in (*others, best, *others):  # whatever the order in which they come
        results.publish(tmp_path / "runs" / f"seed-{seed}", tmp_path / "kept")
    assert [path.name for path in (tmp_path / "kept").glob("*.pt")] == [
        f"07_final.FinalCNN.seed{best}.pt"
    ]
    model, record = classify.kept_network(tmp_path / "kept")
    assert record["seed"] == best
    labels = small.test.labels
    right = training.predict(model, small.test, small).argmax(1) == labels
    assert right.float().mean().item() == pytest.approx(record["test"]["accuracy"])


def test_evidence_stands_in_the_order_of_its_notebook(
    small: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for variant in ("p = 0.5, never off", "p = 0.8", "p = 0"):
        record = run(small, tmp_path / "runs", variant).record | {"profile": "full"}
        results.write(record, tmp_path / "kept" / results.file_name(record))
    kept = results.evidence("05_dropout", folder=tmp_path / "kept")
    assert kept.variant.tolist() == ["p = 0", "p = 0.8", "p = 0.5, never off"]
    capsys.readouterr()
    kept = results.evidence("05_dropout", ["p = 0.8", "p = 0"], tmp_path / "kept")
    assert kept.variant.tolist() == ["p = 0", "p = 0.8"]
    assert capsys.readouterr().out.startswith("2 runs of 05_dropout at full scale: 2 variants, 1")


def test_no_evidence_is_said_plainly(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert results.evidence("03_pooling", folder=tmp_path).empty
    assert "no full-scale record of 03_pooling" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_named_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/runs can't be written.*another folder"):
        results.Experiment("05_dropout", out=tmp_path / "file" / "runs")


def test_unknown_metric_is_named() -> None:
    with pytest.raises(ValueError, match="'auc'; there are: .*accuracy"):
        results.summary(frame_of({"a": [0.1]}), "auc")
