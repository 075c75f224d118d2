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
from typing import Any

import nbformat

from cifar_utils.files import slug

STOP_SECONDS = 8
MAY_FAIL = "raises-exception"  # the tag of a cell whose error does not end its notebook
TRAINS = re.compile(r"\bexperiment\.run\(|\bExperiment\(")


class Execution:
    """papermill at work on one notebook; the kernel's folder is the notebook's."""

    def __init__(
        self, notebook: Path, output: Path, parameters: Mapping[str, Any], threads: int
    ) -> None:
        """Start it, with `threads` for PyTorch unless OMP_NUM_THREADS says otherwise."""
        self.output = output
        self._errors = tempfile.TemporaryFile("w+")
        command = [sys.executable, "-m", "cifar_utils.batch.execute", str(notebook), str(output)]
        self._process = subprocess.Popen(
            [*command, json.dumps(dict(parameters))],
            env={"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"} | os.environ,
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
            return f"papermill was ended by {signal.Signals(-code).name}"
        return _failed_cell(self.output) or (lines or [f"papermill ended with {code}"])[-1]

    def stop(self) -> None:
        """Let papermill save its notebook; kill it where it does not end."""
        self._process.send_signal(signal.SIGINT)
        if not self.ended(STOP_SECONDS):
            self._process.kill()


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


def _leave_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def _run_whole(notebook: str, output: str, parameters: Mapping[str, Any]) -> None:
    import papermill  # takes a second; whoever imports this module does without

    folder = str(Path(notebook).parent)
    papermill.execute_notebook(notebook, output, parameters, cwd=folder, progress_bar=False)


def _run_until_recorded(notebook: str, output: str, parameters: Mapping[str, Any]) -> None:
    """Run cell by cell until the variant `only` has its record.

    Cells may fail, as they look at networks that stay untrained now; not those that train.
    """
    from nbclient import NotebookClient
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    content = parameterize_notebook(load_notebook_node(notebook), dict(parameters))
    for cell in content.cells:
        if cell.cell_type == "code" and not TRAINS.search(cell.source):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), MAY_FAIL]
    record = Path(parameters["out"], slug(parameters["only"]), "record.json")
    before = _when_written(record)  # of an earlier call; `Experiment` touches it where it holds
    client = NotebookClient(content, resources={"metadata": {"path": str(Path(notebook).parent)}})
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


def _main(notebook: str, output: str, parameters: str) -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    values = json.loads(parameters)
    run = _run_until_recorded if values.get("only") else _run_whole
    run(notebook, output, values)


if __name__ == "__main__":
    _main(*sys.argv[1:])
