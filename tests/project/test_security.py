"""Nothing is unpickled unchecked, written outside its folder, or asked of a host unasked."""

import ast
import hashlib
import io
import json
import os
import pickle
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import toy_notebook
from command_line import call
from test_data import make_cifar10
from torchvision.datasets import CIFAR10

from cifar_utils import __main__ as cli
from cifar_utils import data, models, training
from cifar_utils.batch import download

UNPICKLING = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
NETWORK = {
    "socket", "ssl", "http", "urllib", "urllib3", "requests", "httpx", "aiohttp", "ftplib",
    "smtplib", "telnetlib", "xmlrpc", "tornado", "webbrowser",
}  # fmt: skip
DOWNLOAD = "cifar_utils/batch/download.py"
SCHEDULER = "cifar_utils/batch/cluster.py"  # calls the one that it is told of
BROWSER = "cifar_utils/explore/__main__.py"  # opens files in it
MAY_CALL_A_HOST = {DOWNLOAD, SCHEDULER, BROWSER}
UNCHECKED = {
    "read_pickle", "extractall", "unpack_archive", "unsafe_load", "full_load",
    "load_state_dict_from_url", "download_url", "download_and_extract_archive",
}  # fmt: skip


def dangers(source: str, may_call_a_host: bool = False) -> list[str]:
    """What in a module could unpickle without a check, or call a host."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call):
            found += dangers_of_call(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += re.findall(r"^(?:https?|ftp)://.*", node.value)
        for name in names:
            forbidden = UNPICKLING if may_call_a_host else UNPICKLING | NETWORK
            if name.split(".")[0] in forbidden or name.startswith("torch.hub"):
                found.append(f"import {name}")
    return found


def dangers_of_call(node: ast.Call) -> list[str]:
    called = ast.unparse(node.func)
    told = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    bad = called.split(".")[-1] in UNCHECKED or called in {"eval", "exec"}
    bad |= called == "torch.load" and told.get("weights_only") != "True"
    bad |= called == "yaml.load" or called.startswith("torch.hub.")
    bad |= told.get("allow_pickle", "False") != "False"
    bad |= told.get("download", "False") != "False"
    return [ast.unparse(node)] if bad else []


def sources() -> Iterator[tuple[str, str]]:
    """The project's modules and notebooks by name."""
    for folder in ("cifar_utils", "benchmarks", "notebooks"):
        for path in sorted((data.PROJECT / folder).rglob("*.py")):
            yield path.relative_to(data.PROJECT).as_posix(), path.read_text()
    for path in sorted((data.PROJECT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        lines = "\n".join(code).splitlines()
        yield path.name, "\n".join(line for line in lines if not line.startswith(("%", "!")))


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "import requests", "from urllib import request",
        "import torch.hub", "torch.load(path)", "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=trusted)", "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)", "tar.extractall(folder)", "yaml.load(text)", "eval(text)",
        "CIFAR10(root, download=True)", "page = 'https://example.org/'", "torch.hub.load(name)",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_seeks(line: str) -> None:
    assert dangers(line)


@pytest.mark.parametrize(
    ("name", "source"), [pytest.param(*each, id=each[0]) for each in sources()]
)
def test_no_source_unpickles_unchecked_or_calls_a_host(name: str, source: str) -> None:
    assert dangers(source, may_call_a_host=name in MAY_CALL_A_HOST) == []


def test_the_one_address_that_is_opened_is_the_data_set_s() -> None:
    calls = [
        node
        for node in ast.walk(ast.parse((data.PROJECT / DOWNLOAD).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"urlopen", "Request"}
    ]
    assert [ast.unparse(call.args[0]) for call in calls] == ["url", "request"]
    assert download.download.__defaults__ == (CIFAR10.url,)
    assert CIFAR10.url.startswith("https://www.cs.toronto.edu/")


class Trap:
    """Makes a folder where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A folder that a trap makes, having shown once that it does."""
    folder = tmp_path / "marker"
    pickle.loads(pickle.dumps(Trap(folder)))
    folder.rmdir()
    return folder


@pytest.mark.parametrize("name", ["data_batch_1", "data_batch_5", "test_batch", "batches.meta"])
def test_an_altered_batch_is_refused_before_it_is_opened(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = make_cifar10(tmp_path, monkeypatch) / name
    path.write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(OSError, match=f"{name} is cut short or altered"):
        data.load("cifar10", tmp_path, val_size=50)
    with pytest.raises(OSError, match=name):
        download.download(tmp_path, "http://127.0.0.1:9/")
    with pytest.raises(ValueError, match=name):
        download.take(tmp_path, tmp_path / "data")
    assert cli.entry(["data", "--from", str(tmp_path), "--root", str(tmp_path / "data")]) == 1
    assert not marker.exists()


def test_a_trap_in_an_archive_is_refused(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / CIFAR10.filename
    write_archive(archive, make_cifar10(tmp_path, monkeypatch))
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    (tmp_path / CIFAR10.base_folder / "test_batch").write_bytes(pickle.dumps(Trap(marker)))
    write_archive(archive, tmp_path / CIFAR10.base_folder)
    with pytest.raises(ValueError, match="its MD5 differs"):
        download.take(archive, tmp_path / "data")
    assert not marker.exists() and not list((tmp_path / "data").iterdir())


def test_a_trap_in_a_checkpoint_is_set_aside_unopened(
    tmp_path: Path, marker: Path, small: data.Data
) -> None:
    torch.save({"digest": Trap(marker)}, tmp_path / "checkpoint.pt")
    recipe = training.Recipe(epochs=1, batch_size=100)
    model = models.build("SimpleCNN")
    training.fit(model, small, recipe, folder=tmp_path, test=False, verbose=False)
    assert not marker.exists()
    assert (tmp_path / "checkpoint.pt.unreadable").exists()


def write_archive(path: Path, folder: Path, *more: tarfile.TarInfo) -> None:
    """An archive of the folder's files, after `more`; those that are files hold the word evil."""
    with tarfile.open(path, "w:gz") as tar:
        for member in more:
            member.size = 4 if member.isreg() else 0
            tar.addfile(member, io.BytesIO(b"evil"))
        tar.add(folder, CIFAR10.base_folder)


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def everything_in(folder: Path) -> dict[str, bytes | None]:
    """Each path in the folder with its bytes."""
    paths = sorted(folder.rglob("*"))
    return {str(path): path.read_bytes() if path.is_file() else None for path in paths}


BATCH = f"{CIFAR10.base_folder}/data_batch_1"


@pytest.mark.parametrize(
    "evil",
    [
        lambda outside: [tarfile.TarInfo(f"{'../' * depth}evil") for depth in (1, 2, 3)],
        lambda outside: [tarfile.TarInfo(f"{CIFAR10.base_folder}/../../../evil")],
        lambda outside: [tarfile.TarInfo(f"{outside}/evil")],
        lambda outside: [link(CIFAR10.base_folder, str(outside)), tarfile.TarInfo(BATCH)],
        lambda outside: [link(BATCH, str(outside / "victim")), tarfile.TarInfo(BATCH)],
        lambda outside: [link(BATCH, str(outside / "victim"), tarfile.LNKTYPE)],
        lambda outside: [link(BATCH, "../../../outside/victim"), tarfile.TarInfo(BATCH)],
    ],
    ids=["..", "folder/..", "absolute", "folder link", "link", "hard link", "relative link"],
)
def test_an_archive_writes_nothing_outside_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evil: object
) -> None:
    folder, outside, root = (tmp_path / name for name in ("source", "outside", "data"))
    for each in (folder, outside, root):
        each.mkdir()
    (outside / "victim").write_bytes(b"untouched")
    right = make_cifar10(folder, monkeypatch)
    archive = tmp_path / CIFAR10.filename
    write_archive(archive, right, *evil(outside))
    before = everything_in(tmp_path)
    target = download.take(archive, root)
    after = everything_in(tmp_path)
    added = {name: content for name, content in after.items() if name not in before}
    assert before.items() <= after.items()
    assert added == {str(target): None} | {
        str(target / path.name): path.read_bytes() for path in right.iterdir()
    }
    assert not any(path.is_symlink() or path.stat().st_nlink > 1 for path in target.iterdir())


def test_a_link_in_an_archive_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = make_cifar10(tmp_path, monkeypatch)
    (tmp_path / "victim").write_bytes((right / "data_batch_1").read_bytes())
    (right / "data_batch_1").unlink()
    (right / "data_batch_1").symlink_to(tmp_path / "victim")
    archive = tmp_path / CIFAR10.filename
    write_archive(archive, right)
    with pytest.raises(ValueError, match="data_batch_1 is missing"):
        download.take(archive, tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())


FORBID = """
import os, sys
forbidden = {"urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect"}
forbidden |= {f"socket.{name}" for name in ("connect", "getaddrinfo", "gethostbyname", "sendto")}
def forbid(event, arguments):
    if event in forbidden and os.path.exists(LOG):
        with open(LOG, "a") as log:
            print(sys.argv[0], event, arguments, file=log)
        raise ConnectionError(event)
sys.addaudithook(forbid)
"""
IMPORT_ALL = """
import importlib, pkgutil
import cifar_utils
found = pkgutil.walk_packages(cifar_utils.__path__, "cifar_utils.")
names = [each.name for each in found if not each.name.endswith(".__main__")]
for name in [*names, "cifar_utils.__main__"]:
    importlib.import_module(name)
assert len(names) > 20
"""
LOAD_AND_FIT = """
from cifar_utils import data, models, training
loaded = data.load(dataset, train_size=train_size, val_size=val_size)
recipe = training.Recipe(epochs, 50)
training.fit(models.build("SimpleCNN"), loaded, recipe, test=False, verbose=False)
"""
ASK = """
import urllib.request
try:
    urllib.request.urlopen("http://192.0.2.1/")
except ConnectionError:
    pass
"""


def test_a_study_that_imports_loads_and_fits_calls_no_host(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process, papermill's and the kernel's are forbidden to, and note what they try."""
    log = tmp_path / "asked"
    forbid = FORBID.replace("LOG", repr(str(log)))
    (tmp_path / "sitecustomize.py").write_text(forbid)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path, data.PROJECT))))
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    toy_notebook.write_study(tmp_path / "notebooks", "01_first")
    cells = (toy_notebook.PARAMETERS, IMPORT_ALL, LOAD_AND_FIT, ASK)
    toy_notebook.write(tmp_path / "notebooks" / "01_first.ipynb", *cells)
    toy_notebook.use(tmp_path / "notebooks", monkeypatch)
    exec(forbid, {})
    log.touch()
    code, said = call(capsys, "run", "01", "--out", tmp_path / "runs")
    exec(ASK, {})
    asked = [Path(line.split(" urllib.Request ('http://192.0.2.1/'")[0]).name
             for line in log.read_text().splitlines()]  # fmt: skip
    log.unlink()  # from now on this process may ask again
    assert code == 0 and "01_first, seed 0: done" in said, said
    assert asked == ["ipykernel_launcher.py", Path(sys.argv[0]).name]  # as they were told to


def lab_line() -> str:
    """The command of the Makefile's target `lab`, in one line."""
    makefile = (data.PROJECT / "Makefile").read_text().replace("\\\n", " ")
    return re.search(r"^lab:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]


def test_jupyterlab_keeps_its_token_and_listens_to_this_machine_alone() -> None:
    assert re.search(r"jupyter.lab .*--(ServerApp\.)?ip[ =]127\.0\.0\.1\b", lab_line())
    for weakened in ("token", "password", "0.0.0.0", "allow_origin", "xsrf", "allow_remote"):
        assert weakened not in lab_line()
    assert not list(data.PROJECT.glob("jupyter*config*"))
