from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import runs_of, study

from cifar_utils import outline, statistics, uncertainty
from cifar_utils.report import compared
from cifar_utils.report.compared import Unreported

AVERAGE = ("03_pooling", "max", "average")


def test_every_primary_comparison_is_one_of_the_questions() -> None:
    for section in outline.SECTIONS:
        asked = {(a, b) for question in section.questions for a, b, _ in question.pairs}
        assert 1 <= len(section.primary) <= 3
        assert set(section.primary) <= asked
    assert 10 <= len(compared.primary_keys()) <= 14


def test_what_is_compared_has_seeds_declared_and_at_least_three() -> None:
    for section in outline.SECTIONS:
        declared = [outline.declared_seeds(section.notebook, each) for each in section.variants]
        assert set(declared) <= {section.seeds, 3} and section.seeds >= 5
    assert outline.declared_seeds("07_final", "PlainCNN") == 3
    with pytest.raises(ValueError, match="no notebook '08'"):
        outline.declared_seeds("08", "SimpleCNN")


def test_seeds_beyond_the_declared_ones_take_no_part() -> None:
    runs = study()
    more = pd.concat([runs, runs_of("03_pooling", "max", [0.1] * 9)])
    more = more[~more.duplicated(["notebook", "variant", "seed", "profile"])]
    assert (more.variant == "max").sum() == 9
    same = compared.of_study(runs[runs.profile == "full"])[AVERAGE]
    assert compared.of_study(more[more.profile == "full"])[AVERAGE] == same


def test_the_same_number_of_other_seeds_is_not_what_was_declared() -> None:
    runs = study()
    moved = runs.assign(seed=runs.seed.where(runs.variant != "max", runs.seed + 1))
    assert compared.of_study(moved)[AVERAGE] == Unreported("max", "average", 4, 5)


def test_a_variant_without_a_record_is_not_reported() -> None:
    runs = study()
    assert compared.of_study(runs[runs.variant != "average"])[AVERAGE].n == 0


def test_one_network_in_two_notebooks_is_compared_with_itself_by_seed() -> None:
    one, other = ("01_baseline", "SimpleCNN"), ("02_deeper_batchnorm", "SimpleCNN")
    runs = pd.concat([runs_of(*one, [0.6] * 5), runs_of(*other, [0.7, 0.7, 0.7, 0.7, 0.71])])
    found = compared.between(runs, one, other)
    assert (found.a, found.n) == ("01_baseline, SimpleCNN", 5)
    assert found.difference == pytest.approx(0.102)


def test_primary_comparisons_are_corrected_together_and_the_others_not() -> None:
    runs = study()
    found = compared.of_study(runs[runs.profile == "full"])
    keys = compared.primary_keys()
    assert [key for key, each in found.items() if each.corrected is not None] == [
        key for key in found if key in keys
    ]
    expected = statistics.holm([found[key].p for key in keys])
    assert [found[key].corrected for key in keys] == expected


def test_what_is_not_reported_yet_counts_in_the_correction() -> None:
    near, shift = [0.70, 0.71, 0.72, 0.70, 0.72], [0.010, 0.012, 0.011, 0.009, 0.010]
    pairs = zip(near, shift, strict=True)
    change = {("03_pooling", "max"): near, ("03_pooling", "average"): [a + b for a, b in pairs]}
    runs = study(None, change)
    waiting = compared.of_study(runs[runs.notebook == "03_pooling"])
    assert isinstance(waiting["01_baseline", "SimpleCNN", "corrected"], Unreported)
    found = waiting[AVERAGE]
    assert found.p < waiting["03_pooling", "max", "strided"].p
    assert found.corrected == pytest.approx(len(compared.primary_keys()) * found.p) and found.p > 0


def test_test_images_count_where_both_variants_keep_their_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 10, 200)
    text = "".join(map(str, truth))
    (tmp_path / "labels.txt").write_text(text)
    monkeypatch.setattr(uncertainty.right, "__defaults__", (tmp_path / "labels.txt",))

    def answers(wrong: int) -> str:
        return "".join(map(str, np.where(np.arange(200) < wrong, (truth + 1) % 10, truth)))

    wrong = {"max": [40, 44, 42, 46, 38], "average": [38, 40, 40, 42, 36]}
    runs = study(None, {("03_pooling", name): [1 - each / 200 for each in counts]
                        for name, counts in wrong.items()})  # fmt: skip
    assert compared.of_study(runs)[AVERAGE].wide is None
    runs["predicted"] = runs["predicted"].astype(object)
    for name, counts in wrong.items():
        chosen = (runs.notebook == "03_pooling") & (runs.variant == name)
        runs.loc[chosen, "predicted"] = [answers(each) for each in counts]
    found = compared.of_study(runs)[AVERAGE]
    assert found.wide.mean == pytest.approx(found.difference) == pytest.approx(0.014)
    assert found.wide.high - found.wide.low > found.high - found.low
    others = [each.widest_p for key, each in compared.of_study(runs).items()
              if key in compared.primary_keys() and key != AVERAGE]  # fmt: skip
    assert found.corrected == pytest.approx(statistics.holm([found.wide.p, *others])[0])
    assert replace(found, corrected=None).verdict in statistics.VERDICTS
