"""The comparisons that the pages report: each with the number of seeds that was declared, or not.

The primary ones are corrected by Holm for their number, over the whole study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cifar_utils import outline, statistics, uncertainty
from cifar_utils.outline import Section
from cifar_utils.statistics import Comparison

Key = tuple[str, str, str]  # notebook, a, b


@dataclass(frozen=True)
class Unreported:
    """A comparison b − a that has not the number of seeds that was declared: it has no numbers."""

    a: str
    b: str
    n: int
    declared: int
    verdict: str = "not reported"


Outcome = Comparison | Unreported


def of_study(full: pd.DataFrame) -> dict[Key, Outcome]:
    """All comparisons of the outline, the primary ones corrected for their number.

    One that is not reported yet counts in that number with a p of 1, so that a corrected p can
    only fall when its records come.
    """
    found = {
        (section.notebook, a, b): between(full, (section.notebook, a), (section.notebook, b))
        for section in outline.SECTIONS
        for question in section.questions
        for a, b, _ in question.pairs
    }
    primary = {key: _over_images(full, key, found[key]) for key in primary_keys()}
    values = [each.widest_p if isinstance(each, Comparison) else 1.0 for each in primary.values()]
    for (key, each), p in zip(primary.items(), statistics.holm(values), strict=True):
        found[key] = replace(each, corrected=p) if isinstance(each, Comparison) else each
    return found


def primary_keys() -> list[Key]:
    """The comparisons that are declared primary, in the outline's order."""
    return [(section.notebook, a, b) for section in outline.SECTIONS for a, b in section.primary]


def between(full: pd.DataFrame, a: tuple[str, str], b: tuple[str, str]) -> Outcome:
    """The second variant minus the first, each named by its notebook and itself.

    Of the declared seeds, 0, 1, …, each needs a run of either that did not diverge; seeds beyond
    them take no part. Where the two have different numbers declared, the smaller counts.
    """
    declared = min(outline.declared_seeds(*a), outline.declared_seeds(*b))
    runs_a, runs_b = (_declared_runs(full, *each, declared) for each in (a, b))
    name_a, name_b = (a[1], b[1]) if a[1] != b[1] else (", ".join(a), ", ".join(b))
    n = len(set(runs_a.seed) & set(runs_b.seed))
    if n != declared:
        return Unreported(name_a, name_b, n, declared)
    both = pd.concat([runs_a.assign(variant=name_a), runs_b.assign(variant=name_b)])
    return statistics.compare(both, name_a, name_b)


def of_section(found: Mapping[Key, Outcome], section: Section) -> list[Outcome]:
    """A section's comparisons, in order."""
    return [
        found[section.notebook, a, b]
        for question in section.questions
        for a, b, _ in question.pairs
    ]


def primary_rows(found: Mapping[Key, Outcome]) -> list[dict[str, Any]]:
    """The table of primary comparisons: the notebook, and what was found."""
    return [{"number": key[0][:2], "found": found[key]} for key in primary_keys()]


def _declared_runs(full: pd.DataFrame, notebook: str, variant: str, seeds: int) -> pd.DataFrame:
    """A variant's runs with the declared seeds; those that diverged left out."""
    of_variant = (full.notebook == notebook) & (full.variant == variant)
    runs = full[of_variant & full.seed.isin(range(seeds))]
    return runs.dropna(subset=["accuracy"])


def _over_images(full: pd.DataFrame, key: Key, found: Outcome) -> Outcome:
    """The comparison with its interval over seeds and test images, where the records allow it."""
    if not isinstance(found, Comparison):
        return found
    notebook, *variants = key
    a, b = (_declared_runs(full, notebook, variant, found.n) for variant in variants)
    return replace(found, wide=uncertainty.of_difference(a, b))
