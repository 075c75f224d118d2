"""Files that are whole or not there; folders that can be written; what files are called."""

from __future__ import annotations

import hashlib
import os
import re
import textwrap
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path` and rename it: `path` is whole or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def set_aside(path: Path, error: Exception) -> None:
    """Rename a file that does not read, and say so; the next one takes its place."""
    aside = path.with_name(f"{path.name}.unreadable")
    reason = textwrap.shorten(str(error), 160, placeholder=" …")  # a line, where PyTorch has many
    print(f"{path} does not read ({reason}); set aside as {aside.name}")
    os.replace(path, aside)


def check_writable(folder: Path) -> None:
    """Make the folder.

    Raises:
        OSError: nothing can be written there; the message names it.
    """
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"{folder} can't be written ({error.strerror}); choose another folder"
        ) from error


def whole_path(path: str | Path) -> Path:
    """A path that means the same from every folder: absolute, `~` replaced by the home folder."""
    return Path(os.path.expanduser(path)).absolute()


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, whatever the system's own encoding.

    Raises:
        ValueError: it is in another encoding; the message names it.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 (byte {error.start:,} is {error.object[error.start]:#x}); "
            "save it as UTF-8"
        ) from error


def slug(variant: str) -> str:
    """A name for people as a file's: "p = 0.5" becomes "p-0.5"."""
    return re.sub(r"[^\w.+]+", "-", variant).strip("-")


def code_digest() -> str:
    """Twelve digits that change with any line of this package."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
