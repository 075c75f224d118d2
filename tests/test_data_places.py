"""Where CIFAR-10 may lie, in which forms, and what is said where it does not."""

import ast
import hashlib
import locale
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import nbformat
import pytest
import toy_notebook
from command_line import call
from test_data import make_cifar10
from torchvision.datasets import CIFAR10

from cifar_utils import __main__ as cli
from cifar_utils import data, files, official
from cifar_utils.batch import download


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`cifar-10-batches-py`, small, in a folder that has nothing else."""
    (tmp_path / "source").mkdir()
    return make_cifar10(tmp_path / "source", monkeypatch)


def rename(folder: Path) -> Path:
    return folder.rename(folder.with_name("my cifar"))


def nest(folder: Path) -> Path:
    aside = folder.rename(folder.with_name("aside"))
    folder.mkdir()
    return aside.rename(folder / folder.name).parents[1]


PLACES: dict[str, Callable[[Path], Path]] = {
    "the folder above": lambda folder: folder.parent,
    "the folder itself": lambda folder: folder,
    "the folder under another name": rename,
    "a folder of the same name in it": nest,
}


@pytest.mark.parametrize("place", PLACES)
def test_cifar10_is_found_wherever_its_folder_is_named(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, place: str
) -> None:
    root = PLACES[place](whole)
    monkeypatch.setenv("CIFAR_ROOT", str(root))
    assert data.load("cifar10", val_size=50).source == str(root)
    held = sorted(root.rglob("*"))
    assert call(capsys, "data")[0] == 0  # it is there: nothing is fetched, and nothing written
    assert sorted(root.rglob("*")) == held


def test_a_relative_folder_is_the_same_from_everywhere(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", "source")
    monkeypatch.chdir(tmp_path)
    assert data.locate("cifar10") == tmp_path / "source"


def test_the_home_folder_is_meant_by_its_sign(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CIFAR_ROOT", "~/source")
    assert data.locate("cifar10") == tmp_path / "source" == data.locate("cifar10", "~/source")
    code, said = call(capsys, "data", "--root=~/copy", "--from=~/source")
    assert code == 0 and f"CIFAR-10 is in {tmp_path}/copy/" in said
    monkeypatch.setenv("CIFAR_ROOT", "~/second")
    assert call(capsys, "data", "--from", "~/source")[0] == 0
    assert (tmp_path / "second" / CIFAR10.base_folder).is_dir()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_folder_to_be_may_be_named_itself(whole: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / CIFAR10.base_folder
    assert download.take(whole, target) == target
    assert data.locate("cifar10", target) and (target / "data_batch_1").is_file()


def test_a_folder_without_cifar10_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path / "wrong"))
    with pytest.raises(FileNotFoundError, match=f"not in {tmp_path}/wrong, which is no folder;"):
        data.load("cifar10")
    (tmp_path / "wrong").mkdir()
    archive = tmp_path / "wrong" / CIFAR10.filename
    archive.touch()
    with pytest.raises(FileNotFoundError, match=f"not in {tmp_path}/wrong; .* --from {archive}"):
        data.load("cifar10")


@pytest.mark.parametrize("where", ["beside it", "in it"])
def test_a_good_copy_is_not_thrown_away(
    whole: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (whole / "data_batch_2").unlink()
    with pytest.raises(OSError, match=f"data_batch_2 is missing; move {whole} away and run"):
        data.load("cifar10", whole.parent)
    archive = (whole if where == "in it" else whole.parent) / CIFAR10.filename
    archive.write_bytes(b"whole")
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(b"whole").hexdigest())
    with pytest.raises(OSError, match=f"a whole copy is {archive}: .*--from {archive}") as caught:
        data.load("cifar10", whole.parent)
    assert "away" not in str(caught.value) and "delete" not in str(caught.value)


def tarred(whole: Path, mode: str) -> Path:
    archive = whole.parent / f"cifar-10-python.tar{mode}".rstrip(":")
    with tarfile.open(archive, f"w:{mode.removeprefix('.')}") as tar:
        tar.add(whole, f"./{CIFAR10.base_folder}")
    return archive


def zipped(whole: Path, folder: str = "") -> Path:
    archive = whole.parent / "cifar-10-python.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("__MACOSX/._data_batch_1", b"of another system")
        for path in whole.iterdir():
            packed.write(path, folder + path.name)
    return archive


PACKED: dict[str, Callable[[Path], Path]] = {
    "tar": lambda whole: tarred(whole, ""),
    "tar.gz": lambda whole: tarred(whole, ".gz"),
    "tar.xz": lambda whole: tarred(whole, ".xz"),
    "zip": lambda whole: zipped(whole, f"{CIFAR10.base_folder}/"),
    "zip without a folder": lambda whole: zipped(whole),
    "a folder with a zip": lambda whole: zipped(whole).rename(
        make(whole.parent / "d") / "cifar-10-batches-py.zip"
    ).parent,
}  # fmt: skip


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("form", PACKED)
def test_the_files_are_taken_however_they_are_packed(
    whole: Path, tmp_path: Path, form: str
) -> None:
    target = download.take(PACKED[form](whole), tmp_path / "data")
    assert [path.name for path in target.parent.iterdir()] == [CIFAR10.base_folder]
    assert not official.fault(target) and len(list(target.iterdir())) == len(official.files())


@pytest.mark.parametrize("form", ["tar", "zip"])
def test_a_packed_file_that_is_altered_or_missing_is_named(
    whole: Path, tmp_path: Path, form: str
) -> None:
    content = (whole / "data_batch_3").read_bytes()
    (whole / "data_batch_3").write_bytes(content[:-1] + b"X")
    archive = PACKED[form](whole)
    with pytest.raises(ValueError, match=f"{archive}/data_batch_3 is cut short or altered"):
        download.take(archive, tmp_path / "data")
    (whole / "data_batch_3").unlink()
    with pytest.raises(ValueError, match=f"{PACKED[form](whole)}/data_batch_3 is missing"):
        download.take(archive, tmp_path / "data")
    archive.write_bytes(archive.read_bytes()[:20_000])
    with pytest.raises(ValueError, match=f"{archive}.* is .*nothing was copied"):
        download.take(archive, tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())


GET = "; get cifar-10-python.tar.gz instead: `make data` downloads it, and http"
OTHER_FORMS = {
    "train/airplane/0001.png": f"folders of images{GET}",
    "cifar10/test/truck/9.jpg": f"folders of images{GET}",
    "train/1.png": f"single images{GET}",
    "trainLabels.csv": f"single images{GET}",
    "cifar-10-batches-bin/data_batch_1.bin": f"CIFAR-10's binary version, for C{GET}",
    "cifar-10-batches-mat/data_batch_1.mat": f"CIFAR-10's version for MATLAB{GET}",
    "plain_text/train-00000-of-00001.parquet": f"tables (parquet, Arrow){GET}",
    "cifar10-train.arrow": f"tables (parquet, Arrow){GET}",
    "cifar-100-python/train": f"CIFAR-100, another data set{GET}",
    "cifar10-train.tfrecord-00000-of-00001": f"TFRecord files{GET}",
    "cifar10.npz": f"arrays of another program{GET}",
    "train.7z": "an archive that Python can't open; unpack it",
    "deep/cifar-10-python.tar.gz": "an archive; give --from just that",
}


@pytest.mark.parametrize("packed", ["folder", "tar", "zip"])
@pytest.mark.parametrize("name", OTHER_FORMS)
def test_other_forms_are_told_apart(tmp_path: Path, name: str, packed: str) -> None:
    path = tmp_path / "source" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 3000)
    given = tmp_path / "source"
    if packed == "tar":
        given = tmp_path / "given.tar"
        with tarfile.open(given, "w") as tar:
            tar.add(tmp_path / "source", "")
    elif packed == "zip":
        given = tmp_path / "given.zip"
        with zipfile.ZipFile(given, "w") as archive:
            archive.write(path, name)
    with pytest.raises((FileNotFoundError, ValueError)) as caught:
        download.take(given, tmp_path / "data")
    said = f"{given} holds no CIFAR-10 that is read here, but {name}: {OTHER_FORMS[name]}"
    assert said in str(caught.value)


def test_a_folder_too_high_up_is_said_to_be_one(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="data_batch_.: CIFAR-10, too far down; give"):
        download.take(tmp_path, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cifar-10.parquet", "tables"), ("train.7z", "an archive that Python can't open"),
        ("cifar-10-python.tar.gz", "neither tar nor zip"), ("page.html", "neither tar nor zip"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_archive_is_told_by_its_name(
    tmp_path: Path, name: str, kind: str
) -> None:
    (tmp_path / name).write_text("<html>log in first</html>")
    with pytest.raises(ValueError, match=f"{tmp_path / name} is .*{kind}"):
        download.take(tmp_path / name, tmp_path / "data")


WRITES_OR_READS = {"open", "read_text", "write_text", "TemporaryFile", "NamedTemporaryFile"}
OTHERS = ("Image.open", "os.open", "tarfile.open", "archive.open", "read_text")  # not of text


def without_encoding(source: str) -> list[str]:
    """The calls that read or write text as the system would have it."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called, told = ast.unparse(node.func), {keyword.arg for keyword in node.keywords}
        texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
        binary = not {"rb", "wb", "ab"}.isdisjoint(texts)
        text = called.split(".")[-1] in WRITES_OR_READS or told & {"text", "universal_newlines"}
        if text and not binary and "encoding" not in told and called not in OTHERS:
            found.append(ast.unparse(node))
    return found


@pytest.mark.parametrize(
    "line",
    ["open(path)", "path.open('w')", "path.read_text()", "beside.write_text(text + '\\n')",
     "TemporaryFile('w+')", "subprocess.run(command, text=True)"],
)  # fmt: skip
def test_the_search_finds_what_it_seeks(line: str) -> None:
    assert without_encoding(line)
    assert not without_encoding(f"{line[:-1]}, encoding='utf-8')".replace("(, ", "("))


def test_every_text_is_read_and_written_as_utf_8() -> None:
    folders = (data.PROJECT / name for name in ("cifar_utils", "benchmarks", "docs/_ext"))
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    paths += [data.PROJECT / "docs" / "conf.py", *data.PROJECT.glob("notebooks/*.py")]
    found = {path.name: without_encoding(path.read_text(encoding="utf-8")) for path in paths}
    assert len(found) > 40 and not any(found.values()), found


def test_a_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("# für", encoding="latin-1")
    with pytest.raises(ValueError, match=f"{path} is not UTF-8 .byte 3 is 0xfc.; save it"):
        files.read_text(path)


TELL_ALL = """
import os
print("Größe 32 × 32 …", note, os.environ["CIFAR_ROOT"])
notebook = "01_first"
"""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_python_begins_again_where_names_of_files_are_ascii(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    begun = []
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setattr(sys, "argv", ["__main__.py", "run", "01"])
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    monkeypatch.setattr(
        os, "execv", lambda _, words: begun.append((words, os.environ["PYTHONUTF8"]))
    )
    cli._begin_again_in_utf8()
    again = ([sys.executable, "-m", "cifar_utils", "run", "01"], "1")
    assert begun == ([again] if encoding == "ascii" else [])


def in_a_plain_locale(folder: Path, said: Path) -> None:
    """In a process of its own: `run 01`, with a relative CIFAR_ROOT, where text is ASCII."""
    os.chdir(folder)
    os.environ.update(PYTHONUTF8="0", LC_ALL="C", CIFAR_ROOT="rel")
    locale.setlocale(locale.LC_ALL, "C")
    with said.open("w", encoding="ascii") as sys.stdout:
        sys.stderr = sys.stdout
        code = cli.entry(["run", "01", "--out", "runs"])
    os._exit(code or 0)


def test_a_study_in_a_locale_that_is_not_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its texts are not ASCII; its CIFAR_ROOT is relative; what it records is not what was asked.

    One study for all three, as Python starts twice in it.
    """
    notebooks = tmp_path / "notebooks"
    toy_notebook.write_study(notebooks)
    parameters = f'{toy_notebook.PARAMETERS}note: str = ""  # ein Wörtchen\n'
    cells = (parameters, TELL_ALL, toy_notebook.PRETEND, toy_notebook.AFTER)
    toy_notebook.write(notebooks / "01_first.ipynb", *cells)
    toy_notebook.use(notebooks, monkeypatch)
    with (notebooks / "profiles" / "quick.yaml").open("w", encoding="utf-8") as profile:
        profile.write(f"# für alle\nnote: à la carte\ndataset: cifar10\nlog: {tmp_path}/log\n")
    (tmp_path / "rel" / CIFAR10.base_folder).mkdir(parents=True)
    process = get_context("fork").Process(
        target=in_a_plain_locale, args=(tmp_path, tmp_path / "said")
    )
    process.start()
    process.join()
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert process.exitcode == 0, said
    executed = nbformat.read(next((tmp_path / "runs").rglob("01_first.ipynb")), as_version=4)
    printed = "".join(
        shown.get("text", "") for cell in executed.cells for shown in cell.get("outputs", [])
    )
    assert f"Größe 32 × 32 … à la carte {tmp_path}/rel\n" in printed
    first, *_, last = said.splitlines()
    assert first == "Data: CIFAR-10, all 60,000 images."
    assert last.startswith("Data: the sample, 7,000 photographs of CIFAR-10.")
