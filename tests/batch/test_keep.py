"""What a study left, brought into results/."""

from pathlib import Path

import pytest

from cifar_utils import classify, data, models, records, training
from cifar_utils.batch import keep
from cifar_utils.experiment import Experiment
from cifar_utils.recipe import Recipe

SHORT = Recipe(epochs=1, batch_size=20)


@pytest.fixture(scope="module")
def final(tiny: data.Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full-scale run of FinalCNN: its record and its weights."""
    out = tmp_path_factory.mktemp("study")
    model = models.build("FinalCNN")
    Experiment("07_final", "full", out).run("FinalCNN", model, tiny, SHORT, verbose=False)
    return out / "FinalCNN"


def leave(folder: Path, final: Path, **change: object) -> None:
    """What a study leaves: a record, changed, and weights that hold its seed."""
    record = {**records.read(final / "record.json"), **change}
    records.write(record, folder / "record.json")
    (folder / "weights.pt").write_text(f"weights of seed {record['seed']}")


def test_only_the_evidence_is_kept_in_a_folder_a_notebook(final: Path, tmp_path: Path) -> None:
    names = {"notebook": "06_augmentation", "variant": "crop + flip"}
    for profile in ("full", "full+train_size=200", "full+lr=1", "search", "quick"):
        leave(tmp_path / "runs" / profile, final, profile=profile, **names)
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
    final: Path, tmp_path: Path, tiny: data.Data
) -> None:
    keep.publish(final, tmp_path)
    model, record = classify.kept_network(tmp_path)
    right = training.predict(model, tiny.test, tiny).argmax(1) == tiny.test.labels
    assert right.float().mean().item() == pytest.approx(record["test"]["accuracy"])
