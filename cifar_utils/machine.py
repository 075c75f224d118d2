"""What a run is made on: the device, its number format, its limits, and a description of it all."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
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

    "auto" on CUDA: bfloat16 where the card itself computes in it, else float16, whose losses must
    be scaled (Micikevicius et al., 2018). "auto" elsewhere: float32, so that nothing is rounded
    more than a textbook does.
    """
    if asked != "auto":
        return torch.bfloat16 if asked == "bfloat16" else None
    if device.type != "cuda":
        return None
    natively = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if natively else torch.float16


CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Processor cores that this process may use: those it is held to (`taskset`), within the quota.

    A container's quota of 1.5 cores counts as one, since a second thread would wait half its time.
    """
    held_to = getattr(os, "sched_getaffinity", None)
    most = len(held_to(0)) if held_to else os.cpu_count() or 1
    for group in _control_groups():
        for name in ("cpu.max", "cpu.cfs_quota_us"):  # of version 2 and 1
            words = _words(group / name) + _words(group / "cpu.cfs_period_us")
            if len(words) == 2 and words[0].isdecimal():
                most = min(most, int(words[0]) // int(words[1]))
    return max(1, most)


def memory_limit() -> tuple[int, str]:
    """Bytes that this process may use, and what holds it to them."""
    pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    limits = [(pages * os.sysconf("SC_PAGE_SIZE"), "this machine")] if pages else []
    for group in _control_groups():
        for name in ("memory.max", "memory.limit_in_bytes"):
            words = _words(group / name)
            if words and words[0].isdecimal():
                limits.append((int(words[0]), f"{group / name}"))
    return min(limits, default=(0, "this machine"))


def _control_groups() -> Iterator[Path]:
    """The control groups (Linux) that this process is in, those around them too."""
    for line in MEMBERSHIP.read_text(encoding="utf-8").splitlines() if MEMBERSHIP.is_file() else []:
        _, controllers, path = line.split(":", 2)
        top = CGROUPS / controllers  # version 2 has one tree, and no controllers here
        group = top / path.lstrip("/")
        yield from (each for each in (group, *group.parents) if each.is_relative_to(top))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except OSError:  # no such limit here
        return []


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
    text = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    names = [
        line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or platform.machine()
