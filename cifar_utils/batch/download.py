"""Getting CIFAR-10: the only place of the project that talks to another host, and only when told.

The address, the archive's MD5 and the files' are torchvision's own. The retries of urllib3 and
requests repeat a request but not a body that broke off half-way; hence `_transfer`.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity
from tqdm import tqdm

from cifar_utils.data import read_cifar10
from cifar_utils.files import check_writable

FIRST_ANSWER_SECONDS = 6  # all tries together; 15 are allowed, and Python's start takes its part
STALL_SECONDS = 10  # without one byte, once the host has answered
WAITS = (1, 2, 4, 8, 16)  # seconds; from the beginning again after a try that brought new bytes
CHUNK = 1 << 16
PASSING = (408, 416, 425, 429)  # answers below 500 that another request may not get


class Interrupted(ConnectionError):
    """A transfer that another try may finish."""


def download(root: Path, url: str = CIFAR10.url) -> Path:
    """Put `cifar-10-batches-py` into `root`, whole or not at all, and return its path.

    What came before a transfer broke stays in `root` as `cifar-10-python.tar.gz.part`: the next
    try, or the next call, goes on from there.

    Raises:
        ConnectionError: no answer in FIRST_ANSWER_SECONDS, or no try after WAITS brought more.
        ValueError: what came is not CIFAR-10 (its MD5 differs), twice.
        OSError: a file of CIFAR-10 that is there already is missing or altered, or `root` can't
            be written.
    """
    part = root / f"{CIFAR10.filename}.part"
    target = _install(root, lambda: _fetch(url, part))
    part.unlink(missing_ok=True)
    return target


def take(source: Path, root: Path) -> Path:
    """Copy CIFAR-10 from this machine into `root`, whole or not at all, and return its path.

    Args:
        source: `cifar-10-python.tar.gz`, the folder it unpacks to, or a folder that holds either.
        root: the folder that will hold `cifar-10-batches-py`.

    Raises:
        FileNotFoundError: there is no CIFAR-10 in `source`.
        ValueError: a file in `source` is missing or altered; the message names it.
        OSError: as in `download`.
    """
    return _install(root, lambda: _checked(_find(source)))


def _install(root: Path, get: Callable[[], Path]) -> Path:
    """Copy what `get` returns beside its place, an archive unpacked; move it there if it is right.

    Nothing but a part is written before `get` returns: a kill while it waits leaves no more.
    """
    target = root / CIFAR10.base_folder
    if os.path.lexists(target):
        read_cifar10(root)  # raises where a file is missing or altered
        return target
    try:
        check_writable(root)
        found = get()
        with tempfile.TemporaryDirectory(dir=root, prefix=".unpacking-") as beside:
            folder = Path(beside) / CIFAR10.base_folder
            folder.mkdir()
            _copy(found, folder)
            if fault := _fault(folder):
                raise ValueError(f"{fault}; nothing was kept")
            folder.rename(target)
    except OSError as error:
        if error.errno is None:  # it has its sentence already
            raise
        raise OSError(
            f"CIFAR-10 can't be put into {root} ({error}); it needs 350 MB there: free them, or "
            "choose another folder with --root"
        ) from error
    return target


def _fetch(url: str, part: Path) -> Path:
    """Complete `part` and return it; if the bytes are wrong, throw them away and begin again, once.

    The sum also tells whether the pieces of several transfers fit, so no ETag is kept.
    """
    if check_integrity(str(part), CIFAR10.tgz_md5):
        return part
    for _ in range(2):
        _transfer(url, part)
        if check_integrity(str(part), CIFAR10.tgz_md5):
            return part
        part.unlink()
        print("what came is not CIFAR-10 (its MD5 differs) and was thrown away", file=sys.stderr)
    raise ValueError(
        f"what {url} sends is not CIFAR-10: its MD5 differs; nothing was kept. If this network has "
        "a log-in page, log in first; a copy you have is taken with --from"
    )


def _transfer(url: str, part: Path) -> None:
    """Ask for what `part` lacks until it is complete."""
    waits, most, deadline = list(WAITS), _size(part), time.monotonic() + FIRST_ANSWER_SECONDS
    while True:
        try:
            answer = _open(url, part, min(STALL_SECONDS, deadline - time.monotonic()))
            deadline = math.inf
            _append(answer, part)
            return
        except Interrupted as error:
            reason = error
        if _size(part) > most:
            waits, most = list(WAITS), _size(part)
        if not waits or time.monotonic() + waits[0] > deadline:
            kept = f" The {_size(part):,} bytes that came are kept." if _size(part) else ""
            raise ConnectionError(
                f"CIFAR-10 does not come from {url} ({reason}); try again later, or take a copy "
                f"you have with --from.{kept}"
            ) from reason
        print(f"{reason}; trying again in {waits[0]} s", file=sys.stderr)
        time.sleep(waits.pop(0))


def _open(url: str, part: Path, seconds: float) -> HTTPResponse:
    """The host's answer. In a thread of its own: no time-out of Python's covers a slow DNS."""
    offset = _size(part)
    request = Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    outcome: list[Any] = []

    def ask() -> None:
        try:
            outcome.append(urlopen(request, timeout=STALL_SECONDS))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(seconds, 0))
    answer = outcome[0] if outcome else TimeoutError(f"no answer in {seconds:.1f} s")
    if isinstance(answer, HTTPError):
        if answer.code == 416:  # there are no bytes after these: they are not CIFAR-10's
            part.unlink()
        elif answer.code < 500 and answer.code not in PASSING:
            raise ConnectionError(
                f"{url} answers {answer.code} {answer.reason}: CIFAR-10 is not to be had there; "
                "take a copy you have with --from"
            ) from answer
    if isinstance(answer, OSError | HTTPException):
        said = answer if isinstance(answer, HTTPError) else getattr(answer, "reason", answer)
        raise Interrupted(str(said)) from answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def _append(answer: HTTPResponse, part: Path) -> None:
    """Write the answer at the end of `part`, or in its place where the host sends the whole."""
    offset = _size(part) if answer.status == 206 else 0
    if offset and not answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
        part.unlink()
        raise Interrupted("the host sent other bytes than it was asked for")
    total = None if answer.length is None else offset + answer.length
    with (
        answer,
        part.open("ab" if offset else "wb") as file,
        tqdm(
            desc="CIFAR-10", total=total, initial=offset, unit="B", unit_scale=True, disable=None
        ) as bar,
    ):
        for chunk in _chunks(answer):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and _size(part) < total:
        raise Interrupted(f"the connection broke after {_size(part):,} of {total:,} bytes")


def _chunks(answer: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := answer.read1(CHUNK):  # `read` would lose what came before a stall
            yield chunk
    except (OSError, HTTPException) as error:
        raise Interrupted(f"the connection broke ({error})") from error


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _find(source: Path) -> Path:
    """The archive or the folder of files that `source` is or holds."""
    if (source / CIFAR10.base_folder).is_dir():
        return source / CIFAR10.base_folder
    if (source / CIFAR10.filename).is_file():
        return source / CIFAR10.filename
    if source.is_file() or any((source / name).exists() for name in _sums()):
        return source
    raise FileNotFoundError(
        f"there is no CIFAR-10 in {source}: neither {CIFAR10.filename} nor {CIFAR10.base_folder}"
    )


def _checked(found: Path) -> Path:
    """`found`, if its sums are right."""
    if found.is_dir():
        if fault := _fault(found):
            raise ValueError(f"{fault}; nothing was copied. `make data` downloads CIFAR-10")
    elif not check_integrity(str(found), CIFAR10.tgz_md5):
        raise ValueError(
            f"{found} is cut short or altered, or is not {CIFAR10.filename} (its MD5 differs); "
            "nothing was copied. `make data` downloads CIFAR-10; an archive packed otherwise can "
            "be unpacked and its folder given instead"
        )
    return found


def _copy(found: Path, folder: Path) -> None:
    if found.is_dir():
        for name in _sums():
            shutil.copyfile(found / name, folder / name)
    else:
        _unpack(found, folder)


def _unpack(archive: Path, folder: Path) -> None:
    """Write CIFAR-10's files into `folder`; whatever else the archive holds is left in it."""
    wanted = {f"{CIFAR10.base_folder}/{name}": folder / name for name in _sums()}
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            if member.name in wanted and member.isfile() and (content := tar.extractfile(member)):
                with wanted[member.name].open("wb") as file:
                    shutil.copyfileobj(content, file)


def _sums() -> dict[str, str]:
    """The names of CIFAR-10's files and their MD5 sums."""
    meta = CIFAR10.meta
    return dict([*CIFAR10.train_list, *CIFAR10.test_list, (meta["filename"], meta["md5"])])


def _fault(folder: Path) -> str:
    """Which of CIFAR-10's files in `folder` is missing or altered; "" where none is."""
    for name, md5 in _sums().items():
        if not (folder / name).is_file():
            return f"{folder / name} is missing"
        if not check_integrity(str(folder / name), md5):
            return f"{folder / name} is cut short or altered (its MD5 differs)"
    return ""
