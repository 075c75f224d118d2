"""The kernel of a batch run, and of nbval: this very interpreter, its figures in the notebook.

What a notebook's metadata or a user's settings say of kernels and figures plays no part.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

NAME, LANGUAGE = "python3", "python"  # what papermill is told, whatever the metadata say


def environment() -> dict[str, str]:
    """Variables by which figures come into the notebook, drawn by matplotlib's own settings."""
    return {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(Path(matplotlib.get_data_path(), "matplotlibrc")),
    }


class OwnInterpreter(KernelSpecManager):
    """Knows one kernel, this interpreter, by whatever name it is asked for."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """How to start it."""
        told = get_kernel_dict() | {"env": environment()}
        return KernelSpec(resource_dir=RESOURCES, **told)


class OwnKernelManager(AsyncKernelManager):
    """Starts that kernel."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, kernel_spec_manager=OwnInterpreter())


def require_asserts() -> None:
    """Raise ValueError where Python runs without asserts, so that every verdict would pass."""
    if sys.flags.optimize:
        raise ValueError(
            "PYTHONOPTIMIZE (or python -O) switches off the asserts that check the notebooks' "
            "verdicts; unset it and call again"
        )
