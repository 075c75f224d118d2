"""checkpoint.pt, from which a stopped run goes on: written whole, checked whole when it is read."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from cifar_utils.files import set_aside, write_whole


class Run(Protocol):
    """What is resumed; its state has the run's `digest` among its keys."""

    def state_dict(self) -> dict[str, Any]:
        """All that training changes."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put back what `state_dict` gave."""


def save(state: Mapping[str, Any], path: Path) -> None:
    """Write a run's state, whole or not at all, and the fingerprint of all that is in it."""
    signed = {**state, "fingerprint": fingerprint(state)}
    write_whole(path, lambda beside: torch.save(signed, beside))


def restore(run: Run, path: Path, device: torch.device) -> None:
    """Let `run` go on from its checkpoint; from one that does not fit nothing at all is taken."""
    fresh = copy.deepcopy(run.state_dict())
    try:
        state = load(path, device, fresh)
        if state["digest"] != fresh["digest"]:
            print(f"{path} is of another network, recipe or data; starting from the beginning")
            return
        run.load_state_dict(state)
    except Exception as error:
        run.load_state_dict(fresh)
        set_aside(path, error)


def load(path: Path, device: torch.device, expected: Collection[str]) -> dict[str, Any]:
    """Read the state that `save` wrote, its tensors on `device`; nothing of it is used yet.

    Raises:
        Exception: of many kinds, from `torch.load`.
        ValueError: it lacks a key of `expected`, or is not all that was written.
    """
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    missing = sorted({*expected, "fingerprint"} - set(state))
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}, as if another version had written it")
    if state.pop("fingerprint") != fingerprint(state):
        raise ValueError("it is not what a run has written")
    return state


def fingerprint(state: Mapping[str, Any]) -> str:
    """64 hex digits that change with any name, shape or number in a state."""
    digest = hashlib.sha256()
    for piece in _pieces(state):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: Any) -> Iterator[bytes]:
    """What a nested state consists of, down to the bytes of its tensors."""
    if isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, Mapping):
        yield from _pieces([each for pair in value.items() for each in pair])
    elif isinstance(value, list | tuple):
        yield f"{len(value)} values".encode()
        for each in value:
            yield from _pieces(each)
    else:
        yield repr(value).encode()
