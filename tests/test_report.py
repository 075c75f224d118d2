from pathlib import Path

import pandas as pd
import pytest

from cifar_utils import report, results

EVIDENCE = results.load(profile="full")


def frame(accuracies: list[float]) -> pd.DataFrame:
    rows = [
        {"notebook": "07_final", "variant": "FinalCNN", "network": "FinalCNN", "seed": seed,
         "parameters": 288_778, "epochs": 2, "train_size": 400, "accuracy": accuracy,
         "precision": 0.5, "recall": 0.5, "f1": 0.5, "roc_auc": 0.9, "mcc": 0.4,
         "environment": {"processor": "CPU", "instructions": "AVX2", "threads": 1,
                         "torch": "2", "python": "3"},
         "confusion": [[5] * 10] * 10,
         "history": [{"epoch": e, "train_loss": 1.0, "val_loss": 1.0, "train_accuracy": 0.5,
                      "val_accuracy": 0.5} for e in (1, 2)]}
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_readme_is_what_the_records_give() -> None:
    assert report.readme_block(EVIDENCE) in report.README.read_text(encoding="utf-8")


def test_every_image_of_readme_is_there() -> None:
    for name in ("final.png", "confusion_matrix.png"):
        assert f"images/{name}" in report.README.read_text(encoding="utf-8")
        assert (report.IMAGES / name).stat().st_size > 5_000


def test_the_table_gives_mean_and_spread() -> None:
    row = report.table(frame([0.80, 0.82, 0.84])).splitlines()[-1]
    assert "| 288,778 | 2 | 3 | 82.00 ± 2.00 | 50.00 ± 0.00 |" in row
    single = report.table(frame([0.8])).splitlines()[-1]
    assert "| 1 | 80.00 | 50.00 |" in single and "±" not in single
    sentence = report.provenance(frame([0.80, 0.82]))
    assert "500 images" in sentence and "seeds 0, 1" in sentence


def test_writing_replaces_the_block_and_nothing_else(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.START}\nold\n{report.END}\nafter\n")
    report.write_readme(frame([0.8]), readme)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "old" not in text and report.table(frame([0.8])) in text
    report.write_readme(frame([0.8]), readme)
    assert readme.read_text(encoding="utf-8") == text
    readme.write_text("no marks")
    with pytest.raises(ValueError, match="has no lines"):
        report.write_readme(frame([0.8]), readme)


def test_images_are_drawn_from_records(tmp_path: Path) -> None:
    drawn = report.draw_images(frame([0.8, 0.9]), tmp_path)
    assert [path.name for path in drawn] == ["final.png", "confusion_matrix.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in drawn)
    assert report.draw_images(frame([0.8]).assign(notebook="01_baseline"), tmp_path) == []
