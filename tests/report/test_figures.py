import re
from pathlib import Path

import numpy as np
import pytest
from made_up import study
from PIL import Image

from cifar_utils import outline, records
from cifar_utils.data import PROJECT
from cifar_utils.report import figures, pages

PICTURES = [*figures.from_records(outline.in_order(records.all_evidence())), *figures.others()]
BY_ROW = {"recipe.png", "differences.png"}  # there n stands at every value


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_an_image_is_what_the_records_give(picture: figures.Picture) -> None:
    assert figures.is_current(picture, pages.IMAGES / picture.name), (
        "run `python -m cifar_utils report --refresh`"
    )


def test_every_image_is_shown_and_every_one_shown_is_made() -> None:
    made = {picture.name for picture in PICTURES} | {"cost.png"}
    made |= {"samples.png", "CIFAR-10_bird.png", "CIFAR-10_ship.png"}  # where CIFAR-10 is
    for name in ("results.md", "results.ru.md"):
        text = (PROJECT / "docs" / name).read_text(encoding="utf-8")
        assert set(re.findall(r"images/([\w-]+\.\w+)", text)) == made
    assert {path.name for path in pages.IMAGES.iterdir()} == made


def test_an_image_of_other_records_or_of_another_drawing_is_noticed(tmp_path: Path) -> None:
    runs = study(2)
    (picture,) = [p for p in figures.from_records(runs) if p.name == "final.png"]
    (path,) = figures.write([picture], tmp_path)
    assert figures.is_current(picture, path) and not figures.write([picture], tmp_path)
    history = runs.history[runs.variant == "FinalCNN"].iloc[0]
    history[1]["val_accuracy"] += 1e-4  # less than a pixel
    (changed,) = [p for p in figures.from_records(runs) if p.name == "final.png"]
    assert not figures.is_current(changed, path)
    history[1]["val_accuracy"] -= 1e-4
    with Image.open(path) as image:
        pixels, kept = np.array(image), image.info[figures.DIGEST]
    assert kept == picture.digest()
    pixels[100:120, 100:200] = 0
    spoilt = Image.fromarray(pixels)
    assert not figures._near(figures._frames(Image.open(path)), figures._frames(spoilt))
    pixels[100:120, 100:200] = np.array(Image.open(path))[100:120, 100:200] // 8 * 8
    rounded = Image.fromarray(pixels)
    assert figures._near(figures._frames(Image.open(path)), figures._frames(rounded))


def test_every_figure_says_its_n() -> None:
    every = figures.from_records(outline.in_order(study(3)))
    titles = {picture.name: picture.source[0] for picture in every}
    assert all("n = 3 seeds" in title for name, title in titles.items() if name not in BY_ROW)
    sources = {picture.name: picture.source[1] for picture in every}
    assert [set(each["n"].values()) for each in sources["recipe.png"].values()] == [{3}, {3}]


def test_the_differences_are_drawn_where_the_declared_seeds_are_there() -> None:
    for runs, expected in ((study(), True), (study(3), False)):
        every = {p.name: p for p in figures.from_records(outline.in_order(runs))}
        groups = every["differences.png"].source[1]
        for section, rows in zip(outline.SECTIONS, groups.values(), strict=True):
            primary = [label for label in rows if label.endswith(", primary)")]
            assert len(primary) == len(section.primary)
            for label, found in rows.items():
                least = 3 if "PlainCNN" in label else section.seeds
                reported = expected or least == 3
                assert bool(found) == reported
                said = f"(n = {least}" if reported else f"(3 of {least} seeds"
                assert said in label
        assert every["differences.png"].content()


def test_a_figure_of_sizes_says_the_n_of_each_size() -> None:
    runs = study(3)
    runs = runs[(runs.train_size != 100) | (runs.seed < 2)]
    every = figures.from_records(outline.in_order(runs))
    (title,) = (picture.source[0] for picture in every if picture.name == "sizes.png")
    assert "n = 2 to 3 seeds" in title


def test_a_figure_knows_its_records_and_what_makes_them() -> None:
    every = {picture.name: picture for picture in figures.from_records(study(3))}
    assert every["SimpleCNN.png"].origin() == {
        "count": 6,
        "folders": ["results/01_baseline/"],
        "commands": ["python -m cifar_utils run 01_baseline --profile full --seeds 3"],
    }
    assert every["recipe.png"].origin()["count"] == 12
    assert len(every["sizes.png"].origin()["commands"]) == 2
    assert every["differences.png"].origin()["folders"] == ["results/"]


def test_images_are_shown_from_the_sample_on_every_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    names = ["descent.gif", "samples.png", "CIFAR-10_bird.png", "CIFAR-10_ship.png"]
    assert [picture.name for picture in figures.others()] == names
