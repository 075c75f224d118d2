"""What a run is made on: the device, its number format, and a description of it all."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import torch

from cifar_utils.files import code_digest


def choose_device(name: str | None = None) -> torch.device:
    """The named device, else CUDA, else MPS, else the CPU.

    Raises:
        ValueError: the named device is not on this machine.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    here["cpu"] = True
    if name is not None and not here.get(name.split(":")[0], False):
        known = ", ".join(each for each, yes in here.items() if yes)
        raise ValueError(f"device {name!r} is not here; there are: {known}")
    return torch.device(name or next(device for device, yes in here.items() if yes))


PRECISIONS = ("auto", "float32", "bfloat16")


def mixed_precision(device: torch.device, asked: str = "auto") -> torch.dtype | None:
    """The short number format of a forward pass on `device`, or None for float32 throughout.

    "auto" on CUDA: bfloat16 where the card computes in it, else float16, whose losses must be
    scaled (Micikevicius et al., 2018). "auto" elsewhere: float32, so that nothing is rounded more
    than a textbook does.
    """
    if asked != "auto":
        return torch.bfloat16 if asked == "bfloat16" else None
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


@cache
def environment(device: torch.device) -> dict[str, str | int]:
    """Where a run was made: versions, processor or GPU, threads, the code's digest."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": platform.system(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "code": code_digest(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
