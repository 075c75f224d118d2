"""Processes that tests start, wait for and kill."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from pathlib import Path

from cifar_utils import __main__ as cli

PATIENCE = 300  # seconds, on a machine that has much else to do
Start = Callable[..., ForkProcess]


def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def alive(process: str) -> bool:
    """Whether there is such a process, and it is more than its entry in a table."""
    try:
        os.kill(int(process), 0)
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return sys.platform != "linux"
    except ProcessLookupError:
        return False


@contextmanager
def command_lines(said: Path) -> Iterator[Start]:
    """Start the command line in processes of their own; what they write goes to `said`.

    They are forked, which spares them PyTorch's import, and each leads a group of its own, which
    Ctrl-C in a terminal would end.
    """
    started = []

    def start(*arguments: object) -> ForkProcess:
        parent = get_context("fork").Process(target=_in_a_process, args=(said, arguments))
        parent.start()
        started.append(parent)
        return parent

    try:
        yield start
    finally:
        for parent in started:
            parent.kill()


def _in_a_process(said: Path, arguments: list[object]) -> None:
    os.setsid()
    # a shell's background jobs ignore SIGINT, and their children inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with said.open("w") as sys.stdout:
        sys.stderr = sys.stdout
        code = cli.entry([str(argument) for argument in arguments])
    os._exit(code or 0)
