"""One notebook, executed by papermill in a process that never outlives the one that started it.

The child holds the read end of a pipe whose other end only its parent has: when the parent ends,
however it ends, the pipe closes and the child leaves. A kernel watches its own parent and leaves
within a second of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import nbformat

from cifar_utils.batch import kernel
from cifar_utils.files import slug

STOP_SECONDS = 8
IN_WORDS = 3  # the exit code of a child whose last line tells all, whatever its cells show
MAY_FAIL = "raises-exception"  # the tag of a cell whose error does not end its notebook
TRAINS = re.compile(r"\bexperiment\.run\(|\bExperiment\(")


class Patience(NamedTuple):
    """Seconds that a kernel may take to start, and hours that a cell may take."""

    start_seconds: float = 300
    cell_hours: float = 72


PATIENCE = Patience()


class Execution:
    """papermill at work on one notebook; the kernel's folder is the notebook's.

    What its cells print is in the file `log_of(output)` as soon as they print it.
    """

    def __init__(
        self,
        notebook: Path,
        output: Path,
        parameters: Mapping[str, Any],
        threads: int,
        patience: Patience = PATIENCE,
    ) -> None:
        """Start it, with `threads` for PyTorch unless OMP_NUM_THREADS says otherwise."""
        self.output = output
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        command = [sys.executable, "-m", "cifar_utils.batch.execute", str(notebook), str(output)]
        self._process = subprocess.Popen(
            [*command, json.dumps(dict(parameters)), json.dumps(patience)],
            env={"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}
            | os.environ
            | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}  # else no import from a folder é
            | kernel.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )

    def ended(self, timeout: float | None = None) -> bool:
        """Wait for its end, at most `timeout` seconds; whether it has come."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def error(self) -> str | None:
        """What went wrong, in one line, once it has ended; None: it ran to its end."""
        assert self._process.stdin  # a pipe, as asked for
        self._process.stdin.close()
        with self._errors:
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines()
        code = self._process.returncode
        if code == 0:
            return None
        if code < 0:
            likely = f"; {_too_little_memory()}" if -code == signal.SIGKILL else ""
            return f"papermill was ended by {signal.Signals(-code).name}{likely}"
        cell = None if code == IN_WORDS else _failed_cell(self.output)
        return cell or (lines or [f"papermill ended with {code}"])[-1]

    def stop(self) -> None:
        """Let papermill save its notebook; kill it where it does not end."""
        self._process.send_signal(signal.SIGINT)
        if not self.ended(STOP_SECONDS):
            self._process.kill()


def log_of(output: Path) -> Path:
    """The file beside an executed notebook that grows by what its cells print."""
    return output.with_suffix(".log")


def _failed_cell(output: Path) -> str | None:
    """The error of an executed notebook and the cell it came from."""
    try:
        cells = nbformat.read(output, as_version=4).cells
    except Exception:  # absent, or half-written
        return None
    for cell in cells:
        for shown in cell.get("outputs", []):
            if shown.output_type == "error" and MAY_FAIL not in cell.metadata.get("tags", []):
                return f"cell [{cell.execution_count}]: {shown.ename}: {shown.evalue}"
    return None


def in_words(error: Exception, patience: Patience) -> str:
    """What became of a kernel, or a cell that took too long, for people."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    if isinstance(error, CellTimeoutError):
        return f"a cell took more than {patience.cell_hours:g} hours; --cell-timeout grants more"
    if isinstance(error, DeadKernelError):
        return f"the kernel died; {_too_little_memory()}"
    if "Kernel died" in str(error):
        return f"the kernel died before its first cell; {_too_little_memory()}"
    if "Kernel didn't respond" in str(error):
        seconds = f"{patience.start_seconds:g} s"
        return f"the kernel did not start within {seconds}; --start-timeout grants more"
    return f"{type(error).__name__}: {error}"


def _too_little_memory() -> str:
    from cifar_utils.machine import memory_limit  # PyTorch, which only this rare sentence needs

    size, where = memory_limit()
    return (
        f"too little memory is the likeliest reason: {where} allows {size / 1e9:.1f} GB, which "
        "fewer --jobs or a smaller batch_size may fit into"
    )


def _leave_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def _run_whole(
    notebook: str, output: str, parameters: Mapping[str, Any], log: IO[str], options: dict[str, Any]
) -> None:
    import papermill  # takes a second; whoever imports this module does without

    papermill.execute_notebook(
        notebook,
        output,
        parameters,
        kernel_name=kernel.NAME,
        language=kernel.LANGUAGE,
        cwd=str(Path(notebook).parent),
        progress_bar=False,
        stdout_file=log,
        stderr_file=log,
        start_timeout=options.pop("startup_timeout"),
        execution_timeout=options.pop("timeout"),
        **options,
    )


def _run_until_recorded(
    notebook: str, output: str, parameters: Mapping[str, Any], log: IO[str], options: dict[str, Any]
) -> None:
    """Run cell by cell until the variant `only` has its record.

    Cells may fail, as they look at networks that stay untrained now; not those that train.
    """
    from nbclient import NotebookClient
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    class LoggingClient(NotebookClient):
        def process_message(self, msg: dict[str, Any], *cell: Any) -> nbformat.NotebookNode | None:
            if msg["msg_type"] == "stream":
                log.write(msg["content"]["text"])
                log.flush()
            return super().process_message(msg, *cell)

    content = parameterize_notebook(
        load_notebook_node(notebook),
        dict(parameters),
        kernel_name=kernel.NAME,
        language=kernel.LANGUAGE,
    )
    for cell in content.cells:
        if cell.cell_type == "code" and not TRAINS.search(cell.source):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), MAY_FAIL]
    record = Path(parameters["out"], slug(parameters["only"]), "record.json")
    before = _when_written(record)  # of an earlier call; `Experiment` touches it where it holds
    place = {"metadata": {"path": str(Path(notebook).parent)}}
    client = LoggingClient(content, resources=place, kernel_name=kernel.NAME, **options)
    try:
        with client.setup_kernel():
            for number, cell in enumerate(content.cells):
                client.execute_cell(cell, number)
                if _when_written(record) != before:
                    return
    finally:
        nbformat.write(content, output)
    sys.exit(f"the notebook has no variant {parameters['only']!r}")


def _when_written(path: Path) -> int:
    """In nanoseconds; 0: it is not there."""
    return path.stat().st_mtime_ns if path.exists() else 0


def _main(notebook: str, output: str, parameters: str, patience: str) -> None:
    from nbclient.exceptions import CellTimeoutError

    threading.Thread(target=_leave_with_parent, daemon=True).start()
    values, limits = json.loads(parameters), Patience(*json.loads(patience))
    options = {
        "kernel_manager_class": kernel.OwnKernelManager,
        "startup_timeout": max(1, round(limits.start_seconds)),
        "timeout": max(1, round(3600 * limits.cell_hours)),
    }
    run = _run_until_recorded if values.get("only") else _run_whole
    try:
        with log_of(Path(output)).open("w", encoding="utf-8") as log:
            run(notebook, output, values, log, options)
    except (CellTimeoutError, RuntimeError) as error:
        print(in_words(error, limits), file=sys.stderr)
        sys.exit(IN_WORDS)


if __name__ == "__main__":
    _main(*sys.argv[1:])
