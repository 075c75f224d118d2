"""What is refused before anything starts, and what lies about and is none of the study's."""

import re
from pathlib import Path

import pytest
import toy_notebook
from command_line import call

from cifar_utils import outline
from cifar_utils.batch import jobs, profiles, study
from cifar_utils.data import PROJECT

PARAMETERS = f"""{toy_notebook.PARAMETERS.rstrip()}
batch_size: int = 10  # images in one step
corrected_optimizer: str = "adamw"  # of another recipe
corrected_lr: float = 0.005  # of another recipe
corrected_schedule: str = "onecycle"  # of another recipe
lr_scale: float = 1.0  # multiplies lr
beside: str = "nothing"  # or "ablation", or "all"
plain_epochs: int = 3  # of another network
"""


@pytest.fixture(autouse=True)
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "notebooks"
    toy_notebook.write_study(folder, "01_first", "02_second")
    toy_notebook.write(folder / "01_first.ipynb", PARAMETERS)
    toy_notebook.use(folder, monkeypatch)
    monkeypatch.setattr(jobs, "run", lambda *_: pytest.fail("it was started"))
    return folder


BAD = {
    "val_size=60000": "01_first: 60,000 images were asked for, but only 1,000 are left",
    "train_size=5001": "5,001 images were asked for, but only 5,000 are left",
    "dataset=cifar10 val_size=60000": "60,000 images were asked for, but only 50,000 are left",
    "dataset=cifar10 train_size=50000": "only 49,950 are left; lower train_size or val_size\n",
    "dataset=cifar10 val_size=49995": "100 images were asked for, but only 5 are left",
    "dataset=cifar10 train_size=45001 val_size=0": "45,001 images were asked for, but only 45,000",
    "dataset=cifar10 train_size=49991 val_size=10": "49,991 images were asked for, but only 49,990",
    "batch_size=101": "batch_size is 101; there are only 100 training images",
    "train_size=0 batch_size=5001": "batch_size is 5,001; there are only 5,000 training images",
    "seed=12345678901234567890": "seed is 12345678901234567890; it must be below 2 to the power",
    "seed=-1": "seed is -1; it must be at least 0",
    "corrected_optimizer=adamm": "unknown corrected_optimizer 'adamm'; there are: sgd",
    "corrected_optimizer=nesterov": "corrected_optimizer 'nesterov' needs a momentum above 0",
    "corrected_lr=-1": "corrected_lr is -1.0; it must be above 0",
    "corrected_schedule=step": "unknown corrected_schedule 'step'",
    "lr_scale=0": "lr_scale is 0.0; it must be above 0",
    "beside=ablaton": "unknown beside 'ablaton'; there are: nothing, ablation, all",
    "plain_epochs=0": "plain_epochs is 0; it must be at least 1",
}


@pytest.mark.parametrize("given", BAD)
def test_a_value_that_cannot_be_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, given: str
) -> None:
    options = [word for each in given.split() for word in ("-p", each)]
    code, said = call(capsys, "run", "01", *options, "--out", tmp_path / "runs")
    assert code == 1 and said.startswith("Error: 01_first: ") and said.count("\n") == 1, said
    assert BAD[given] in said


def test_the_last_seed_counts(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    last = ("run", "-p", f"seed={2**63 - 1}", "--out", tmp_path, "--seeds")
    assert f"seed is {2**63}; it must be below" in call(capsys, *last, 2)[1]


YAML = {
    "epochs: 1\nepochs: 2": "epochs is given twice",
    "epochs: 010": "epochs='010' of 01_first must be of type int",
    "epochs: 08": "epochs='08' of 01_first must be of type int",
    "epochs: 0x10": "epochs='0x10' of 01_first must be of type int",
    "epochs: 1:30": "epochs='1:30' of 01_first must be of type int",
    "lr: 1:30.5": "lr='1:30.5' of 01_first must be of type float",
    "lr: [1": "expected ',' or ']'",
    "lr: 2020-13-40": "lr='2020-13-40' of 01_first must be of type float",
    "train_size:": "train_size='' of 01_first must be of type int",
    "lr:": "lr='' of 01_first must be of type float",
    "lr: [1]": "lr=['1'] of 01_first must be of type float",
    f"lr: {10**400}": "of 01_first must be of type float",
    "epochs: 1.0": "epochs='1.0' of 01_first must be of type int",
    "epochs: 1e3": "epochs='1e3' of 01_first must be of type int",
    "\xe9: 1": "can't decode byte",
}


@pytest.mark.parametrize("text", YAML)
def test_a_profile_that_means_something_else_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str
) -> None:
    (tmp_path / "mine.yaml").write_bytes(text.encode("latin-1"))
    options = ("--profile", tmp_path / "mine.yaml", "--out", tmp_path / "runs")
    code, said = call(capsys, "run", "01", *options)
    assert code == 1 and YAML[text] in said and said.count("\n") == 1, said


def test_ordinary_values_read(notebooks: Path, tmp_path: Path) -> None:
    text = "seed: 0\nepochs: -5\ntrain_size: 1_000\nlr: 1e-3\noptimizer: 08\nloud: true\n"
    (tmp_path / "mine.yaml").write_text(text)
    told = {"seed": 0, "epochs": -5, "train_size": 1000, "lr": 0.001, "optimizer": "08",
            "loud": True}  # fmt: skip
    given = profiles.read(tmp_path / "mine.yaml")
    assert study.typed_parameters(notebooks / "01_first.ipynb", given) == told


@pytest.mark.parametrize(
    "name", ["full.yaml", "quick.yml", "full", "full+train_size=1000.yaml", "full.07_final.yaml",
             "search.yaml"],
)  # fmt: skip
def test_a_file_of_ones_own_never_has_a_built_in_name(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture, name: str
) -> None:
    (notebooks / "profiles" / "full.yaml").write_text("dataset: sample\n")
    (tmp_path / name).write_text("dataset: sample\n")
    code, said = call(capsys, "run", "--profile", tmp_path / name, "--out", tmp_path / "runs")
    assert code == 1 and "would be recorded as those of the study's profile" in said


def test_the_names_of_profiles(
    notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("full", "full.02_second"):
        (notebooks / "profiles" / f"{name}.yaml").write_text("lr: 0.2\n")
    monkeypatch.chdir(tmp_path)
    for name in ("full", "mine.yaml"):  # a file called as a built-in profile is not that
        Path(name).write_text("lr: 0.3\n")

    def planned(profile: str) -> tuple[object, object]:
        (job,) = study.plan(study.find_notebooks(["02"]), profile, {}, 1, tmp_path / "runs")
        return job.parameters["profile"], job.parameters["lr"]

    assert planned("full") == ("full", 0.2)
    assert planned("notebooks/profiles/full.yaml") == ("full", 0.2)
    assert planned("mine.yaml") == ("mine", 0.3)
    with pytest.raises(ValueError, match="unknown profile 'full.02_second'; there are: full, qu"):
        planned("full.02_second")  # a part of a profile


def test_copies_beside_the_study_are_ignored_and_named(
    notebooks: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("01_first-Copy1.ipynb", "02_second (1).ipynb", "Untitled.ipynb"):
        (notebooks / name).write_text("no notebook at all")
    for name in ("quick-Copy1", "quick.02_second-Copy1", "quick.09_none"):
        (notebooks / "profiles" / f"{name}.yaml").write_text("no profile at all")
    found = []
    monkeypatch.setattr(jobs, "run", lambda planned, _: found.extend(planned) or iter(()))
    code, said = call(capsys, "run", "--out", tmp_path / "runs")
    assert code == 0 and [job.notebook.stem for job in found] == ["01_first", "02_second"]
    assert said.endswith(
        "Ignored, as the study has no such part: 01_first-Copy1.ipynb, 02_second (1).ipynb, "
        "Untitled.ipynb, quick.02_second-Copy1.yaml, quick.09_none.yaml\n"
    )
    found.clear()
    call(capsys, "sweep", "01", "-p", "lr=0.1", "--out", tmp_path / "runs")
    assert [job.notebook.stem for job in found] == ["01_first"]
    code, said = call(capsys, "run", "01_first-Copy1", "--out", tmp_path / "runs")
    assert code == 1 and "unknown notebook '01_first-Copy1'; there are: 01_first, 02_" in said
    (notebooks / "02_second.ipynb").unlink()
    code, said = call(capsys, "run", "--out", tmp_path / "runs")
    assert code == 1 and f"get back {notebooks / '02_second.ipynb'}" in said
    (notebooks / "02_second.ipynb").write_text("no notebook at all")
    code, said = call(capsys, "run", "--out", tmp_path / "runs")
    assert code == 1 and "02_second.ipynb is no notebook with one cell tagged parameters" in said


def test_the_makefile_has_the_study_s_notebooks_and_no_others() -> None:
    lines = (PROJECT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    (line,) = (each for each in lines if each.startswith("NOTEBOOKS :="))
    assert re.findall(r"\d\d_\w+", line) == [each.notebook for each in outline.SECTIONS]


def test_report_only_reads(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "web").mkdir()
    for name in ("package.json", "web/tsconfig.json"):
        (tmp_path / name).write_text("{}")
    before = sorted(tmp_path.rglob("*"))
    code, said = call(capsys, "report", tmp_path)
    assert code == 1 and sorted(tmp_path.rglob("*")) == before
    assert f"skipped {tmp_path / 'package.json'}: it is not a record" in said
    assert f"there are no records in {tmp_path}" in said
