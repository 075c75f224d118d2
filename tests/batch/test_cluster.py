"""Jobs on a dask cluster: a scheduler and two workers, real processes of this machine."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import nbformat
import pytest
import toy_notebook
from command_line import call
from processes import alive, command_lines, until
from toy_notebook import rows, told

import cifar_utils
from cifar_utils.batch import cluster, jobs, study

try:
    import distributed
except ImportError:
    distributed = None
needs_dask = pytest.mark.skipif(not distributed, reason="needs dask: pip install -e .[dask]")
IP = r"tcp://127\.0\.0\.1:\d+"
pytestmark = pytest.mark.usefixtures("notebooks")
HARD_LIMIT = 300  # seconds of a test, on a machine that has much else to do


@pytest.fixture
def limit() -> Iterator[None]:
    """An end to every wait of a test."""

    def too_long(*_: object) -> None:
        raise TimeoutError(f"the test takes more than {HARD_LIMIT} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(HARD_LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


Launch = Callable[..., subprocess.Popen]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the cluster's processes write."""
    return tmp_path_factory.mktemp("dask")


@pytest.fixture(scope="module")
def launch(folder: Path) -> Iterator[Launch]:
    """Start `dask scheduler` or `dask worker`, which find each other by a file."""
    started = []
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    environment["DASK_TEMPORARY_DIRECTORY"] = str(folder)  # what is killed leaves its files

    def command(kind: str, *options: str, **more: str) -> subprocess.Popen:
        words = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--no-dashboard"]
        words += ["--host", "127.0.0.1", "--scheduler-file", str(folder / "scheduler.json")]
        with (folder / f"{kind}-{len(started)}").open("w") as log:
            started.append(subprocess.Popen(
                [*words, *options], env=environment | more, cwd=folder, stdout=log, stderr=log,
            ))  # fmt: skip
        return started[-1]

    yield command
    if distributed:  # a client that lost its scheduler asks for it until the process ends
        for client in list(distributed.Client._instances):
            with suppress(TimeoutError):
                client.close(timeout=5)
    for process in started:
        process.kill()
    for process in started:
        process.wait()


@pytest.fixture(scope="module")
def scheduler(launch: Launch, folder: Path) -> str:
    """The address of a scheduler, to which each test gives workers of its own."""
    launch("scheduler", "--port", "0", "--idle-timeout", f"{HARD_LIMIT}s")
    file = folder / "scheduler.json"
    until(lambda: file.exists() and file.read_text().rstrip().endswith("}"))  # it is all there
    return json.loads(file.read_text())["address"]


def worker_of(launch: Launch, address: str, **more: str) -> subprocess.Popen:
    """A worker of one thread, once the scheduler has it."""
    before = workers_at(address)
    worker = launch("worker", "--no-nanny", "--nthreads", "1", **more)
    until(lambda: workers_at(address) > before)
    return worker


def workers_at(address: str) -> int:
    return len(asyncio.run(cluster._identity(address))["workers"])


@needs_dask
def test_a_cluster_that_is_not_there_or_not_ready_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    limit: None,
    launch: Launch,
    scheduler: str,
) -> None:
    def refused(address: str, seconds: float = cluster.ANSWER_SECONDS) -> str:
        monkeypatch.setattr(cluster, "ANSWER_SECONDS", seconds)
        code, said = call(capsys, "run", "01", "--dask", address, "--out", tmp_path / "runs")
        assert code == 1 and said.count("\n") == 1 and not (tmp_path / "runs").exists()
        return said

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert f"no dask scheduler answers at {address} within 1 s" in refused(address, 1)
    assert f"no dask scheduler answers at {address} within 1 s" in refused(address, 1)
    assert "no dask scheduler answers at carrier://pigeon" in refused("carrier://pigeon")
    assert f"has no worker; start one: dask worker {scheduler}" in refused(scheduler, 2)

    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "cifar_utils.py").touch()  # hides the package
    shutil.copytree(Path(cifar_utils.__file__).parent, tmp_path / "older" / "cifar_utils")
    with (tmp_path / "older" / "cifar_utils" / "models.py").open("a") as models:
        models.write("# as it was\n")
    complaints = {"none": "can't run this project", "older": "has this project's code"}
    for folder, complaint in complaints.items():
        worker = worker_of(launch, scheduler, PYTHONPATH=str(tmp_path / folder))
        said = refused(scheduler)
        assert said.startswith("Error: the worker tcp://127.0.0.1:") and complaint in said
        worker.kill()
        until(lambda: workers_at(scheduler) == 0)


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a server that gives each connection to a function, and closes it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):  # the end
            while True:
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


@needs_dask
def test_a_scheduler_that_wants_tls_and_a_server_of_another_kind_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate it says no, in TLS
    with server(lambda connection: context.wrap_socket(connection, server_side=True)) as address:
        wants = f"the scheduler at {address} wants TLS: give its address as tls://HOST:PORT, and"
        with pytest.raises(OSError, match=wants):
            cluster._expect_scheduler(address)
    with pytest.raises(OSError, match="wants TLS .*ssl_context.*name the certificates"):
        cluster._expect_scheduler(f"tls://{address}")
    with server(lambda connection: connection.sendall(b"HTTP/1.0 400 Bad\r\n\r\n")) as address:
        with pytest.raises(OSError, match=f"no dask scheduler answers at {address}") as caught:
            cluster._expect_scheduler(address)
    assert "within" not in str(caught.value)  # it did answer


@needs_dask
def test_a_worker_that_dies_while_it_is_asked_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from distributed.comm.core import CommClosedError

    lost = cluster_with({"a": CommClosedError("Stream is closed")}, monkeypatch)
    said = "the worker a.*: lost while it was asked, most likely for too little memory"
    with pytest.raises(ValueError, match=said):
        lost.locate("cifar10")
    with pytest.raises(ValueError, match=r"the worker a can't run this project \(lost while .*\)$"):
        lost._expect_same_versions()
    monkeypatch.setattr(sys, "flags", type("Flags", (), {"optimize": 1}))
    with pytest.raises(ValueError, match="PYTHONOPTIMIZE"):
        cluster._versions()  # as a worker's answer


@needs_dask
def test_a_sweep_outlives_ctrl_c_and_a_killed_worker_and_equals_a_local_one(
    notebooks: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    limit: None,
    launch: Launch,
    scheduler: str,
) -> None:
    hold = notebooks / "hold"
    hold.touch()
    without = tmp_path / "without"
    without.mkdir()
    workers = [worker_of(launch, scheduler, CIFAR_ROOT=str(without))]
    arguments = ["--dask", scheduler, "--out", tmp_path / "far"]
    code, said = call(capsys, "run", "01", "-p", "dataset=cifar10", *arguments)
    refused = f"Error: 01_first: the worker {IP}: CIFAR-10 is not in {without}; run `make data`"
    assert code == 1 and re.match(refused, said), said
    assert not (tmp_path / "far").exists()

    workers.append(worker_of(launch, scheduler))
    with command_lines(tmp_path / "said") as start:
        caller = start("sweep", "01", "-p", "lr=0.01", *arguments)
        until(lambda: len(told(notebooks)) == 1)
        os.kill(caller.pid, signal.SIGINT)
        caller.join()
        assert caller.exitcode == 130 and "Stopped." in (tmp_path / "said").read_text()
        until(lambda: not any(map(alive, told(notebooks)[0][2:])))  # the kernel and papermill

        caller = start("sweep", "01", "-p", "lr=0.01,0.02", *arguments)
        until(lambda: len(told(notebooks)) == 3)
        workers[0].kill()
        hold.unlink()
        caller.join()
    said = (tmp_path / "said").read_text()
    assert caller.exitcode == 0, said
    assert len(told(notebooks)) == 4  # one cancelled, two begun, one of them again
    until(lambda: not any(alive(process) for line in told(notebooks) for process in line[2:]))

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as a worker sets it for its jobs
    for lr in (0.01, 0.02):  # the same cells in this process
        near, log = tmp_path / f"near+lr-{lr}", tmp_path / "near.log"
        given = f"lr, out, log, notebook = {lr}, {str(near)!r}, {str(log)!r}, '01_first'"
        exec(f"{toy_notebook.PARAMETERS}{given}\n{toy_notebook.PRETEND}", {})
        (far,) = (tmp_path / "far").glob(f"quick+lr-{lr}/01_first/seed-0")
        there, here = (json.loads((at / "plain/record.json").read_text()) for at in (far, near))
        assert there == here | {"profile": f"quick+lr={lr}"}
        assert sorted(path.name for path in far.rglob("[!.]*.*")) == [
            "01_first.ipynb", "record.json", "weights.pt",
        ]  # fmt: skip
        weights = [(at / "plain" / "weights.pt").read_bytes() for at in (far, near)]
        assert weights[0] == weights[1]
    code, said_here = call(capsys, "sweep", "01", "-p", "lr=0.01,0.02", "--out", tmp_path / "far")
    assert code == 0 and rows(said_here) == rows(said) and len(rows(said)) == 2
    assert len(told(notebooks)) == 4  # what the cluster has done is done for this machine too


def test_dask_that_is_missing_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, said = call(capsys, "run", "01", "--dask", "127.0.0.1:1", "--out", tmp_path)
    assert (code, said) == (1, "Error: --dask needs dask; install it: pip install -e .[dask]\n")


def cluster_with(answers: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> cluster.Cluster:
    """A cluster whose scheduler has this machine's versions, and whose workers answer so."""
    run = Mock(return_value=answers)
    client = SimpleNamespace(run=run, run_on_scheduler=lambda question: question())
    monkeypatch.setattr(cluster.Cluster, "__init__", lambda self: None)
    made = cluster.Cluster()
    made._client, made._found = client, set()
    return made


def test_every_worker_must_have_the_data_and_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everywhere = cluster_with({"a": "/data", "b": "/mnt"}, monkeypatch)
    everywhere.locate("sample")  # comes with the package
    assert everywhere._client.run.call_count == 0
    for _ in range(2):
        everywhere.locate("cifar10")
    assert everywhere._client.run.call_count == 1
    missing = FileNotFoundError("CIFAR-10 is not in /x")
    somewhere = cluster_with({"a": "/data", "b": missing}, monkeypatch)
    for _ in range(2):
        with pytest.raises(ValueError, match="the worker b: CIFAR-10 is not in /x"):
            somewhere.locate("cifar10")


@needs_dask
def test_versions_that_differ_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = cluster._versions()
    cluster_with({"a": ours, "b": dict(ours)}, monkeypatch)._expect_same_versions()
    for name in ours:
        theirs = ours | {name: "0.9"}
        with pytest.raises(ValueError, match=f"the worker b has {name} 0.9, this machine "):
            cluster_with({"a": ours, "b": theirs}, monkeypatch)._expect_same_versions()
    other = cluster_with({"a": ours}, monkeypatch)
    other._client.run_on_scheduler = lambda question: ours | {"dask.distributed": "2020.1"}
    with pytest.raises(ValueError, match="the scheduler has dask.distributed 2020.1"):
        other._expect_same_versions()


def test_a_cluster_without_a_worker_left_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    made = cluster_with({}, monkeypatch)
    made.address, workers = "tcp://a:1", iter([{"a": 1}, {}, {}, {"b": 1}, {}])
    made._client.nthreads = lambda: next(workers)
    waits = iter([False] * 5 + [True])
    made._left = SimpleNamespace(wait=lambda seconds: next(waits))
    made._tell_when_deserted()
    told_twice = "no worker is left; jobs wait for one: dask worker tcp://a:1\n" * 2
    assert capsys.readouterr().out == told_twice


@pytest.fixture
def job(notebooks: Path, tmp_path: Path) -> jobs.Job:
    (planned,) = study.plan([notebooks / "01_first.ipynb"], "quick", {}, 1, tmp_path / "runs")
    return planned


def test_an_answer_is_written_as_a_run_of_this_machine(job: jobs.Job) -> None:
    executed = nbformat.read(job.notebook, as_version=4)
    elsewhere = {**job.parameters, "out": "/elsewhere"}
    executed.metadata.papermill = {"parameters": elsewhere, "exception": None}
    (job.folder / "plain").mkdir(parents=True)
    (job.folder / "plain" / "checkpoint.pt").touch()
    files = {"plain/weights.pt": b"w", "plain/record.json": b"{}"}
    files[job.notebook.name] = nbformat.writes(executed).encode()
    cluster._write(files, job)
    assert {path.name for path in job.folder.rglob("*.*")} == {
        "weights.pt", "record.json", "01_first.ipynb",
    }  # fmt: skip
    told_of = nbformat.read(job.output, as_version=4).metadata.papermill.parameters
    assert dict(told_of) == dict(job.parameters)


FOREIGN = [
    "../weights.pt", "./weights.pt", "/weights.pt", "weights.pt", "/tmp/weights.pt",
    "plain/../weights.pt", "plain/other/weights.pt", "plain/.bashrc", "plain/weights.pt/",
    "a\\b/weights.pt", "../01_first.ipynb", "02_second.ipynb", "",
]  # fmt: skip


@pytest.mark.parametrize("path", FOREIGN)
def test_a_worker_can_write_nothing_but_the_files_of_a_run(path: str, job: jobs.Job) -> None:
    with pytest.raises(ValueError, match="which is no file of a run"):
        cluster._write({"plain/weights.pt": b"w", path: b"x"}, job)
    assert not job.folder.exists()
