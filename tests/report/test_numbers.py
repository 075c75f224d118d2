import math
from pathlib import Path

import pandas as pd
import pytest
from made_up import runs_of, study

from cifar_utils import outline
from cifar_utils.report import numbers, pages


@pytest.mark.parametrize("section", outline.SECTIONS, ids=lambda section: section.notebook)
def test_a_section_compares_no_two_variants_twice(section: outline.Section) -> None:
    pairs = [{a, b} for question in section.questions for a, b, _ in question.pairs]
    assert pairs and all(pairs.count(pair) == 1 for pair in pairs)


def test_values_are_written_as_percent_and_points() -> None:
    assert numbers.mean_and_spread(pd.Series([0.80, 0.82, 0.84, None])) == "82.00 ± 2.00"
    assert numbers.mean_and_spread(pd.Series([0.5, 0.5]), 1) == "50.0 ± 0.0"
    assert [pages.signed(each) for each in (0.012, -0.0035, -1e-9)] == ["+1.20", "−0.35", "+0.00"]
    assert pages.table([["1", "2"]], "a | b") == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_a_target_is_judged_by_the_intervals_of_the_mean() -> None:
    runs = runs_of("07_final", "FinalCNN", [0.80, 0.82, 0.84, 0.80, 0.84])
    found = numbers.target(runs, 80.90)
    assert (found["kind"], found["n"], found["above"]) == ("open", 5, 3)
    assert (found["accuracy"], found["flip"]) == ("82.00 ± 2.00", "83.00 ± 2.00")
    assert found["low"] == pytest.approx(79.52, abs=0.01)  # 82 − 2.776 · 2 / √5
    assert numbers.target(runs, 90)["kind"] == "missed"
    found = numbers.target(runs, 79)
    assert (found["kind"], found["wide"]["kind"], found["images"]) == ("reached", "open", 500)
    assert found["wide"]["low"] < 79 < found["low"]  # 500 images: ± 3.4 points
    assert numbers.target(runs, 70)["wide"]["kind"] == "reached"


@pytest.mark.parametrize("accuracies", [[0.8, 0.81], [0.8, 0.81, 0.8, 0.8, math.nan]])
def test_a_target_without_all_declared_seeds_has_no_verdict(accuracies: list[float]) -> None:
    found = numbers.target(runs_of("07_final", "FinalCNN", accuracies), 70)
    n = sum(not math.isnan(each) for each in accuracies)
    assert (found["kind"], found["n"], found["declared"]) == ("unreported", n, 5)
    assert "low" not in found and "wide" not in found


def test_seeds_beyond_the_declared_ones_take_no_part_in_a_target() -> None:
    first = [0.80, 0.82, 0.84, 0.80, 0.84]
    runs = runs_of("07_final", "FinalCNN", [*first, 0.1, 0.1])
    same = numbers.target(runs_of("07_final", "FinalCNN", first), 80.90)
    assert numbers.target(runs, 80.90) == same


def test_a_networks_two_recipes_are_compared_by_seed() -> None:
    change = {
        ("02_deeper_batchnorm", "NotSimpleCNN"): [0.70, 0.71, 0.72, 0.71, 0.71],
        ("07_final", "FinalCNN"): [0.80, 0.81, 0.82, 0.81, 0.81],
    }
    found = numbers.by_recipe(study(None, change), "NotSimpleCNN")
    assert found["original"] == pytest.approx(71) and found["final"] == pytest.approx(81)
    assert found["change"].difference == pytest.approx(0.1) and found["change"].n == 5


def test_flattery_is_the_best_epoch_minus_the_last() -> None:
    runs = runs_of("01_baseline", "SimpleCNN", [0.6, 0.6])
    runs.history[0][0]["val_accuracy"] = 0.56  # 0.06 above the last
    found = numbers._flattery(runs)
    assert found["runs"] == 2 and found["mean"] == pytest.approx(3)


def test_two_single_runs_lie_apart_by_the_pooled_spread() -> None:
    runs = pd.concat([runs_of("01_baseline", "a", [0.60, 0.62]), runs_of("02_x", "b", [0.5, 0.5])])
    found = numbers._apart(runs)
    assert found["variants"] == 2 and found["points"] == pytest.approx(1.4142, abs=1e-3)


def test_fewer_images_have_rows_and_commands_of_their_own() -> None:
    chapter = numbers.facts(study())["chapters"]["06_augmentation"]
    assert [row[:3] for row in chapter["sizes"]] == [["100", "2", "5"], ["400", "2", "5"]]
    assert all(row[3] == "288,778" or row[1] == "288,778" for row in chapter["metrics"])
    assert len(chapter["metrics"]) == len(outline.SECTIONS[5].variants)
    first, _, fewer, kept = chapter["commands"]
    assert first.endswith("run 06_augmentation --profile full --seeds 5")
    assert fewer.endswith("--profile full --seeds 5 -p train_size=100")
    assert kept == "python -m cifar_utils report runs/full+train_size-100 --keep"
    assert chapter["first"] == "06_augmentation/none.seed0.json"


def test_speed_is_told_beside_the_best_plain_loop(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    path.write_text('{"images_per_second": {"plain, 0": 900, "plain, 2": 1000, "fit": 3000}}')
    assert numbers._speed(path)["rates"][2] == ["fit", "3,000", "3.00"]


def test_time_to_the_claim_is_told_with_how_many_reach_it(tmp_path: Path) -> None:
    path = tmp_path / "time.json"
    runs = [{"epochs": 8, "seconds": s, "operations": 6e12, "test": a}
            for s, a in ((100, 0.80), (110, 0.82), (120, 0.84))]  # fmt: skip
    path.write_text(pd.Series({"claim": 0.809, "runs": runs, "environment": {}}).to_json())
    found = numbers._time(path)
    assert (found["accuracy"], found["seconds"]) == ("82.00 ± 2.00", "110 ± 10")
    assert (found["n"], found["reached"], found["operations"]) == (3, 2, 6)


def test_time_to_94_is_told_by_the_views_and_the_longest_seed(tmp_path: Path) -> None:
    path = tmp_path / "time.json"
    runs = [{"epochs": 12, "seconds": s, "operations": 4e14, "one_view": 0.93, "flip": 0.94,
             "six_views": a, "six_where_unsure": 0.94, "environment": {"threads": 1}}
            for s, a in ((600, 0.938), (1200, 0.940), (1800, 0.942))]  # fmt: skip
    path.write_text(pd.Series({"claim": 0.94, "runs": runs}).to_json())
    found = numbers._time_to_94(path)
    assert (found["six_views"], found["minutes"]) == ("94.00 ± 0.20", "20 (10 … 30)")
    assert (found["n"], found["reached"], found["longest"]) == (3, 2, "30")
    assert found["parameters"] == 1_971_352 and found["operations"] == 4


def test_splits_are_told_by_their_validation_and_test_accuracy() -> None:
    runs = runs_of("07_final", "FinalCNN", [0.80, 0.82, 0.84])
    found = numbers.splits(runs.assign(val_accuracy=[0.7, 0.72, 0.74]))
    assert found == {"n": 3, "validation": "72.00 ± 2.00", "test": "82.00 ± 2.00"}
    assert numbers.splits(runs[:0])["n"] == 0
