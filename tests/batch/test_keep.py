"""What a study left, brought into results/."""

from pathlib import Path

import pytest

from cifar_utils import classify, data, models, records, training
from cifar_utils.batch import keep
from cifar_utils.experiment import Experiment
from cifar_utils.recipe import Recipe

SHORT = Recipe(epochs=1, batch_size=20)
WHOLE = {"name": "cifar10", "train": 45_000, "val": 5_000, "test": 10_000}


@pytest.fixture(scope="module")
def final(tiny: data.Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full-scale run of FinalCNN: its record and its weights."""
    out = tmp_path_factory.mktemp("study")
    model = models.build("FinalCNN")
    Experiment("07_final", "full", out).run("FinalCNN", model, tiny, SHORT, verbose=False)
    return out / "FinalCNN"


def leave(folder: Path, final: Path, epochs: int = 30, **change: object) -> None:
    """What a study at full scale leaves: a record, changed, and weights that hold its seed."""
    record = records.read(final / "record.json")
    record["recipe"]["epochs"] = epochs
    record = {**record, "data": WHOLE, **change}
    records.write(record, folder / "record.json")
    (folder / "weights.pt").write_text(f"weights of seed {record['seed']}")


def test_only_the_evidence_is_kept_in_a_folder_a_notebook(final: Path, tmp_path: Path) -> None:
    names = {"notebook": "06_augmentation", "variant": "crop + flip"}
    for profile in ("full", "full+train_size=200", "full+lr=1", "search", "quick"):
        data = {**WHOLE, "train": 200} if profile.endswith("=200") else WHOLE
        leave(tmp_path / "runs" / profile, final, epochs=20, data=data, profile=profile, **names)
    for _ in range(2):
        kept = keep.publish(tmp_path / "runs", tmp_path / "kept")
        assert sorted(path.relative_to(tmp_path / "kept").as_posix() for path in kept) == [
            "06_augmentation/crop-+-flip.seed0.json",
            "06_augmentation/crop-+-flip.train_size-200.seed0.json",
        ]
    assert sorted(path for path in (tmp_path / "kept").rglob("*.*")) == sorted(kept)
    assert [records.read(path)["variant"] for path in kept] == ["crop + flip"] * 2


def test_the_weights_of_the_finalcnn_best_on_validation_are_kept(
    final: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept" / "07_final").mkdir(parents=True)
    (tmp_path / "kept" / "07_final" / "FinalCNN.seed9.pt").touch()  # whose record was taken away
    (row,) = records.read(final / "record.json")["history"]
    for seed, accuracy in enumerate((0.4, 0.6, 0.5)):
        history = [{**row, "val_accuracy": accuracy}]
        leave(tmp_path / f"seed-{seed}", final, seed=seed, history=history)
    for seed in (0, 2, 1, 0, 2):  # whatever the order in which they come
        keep.publish(tmp_path / f"seed-{seed}", tmp_path / "kept")
    (weights,) = (tmp_path / "kept").rglob("*.pt")
    assert weights.name == "FinalCNN.seed1.pt" and weights.read_text() == "weights of seed 1"


def test_the_network_that_is_kept_is_the_one_that_was_tested(
    final: Path, tmp_path: Path, tiny: data.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "complaint", lambda *_: "")  # it is not at full scale
    keep.publish(final, tmp_path)
    model, record = classify.released_network(tmp_path)
    right = training.predict(model, tiny.test, tiny).argmax(1) == tiny.test.labels
    assert right.float().mean().item() == pytest.approx(record["test"]["accuracy"])


@pytest.mark.parametrize(
    ("change", "words"),
    [({"data": {**WHOLE, "name": "sample"}}, "of its data, name is 'sample' and ought to be"),
     ({"data": {**WHOLE, "train": 5_000}}, "train is 5000 and ought to be 45000"),
     ({"data": {**WHOLE, "val": 1_000}}, "val is 1000 and ought to be 5000"),
     ({"data": {**WHOLE, "test": 1_000}}, "test is 1000 and ought to be 10000"),
     ({"profile": "full+train_size=200"}, "train is 45000 and ought to be 200"),
     ({"profile": "full+train_size=200+epochs=7", "data": {**WHOLE, "train": 200}},
      "it has 30 epochs, and ought to have 7"),
     ({"epochs": 3}, "it has 3 epochs, and ought to have 30"),
     ({"notebook": "01_baseline-Copy1"}, "unknown notebook")],
)  # fmt: skip
def test_what_is_not_at_full_scale_is_refused_and_nothing_is_kept(
    final: Path, tmp_path: Path, change: dict, words: str
) -> None:
    leave(tmp_path / "runs" / "1", final, seed=1)
    leave(tmp_path / "runs" / "2", final, seed=2, **change)
    with pytest.raises(ValueError, match=words):
        keep.publish(tmp_path / "runs", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_seeds_of_one_variant_are_kept_under_one_recipe(final: Path, tmp_path: Path) -> None:
    leave(tmp_path / "1", final, seed=1)
    (kept, _) = keep.publish(tmp_path / "1", tmp_path / "kept")
    recipe = records.read(kept)["recipe"]
    leave(tmp_path / "2", final, seed=2, recipe={**recipe, "seed": 2, "lr": 0.5})
    with pytest.raises(ValueError, match=r"its lr is 0\.5, and 0\.001 in .*seed1\.json"):
        keep.publish(tmp_path / "2", tmp_path / "kept")
    leave(tmp_path / "2", final, seed=2, recipe={**recipe, "seed": 2, "sharpness": 3})
    assert keep.publish(tmp_path / "2", tmp_path / "kept")  # a setting that is younger
