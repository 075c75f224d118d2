import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import study

from cifar_utils import outline, records
from cifar_utils.data import PROJECT
from cifar_utils.report import figures, pages

ENGLISH, RUSSIAN = "results.en.md.j2", "results.ru.md.j2"
NUMBER = re.compile(r"[+−]?\d(?:[\d.,]*\d)?")


@pytest.fixture(scope="module")
def evidence() -> pd.DataFrame:
    return records.all_evidence()


@pytest.fixture(scope="module")
def facts(evidence: pd.DataFrame) -> dict[str, Any]:
    return pages.facts(evidence)


def page(template: str, runs: pd.DataFrame) -> str:
    return pages.render(template, pages.facts(runs))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: path.name)
def test_a_page_is_what_the_records_give(path: Path, facts: dict[str, Any]) -> None:
    assert text_of(path) == pages.render(pages.PAGES[path], facts), (
        "run `python -m cifar_utils report --refresh`"
    )


def test_the_table_of_runs_is_what_the_records_give() -> None:
    every = records.load()
    assert text_of(pages.TABLE) == pages.table_of_runs(every)
    table = pd.read_csv(pages.TABLE)
    assert len(table) == len(list(records.EVIDENCE.rglob("*.json")))
    assert {"full", "search"} <= set(table.profile)


@pytest.mark.parametrize("name", ["README.md", "README.ru.md"])
def test_the_first_page_is_short_and_begins_with_the_finding(name: str) -> None:
    text = text_of(PROJECT / name)
    assert len(text) <= 8000
    assert text.count("![") == 1 and text.index("images/recipe.png") < 1500
    commands = re.search(r"```sh\nmake study .*\nmake test .*\n```", text)
    assert commands and commands.start() < 2200


def test_the_page_of_uncertainty_tells_what_was_simulated() -> None:
    told = json.loads((PROJECT / "benchmarks" / "coverage.json").read_text(encoding="utf-8"))
    text = text_of(PROJECT / "docs" / "uncertainty.md")
    for row in told["coverage"]:
        found = re.search(
            rf"^\| {re.escape(row['magnitudes'])} \| {row['method']} \|.*", text, re.M
        )
        place = sorted({each["n"] for each in told["coverage"]}).index(row["n"])
        assert found[0].split("|")[3 + place].strip() == f"{100 * row['held']:.1f}"
    assert f"erred in {100 * told['two_looks']['errors']:.1f} %" in text
    chosen = [100 * row["held"] for row in told["coverage"]
              if row["method"].endswith("crossed") and row["n"] >= 5]  # fmt: skip
    assert f"in {min(chosen):.1f} to {max(chosen):.1f} % of the studies" in text
    assert f"Share of {told['studies']:,} studies" in text


def test_the_page_of_usage_is_short() -> None:
    assert len(text_of(PROJECT / "docs" / "usage.md")) <= 12_000


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: path.name)
def test_the_first_line_says_what_makes_a_page(path: Path) -> None:
    first = text_of(path).splitlines()[0]
    assert f"cifar_utils/report/templates/{pages.PAGES[path]}" in first
    assert "`python -m cifar_utils report --refresh`" in first


@pytest.mark.parametrize("names", [("README.md", "README.ru.md"),
                                   ("docs/results.md", "docs/results.ru.md")])  # fmt: skip
def test_both_languages_have_the_same_numbers_tables_figures_and_commands(
    names: tuple[str, str],
) -> None:
    english, russian = (text_of(PROJECT / name) for name in names)
    numbers, rows, links, commands = [], [], [], []
    for text in (english, russian):
        numbers.append(Counter(NUMBER.findall(text)))
        table = re.findall(r"^\|.*", text, re.M)
        rows.append([re.findall(r"\d[\d.,]*|[±–|]", row) for row in table])
        links.append(re.findall(r"(?:images|notebooks)/[\w-]+\.\w+", text))
        blocks = "".join(re.findall(r"```sh\n(.*?)```", text, re.S))
        commands.append([line.partition("#")[0].strip() for line in blocks.splitlines()])
    assert numbers[0] == numbers[1]
    for found in (rows, links, commands):
        assert found[0] and found[0] == found[1]


@pytest.mark.parametrize(
    "path", [*pages.PAGES, PROJECT / "docs" / "usage.md"], ids=lambda path: path.name
)
def test_every_link_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://)([^)#]+)\)", text_of(path))
    assert targets
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("name", ["results.md", "results.ru.md"])
def test_below_each_figure_stands_what_it_is_drawn_from(name: str, evidence: pd.DataFrame) -> None:
    text = text_of(PROJECT / "docs" / name)
    below = dict(re.findall(r"^!\[[^]]+\]\(\.\./images/([^)]+)\)\n\n(\*.+\*)$", text, re.M))
    for picture in figures.from_records(evidence):
        origin = picture.origin()
        said = [str(origin["count"]), *origin["folders"], *origin["commands"]]
        assert all(each in below[picture.name] for each in said)
    assert all("`python " in line for line in below.values())
    assert {"samples.png", "descent.gif", "cost.png"} <= set(below)


MIDDLE = [0.66, 0.67, 0.68, 0.67, 0.67] * 2  # of ten seeds
LOW, HIGH = [each - 0.05 for each in MIDDLE], [each + 0.05 for each in MIDDLE]
NEAR = [0.664, 0.668, 0.683, 0.666, 0.672]
FAR = [0.70, 0.65, 0.71, 0.63, 0.69]


@pytest.mark.parametrize(
    ("average", "others", "english", "russian", "verdicts"),
    [
        (HIGH, LOW, "*average* is higher than *max*: +5.00 points (95 % interval +5.00 … +5.00",
         "*average* выше, чем *max*: +5.00 п. п. (", ("higher", "выше")),
        (LOW, HIGH, "*average* is lower than *max*: −5.00 points (95 % interval −5.00 … −5.00",
         "*average* ниже, чем *max*: −5.00 п. п. (", ("lower", "ниже")),
        (NEAR, LOW, "*average* and *max* are equivalent within 1 point: +0.06 points (",
         "*average* и *max* равны в пределах 1 п. п.: +0.06 п. п. (",
         ("equivalent within 1 point", "равны в пределах 1 п. п.")),
        (FAR, LOW, "Whether *average* is higher or lower than *max* is not resolved: +0.60 ",
         "Выше или ниже *average*, чем *max*, не решено: +0.60", ("not resolved", "не решено")),
    ],
    ids=["higher", "lower", "equivalent", "not resolved"],
)  # fmt: skip
def test_what_is_said_is_what_the_interval_shows(
    average: list[float], others: list[float], english: str, russian: str, verdicts: tuple[str, str]
) -> None:
    accuracies = {"max": MIDDLE, "average": average, "strided": others, "global": others}
    runs = study(None, {("03_pooling", name): values[:5] for name, values in accuracies.items()})
    for template, said, verdict in (
        (ENGLISH, english, verdicts[0]),
        (RUSSIAN, russian, verdicts[1]),
    ):
        text = page(template, runs)
        (paragraph,) = re.findall(r"^\*\*(?:Pooling|Пулинг)\..*", text, re.M)
        assert said in paragraph and "n = 5)." in paragraph
        kind = {ENGLISH: "primary", RUSSIAN: "главное"}[template]
        assert re.search(rf"^\| average \| max \|.*\| 5 \| {kind} \| {verdict} \|$", text, re.M)
        assert re.search(rf"^\| 03 \| average \| max \| 5 \|.*\| {verdict} \|$", text, re.M)


def test_variants_that_fare_alike_are_told_together_the_largest_difference_first() -> None:
    least = [each - 0.26 for each in MIDDLE]
    accuracies = {"p = 0": MIDDLE, "p = 0.2": HIGH, "p = 0.5": LOW, "p = 0.8": least}
    runs = study(None, {("05_dropout", name): values for name, values in accuracies.items()})
    (paragraph,) = re.findall(r"^\*\*Dropout\.\*\*.*", page(ENGLISH, runs), re.M)
    together = "Lower than *p = 0*, in points (95 % interval): *p = 0.8* −26.00 (−26.00 … −26.00), "
    assert f"{together}*p = 0.5* −5.00 (−5.00 … −5.00)." in paragraph
    assert "This is against expectation: *p = 0.5*." in paragraph  # of p = 0.8 it was expected
    assert "in points: *p = 0* +25.00, *p = 0.2* +25.00," in paragraph


@pytest.mark.parametrize(
    ("accuracies", "english", "russian"),
    [
        ([0.85, 0.86, 0.855, 0.85, 0.86],
         "Yes: FinalCNN, with 288,778 parameters, reaches 80.90 %",
         "Да: FinalCNN с 288,778 параметрами достигает 80.90 %"),
        ([0.70, 0.71, 0.72, 0.71, 0.71],
         "No: FinalCNN, with 288,778 parameters, does not reach 80.90 %",
         "Нет: FinalCNN с 288,778 параметрами не достигает 80.90 %"),
        ([0.78, 0.83, 0.81, 0.81, 0.81],
         "Not shown: whether FinalCNN, with 288,778 parameters, reaches 80.90",
         "Не показано, достигает ли FinalCNN с 288,778 параметрами 80.90 %"),
        ([0.85, 0.86, 0.85],
         "Not reported: whether FinalCNN, with 288,778 parameters, reaches 80.90",
         "Не сообщается, достигает ли FinalCNN с 288,778 параметрами 80.90 %"),
    ],
    ids=["reached", "missed", "open", "unreported"],
)  # fmt: skip
def test_the_answer_to_the_claim_is_chosen_by_the_interval(
    accuracies: list[float], english: str, russian: str
) -> None:
    facts = pages.facts(study(None, {("07_final", "FinalCNN"): accuracies}))
    for template, said in (
        ("README.en.md.j2", english), (ENGLISH, english),
        ("README.ru.md.j2", russian), (RUSSIAN, russian),
    ):  # fmt: skip
        text = pages.render(template, facts)
        answers = "Yes|No|Not shown|Not reported|Да|Нет|Не показано|Не сообщается"
        choices = re.findall(rf"\*\*(?:{answers})\b[^*]*FinalCNN", text)
        assert len(choices) == 1 and said in text
    place = {"Yes": "lies above it (n = 5", "No:": "lies below it (n = 5", "Not": "holds it (n = 5"}
    said = "3 of 5 seeds are there." if len(accuracies) == 3 else place[english[:3]]
    assert said in pages.render("README.en.md.j2", facts)


NUMBERS = re.compile(r"[+−]\d+\.\d\d")  # of a difference or an interval


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seeds", [1, 2, 3, 4])
def test_no_comparison_of_another_number_of_seeds_is_reported(seeds: int) -> None:
    """PlainCNN's three are declared, and take the first three of as many as the others have."""
    runs = study(seeds)
    found = pages.facts(runs)
    rows = [*found["primary"], *({"found": each} for chapter in found["chapters"].values()
                                 for each in chapter["comparisons"])]  # fmt: skip
    for each in (row["found"] for row in rows):
        names = {each.a, each.b}
        section = next(s for s in outline.SECTIONS if names <= set(s.variants))
        declared = 3 if "PlainCNN" in names else section.seeds
        if seeds < declared:
            assert (each.verdict, each.n, each.declared) == ("not reported", seeds, declared)
            assert not hasattr(each, "difference")
        else:
            assert each.n == declared
    for template, word in ((ENGLISH, "not reported"), (RUSSIAN, "не сообщается")):
        lines = pages.render(template, found).splitlines()
        refused = [line for line in lines if f"| {word}: " in line]
        assert refused and not any(NUMBERS.search(line) for line in refused)


def test_what_has_its_seeds_is_all_reported() -> None:
    for template, word in ((ENGLISH, "not reported: "), (RUSSIAN, "не сообщается: ")):
        assert word not in page(template, study())


def test_a_diverged_run_is_told_and_left_out_and_what_it_was_for_is_not_reported() -> None:
    four = [0.60, 0.62, 0.61, 0.61]
    text = page(ENGLISH, study(None, {("05_dropout", "p = 0"): [*four, np.nan]}))
    assert "Runs of *p = 0* that diverged and are left out: 1." in text
    assert "| p = 0 | 288,778 | 2 | 4 | 61.00 ± 0.82 |" in text
    assert "| 05 | p = 0.5 | p = 0 | 4 | – | – | – | – | not reported: 4 of 5 seeds |" in text


def test_mistakes_are_told_with_what_they_cost() -> None:
    dropped = {("05_dropout", "p = 0.5"): MIDDLE, ("05_dropout", "p = 0.5, never off"): LOW}
    text = page(ENGLISH, study(None, dropped))
    cost = "−5.00 points (95 % interval −5.00 … −5.00, n = 5): lower"
    assert f"| Tested with dropout on | p = 0.5, never off − p = 0.5 | {cost} |" in text


def test_a_page_has_no_gap(facts: dict[str, Any]) -> None:
    for template in pages.PAGES.values():
        assert not re.search(r"\bnan\b|\bNone\b|[{}]|−?inf\b", pages.render(template, facts))


def test_a_page_is_written_only_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGES", {tmp_path / "README.md": "README.en.md.j2"})
    monkeypatch.setattr(pages, "TABLE", tmp_path / "results.csv")
    monkeypatch.setattr(pages, "draw_images", lambda evidence: [])
    assert pages.refresh() == [tmp_path / "README.md", tmp_path / "results.csv"]
    assert pages.refresh() == []
    pages.TABLE.write_text("old")
    assert pages.refresh() == [pages.TABLE]
