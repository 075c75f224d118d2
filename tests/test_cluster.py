"""Jobs on a dask cluster: a scheduler and two workers, real processes of this machine."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from test_sweep import PATIENCE, ForkProcess, alive, call, rows, start, told, until  # noqa: F401

from cifar_utils import cluster, jobs, study

try:
    import distributed
except ImportError:
    distributed = None
# These two have not been seen to end yet, so they are asked for by name: CIFAR_DASK=1.
needs_dask = pytest.mark.skipif(
    not (distributed and os.environ.get("CIFAR_DASK")),
    reason="needs dask (pip install -e .[dask]) and CIFAR_DASK=1",
)

PARAMETERS = """
dataset: str = "sketches"  # the data
lr: float = 0.1  # learning rate
log: str = ""  # where to tell
hold: str = ""  # what to wait for
seed: int = 0  # of everything
profile: str = "quick"  # the name of the runs
out: str = ""  # folder for records
"""
WAIT = """
import os, time
from pathlib import Path
with open(log, "a") as told:
    told.write(f"{lr} {seed} {os.getpid()} {os.getppid()}\\n")
while Path(hold).is_file():
    time.sleep(0.05)
"""
TRAIN = """
import torch
from cifar_utils import models, results, training
from cifar_utils.data import Data, Split
draw = torch.Generator().manual_seed(0)
images = torch.randint(0, 256, (300, 3, 32, 32), dtype=torch.uint8, generator=draw)
parts = [Split(images[i : i + 100], torch.arange(100) % 10) for i in (0, 100, 200)]
noise = Data("sketches", *parts, mean=(0.5,) * 3, std=(0.25,) * 3, digest="0", source="drawn here")
recipe = training.Recipe(epochs=2, batch_size=20, optimizer="sgd", lr=lr, seed=seed)
model = models.build("SimpleCNN", seed)
results.Experiment("01_first", profile, out).run("plain", model, noise, recipe)
"""


@pytest.fixture(autouse=True)
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "notebooks"
    (folder / "profiles").mkdir(parents=True)
    cells = [new_code_cell(PARAMETERS.strip(), metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(WAIT.strip()), new_code_cell(TRAIN.strip())]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, folder / "01_first.ipynb")
    (folder / "profiles" / "quick.yaml").write_text(
        f"log: {tmp_path / 'log'}\nhold: {tmp_path / 'hold'}\n"
    )
    monkeypatch.setattr(study, "NOTEBOOKS", folder)
    monkeypatch.setattr(study, "PROFILES", folder / "profiles")
    return folder


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start `dask scheduler` or `dask worker`, which find each other by a file."""
    started = []
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}

    def command(kind: str, *options: str, **more: str) -> subprocess.Popen:
        words = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard"]
        words += ["--scheduler-file", str(tmp_path / "scheduler.json"), *options]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(words, env=environment | more, cwd=tmp_path, **quiet))
        return started[-1]

    yield command
    for process in started:
        process.kill()
        process.wait()


def scheduler_of(tmp_path: Path, launch: Callable[..., subprocess.Popen]) -> str:
    launch("scheduler", "--host", "127.0.0.1", "--port", "0")
    file = tmp_path / "scheduler.json"
    until(file.exists)
    return json.loads(file.read_text())["address"]


def worker_of(launch: Callable[..., subprocess.Popen], **more: str) -> subprocess.Popen:
    options = ("--host", "127.0.0.1", "--no-nanny", "--nthreads", "1")
    return launch("worker", *options, **more)


def numbers(record: Any) -> Any:
    """A record without what differs between two runs of the same."""
    if isinstance(record, dict):
        left_out = ("seconds", "environment")
        return {key: numbers(value) for key, value in record.items() if key not in left_out}
    return [numbers(each) for each in record] if isinstance(record, list) else record


@needs_dask
def test_a_sweep_on_a_cluster_outlives_caller_and_worker_and_equals_a_local_one(
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    launch: Callable[..., subprocess.Popen],
    start: Callable[..., ForkProcess],  # noqa: F811
) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", PATIENCE)
    hold = tmp_path / "hold"
    hold.touch()
    address = scheduler_of(tmp_path, launch)
    workers = [worker_of(launch), worker_of(launch)]
    grid = ["sweep", "01", "-p", "lr=0.01,0.02"]
    arguments = [*grid, "--dask", address, "--out", tmp_path / "far"]
    caller = start(*arguments)
    until(lambda: len(told(tmp_path)) == 2)
    caller.kill()
    given_up = [process for line in told(tmp_path) for process in line[2:]]
    until(lambda: not any(map(alive, given_up)), 60)  # workers stop what nobody waits for

    caller = start(*arguments)
    until(lambda: len(told(tmp_path)) == 4)
    workers[0].kill()
    until(lambda: sum(alive(line[2]) for line in told(tmp_path)[2:4]) == 1, 60)
    hold.unlink()
    caller.join(PATIENCE)
    said = (tmp_path / "said").read_text()
    assert caller.exitcode == 0, said
    assert len(told(tmp_path)) == 5  # two given up, two begun, one of them again

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code, said_here = call(capsys, *grid, "--out", tmp_path / "near", "--jobs", 2)
    assert code == 0 and rows(said_here) == rows(said) and len(rows(said)) == 2
    far, near = (sorted((tmp_path / place).rglob("*.*")) for place in ("far", "near"))
    names = [path.relative_to(tmp_path / "near") for path in near]
    assert [path.relative_to(tmp_path / "far") for path in far] == names
    for one, other in zip(far, near, strict=True):
        if one.name == "record.json":
            there, here = json.loads(one.read_text()), json.loads(other.read_text())
            assert numbers(there) == numbers(here)
            assert there["environment"]["threads"] == here["environment"]["threads"] == 1
    code, said = call(capsys, *grid, "--out", tmp_path / "far", "--jobs", 2)
    assert code == 0 and rows(said) == rows(said_here)
    assert len(told(tmp_path)) == 7  # what the cluster has done is done for this machine too


@needs_dask
def test_a_cluster_that_is_not_there_or_not_ready_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    launch: Callable[..., subprocess.Popen],
) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)

    def run_at(address: str) -> str:
        code, said = call(capsys, "run", "01", "--dask", address, "--out", tmp_path / "runs")
        assert code == 1 and "Traceback" not in said and not (tmp_path / "runs").exists()
        return said

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert f"no dask scheduler answers at 127.0.0.1:{port} within 1 s" in run_at(
            f"127.0.0.1:{port}"
        )
    assert f"no dask scheduler answers at tcp://127.0.0.1:{port}" in run_at(
        f"tcp://127.0.0.1:{port}"
    )
    assert "no dask scheduler answers at carrier://pigeon" in run_at("carrier://pigeon")
    address = scheduler_of(tmp_path, launch)
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 5)
    assert f"has no worker; start one: dask worker {address}" in run_at(address)
    (tmp_path / "old" / "cifar_utils").mkdir(parents=True)
    (tmp_path / "old" / "cifar_utils" / "__init__.py").touch()
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", PATIENCE)
    worker_of(launch, PYTHONPATH=str(tmp_path / "old"))
    assert "can't import this cifar_utils" in run_at(address)


def test_dask_that_is_missing_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, said = call(capsys, "run", "01", "--dask", "127.0.0.1:1", "--out", tmp_path)
    assert (code, said) == (1, "Error: --dask needs dask; install it: pip install -e .[dask]\n")


def cluster_with(answers: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> cluster.Cluster:
    client = SimpleNamespace(run=lambda *_, **__: answers)
    monkeypatch.setattr(cluster.Cluster, "__init__", lambda self: None)
    made = cluster.Cluster()
    made._client, made._here = client, {}
    return made


def test_the_workers_decide_together_what_the_data_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster_with({"a": True, "b": True}, monkeypatch).locate("auto") is True
    assert cluster_with({"a": False, "b": False}, monkeypatch).locate("auto") is False
    with pytest.raises(ValueError, match=r"not every worker has CIFAR-10 \(b\)"):
        cluster_with({"a": True, "b": False}, monkeypatch).locate("auto")
    with pytest.raises(ValueError, match="the worker b: CIFAR-10 is not in /x"):
        missing = FileNotFoundError("CIFAR-10 is not in /x")
        cluster_with({"a": True, "b": missing}, monkeypatch).locate("cifar10")


def test_an_answer_is_written_as_a_run_of_this_machine(notebooks: Path, tmp_path: Path) -> None:
    (job,) = study.plan([notebooks / "01_first.ipynb"], "quick", {}, 1, tmp_path / "runs")
    elsewhere = jobs.Job(job.notebook, {**job.parameters, "out": "/elsewhere"}, job.folder)
    executed = nbformat.read(job.notebook, as_version=4)
    executed.metadata.papermill = {"parameters": dict(elsewhere.parameters), "exception": None}
    (job.folder / "plain").mkdir(parents=True)
    (job.folder / "plain" / "checkpoint.pt").touch()
    files = {"plain/weights.pt": b"w", "plain/record.json": b"{}"}
    cluster._write(cluster.Answer(nbformat.writes(executed), files, None, 1.0), job)
    assert {path.name for path in job.folder.rglob("*.*")} == {
        "weights.pt", "record.json", "01_first.ipynb",
    }  # fmt: skip
    told_of = nbformat.read(job.output, as_version=4).metadata.papermill.parameters
    assert dict(told_of) == dict(job.parameters)
