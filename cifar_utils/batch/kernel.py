"""The kernel of a batch run, and of nbval: this very interpreter, its figures in the notebook.

What a notebook's metadata or a user's settings say of kernels and figures plays no part.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import matplotlib
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from cifar_utils.files import whole_path

LONGEST_FOLDER = 70  # bytes; a socket's whole path may have 103
NAME, LANGUAGE = "python3", "python"  # what papermill gets, whatever the metadata say


def environment() -> dict[str, str]:
    """What a kernel needs beside the caller's own variables.

    Figures come into the notebook, drawn by matplotlib's own settings; a relative CIFAR_ROOT names
    the folder that the caller means, though the kernel works in the notebook's.
    """
    settings = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(Path(matplotlib.get_data_path(), "matplotlibrc")),
    }
    root = os.environ.get("CIFAR_ROOT")
    return settings | ({"CIFAR_ROOT": str(whole_path(root))} if root else {})


class OwnInterpreter(KernelSpecManager):
    """Knows one kernel, this interpreter, by whatever name it is asked for."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """How to start it."""
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


class OwnKernelManager(AsyncKernelManager):
    """Starts that kernel.

    It is spoken to through sockets that are files, where the system has them and their paths are
    short enough: of two kernels that start at once and take the same port for a free one, one dies.
    """

    def __init__(self, **options: Any) -> None:
        folder = tempfile.gettempdir()
        if os.name == "posix" and len(os.fsencode(folder)) <= LONGEST_FOLDER:
            file = str(Path(folder, f"kernel-{uuid.uuid4().hex[:12]}.json"))
            options |= {"transport": "ipc", "connection_file": file}
        super().__init__(**options, kernel_spec_manager=OwnInterpreter())


def require_asserts() -> None:
    """Raise ValueError where Python runs without asserts, so that every verdict would pass."""
    if sys.flags.optimize:
        raise ValueError(
            "PYTHONOPTIMIZE (or python -O) switches off the asserts that check the notebooks' "
            "verdicts; unset it and call again"
        )
