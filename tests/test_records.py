import json
import math
from pathlib import Path

import pandas as pd
import pytest

from cifar_utils import data, models, records
from cifar_utils.experiment import Experiment
from cifar_utils.recipe import Recipe


@pytest.fixture(scope="module")
def record(tiny: data.Data) -> dict:
    """Of a run that keeps nothing."""
    recipe = Recipe(epochs=1, batch_size=20)
    experiment = Experiment("05_dropout")
    done = experiment.run("p = 0.5", models.build("SimpleCNN"), tiny, recipe, verbose=False)
    return done.record


def write_all(folder: Path, *kept: dict) -> None:
    for each in kept:
        records.write(each, folder / records.file_name(each))


def test_load_names_what_is_no_record_and_leaves_it_as_it_is(
    record: dict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_all(tmp_path, record)
    others = {"half": "{", "other": "[1, 2]", "old": '{"schema": 0}', "word": '"a"',
              "poor": '{"schema": 1, "variant": "x"}', "latin": "{\xe9}",
              "empty": json.dumps({**record, "history": []}),
              "odd": json.dumps({**record, "test": None})}  # fmt: skip
    for name, text in others.items():
        (tmp_path / f"{name}.json").write_bytes(text.encode("latin-1"))
    (tmp_path / "folder.json").mkdir()
    before = sorted(tmp_path.rglob("*"))
    frame = records.load(tmp_path)
    assert frame.variant.tolist() == ["p = 0.5"]
    said = capsys.readouterr().out
    for name in (*others, "folder"):
        assert f"skipped {tmp_path / name}.json: it is not a record that reads (" in said
    assert sorted(tmp_path.rglob("*")) == before
    assert records.load(tmp_path, notebook="01_baseline").empty
    assert records.load(tmp_path, profile="full").empty


def test_a_record_is_whole_or_as_it_was(record: dict, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "record.json"
    records.write(record, path)
    before = path.read_text()
    with pytest.raises(ValueError):
        records.write({**record, "seconds": math.nan}, path)
    assert path.read_text() == before and json.loads(before) == record
    assert [each.name for each in path.parent.iterdir()] == ["record.json"]


@pytest.mark.parametrize(
    ("profile", "words", "file"),
    [("full", "--profile full --seeds 2", "06/p-0.5.seed1.json"),
     ("quick", "--profile quick --seeds 2", "06/p-0.5.quick.seed1.json"),
     ("full+train_size=100+augmentation=crop+flip",
      "--profile full --seeds 2 -p train_size=100 -p augmentation=crop+flip",
      "06/p-0.5.train_size-100-augmentation-crop+flip.seed1.json")],
)  # fmt: skip
def test_the_command_and_the_place_of_a_record(profile: str, words: str, file: str) -> None:
    assert records.command("06", profile, 2) == f"python -m cifar_utils run 06 {words}"
    assert records.command("06").endswith("run 06 --profile full")
    names = {"notebook": "06", "variant": "p = 0.5", "profile": profile, "seed": 1}
    assert records.file_name(names) == file


def test_runs_with_fewer_images_are_evidence_beside_the_others(
    record: dict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for profile, size in (("full", 40), ("full+train_size=20", 20), ("full+lr=1", 40),
                          ("search", 40)):  # fmt: skip
        told = {**record["data"], "train": size}
        write_all(tmp_path, {**record, "profile": profile, "data": told})
    frame = records.evidence("05_dropout", folder=tmp_path)
    assert sorted(frame.train_size) == [20, 40] and set(frame.lr) == {1e-3}
    assert list(frame.columns) == list(records.COLUMNS)
    said = capsys.readouterr().out
    assert said == "1 run of 05_dropout at full scale: 1 variant, 1 seed each, 40 training images" \
        ", 1 epochs.\n"  # fmt: skip


def test_evidence_stands_in_the_order_of_its_notebook(
    record: dict, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for variant in ("p = 0.5, never off", "p = 0.8", "p = 0"):
        write_all(tmp_path, record | {"variant": variant, "profile": "full"})
    kept = records.evidence("05_dropout", folder=tmp_path)
    assert kept.variant.tolist() == ["p = 0", "p = 0.8", "p = 0.5, never off"]
    capsys.readouterr()
    kept = records.evidence("05_dropout", ["p = 0.8", "p = 0"], tmp_path)
    assert kept.variant.tolist() == ["p = 0", "p = 0.8"]
    assert capsys.readouterr().out.startswith("2 runs of 05_dropout at full scale: 2 variants, 1")


def test_no_evidence_is_an_error_that_says_what_makes_some(tmp_path: Path) -> None:
    made = "no such record of 03_pooling; `python -m cifar_utils run 03_pooling --profile full`"
    with pytest.raises(ValueError, match=made):
        records.evidence("03_pooling", folder=tmp_path)


def test_histories_are_a_table_a_seed_and_percent_is_for_reading(
    record: dict, tmp_path: Path
) -> None:
    write_all(tmp_path, *({**record, "seed": seed} for seed in (0, 1)))
    frame = records.load(tmp_path)
    (curves,) = records.histories(frame).values()
    assert [table.epoch.tolist() for table in curves] == [[1], [1]]
    assert curves[0].val_accuracy[0] == frame.val_accuracy[0]
    shown = records.percent(pd.DataFrame({"accuracy": [0.81239], "lr": [0.00123]}))
    assert shown.iloc[0].to_dict() == {"accuracy": 81.24, "lr": 0.0012}
