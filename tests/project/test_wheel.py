"""What an installation gets: a wheel that works in any folder, and pins for all it needs."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from email import message_from_string
from email.message import Message
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifar_utils import classify, records
from cifar_utils.data import CLASSES, PROJECT

pytestmark = pytest.mark.tools
SOURCES = ("cifar_utils", "results", "pyproject.toml", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
CALLS = """
import runpy, sys
from PIL import Image
from cifar_utils import data
test = data.load().test  # class by class
for number in range(0, 1000, 25):
    Image.fromarray(test.images[number].permute(1, 2, 0).numpy()).save(f"{number:03}.png")
for line in sys.argv[1:]:  # as `python -m cifar_utils LINE`, one after another
    sys.argv = ["cifar_utils", *line.split()]
    try:
        runpy.run_module("cifar_utils", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        print("exit code", stop.code or 0)
import cifar_utils
from cifar_utils import records
print(cifar_utils.__file__)
print(len(records.all_evidence()), "records of evidence")
"""
OF_THE_CHECKOUT = ("run", "sweep 03", "report", "complete", "verify record.json", "data")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the unpacked wheel fills: made without a network, from a copy."""
    source, built, site = (tmp_path_factory.mktemp(name) for name in ("source", "built", "site"))
    for name in SOURCES:
        if (PROJECT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, source / name, ignore=ignored)
        else:
            shutil.copy(PROJECT / name, source / name)
    command = [sys.executable, "-c", BUILD, str(built)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


@pytest.fixture(scope="module")
def metadata(site: Path) -> Message:
    (path,) = site.glob("*.dist-info/METADATA")
    return message_from_string(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("outside") / "image.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def said(site: Path, image: Path) -> str:
    """What the command line says in a folder outside the checkout, to several calls."""
    unset = ("CIFAR_ROOT", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    own = " ".join(f"{number:03}.png" for number in range(0, 1000, 25))
    lines = (f"predict {image.name}", f"predict {own}", "--help", *OF_THE_CHECKOUT)
    done = subprocess.run(
        [sys.executable, "-c", CALLS, *lines],
        cwd=image.parent,
        env=environment | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def plain(name: str) -> str:
    """A distribution's name as all spellings of it compare: "Types_PyYAML" is "types-pyyaml"."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(sources: Iterable[Path]) -> set[str]:
    """The distributions that modules import, in functions too."""
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    known = packages_distributions()
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"cifar_utils"}
    return {plain(known[top][0]) for top in tops}


def required(metadata: Message, extra: str | None = None) -> set[str]:
    """The distributions that the wheel requires: always, or for an extra."""
    lines = [line.partition(";") for line in metadata.get_all("Requires-Dist", [])]
    mark = f'extra == "{extra}"' if extra else ""
    return {plain(re.split(r"[^\w.-]", name)[0]) for name, _, when in lines if when.strip() == mark}


def pins(path: Path) -> dict[str, set[str]]:
    """The versions of each distribution that a list of requirements pins."""
    found: dict[str, set[str]] = {}
    text = path.read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        found.setdefault(plain(name), set()).add(version)
    return found


def test_the_wheel_holds_the_package_and_what_notebooks_read_alone(site: Path) -> None:
    package = PROJECT / "cifar_utils"
    files = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    own = {path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(PROJECT) for path in own} <= files
    assert {path.parts[0].partition("-")[0] for path in files} == {"cifar_utils"}
    assert any(path.name == "LICENSE" for path in files)
    kept, inside = PROJECT / "results", site / "cifar_utils" / "results"
    read = {path.relative_to(kept) for path in kept.rglob("*.*") if path.suffix != ".csv"}
    assert {path.relative_to(inside) for path in inside.rglob("*.*")} == read
    assert all((inside / path).read_bytes() == (kept / path).read_bytes() for path in read)


def test_it_requires_what_the_package_imports(metadata: Message) -> None:
    kernel = {"ipykernel"}  # papermill starts it by name
    asked = required(metadata)
    assert asked | required(metadata, "dask") == kernel | imported(
        (PROJECT / "cifar_utils").rglob("*.py")
    )
    assert required(metadata, "dask") == {"distributed"}
    assert imported((PROJECT / "docs").rglob("*.py")) <= (
        asked | required(metadata, "docs") | {"docutils"}  # Sphinx is made of it
    )


def test_all_that_is_required_is_pinned_and_locked(metadata: Message) -> None:
    direct, locked = pins(PROJECT / "requirements.txt"), pins(PROJECT / "requirements.lock")
    for extra in (None, "dask", "docs", "test"):
        assert required(metadata, extra) <= set(direct)
    assert {name: locked.get(name) for name in direct} == direct, "make lock"
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    assert lock.count("--hash=sha256:") > len(locked)
    assert not re.search(r"://|--(extra-)?index|--find-links|^[./~]", lock, re.MULTILINE)


def test_it_names_a_picture_outside_the_checkout(site: Path, image: Path, said: str) -> None:
    assert f"\n{site / 'cifar_utils' / '__init__.py'}\n" in said
    model, record = classify.released_network()
    (best,) = classify.likeliest(classify.read_image(image)[None], model, record)
    assert said.startswith(f"{image.name}: {classify.in_words(best)}\nexit code 0\n000.png:")


def test_a_notebook_finds_the_evidence_in_it(said: str) -> None:
    assert f"\n{len(records.all_evidence())} records of evidence\n" in said


def test_it_names_the_images_of_its_own_sample(said: str) -> None:
    told = dict(re.findall(r"^(\d{3})\.png: (\w+) ", said, re.MULTILINE))
    right = [CLASSES[int(number) // 100] == name for number, name in told.items()]
    assert len(right) == 40 and sum(right) > 0.7 * 40


def test_what_needs_the_checkout_says_so_in_a_sentence(site: Path, said: str) -> None:
    errors = re.findall(r"^Error: .*$", said, re.MULTILINE)
    assert len(errors) == said.count("exit code 1\n") == len(OF_THE_CHECKOUT)
    for line, error in zip(OF_THE_CHECKOUT, errors, strict=True):
        assert ("--root FOLDER" if line == "data" else "needs the notebooks") in error
    assert not [path for path in site.rglob("*") if path.name in ("runs", "data")]
