import re
from collections import Counter
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import pytest
from made_up import study

from cifar_utils import records
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


LOW, MIDDLE, HIGH = [0.61, 0.62, 0.63], [0.66, 0.67, 0.68], [0.71, 0.72, 0.73]


@pytest.mark.parametrize(
    ("average", "others", "english", "russian", "verdicts"),
    [
        (HIGH, LOW, "*average* is better than *max*: +5.00 points (95 % interval +5.00 … +5.00",
         "*average* лучше, чем *max*: +5.00 п. п. (", ("better", "лучше")),
        (LOW, HIGH, "*average* is worse than *max*: −5.00 points (95 % interval −5.00 … −5.00",
         "*average* хуже, чем *max*: −5.00 п. п. (", ("worse", "хуже")),
        ([0.60, 0.74, 0.68], LOW, "Between *average* and *max* no difference is shown: +0.33 ",
         "Разница между *average* и *max* не показана: +0.33",
         ("no difference shown", "разница не показана")),
    ],
    ids=["better", "worse", "same"],
)  # fmt: skip
def test_what_is_said_is_what_the_interval_shows(
    average: list[float], others: list[float], english: str, russian: str, verdicts: tuple[str, str]
) -> None:
    accuracies = {"max": MIDDLE, "average": average, "strided": others, "global": others}
    runs = study(3, {("03_pooling", name): values for name, values in accuracies.items()})
    for template, said, verdict in (
        (ENGLISH, english, verdicts[0]),
        (RUSSIAN, russian, verdicts[1]),
    ):
        text = page(template, runs)
        (paragraph,) = re.findall(r"^\*\*(?:Pooling|Пулинг)\..*", text, re.M)
        assert said in paragraph and "n = 3)." in paragraph
        assert re.search(rf"^\| average \| max \|.*\| 3 \| {verdict} \|$", text, re.M)


def test_variants_that_fare_alike_are_told_together_the_largest_difference_first() -> None:
    accuracies = {"p = 0": MIDDLE, "p = 0.2": HIGH, "p = 0.5": LOW, "p = 0.8": [0.4, 0.41, 0.42]}
    runs = study(3, {("05_dropout", name): values for name, values in accuracies.items()})
    (paragraph,) = re.findall(r"^\*\*Dropout\.\*\*.*", page(ENGLISH, runs), re.M)
    together = "Worse than *p = 0*, in points (95 % interval): *p = 0.8* −26.00 (−26.00 … −26.00), "
    assert f"{together}*p = 0.5* −5.00 (−5.00 … −5.00)." in paragraph
    assert "This is against expectation: *p = 0.5*." in paragraph  # of p = 0.8 it was expected
    assert "in points: *p = 0* +25.00, *p = 0.2* +25.00," in paragraph


@pytest.mark.parametrize(
    ("accuracies", "english", "russian"),
    [
        ([0.85, 0.86, 0.855], "Yes: FinalCNN, with 288,778 parameters, reaches 80.90 %",
         "Да: FinalCNN с 288,778 параметрами достигает 80.90 %"),
        ([0.70, 0.71, 0.72], "No: FinalCNN, with 288,778 parameters, does not reach 80.90 %",
         "Нет: FinalCNN с 288,778 параметрами не достигает 80.90 %"),
        ([0.78, 0.83, 0.81], "Not shown: whether FinalCNN, with 288,778 parameters, reaches 80.90",
         "Не показано, достигает ли FinalCNN с 288,778 параметрами 80.90 %"),
    ],
    ids=["reached", "missed", "open"],
)  # fmt: skip
def test_the_answer_to_the_claim_is_chosen_by_the_interval(
    accuracies: list[float], english: str, russian: str
) -> None:
    facts = pages.facts(study(3, {("07_final", "FinalCNN"): accuracies}))
    for template, said in (
        ("README.en.md.j2", english), (ENGLISH, english),
        ("README.ru.md.j2", russian), (RUSSIAN, russian),
    ):  # fmt: skip
        text = pages.render(template, facts)
        choices = re.findall(r"\*\*(?:Yes|No|Not shown|Да|Нет|Не показано)\b[^*]*FinalCNN", text)
        assert len(choices) == 1 and said in text
    place = {"Yes": "lies above it", "No:": "lies below it", "Not": "holds it"}[english[:3]]
    assert f"{place} (n = 3 seeds" in pages.render("README.en.md.j2", facts)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_one_seed_is_not_told_as_if_it_showed_something() -> None:
    with pytest.raises(jinja2.UndefinedError):
        page(ENGLISH, study(1))


def test_a_diverged_run_is_told_and_left_out() -> None:
    runs = study(3, {("05_dropout", "p = 0"): [0.60, 0.62, np.nan]})
    text = page(ENGLISH, runs)
    assert "Runs of *p = 0* that diverged and are left out: 1." in text
    assert "| p = 0 | 288,778 | 2 | 2 | 61.00 ± 1.41 |" in text


def test_comparisons_that_were_run_on_are_said_to_be() -> None:
    more = study(3, {("03_pooling", "max"): [0.6] * 4, ("03_pooling", "average"): [0.7, 0.6] * 2})
    for template, said in ((ENGLISH, "were run on"), (RUSSIAN, "был продолжен")):
        assert said not in page(template, study(3))
        assert said in page(template, more)


def test_mistakes_are_told_with_what_they_cost() -> None:
    dropped = {("05_dropout", "p = 0.5"): MIDDLE, ("05_dropout", "p = 0.5, never off"): LOW}
    text = page(ENGLISH, study(3, dropped))
    cost = "−5.00 points (95 % interval −5.00 … −5.00, n = 3): worse"
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
