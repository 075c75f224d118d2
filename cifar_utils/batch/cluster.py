"""Jobs on an existing dask.distributed cluster: each is one task, all it needs goes by value.

No disk is shared. A worker executes the notebook by papermill in a temporary folder with its own
installed cifar_utils, and the caller writes what comes back as a run of its own would have been
written. A job whose worker dies is given to another one by the scheduler.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import re
import socket
import ssl
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from tqdm import tqdm

from cifar_utils.batch.execute import PATIENCE, Execution, Patience
from cifar_utils.batch.kernel import require_asserts
from cifar_utils.files import code_digest, write_whole

if TYPE_CHECKING:  # jobs imports PyTorch, which takes a scheduler seconds and is of no use to it
    from cifar_utils.batch.jobs import Job, Outcome

ANSWER_SECONDS = 15
FETCH_SECONDS = 600  # for some megabytes over a slow network
KEPT = ("checkpoint.pt", "weights.pt", "record.json")  # a record says that weights are there
OF_A_RUN = re.compile(rf"(?!\.+/)[\w.+-]+/({'|'.join(map(re.escape, KEPT))})")  # variant/file
LOST = (
    "lost while it was asked, most likely for too little memory: it takes about 1 GB to import "
    "PyTorch there (dask worker --memory-limit), and the worker's log says more"
)
INSTALL = "start it in this project's environment (pip install -e .[dask])"

Answer = tuple[dict[str, bytes], str | None, float]  # files by path, error, seconds


class Cluster:
    """The workers that a scheduler has, each running as many jobs as it has threads."""

    name = "the cluster's workers"
    slots = 256  # jobs handed to the scheduler at once, each waited for by a thread here

    def __init__(self, address: str, patience: Patience = PATIENCE) -> None:
        """Connect to the scheduler at `address` ("tcp://10.0.0.1:8786", "10.0.0.1:8786").

        Raises:
            ValueError: dask is not installed, or the cluster has other versions than this machine.
            OSError: no scheduler answers there, or it has no worker.
        """
        try:
            from distributed import Client
            from distributed.versions import VersionMismatchWarning
        except ImportError as error:
            raise ValueError("--dask needs dask; install it: pip install -e .[dask]") from error
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors are reported below
        warnings.simplefilter("ignore", VersionMismatchWarning)  # so are versions
        self.address, self._patience = address, patience
        self._found: set[str] = set()
        self._left = threading.Event()
        _expect_scheduler(address)
        self._client = Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
        try:
            self._expect_workers()
            self._expect_same_versions()
        except BaseException:
            self.stop()
            raise
        threading.Thread(target=self._tell_when_deserted, daemon=True).start()

    def locate(self, dataset: str) -> None:
        """Make sure that every worker has the data set.

        Raises:
            ValueError: a worker lacks it; the message names the worker and says what to do.
        """
        if dataset == "sample" or dataset in self._found:  # the sample comes with the package
            return
        for worker, answer in self._ask_workers(_locate, dataset).items():
            if isinstance(answer, Exception):
                raise ValueError(f"{worker}: {answer}")
        self._found.add(dataset)

    def execute(self, job: Job) -> Outcome:
        """Have a worker run the job, and write what it gives back."""
        from cifar_utils.batch.jobs import Outcome

        start = time.monotonic()
        try:
            task = self._client.submit(
                work, job.notebook.name, job.notebook.read_bytes(), dict(job.parameters),
                _pack(job.folder), self._patience, pure=False,
            )  # fmt: skip
            # its state is of this process alone, so no lost connection can make this wait hang
            while task.status == "pending" and not self._left.wait(0.1):
                pass
            files, failure, seconds = task.result(timeout=FETCH_SECONDS)
            _write(files, job)
        except Exception as error:
            return Outcome(job, time.monotonic() - start, self._in_words(error))
        return Outcome(job, seconds, failure)

    def stop(self) -> None:
        """Leave the cluster; the workers stop what nobody waits for."""
        self._left.set()
        with suppress(TimeoutError):
            self._client.close()

    def _expect_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=ANSWER_SECONDS)
        except TimeoutError as error:
            raise OSError(
                f"the scheduler at {self.address} has no worker; start one: "
                f"dask worker {self.address}"
            ) from error

    def _expect_same_versions(self) -> None:
        answers = self._ask_workers(_versions)
        try:
            answers["the scheduler"] = self._client.run_on_scheduler(_versions)
        except Exception as error:
            answers["the scheduler"] = error
        for member, answer in answers.items():
            if isinstance(answer, Exception):
                advice = "" if str(answer) == LOST else f"; {INSTALL}"
                raise ValueError(f"{member} can't run this project ({answer}){advice}")
            for name, ours in _versions().items():
                if answer[name] != ours:
                    raise ValueError(
                        f"{member} has {name} {answer[name]}, this machine {ours}; install the "
                        "same there"
                    )

    def _ask_workers(self, question: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """What a function gives, or raises, on every worker."""
        answers = self._client.run(question, *arguments, on_error="return")
        return {
            f"the worker {address}": OSError(LOST) if _is_lost(answer) else answer
            for address, answer in answers.items()
        }

    def _tell_when_deserted(self) -> None:
        """Jobs wait for a worker as long as there is none; not without a word."""
        deserted = False
        while not self._left.wait(ANSWER_SECONDS):
            with suppress(Exception):  # the scheduler is gone: `execute` tells that
                before, deserted = deserted, not self._client.nthreads()
                if deserted and not before:
                    tqdm.write(f"no worker is left; jobs wait for one: dask worker {self.address}")

    def _in_words(self, error: Exception) -> str:
        if worker := getattr(error, "last_worker", None):  # distributed.KilledWorker
            return f"every worker that was given it died ({worker.address} the last)"
        if self._client.status != "running" or "Cancelled" in type(error).__name__:
            return f"the scheduler at {self.address} is gone"
        return f"{type(error).__name__}: {error}"


def _is_lost(answer: Any) -> bool:
    """Whether a worker's answer is that its connection broke, as it does when its process dies."""
    from distributed.comm.core import CommClosedError

    return isinstance(answer, CommClosedError | ConnectionError | EOFError)


def _expect_scheduler(address: str) -> None:
    """Raise OSError where no scheduler answers in time.

    Found out without a Client: one that can't connect leaves a thread behind, and for ever waits
    for a server that accepts and then says nothing.
    """
    try:
        kind = asyncio.run(asyncio.wait_for(_identity(address), ANSWER_SECONDS))["type"]
        if kind != "Scheduler":
            raise OSError(f"a {kind} is there")
    except Exception as error:  # refused, silent, an address that can't be read, not dask
        if "ssl_context" in str(error) or _speaks_tls(address):
            why = f" ({error})" if address.startswith("tls://") else ""
            raise OSError(
                f"the scheduler at {address} wants TLS{why}: give its address as tls://HOST:PORT, "
                "and name the certificates in dask's configuration, distributed.comm.tls"
            ) from error
        late = isinstance(error, TimeoutError) or "imed out" in str(error)
        how = f" within {ANSWER_SECONDS} s" if late else f" ({error or type(error).__name__})"
        raise OSError(
            f"no dask scheduler answers at {address}{how}; start one with `dask scheduler` and "
            "give the address that it prints"
        ) from error


def _speaks_tls(address: str) -> bool:
    """Whether the server at an address begins a TLS connection, whoever may then use it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        host, _, port = address.rpartition("//")[2].rpartition(":")
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=1) as plain,
            context.wrap_socket(plain),
        ):
            return True
    except ssl.SSLError as error:  # an alert is said in TLS; anything else is another protocol
        return "ALERT" in (error.reason or "")
    except (OSError, ValueError):
        return False


async def _identity(address: str) -> Mapping[str, Any]:
    """What a scheduler or a worker tells of itself."""
    from distributed.core import rpc
    from distributed.security import Security

    security = Security().get_connection_args("client")
    server = rpc(address, timeout=ANSWER_SECONDS, connection_args=security)
    try:
        return await server.identity()
    finally:
        await server.close_rpc()


def work(
    name: str,
    notebook: bytes,
    parameters: Mapping[str, Any],
    files: Mapping[str, bytes],
    patience: Patience,
) -> Answer:
    """Execute a notebook on the worker this is called on, going on from the `files` of a run."""
    from distributed import get_worker

    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as folder:
        source, output, records = (Path(folder, part) for part in (name, "executed", "records"))
        source.write_bytes(notebook)
        records.mkdir()
        for path, content in files.items():
            _write_bytes(records / path, content)
        given = {**parameters, "out": str(records)}
        execution = Execution(source, output, given, threads=1, patience=patience)
        while not execution.ended(timeout=1):
            if _nobody_waits():
                execution.stop()
        failure = execution.error()
        executed = {name: output.read_bytes()} if output.exists() else {}
        return _pack(records) | executed, failure, time.monotonic() - start


def _nobody_waits() -> bool:
    """Whether the task that this thread runs was given up by the scheduler."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is None or task.state == "cancelled"


def _locate(dataset: str) -> str:
    from cifar_utils.data import locate

    return str(locate(dataset))


def _versions() -> dict[str, str]:
    """What must be the same everywhere for one table of numbers; ValueError without asserts."""
    require_asserts()
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "dask.distributed": version("distributed"),
        "PyTorch": version("torch").partition("+")[0],
        "this project's code": code_digest(),
    }


def _pack(folder: Path) -> dict[str, bytes]:
    """The files of a run by their path below the folder, each record after its weights."""
    paths = [path for name in KEPT for path in sorted(folder.glob(f"*/{name}"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _write(files: Mapping[str, bytes], job: Job) -> None:
    """Write what a worker gave back; the notebook last, as it says that the job is done.

    Raises:
        ValueError: a path that is not a run's, before anything is written.
    """
    records = {path: content for path, content in files.items() if path != job.notebook.name}
    for path in records:
        if not OF_A_RUN.fullmatch(path):
            raise ValueError(f"the worker gave back {path!r}, which is no file of a run")
    for path, content in records.items():
        target = job.folder / path
        _write_bytes(target, content)
        if target.name == "record.json":
            target.with_name("checkpoint.pt").unlink(missing_ok=True)
    if job.notebook.name in files:
        executed = nbformat.reads(files[job.notebook.name].decode(), as_version=4)
        executed.metadata.papermill.parameters = dict(job.parameters)
        write_whole(job.output, lambda beside: nbformat.write(executed, beside))


def _write_bytes(path: Path, content: bytes) -> None:
    write_whole(path, lambda beside: beside.write_bytes(content))
