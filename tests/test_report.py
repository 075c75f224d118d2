import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cifar_utils import data, figures, findings, outline, report, results, tables, wording

EVIDENCE = results.all_evidence()
PICTURES = [*figures.from_records(outline.in_order(EVIDENCE)), *figures.others()]
ENVIRONMENT = {"processor": "CPU", "instructions": "AVX2", "threads": 1, "torch": "2",
               "python": "3"}  # fmt: skip
LANGUAGES = pytest.mark.parametrize("words", [wording.ENGLISH, wording.RUSSIAN], ids=["en", "ru"])


def frame(accuracies: list[float], **change: object) -> pd.DataFrame:
    rows = [
        {"notebook": "07_final", "variant": "FinalCNN", "network": "FinalCNN", "seed": seed,
         "profile": "full", "parameters": 288_778, "epochs": 2, "train_size": 400, "lr": 0.1,
         "accuracy": accuracy, "precision": 0.5, "recall": 0.5, "f1": 0.5, "roc_auc": 0.9,
         "mcc": 0.4, "flip_accuracy": accuracy + 0.01, "environment": ENVIRONMENT,
         "confusion": [[5] * 10] * 10,
         "history": [{"epoch": e, "train_loss": 1.0, "val_loss": 1.0, "train_accuracy": 0.75,
                      "val_accuracy": 0.5} for e in (1, 2)]} | change
        for seed, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(results.COLUMNS))


def of(notebook: str, **accuracies: list[float]) -> pd.DataFrame:
    """Runs of some variants; "__" in a keyword stands for " = "."""
    parts = [
        frame(values, notebook=notebook, variant=name.replace("__", " = ").replace("_", "."))
        for name, values in accuracies.items()
    ]
    return pd.concat(parts, ignore_index=True)


def study(seeds: int, left_out: tuple[str, ...] = ()) -> pd.DataFrame:
    """Runs of every variant of the outline, and of notebook 06 with fewer images."""
    random = np.random.default_rng(0)
    parts = []
    for section in outline.SECTIONS:
        for variant in section.variants:
            names = {"notebook": section.notebook, "variant": variant}
            parts.append(frame(list(random.normal(0.7, 0.02, seeds)), **names))
            if section.notebook == "06_augmentation":
                fewer = {"profile": "full+train_size=100", "train_size": 100}
                parts.append(frame(list(random.normal(0.4, 0.02, seeds)), **names, **fewer))
    every = pd.concat(parts, ignore_index=True)
    return every[~every.variant.isin(left_out)].reset_index(drop=True)


@pytest.mark.parametrize("section", outline.SECTIONS, ids=lambda section: section.notebook)
def test_a_section_compares_no_two_variants_twice(section: outline.Section) -> None:
    pairs = [{each.a, each.b} for _, each in findings.of_section(study(3), section)]
    assert pairs and all(pairs.count(pair) == 1 for pair in pairs)


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


def test_every_image_of_a_readme_is_there_and_accounted_for() -> None:
    known = {picture.name for picture in PICTURES} | report.ALWAYS | {"cost.png"}
    for path in report.READMES:
        for name in re.findall(r"images/([\w-]+\.\w+)", path.read_text(encoding="utf-8")):
            assert (report.IMAGES / name).exists() and name in known


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_an_image_is_what_the_records_give(picture: figures.Picture) -> None:
    assert figures.is_current(picture, report.IMAGES / picture.name), (
        "run `python -m cifar_utils report --refresh`"
    )


def test_an_image_of_other_records_or_of_another_drawing_is_noticed(tmp_path: Path) -> None:
    runs = frame([0.8, 0.9])
    (picture,) = [p for p in figures.from_records(runs) if p.name == "final.png"]
    (path,) = figures.write([picture], tmp_path)
    assert figures.is_current(picture, path) and not figures.write([picture], tmp_path)
    runs.history[1][1]["val_accuracy"] += 1e-4  # less than a pixel
    (changed,) = [p for p in figures.from_records(runs) if p.name == "final.png"]
    assert not figures.is_current(changed, path)
    runs.history[1][1]["val_accuracy"] -= 1e-4
    with Image.open(path) as image:
        pixels, kept = np.array(image), image.info[figures.DIGEST]
    assert kept == picture.digest()
    pixels[100:120, 100:200] = 0
    spoilt = Image.fromarray(pixels)
    assert not figures._near(figures._frames(Image.open(path)), figures._frames(spoilt))
    pixels[100:120, 100:200] = np.array(Image.open(path))[100:120, 100:200] // 8 * 8
    rounded = Image.fromarray(pixels)
    assert figures._near(figures._frames(Image.open(path)), figures._frames(rounded))


@LANGUAGES
@pytest.mark.parametrize("seeds", [0, 1, 3])
def test_the_report_is_whole_with_any_records(words: dict[str, str], seeds: int) -> None:
    for runs in (study(seeds), study(seeds, ("Adam", "SimpleCNN", "none", "FinalCNN"))):
        text = report.records_block(runs, words)
        assert not re.search(r"\bnan\b|[{}]|−?inf\b", text)
        assert text.count("### ") == 8 and text.count("```sh") == 7
        verdicts = [words[f"verdict {kind}"] for kind in ("better", "worse", "same", "single")]
        said = {v for v in verdicts if f"| {v} |" in text}
        if seeds == 0:
            assert not said and words["no records"] in text
        elif seeds == 1:
            assert said == {words["verdict single"]} and not re.search(r"\d ± \d", text)
        else:
            assert said and words["verdict single"] not in said


@LANGUAGES
def test_what_is_claimed_is_what_the_interval_shows(words: dict[str, str]) -> None:
    question = outline.Question("pooling", (("max", "average", 0),))
    for kind, values in (
        ("better", [0.71, 0.72, 0.73]),
        ("worse", [0.61, 0.62, 0.63]),
        ("same", [0.60, 0.74, 0.68]),
        ("single", [0.71]),
    ):
        runs = of("03_pooling", max=[0.66, 0.67, 0.68], average=values)
        (comparison,) = findings.comparisons(runs, question)
        assert comparison.verdict == kind
        said = findings.paragraph(runs, question, words)
        forms = {k: words[f"{k} one"].split("{item}")[0].format(a="max", b="average")
                 for k in ("better", "worse", "same", "single")}  # fmt: skip
        assert [k for k, form in forms.items() if form in said] == [kind]
        assert f"| {words[f'verdict {kind}']} |" in tables.comparisons_table(
            [(9, comparison)], words
        )
    assert words["not measured"] in findings.paragraph(runs.iloc[:1], question, words)


def test_sentences_give_difference_interval_and_n() -> None:
    runs = of("05_dropout", p__0=[0.60, 0.61, 0.62], p__0_2=[0.64, 0.65, 0.66],
              p__0_5=[0.5, 0.51, 0.52], p__0_8=[0.4, 0.41, 0.45])  # fmt: skip
    dropout = outline.SECTIONS[4].questions[0]
    said = findings.paragraph(runs, dropout, wording.ENGLISH)
    assert "*p = 0.2* is better than *p = 0* by 4.00 points (95 % interval 4.00 … 4.00, n" in said
    assert "Worse than *p = 0*, by points (95 % interval): *p = 0.8* 19.00 (" in said
    assert ", *p = 0.5* 10.00 (10.00 … 10.00)." in said
    assert "This is against expectation: *p = 0.5*." in said  # of p = 0.8 it was expected
    assert "*p = 0* +25.00" in said
    worse = results.compare(runs, "p = 0", "p = 0.8")
    low, high = (f"{-100 * end:.2f}" for end in (worse.high, worse.low))
    assert f"19.00 ({low} … {high})" in said


@pytest.mark.parametrize(
    ("accuracies", "words"),
    [([0.85, 0.86, 0.855], "Yes: FinalCNN"), ([0.70, 0.71, 0.72], "No: FinalCNN"),
     ([0.78, 0.83, 0.81], "Not shown: whether FinalCNN"), ([0.86], "no spread yet")],
)  # fmt: skip
def test_the_answer_to_the_claim_is_chosen_by_the_interval(
    accuracies: list[float], words: str
) -> None:
    said = findings.answer(frame(accuracies), wording.ENGLISH)
    choices = ("Yes: FinalCNN", "No: FinalCNN", "Not shown: whether FinalCNN", "no spread yet")
    assert [choice for choice in choices if choice in said] == [words]
    assert tables.mean_and_spread(pd.Series(accuracies)) in said and "288,778" in said
    assert wording.ENGLISH["not measured"] in said  # PlainCNN


def test_the_originals_networks_are_held_against_what_it_reported() -> None:
    runs = pd.concat(
        [of("01_baseline", SimpleCNN=[0.66, 0.661, 0.662], corrected=[0.7, 0.7, 0.7]),
         of("02_deeper_batchnorm", SimpleCNN=[0.5, 0.5, 0.5], NotSimpleCNN=[0.7, 0.7, 0.71]),
         of("03_pooling", average=[0.69, 0.70, 0.72])]
    )  # fmt: skip
    runs["network"] = runs.variant.replace("average", "PoolingCNN")
    simple, deeper, pooling = findings.beside_original(runs, wording.ENGLISH)
    assert "64.05 % for SimpleCNN" in simple and "Yes: SimpleCNN" in simple and "66.10" in simple
    assert "72.09 % for NotSimpleCNN" in deeper and "No: NotSimpleCNN" in deeper
    assert "70.10 % for PoolingCNN, average, trained" in pooling
    assert findings.beside_original(runs[runs.variant == "corrected"], wording.ENGLISH) == []


@LANGUAGES
def test_comparisons_that_were_run_on_are_said_to_be(words: dict[str, str]) -> None:
    some = of("03_pooling", max=[0.66, 0.67, 0.68], average=[0.6, 0.61, 0.62], strided=[0.5, 0.6])
    assert words["run on"] not in report.records_block(some, words)
    longer = of("01_baseline", SimpleCNN=[0.60, 0.61, 0.62, 0.6], corrected=[0.6, 0.5, 0.7, 0.6])
    both = pd.concat([some, longer], ignore_index=True)
    assert words["run on"] in report.records_block(both, words)


def test_mistakes_are_told_with_what_they_cost() -> None:
    runs = of("05_dropout", p__0_5=[0.60, 0.61, 0.62])
    cost = frame([0.55, 0.56, 0.57], notebook="05_dropout", variant=outline.NEVER_OFF)
    runs = pd.concat([runs, cost], ignore_index=True)
    runs.history[0][0]["val_accuracy"] = 0.56
    rows = findings.mistakes_table(runs, wording.ENGLISH).splitlines()
    assert "| 400 | −5.00 points (95 % interval −5.00 … −5.00, n = 3): worse |" in rows[4]
    assert "| 400 | on average 1.00 points of flattery" in rows[2]
    apart = "two single runs of one variant lie 1.41 points apart"
    assert f"number of variants: 2 | 400 | {apart}" in rows[-2]
    assert sum("| – | no record yet" in row for row in rows) == 4
    assert {row.count(" | ") for row in rows} == {3}


def test_a_diverged_run_is_told_and_left_out() -> None:
    runs = of("05_dropout", p__0=[0.60, 0.61, 0.62])
    runs.loc[2, "accuracy"] = np.nan
    text = report.records_block(runs)
    assert "1 of 3 runs of *p = 0* diverged and are left out." in text
    assert "| p = 0 | 288,778 | 2 | 2 | 60.50 ± 0.71 |" in text


def test_the_table_gives_mean_and_spread() -> None:
    text = report.records_block(frame([0.80, 0.82, 0.84]))
    assert "| FinalCNN | 288,778 | 2 | 3 | 82.00 ± 2.00 | 50.0 ± 0.0 |" in text
    assert "| 40.0 ± 0.0 | 80.90 |" in text and "mirror image it is 83.00 ± 2.00 %" in text
    assert "500 images" in text and "seeds 0, 1, 2" in text
    assert "run 07_final --profile full --seeds 3\n" in text
    assert "verify results/07_final.FinalCNN.seed0.json" in text
    single = report.records_block(frame([0.8]))
    assert "| 1 | 80.00 | 50.0 |" in single and "±" not in single.replace("mean ± standard", "")


def test_runs_with_fewer_images_stand_apart() -> None:
    runs = study(2)
    text = report.records_block(runs)
    rows = re.findall(r"^\| (?:100|400) \| 2 \| 2 \|.*", text, re.M)
    assert len(rows) == 2 and rows[0].startswith("| 100 ")
    assert report.records_block(runs[runs.profile == "full"]).count("| 288,778 |") == text.count(
        "| 288,778 |"
    )
    assert "--seeds 2 -p train_size=100\n" in text


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


def test_every_figure_is_drawn_from_records_with_n_in_its_title(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "others", list)
    named = {name for section in outline.SECTIONS for name in section.images} - report.ALWAYS
    named.add(report.OVERVIEW)
    every = figures.from_records(outline.in_order(study(3)))
    assert {picture.name for picture in every} == named
    titles = {picture.name: picture.source[0] for picture in every}
    del titles[report.OVERVIEW]  # there n stands in every row
    assert all("n = 3 seeds" in title for title in titles.values())
    (rows,) = (picture.source[1] for picture in every if picture.name == report.OVERVIEW)
    assert rows and all("(n = 3" in label for group in rows.values() for label in group)
    ones = figures.from_records(outline.in_order(study(1)))
    titles = [picture.source[0] for picture in ones if picture.name != report.OVERVIEW]
    assert titles and all("one seed, so no spread" in title for title in titles)
    drawn = report.draw_images(frame([0.8, 0.9]), tmp_path)
    assert {path.name for path in drawn} == {"final.png", "confusion_matrix.png"}
    assert report.draw_images(frame([0.8, 0.9]), tmp_path) == []
    assert figures.from_records(frame([])) == []


def test_a_figure_of_sizes_says_the_n_of_each_size() -> None:
    runs = study(3)
    runs = runs[(runs.train_size != 100) | (runs.seed < 2)]
    every = figures.from_records(outline.in_order(runs))
    (title,) = (picture.source[0] for picture in every if picture.name == "sizes.png")
    assert "n = 2 to 3 seeds" in title


def test_pictures_of_cifar10_are_drawn_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    assert data.locate("auto") is None
    assert [picture.name for picture in figures.others()] == ["descent.gif"]
