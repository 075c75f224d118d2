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
         "flip_accuracy": accuracy + 0.01,
         "environment": {"processor": "CPU", "instructions": "AVX2", "threads": 1,
                         "torch": "2", "python": "3"},
         "confusion": [[5] * 10] * 10,
         "history": [{"epoch": e, "train_loss": 1.0, "val_loss": 1.0, "train_accuracy": 0.5,
                      "val_accuracy": 0.5} for e in (1, 2)]}
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_readme_is_what_the_records_give() -> None:
    text = report.README.read_text(encoding="utf-8")
    for name, block in report.blocks(EVIDENCE).items():
        assert report.fill(text, name, block) == text


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
    readme.write_text("before\n<!-- a: start -->\nold\n<!-- a: end -->\nafter\n")
    report.write_readme({"a": "new"}, readme)
    text = readme.read_text(encoding="utf-8")
    assert text == "before\n<!-- a: start -->\nnew\n<!-- a: end -->\nafter\n"
    report.write_readme({"a": "new"}, readme)
    assert readme.read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match="no lines <!-- b: start -->"):
        report.write_readme({"b": "new"}, readme)


def test_speed_is_told_from_what_the_benchmarks_wrote() -> None:
    where = {"processor": "CPU", "instructions": "AVX2", "threads": 2, "torch": "2", "python": "3"}
    speed = {
        "images_per_second": {"plain loop, 0 workers": 1000.0, "fit, one process": 3000.0},
        "rounds": {"fit, one process": [1.0, 2.0, 3.0]},
        "stages": {"forward": 0.4, "backward": 0.6},
        "roofline_fraction": 0.5, "study_roofline_fraction": 0.6, "load_seconds": 1.0,
        "evaluate_10000_seconds": 0.5, "peak_memory_gb": 1.5, "environment": where,
    }  # fmt: skip
    runs = [{"epochs": 8, "seconds": s, "operations": 6e12, "test": a}
            for s, a in ((100, 0.80), (110, 0.82), (120, 0.84))]  # fmt: skip
    text = report.speed_block(speed, {"claim": 0.809, "runs": runs, "environment": where})
    assert "| fit, one process | 3,000 | 3.00 |" in text and "backward 60.0 %" in text
    assert "82.00 ± 2.00 %, 110 ± 10 s, 6.0·10¹²" in text and "of which 2 clear it" in text


def test_images_are_drawn_from_records(tmp_path: Path) -> None:
    drawn = report.draw_images(frame([0.8, 0.9]), tmp_path)
    assert [path.name for path in drawn] == ["final.png", "confusion_matrix.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in drawn)
    assert report.draw_images(frame([0.8]).assign(notebook="01_baseline"), tmp_path) == []
