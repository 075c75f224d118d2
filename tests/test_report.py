import re
from pathlib import Path

import pandas as pd
import pytest

from cifar_utils import report, results, wording

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


@pytest.mark.parametrize("path", report.READMES, ids=lambda path: path.name)
def test_a_readme_is_what_the_records_give(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name, block in report.blocks(EVIDENCE, report.READMES[path]).items():
        assert report.fill(text, name, block) == text


def test_the_translation_has_the_tables_and_figures_of_the_original() -> None:
    english, russian = (path.read_text(encoding="utf-8") for path in report.READMES)
    tables = [
        [re.findall(r"\d[\d.,]*|[±–|]", row) for row in re.findall(r"^\|.*", text, re.M)]
        for text in (english, russian)
    ]
    assert tables[0] and tables[0] == tables[1]
    names = [re.findall(r"(?:images|notebooks)/\w+\.\w+", text) for text in (english, russian)]
    assert names[0] == names[1]
    commands = []
    for text in (english, russian):
        blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.S))
        commands.append([line.partition("#")[0].strip() for line in blocks.splitlines()])
    assert commands[0] and commands[0] == commands[1]


def test_every_image_of_a_readme_is_there() -> None:
    for path in report.READMES:
        for name in re.findall(r"images/(\w+\.png)", path.read_text(encoding="utf-8")):
            assert (report.IMAGES / name).stat().st_size > 5_000


def test_the_table_gives_mean_and_spread() -> None:
    text = report.records_block(frame([0.80, 0.82, 0.84]))
    assert "| 288,778 | 2 | 3 | 82.00 ± 2.00 | 50.00 ± 0.00 |" in text
    assert "| 40.00 ± 0.00 | 83.00 ± 2.00 |" in text
    assert "500 images" in text and "seeds 0, 1, 2" in text
    single = report.records_block(frame([0.8])).splitlines()[2]
    assert "| 1 | 80.00 | 50.00 |" in single and "±" not in single


def test_writing_replaces_the_blocks_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPEED", "CLAIM"):
        monkeypatch.setattr(report, name, tmp_path / "none.json")
    readmes = {tmp_path / "a.md": wording.ENGLISH, tmp_path / "b.md": wording.RUSSIAN}
    for path in readmes:
        path.write_text("before\n<!-- records: start -->\nold\n<!-- records: end -->\nafter\n")
    for _ in range(2):
        report.write_readmes(frame([0.8]), readmes)
        for path, words in readmes.items():
            block = report.records_block(frame([0.8]), words)
            expected = f"before\n<!-- records: start -->\n{block}\n<!-- records: end -->\nafter\n"
            assert path.read_text(encoding="utf-8") == expected
    with pytest.raises(ValueError, match="no lines <!-- b: start -->"):
        report.fill("no marks", "b", "new")


def test_both_languages_say_the_same_things_of_the_same_numbers() -> None:
    assert wording.ENGLISH.keys() == wording.RUSSIAN.keys()
    for name, english in wording.ENGLISH.items():
        fields = [sorted(re.findall(r"{.*?}", text)) for text in (english, wording.RUSSIAN[name])]
        assert fields[0] == fields[1]
        assert english.count("|") == wording.RUSSIAN[name].count("|")


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
    text = report.speed_block(speed)
    assert "| fit, one process | 3,000 | 3.00 |" in text and "backward 60.0 %" in text
    text = report.claim_block({"claim": 0.809, "runs": runs, "environment": where})
    assert "82.00 ± 2.00 %, 110 ± 10 s, 6.0·10¹²" in text and "of which 2 reach it" in text


def test_images_are_drawn_from_records(tmp_path: Path) -> None:
    drawn = report.draw_images(frame([0.8, 0.9]), tmp_path)
    assert [path.name for path in drawn] == ["final.png", "confusion_matrix.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in drawn)
    assert report.draw_images(frame([0.8]).assign(notebook="01_baseline"), tmp_path) == []
