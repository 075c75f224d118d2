"""Notebooks for tests: made of cells, and one that only pretends to train.

It needs no PyTorch, so that a job takes as long as its kernel to start. Its accuracy is 0.5 + lr +
seed / 100; it adds a line to the file `log`; where `hold` is a file it waits, in the middle of its
work, until that file is gone.
"""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from cifar_utils.batch import study

PARAMETERS = """
dataset: str = "sample"  # the data
train_size: int = 100  # training images
val_size: int = 50  # validation images
epochs: int = 1  # passes
lr: float = 0.1  # learning rate
optimizer: str = "adam"  # its name
loud: bool = False  # say more
fail: str = ""  # the notebook that is to fail
log: str = ""  # where to tell
hold: str = ""  # what to wait for
seed: int = 0  # of everything
profile: str = "quick"  # the name of the runs
only: str = ""  # train this variant alone; empty trains all
out: str = ""  # folder for records
"""
PRETEND = """
import json, os, time
from pathlib import Path
with open(log, "a") as told:
    told.write(f"{lr} {seed} {os.getpid()} {os.getppid()}\\n")
folder = Path(out) / "plain"
folder.mkdir(parents=True, exist_ok=True)
(folder / "weights.pt").write_bytes(b"w" * 100_000)
while Path(hold).is_file():
    time.sleep(0.05)
accuracy = min(0.5 + lr + seed / 100, 1)
record = {"schema": 1, "notebook": notebook, "variant": "plain", "profile": profile,
          "seed": seed, "digest": "", "parameters": 1, "recipe": {"epochs": 1, "lr": lr},
          "data": {"name": "sample", "train": 100, "val": 1000},
          "history": [{"train_loss": 1.0, "val_accuracy": accuracy}],
          "test": {"accuracy": 0.0123}, "confusion": [], "seconds": 1,
          "environment": {"threads": os.environ.get("OMP_NUM_THREADS")},
          "diverged": {"epoch": 1, "lr": lr} if lr > 1e6 else None}
(folder / "record.json").write_text(json.dumps(record))
"""
AFTER = """
if fail == notebook:
    raise RuntimeError("it was to fail")
print("the end")
"""


def write(path: Path, *cells: str) -> None:
    """A notebook; its first cell holds the parameters."""
    first, *others = (new_code_cell(cell.strip()) for cell in cells)
    first.metadata["tags"] = ["parameters"]
    kernel = {"name": "cifar10-env", "display_name": "of its author", "language": "python"}
    metadata = {"kernelspec": kernel}
    nbformat.write(new_notebook(cells=[first, *others], metadata=metadata), path)


def write_study(folder: Path, *names: str) -> None:
    """Notebooks that pretend to train, and a profile by which they tell the file `log`."""
    (folder / "profiles").mkdir(parents=True)
    for name in names:
        write(folder / f"{name}.ipynb", PARAMETERS, f"notebook = {name!r}\n{PRETEND}", AFTER)
    profile = {"dataset": "sample", "log": str(folder / "log"), "hold": str(folder / "hold")}
    (folder / "profiles" / "quick.yaml").write_text(json.dumps(profile))


def told(folder: Path) -> list[list[str]]:
    """What the notebooks told: learning rate, seed, the kernel's process, papermill's."""
    log = folder / "log"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def rows(said: str) -> list[list[str]]:
    """The lines of a printed table that are about these notebooks' one variant."""
    return [line.split() for line in said.splitlines() if " plain " in line]


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a folder's notebooks and profiles for the study's."""
    monkeypatch.setattr(study, "NOTEBOOKS", folder)
    names = tuple(path.stem for path in sorted(folder.glob("*.ipynb")))
    monkeypatch.setattr(study, "NAMES", names)
    monkeypatch.setattr(study, "PROFILES", folder / "profiles")
