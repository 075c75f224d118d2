"""What the study finds, in words: sentences chosen by intervals, numbers filled in from records.

`runs` are full-scale records as `results.load` gives them, a row a run; `words` is a language of
`wording`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from cifar_utils import outline, results
from cifar_utils.outline import Question, Section
from cifar_utils.results import Comparison
from cifar_utils.tables import (
    ORIGINAL,
    full_name,
    markdown,
    mean_and_spread,
    of_variant,
    signed,
)

Words = Mapping[str, str]

CLAIM = 0.8090  # what the original reported for its final network, as a fraction
AIM = 0.915
PRINTED, MEASURED = 288_778, 2_473_610  # parameters: in its table, and of the network it trained
UNTRAINED, FLIP_AND_ROTATION = 11.24, 66.16  # percent, as it reported them


def comparisons(runs: pd.DataFrame, question: Question) -> list[Comparison]:
    """The question's comparisons that its records allow, in order."""
    found = []
    for a, b, _ in question.pairs:
        try:
            found.append(results.compare(runs, a, b))
        except ValueError:  # one of them has no run, or no seed of the other's
            continue
    return found


def of_section(frame: pd.DataFrame, section: Section) -> list[tuple[int, Comparison]]:
    """All that is compared in a section, each beside its number of training images."""
    records, found = of_notebook(frame, section.notebook), []
    for question in section.questions:
        strongest = results.strongest(records, question.variants)
        images = strongest.train_size.max()
        found += [(images, each) for each in comparisons(strongest, question)]
    return found


def paragraph(runs: pd.DataFrame, question: Question, words: Words) -> str:
    """What is asked, then what the records show of it, as much as there are of one notebook."""
    asked = words[f"question {question.key}"].format(rates=_rates(runs), original=FLIP_AND_ROTATION)
    found = comparisons(runs, question)
    if not found:
        return f"{asked} {words['not measured']}"
    sentences = [asked, *_on_part(runs, words), *_verdicts(found, words)]
    expected = {(a, b): sign for a, b, sign in question.pairs}
    contrary = {1: "worse", -1: "better"}
    surprises = [c.b for c in found if contrary.get(expected[c.a, c.b]) == c.verdict]
    if surprises:
        sentences.append(words["unexpected"].format(variants=_italics(surprises)))
    if question.gaps:
        sentences.append(_gaps(runs, question.gaps, words))
    return " ".join(sentences)


def target(runs: pd.DataFrame, variant: str, goal: float, words: Words) -> str:
    """Whether a variant's mean test accuracy reaches `goal` (a fraction), by its 95 % interval."""
    some = runs[(runs.variant == variant) & runs.accuracy.notna()]
    if some.empty:
        return ""
    row = results.summary(some).iloc[0]
    kind = "single" if row.n < 2 else "open"
    kind = "reached" if row.low > goal else "missed" if row.high < goal else kind
    said = words[f"target {kind}"].format(
        variant=full_name(some.iloc[0]),
        parameters=some.parameters.iloc[0],
        target=100 * goal,
        mean=mean_and_spread(some.accuracy),
        low=100 * row.low,
        high=100 * row.high,
        n=len(some),
        reached=(some.accuracy > goal).sum(),
    )
    return f"{said} {words['flip'].format(flip=mean_and_spread(some.flip_accuracy))}"


def beside_original(runs: pd.DataFrame, words: Words) -> list[str]:
    """Whether the original's own networks reach what it reported, a paragraph each, if run."""
    said = []
    for (notebook, variant), percent in ORIGINAL.items():
        some = of_variant(runs, notebook, variant)
        if found := target(some, variant, percent / 100, words):
            reported = words["reported"].format(variant=full_name(some.iloc[0]), target=percent)
            said.append(f"{reported} {found}")
    return said


def answer(runs: pd.DataFrame, words: Words) -> str:
    """Whether 80.90 % is reached with 288,778 parameters, and what the aim beside it came to."""
    final = of_notebook(runs, "07_final")
    claimed = words["original"].format(target=100 * CLAIM, printed=PRINTED, measured=MEASURED)
    first = target(final, "FinalCNN", CLAIM, words) or words["not measured"]
    plain = target(final, "PlainCNN", AIM, words) or words["not measured"]
    aim = words["aim"].format(target=100 * AIM, printed=PRINTED)
    return f"{claimed} {first}\n\n{aim} {plain}"


def mistakes_table(runs: pd.DataFrame, words: Words) -> str:
    """What each mistake of the original cost, a row a mistake."""
    full = runs[runs.profile == "full"]
    rows = [_flattery(full, words)]
    for key, notebook, a, b in (
        ("evaluation mode", "02_deeper_batchnorm", "NotSimpleCNN", outline.NEVER_BACK),
        ("dropout on", "05_dropout", "p = 0.5", outline.NEVER_OFF),
        ("augmented test", "06_augmentation", "crop + flip", outline.SHAKEN),
        ("half", "02_deeper_batchnorm", "SimpleCNN", outline.HALF),
        ("itself", "06_augmentation", "none", "crop + flip"),
    ):
        measured = [f"{b} − {a}", *_cost(runs, notebook, a, b, words)]
        rows.append([words[f"mistake {key}"], *measured])
        if key == "itself" and rows[-1][-1] != words["no cost yet"]:
            rows[-1][-1] = words["cost itself"].format(item=rows[-1][-1])
    numbers = {"original": UNTRAINED, "printed": PRINTED, "measured": MEASURED}
    optimizer, table = (
        [words[f"mistake {key}"], words[f"measured {key}"], "–", words[f"cost {key}"]]
        for key in ("optimizer", "table")
    )
    rows += [optimizer, _one_seed(full, words), table]
    rows = [[cell.format(**numbers) for cell in row] for row in rows]
    return markdown(words["mistake headings"], rows)


def of_notebook(runs: pd.DataFrame, notebook: str) -> pd.DataFrame:
    """The runs of one notebook."""
    return runs[runs.notebook == notebook]


def _on_part(runs: pd.DataFrame, words: Words) -> list[str]:
    if set(runs.profile) != {"part"}:
        return []
    return [words["part"].format(images=runs.train_size.max(), epochs=runs.epochs.max())]


def _verdicts(found: Sequence[Comparison], words: Words) -> list[str]:
    """A sentence for all that is said alike of the same variant, largest difference first."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for each in found:
        groups.setdefault((each.a, each.verdict), []).append(each)
    sentences = []
    for (a, kind), group in groups.items():
        group = sorted(group, key=lambda each: -abs(each.difference))
        if len(group) == 1:
            item = _points(group[0], words, kind)
            sentences.append(words[f"{kind} one"].format(a=a, b=group[0].b, item=item))
            continue
        items = ", ".join(f"*{each.b}* {_briefly(each, kind)}" for each in group)
        sentences.append(words[f"{kind} many"].format(a=a, items=items))
    return sentences


def _points(each: Comparison, words: Words, kind: str = "") -> str:
    """Difference and interval in words."""
    difference, low, high = _numbers(each, kind)
    form = words["bare points" if each.n < 2 else "points"]
    return form.format(difference=difference, low=low, high=high, n=each.n)


def _briefly(each: Comparison, kind: str) -> str:
    """The same as numbers alone: "6.14 (5.02 … 7.27)"."""
    difference, low, high = _numbers(each, kind)
    return difference if each.n < 2 else f"{difference} ({low} … {high})"


def _numbers(each: Comparison, kind: str) -> tuple[str, str, str]:
    """Difference and interval in points; without their sign where "better" or "worse" tells it."""
    numbers = (each.difference, each.low, each.high)
    if kind == "worse":
        numbers = (-each.difference, -each.high, -each.low)
    if kind in ("better", "worse"):
        return tuple(f"{100 * number:.2f}" for number in numbers)
    return tuple(map(signed, numbers))


def _cost(runs: pd.DataFrame, notebook: str, a: str, b: str, words: Words) -> list[str]:
    """On how many training images a mistake's cost was measured, and the cost."""
    strongest = results.strongest(of_notebook(runs, notebook), {a, b})
    try:
        found = results.compare(strongest, a, b)
    except ValueError:
        return ["–", words["no cost yet"]]
    said = words[f"verdict {found.verdict}"]
    cost = words["cost verdict"].format(item=_points(found, words), verdict=said)
    return [_images(strongest), cost]


def _flattery(runs: pd.DataFrame, words: Words) -> list[str]:
    """What choosing the best epoch by the images that are reported would add at most."""
    curves = [[row["val_accuracy"] for row in rows] for rows in runs.history]
    gains = pd.Series([max(curve) - curve[-1] for curve in curves if None not in curve])
    mistake, measured = (
        words["mistake test set"],
        words["measured test set"].format(runs=len(gains)),
    )
    if len(gains) < 2:
        return [mistake, measured, "–", words["no cost yet"]]
    cost = words["cost test set"].format(mean=100 * gains.mean(), std=100 * gains.std())
    return [mistake, measured, _images(runs), cost]


def _one_seed(runs: pd.DataFrame, words: Words) -> list[str]:
    """How far two single runs of one variant lie apart: √2 of the spread, pooled over variants."""
    seeds = runs.dropna(subset="accuracy").groupby(["notebook", "variant"]).accuracy
    several = seeds.agg(["var", "count"]).query("count > 1")
    mistake = words["mistake one seed"]
    measured = words["measured one seed"].format(variants=len(several))
    if several.empty:
        return [mistake, measured, "–", words["no cost yet"]]
    freedom = several["count"] - 1
    variance = (several["var"] * freedom).sum() / freedom.sum()
    apart = 100 * math.sqrt(2 * variance)
    return [mistake, measured, _images(runs), words["cost one seed"].format(difference=apart)]


def _images(runs: pd.DataFrame) -> str:
    return f"{runs.train_size.max():,}"


def _gaps(runs: pd.DataFrame, variants: Sequence[str], words: Words) -> str:
    gaps = []
    for variant in variants:
        ended = runs[(runs.variant == variant) & runs.accuracy.notna()]
        ends = pd.DataFrame([rows[-1] for rows in ended.history])
        if len(ends):
            gap = (ends.train_accuracy - ends.val_accuracy).mean()
            gaps.append(f"*{variant}* {signed(gap)}")
    return words["gaps"].format(gaps=", ".join(gaps))


def _rates(runs: pd.DataFrame) -> str:
    rates = runs.groupby("variant", sort=False).lr.first() if len(runs) else {}
    return ", ".join(f"*{variant}* {rate:g}" for variant, rate in rates.items()) or "–"


def _italics(variants: Sequence[str]) -> str:
    return ", ".join(f"*{variant}*" for variant in variants)
