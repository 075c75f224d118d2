"""Jobs on an existing dask.distributed cluster: each is one task, all it needs goes by value.

No disk is shared. A worker executes the notebook by papermill in a temporary folder with its own
installed cifar_utils, and the caller writes what comes back as a run of its own would have been
written. A job whose worker dies is given to another one by the scheduler.
"""

from __future__ import annotations

import logging
import queue
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from cifar_utils.execute import Execution
from cifar_utils.files import write_whole
from cifar_utils.jobs import Job, Outcome

ANSWER_SECONDS = 15
KEPT = ("checkpoint.pt", "weights.pt", "record.json")  # a record says that weights are there


@dataclass(frozen=True)
class Answer:
    """What a worker gives back: the executed notebook's text, files by path, error, seconds."""

    notebook: str
    files: Mapping[str, bytes]
    error: str | None
    seconds: float


class Cluster:
    """The workers that a scheduler has, each running as many jobs as it has threads."""

    name = "the cluster's workers"
    slots = 256  # jobs handed to the scheduler at once, each waited for by a thread here

    def __init__(self, address: str) -> None:
        """Connect to the scheduler at `address` ("tcp://10.0.0.1:8786", "10.0.0.1:8786").

        Raises:
            ValueError: dask is not installed.
            OSError: no scheduler answers there, or it has no worker.
        """
        try:
            import distributed
        except ImportError as error:
            raise ValueError("--dask needs dask; install it: pip install -e .[dask]") from error
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors are told below
        self.address, self._distributed = address, distributed
        self._here: dict[str, bool] = {}
        self._client = _connect(address)
        try:
            self._client.wait_for_workers(1, timeout=ANSWER_SECONDS)
        except TimeoutError as error:
            self._client.close()
            raise OSError(
                f"the scheduler at {address} has no worker; start one: dask worker {address}"
            ) from error

    def locate(self, dataset: str) -> bool:
        """Whether `dataset` means CIFAR-10 on the workers.

        Raises:
            ValueError: a worker has no cifar_utils, or no such data, or the workers differ.
        """
        if dataset not in self._here:
            answers = self._client.run(_has_cifar10, dataset, on_error="return")
            for worker, answer in answers.items():
                if isinstance(answer, ImportError):
                    raise ValueError(
                        f"the worker {worker} can't import this cifar_utils ({answer}); install "
                        "the project there: pip install -e .[dask]"
                    )
                if isinstance(answer, Exception):
                    raise ValueError(f"the worker {worker}: {answer}")
            if len(set(answers.values())) > 1:
                without = ", ".join(worker for worker, has in answers.items() if not has)
                raise ValueError(
                    f"not every worker has CIFAR-10 ({without}); run `make data` there, or set "
                    "-p dataset=sketches"
                )
            self._here[dataset] = all(answers.values())
        return self._here[dataset]

    def execute(self, job: Job) -> Outcome:
        """Have a worker run the job, and write what it gives back."""
        parameters = dict(job.parameters)
        if "dataset" in parameters:  # what "auto" means is settled once, not worker by worker
            parameters["dataset"] = "cifar10" if self.locate(parameters["dataset"]) else "sketches"
        start = time.monotonic()
        try:
            task = self._client.submit(
                work, job.notebook.name, job.notebook.read_text(), parameters,
                _pack(job.folder), pure=False,
            )  # fmt: skip
            answer = task.result()
            _write(answer, job)
        except Exception as error:
            return Outcome(job, time.monotonic() - start, self._in_words(error))
        return Outcome(job, answer.seconds, answer.error)

    def stop(self) -> None:
        """Leave the cluster; the workers stop what nobody waits for."""
        self._client.close()

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, self._distributed.KilledWorker):
            return f"every worker that was given it died ({error.last_worker.address} the last)"
        if self._client.status != "running" or "Cancelled" in type(error).__name__:
            return f"the scheduler at {self.address} is gone"
        return f"{type(error).__name__}: {error}"


def _connect(address: str) -> Any:
    """A client of the scheduler at `address`; OSError where none answers in time."""
    from distributed import Client

    answers: queue.Queue = queue.Queue()

    def connect() -> None:
        try:
            answers.put(Client(address, timeout=ANSWER_SECONDS, set_as_default=False))
        except Exception as error:  # an address that can't be read, refused, not dask
            answers.put(error)

    # Client's own time-out does not end the wait for a server that accepts and then says nothing
    threading.Thread(target=connect, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS + 1)
    except queue.Empty as silence:
        answer = silence
    if isinstance(answer, Exception):
        raise OSError(
            f"no dask scheduler answers at {address} within {ANSWER_SECONDS} s; start one with "
            "`dask scheduler` and give the address that it prints"
        ) from answer
    return answer


def work(
    name: str, notebook: str, parameters: Mapping[str, Any], files: Mapping[str, bytes]
) -> Answer:
    """Execute a notebook on the worker this is called on, going on from the `files` of a run."""
    from distributed import get_worker

    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as folder:
        source, output, records = (Path(folder, part) for part in (name, "executed", "records"))
        source.write_text(notebook)
        records.mkdir()
        for path, content in files.items():
            write_whole(records / path, lambda beside, content=content: beside.write_bytes(content))
        execution = Execution(source, output, {**parameters, "out": str(records)}, threads=1)
        while not execution.ended(timeout=1):
            if _nobody_waits():
                execution.stop()
        error = execution.error()
        text = output.read_text() if output.exists() else ""
        return Answer(text, _pack(records), error, time.monotonic() - start)


def _nobody_waits() -> bool:
    """Whether the task that this thread runs was given up by the scheduler."""
    from distributed import get_worker

    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return task is None or task.state == "cancelled"


def _has_cifar10(dataset: str) -> bool:
    from cifar_utils.data import locate  # takes seconds; papermill's worker does without

    return bool(locate(dataset))


def _pack(folder: Path) -> dict[str, bytes]:
    """The files of a run by their path below the folder, each record after its weights."""
    paths = [path for name in KEPT for path in sorted(folder.glob(f"*/{name}"))]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _write(answer: Answer, job: Job) -> None:
    """Write what a worker gave back; the notebook last, as it says that the job is done."""
    for path, content in answer.files.items():
        target = job.folder / path
        write_whole(target, lambda beside, content=content: beside.write_bytes(content))
        if target.name == "record.json":
            target.with_name("checkpoint.pt").unlink(missing_ok=True)
    if not answer.notebook:
        return
    executed = nbformat.reads(answer.notebook, as_version=4)
    executed.metadata.papermill.parameters = dict(job.parameters)
    write_whole(job.output, lambda beside: nbformat.write(executed, beside))
