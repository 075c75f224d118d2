"""Jobs: a notebook with its parameters; whether it is done; many side by side, here or elsewhere.

Every job is executed by papermill in a process of its own, so that one that dies takes no other
with it. The files alone say what is done, so a study goes on wherever it was stopped.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import nbformat
from filelock import FileLock, Timeout
from tqdm import tqdm

from cifar_utils import data, records
from cifar_utils.batch.execute import PATIENCE, Execution, Patience
from cifar_utils.files import check_writable
from cifar_utils.machine import usable_cores

LOCK = ".lock"
ROOM = 16_000_000  # bytes: some executed notebooks, weights and checkpoints
SHOWN = 3


@dataclass(frozen=True, eq=False)
class Job:
    """One notebook, its parameters, and the folder that its output and records go to.

    `point` names the combination of values that a sweep tries with it: "lr=0.1, optimizer=sgd".
    `anew`: whatever stands in the folder is removed before it runs.
    """

    notebook: Path
    parameters: Mapping[str, Any]
    folder: Path
    point: str = ""
    anew: bool = False

    @property
    def name(self) -> str:
        """For people: "03_pooling, lr=0.1, seed 0"."""
        parts = (self.notebook.stem, self.point, f"seed {self.parameters['seed']}")
        return ", ".join(filter(None, parts))

    @property
    def output(self) -> Path:
        """Where papermill writes the executed notebook."""
        return self.folder / self.notebook.name


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its seconds (0: it was done before), its error (None: it is done)."""

    job: Job
    seconds: float
    error: str | None = None


class Place(Protocol):
    """Where jobs run, at most `slots` at a time; `name` is for people."""

    name: str
    slots: int

    def locate(self, dataset: str) -> object:
        """Raise ValueError or OSError where the data set is not there, as `data.locate` does."""

    def execute(self, job: Job) -> Outcome:
        """Run a job to its end; called from `slots` threads at once."""

    def stop(self) -> None:
        """End what is running, so that `execute` returns."""


class ThisMachine:
    """Jobs as processes of this machine, whose cores are shared out among them."""

    name = "this machine"

    def __init__(
        self, workers: int, patience: Patience = PATIENCE, threads: int | None = None
    ) -> None:
        """`threads` of each job: by default the cores that may be used, shared out.

        Raises:
            ValueError: fewer than one worker.
        """
        if workers < 1:
            raise ValueError(f"--jobs is {workers}; it must be at least 1")
        self.slots = workers
        self.locate = data.locate
        self._patience = patience
        self._threads = threads or max(1, usable_cores() // workers)
        self._running: dict[Job, Execution] = {}
        self._stopped = False

    def execute(self, job: Job) -> Outcome:
        """Run a job to its end."""
        start = time.monotonic()
        execution = Execution(
            job.notebook, job.output, job.parameters, self._threads, self._patience
        )
        self._running[job] = execution
        if self._stopped:
            execution.stop()
        execution.ended()
        del self._running[job]
        return Outcome(job, time.monotonic() - start, execution.error())

    def stop(self) -> None:
        """End what is running."""
        self._stopped = True
        for execution in list(self._running.values()):
            execution.stop()


def run(jobs: Sequence[Job], place: Place) -> Iterator[Outcome]:
    """Run the jobs that are not done, and give each job's outcome as it comes.

    One that fails does not stop the others; one that another call has under way fails. On Ctrl-C
    the running ones are stopped too; what they have recorded stays, and the next call goes on from
    there.

    Raises:
        OSError: a folder that can't be written, or a disk that is full, before anything runs.
    """
    done = [job for job in jobs if not job.anew and is_done(job)]
    missing = [job for job in jobs if job not in done]
    for job in missing:
        check_writable(job.folder)
        if full := _full_disk(job.folder):
            raise OSError(f"{full}; make room, or choose another folder")
    yield from (Outcome(job, 0.0) for job in done)
    under_way: list[Job] = []

    def execute(job: Job) -> Outcome:
        under_way.append(job)
        try:
            with FileLock(job.folder / LOCK, blocking=False):
                if job.anew:
                    _empty(job.folder)
                return _with_reason(place.execute(job))
        except Timeout:
            taken = f"another run is at work in {job.folder}; wait for its end, or choose another"
            return Outcome(job, 0.0, f"{taken} folder")
        except OSError as error:  # of this machine: no room, no process
            return _with_reason(Outcome(job, 0.0, str(error)))
        finally:
            under_way.remove(job)

    pool = ThreadPoolExecutor(place.slots)
    pending = {pool.submit(execute, job) for job in missing}
    try:
        with tqdm(total=len(jobs), initial=len(done), unit="notebook", smoothing=0,
                  dynamic_ncols=True, disable=None) as bar:  # fmt: skip
            while pending:
                finished, pending = wait(pending, timeout=1, return_when=FIRST_COMPLETED)
                bar.set_postfix_str(_shortly(under_way))
                for future in finished:
                    bar.update()
                    yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        place.stop()
        pool.shutdown()


def is_done(job: Job) -> bool:
    """Whether the output is this very notebook, executed to its end, and its records all read.

    papermill writes an end even where a kernel died or was stopped, so every cell's reply counts.
    """
    try:
        executed = nbformat.read(job.output, as_version=4)
        source = nbformat.read(job.notebook, as_version=4)
        metadata = executed.metadata.papermill
        cells = [
            cell
            for cell in executed.cells
            if "injected-parameters" not in cell.metadata.get("tags", [])
        ]
        return (
            metadata.exception is None
            and metadata.parameters == dict(job.parameters)
            and [cell.source for cell in cells] == [cell.source for cell in source.cells]
            and all(_was_answered(cell, metadata.start_time) for cell in executed.cells)
            and _records_read(job.folder)
        )
    except Exception:  # absent, half-written, or not from papermill
        return False


def _was_answered(cell: nbformat.NotebookNode, start: str) -> bool:
    """Whether the kernel has replied to a code cell since `start` (ISO 8601, UTC)."""
    if cell.cell_type != "code" or not cell.source.strip():
        return True
    return cell.metadata.get("execution", {}).get("shell.execute_reply", "") > start


def _records_read(folder: Path) -> bool:
    """Whether every variant that left something has a record that reads; ValueError if not."""
    left = [*folder.glob("*/*.pt"), *folder.glob("*/record.json*")]
    variants = {path.parent for path in left}
    return all(records.read(variant / "record.json") for variant in variants)


def _empty(folder: Path) -> None:
    """Remove all but the lock, which the caller holds."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _full_disk(folder: Path) -> str | None:
    free = shutil.disk_usage(folder).free
    if free >= ROOM:
        return None
    return f"the disk of {folder} is full: {free / 1e6:.1f} MB are free, {ROOM / 1e6:.0f} needed"


def _with_reason(outcome: Outcome) -> Outcome:
    """A failed write seldom says that the disk is full, so that is said here."""
    full = _full_disk(outcome.job.folder) if outcome.error else None
    return replace(outcome, error=f"{outcome.error}; {full}") if full else outcome


def _shortly(under_way: Sequence[Job]) -> str:
    names = [job.name for job in list(under_way)]
    more = f"; {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "; ".join(names[:SHOWN]) + more
