import ast
import sys
from dataclasses import asdict, replace
from pathlib import Path

import click
import papermill
import pytest

from cifar_utils import data, models

BENCHMARKS = data.PROJECT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import recipe_search  # noqa: E402
import throughput  # noqa: E402


@pytest.mark.parametrize("width", [1, 2])
def test_operations_are_three_times_the_multiply_adds_but_for_the_input_s_gradient(
    width: int,
) -> None:
    adds = models.layer_table(models.build("FinalCNN", width=width)).multiply_adds
    assert throughput.operations(models.build("FinalCNN", width=width)) == 2 * (
        3 * adds.sum() - adds[0]
    )


def test_shares_of_the_stages_are_a_whole(small: data.Data) -> None:
    shares = throughput.stage_shares(small)
    assert set(shares) == {
        "batch", "augmentation", "forward", "backward", "update", "bookkeeping"
    }  # fmt: skip
    assert sum(shares.values()) == pytest.approx(1)
    assert all(0 < share < 1 for share in shares.values())
    assert shares["backward"] > shares["augmentation"]


def test_candidates_change_the_base_and_notebook_07_trains_the_one_that_was_chosen() -> None:
    candidates = recipe_search.read_candidates(recipe_search.CANDIDATES, "07_final")
    base = candidates["base"].recipe
    assert candidates["padding 4"].recipe == replace(base, padding=4)
    assert len({each.recipe for each in candidates.values()}) == len(candidates)
    told = papermill.inspect_notebook(str(data.PROJECT / "notebooks" / "07_final.ipynb"))
    recipe = candidates[recipe_search.CHOSEN].recipe
    chosen = {name: value for name, value in asdict(recipe).items() if name in told}
    shown = {name: ast.literal_eval(told[name]["default"]) for name in chosen}
    assert shown | {"epochs": 30} == chosen


def test_a_wrong_candidate_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "recipes.yaml"
    wrong.write_text(
        "07_final:\n  network: FinalCNN\n  base: {}\n  candidates:\n    odd: {optimizer: magic}\n"
    )
    with pytest.raises(ValueError, match="magic"):
        recipe_search.read_candidates(wrong, "07_final")
    with pytest.raises(click.UsageError, match="no search '01'; there are: 07_final"):
        recipe_search.read_candidates(wrong, "01")
