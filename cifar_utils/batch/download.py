"""Getting CIFAR-10: the only place of the project that talks to another host, and only when asked.

The address, the archive's MD5 and the files' are torchvision's own. The retries of urllib3 and
requests repeat a request but not a body that broke off half-way; hence `_transfer`.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import string
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, getproxies, proxy_bypass, urlopen

from filelock import FileLock, Timeout
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity
from tqdm import tqdm

from cifar_utils import official
from cifar_utils.batch import archives
from cifar_utils.files import check_writable, whole_path

FIRST_ANSWER_SECONDS = 6  # all tries together; 15 are allowed, and Python's start takes its part
STALL_SECONDS = 10  # without one byte, once the host has answered
WAITS = (1, 2, 4, 8, 16)  # seconds; from the beginning again after a try that brought new bytes
CHUNK = 1 << 16
PASSING = (408, 416, 425, 429)  # answers below 500 that another request may not get
BYTES = 170_498_071  # of the archive, where a host does not say it
LINE_SECONDS = 30  # between two lines of progress, where there is no terminal
PART = f"{CIFAR10.filename}.part"
LOCK = ".cifar-10.lock"
UNPACKING = ".unpacking-"  # how the folder begins that becomes CIFAR-10's once it is whole


class Interrupted(ConnectionError):
    """A transfer that another try may finish."""


class Lines:
    """Progress in lines, for a log: one at each tenth, and every LINE_SECONDS between."""

    def __init__(self, done: int, total: int) -> None:
        """`done` of `total` bytes are there already."""
        self.done = self.first = done
        self.total = total
        self.start = self.reported = time.monotonic()

    def update(self, count: int) -> None:
        """So many bytes more have come."""
        tenth = self._tenth()
        self.done += count
        if self._tenth() == tenth and time.monotonic() < self.reported + LINE_SECONDS:
            return
        self.reported = time.monotonic()
        line = tqdm.format_meter(
            self.done, self.total, self.reported - self.start, initial=self.first, unit="B",
            unit_scale=True,
            bar_format="CIFAR-10: {percentage:.0f} % of {total_fmt}B, {rate_fmt}, {remaining} left",
        )  # fmt: skip
        print(line, file=sys.stderr, flush=True)

    def _tenth(self) -> int:
        return 10 * self.done // self.total


def download(root: Path, url: str = CIFAR10.url) -> Path:
    """Put `cifar-10-batches-py` into `root`, whole or not at all, and return its path.

    What came before a transfer broke stays in `root` as `cifar-10-python.tar.gz.part`: the next
    try, or the next call, goes on from there.

    Args:
        root: the folder that will hold `cifar-10-batches-py`, or that one itself.
        url: of `cifar-10-python.tar.gz`; a mirror's must give the same bytes.

    Raises:
        ConnectionError: no answer in FIRST_ANSWER_SECONDS, or no try after WAITS brought more.
        ValueError: what came is not CIFAR-10 (its MD5 differs), twice; or no such address can be.
        OSError: a file of CIFAR-10 that is there already is missing or altered, or `root` can't
            be written.
    """
    if not re.match(r"https?://[^/\s\[]", url):
        raise ValueError(
            f"{url!r} is no address of the web: it must begin with http:// or https://; a file of "
            "this machine is taken with --from"
        )
    folder = _root(root)
    return _install(folder, lambda: _fetch(quote(url, safe=string.punctuation), folder / PART))


def take(source: Path, root: Path) -> Path:
    """Copy CIFAR-10 from this machine into `root`, whole or not at all, and return its path.

    Args:
        source: `cifar-10-python.tar.gz`, or another archive of its files, the folder it unpacks
            to, or a folder that holds either.
        root: as in `download`.

    Raises:
        FileNotFoundError: there is no CIFAR-10 in `source`.
        ValueError: a file in `source` is missing or altered; the message names it.
        OSError: as in `download`, or `source` can't be read.
    """
    return _install(_root(root), lambda: archives.find(whole_path(source)))


def _root(root: Path) -> Path:
    """`root`; where it is a place for the folder of CIFAR-10's files itself, the one above."""
    folder = whole_path(root)
    new = folder.name == CIFAR10.base_folder and not folder.exists()
    return folder.parent if new else folder


def _install(root: Path, get: Callable[[], Path]) -> Path:
    """Write what `get` finds beside its place; move it there if it is right.

    Nothing but a part and a lock is written before `get` returns: a kill while it waits leaves no
    more.
    """
    if there := _already(root):
        return there
    try:
        check_writable(root)
        with _alone(root):
            return _already(root) or _put(get(), root)
    except OSError as error:
        if error.errno is None:  # it has its sentence already
            raise
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        room = "it needs 350 MB there: free them, or " * full
        raise OSError(
            f"CIFAR-10 can't be put into {root} ({error}); {room}choose another folder with --root"
        ) from error


def _already(root: Path) -> Path | None:
    """The folder of CIFAR-10's files, if there is one; it must be whole, or OSError is raised."""
    folder = official.batches_folder(root)
    if not os.path.lexists(folder):
        return None
    official.read(root)
    _tidy(root)
    (root / PART).unlink(missing_ok=True)
    return folder


def _put(found: Path, root: Path) -> Path:
    """Write the files of `found` into `root`: only where all of them are right."""
    target = root / CIFAR10.base_folder
    with tempfile.TemporaryDirectory(dir=root, prefix=UNPACKING) as beside:
        folder = Path(beside) / CIFAR10.base_folder
        folder.mkdir()
        for name, content in archives.contents(found):
            (folder / name).write_bytes(content)
        folder.rename(target)
    (root / PART).unlink(missing_ok=True)
    return target


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """While no other call is at work in `root`; it says so where it has to wait for one."""
    lock = FileLock(root / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"another call is getting CIFAR-10 into {root}; waiting for it", file=sys.stderr)
        lock.acquire()
    try:
        _tidy(root)
        yield
    finally:
        (root / LOCK).unlink(missing_ok=True)  # while it is held: who waits makes a new one
        lock.release()


def _tidy(root: Path) -> None:
    """Remove what calls that were killed have left half unpacked."""
    for left in root.glob(f"{UNPACKING}*"):
        shutil.rmtree(left, ignore_errors=True)


def _fetch(url: str, part: Path) -> Path:
    """Complete `part` and return it; if the bytes are wrong, throw them away and begin again, once.

    The sum also tells whether the pieces of several transfers fit, so no ETag is kept.
    """
    if check_integrity(str(part), CIFAR10.tgz_md5):
        return part
    kept = f"; {_size(part):,} bytes are there" if _size(part) else ""
    print(f"CIFAR-10 (170 MB) from {url} into {part.parent}{kept}", file=sys.stderr, flush=True)
    for _ in range(2):
        _transfer(url, part)
        if check_integrity(str(part), CIFAR10.tgz_md5):
            return part
        part.unlink()
        print("what came is not CIFAR-10 (its MD5 differs) and was thrown away", file=sys.stderr)
    raise ValueError(
        f"what {url} sends is not {CIFAR10.filename}: its MD5 differs; nothing was kept. If this "
        "network has a log-in page, log in first; a copy you have is taken with --from"
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
                f"you have with --from, or a mirror's with --url.{kept}"
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
    proxy = _proxy(url)
    if isinstance(answer, HTTPError):
        if answer.code == 416:  # there are no bytes after these: they are not CIFAR-10's
            part.unlink(missing_ok=True)
        elif answer.code < 500 and answer.code not in PASSING:
            who = f"{url}, asked through {proxy}," if proxy else url
            raise ConnectionError(
                f"{who} answers {answer.code} {answer.reason}: CIFAR-10 is not to be had there; "
                "take a copy you have with --from, or a mirror's with --url"
            ) from answer
    if isinstance(answer, OSError | HTTPException):
        said = answer if isinstance(answer, HTTPError) else getattr(answer, "reason", answer)
        raise Interrupted(f"{proxy}: {said}" if proxy else str(said)) from answer
    if isinstance(answer, Exception):
        raise answer
    if not isinstance(answer, HTTPResponse):
        raise ConnectionError(f"{url} leads to {answer.url}, which is no address of the web")
    return answer


def _proxy(url: str) -> str:
    """The proxy that a request for `url` goes to, and where it was set; "" where it is direct."""
    address = urlsplit(url)
    proxy = getproxies().get(address.scheme, "")
    if not proxy or proxy_bypass(address.netloc.rpartition("@")[2]):
        return ""
    place = proxy.rpartition("://")[2].rpartition("@")[2]  # without a password
    return f"the proxy {place.rstrip('/')} ({address.scheme}_proxy)"


def _append(answer: HTTPResponse, part: Path) -> None:
    """Write the answer at the end of `part`, or in its place where the host sends the whole."""
    offset = _size(part) if answer.status == 206 else 0
    if offset and not answer.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
        part.unlink()
        raise Interrupted("the host sent other bytes than it was asked for")
    total = None if answer.length is None else offset + answer.length
    shown = total or BYTES
    lines = None if sys.stderr.isatty() else Lines(offset, shown)
    with (
        answer,
        part.open("ab" if offset else "wb") as file,
        tqdm(
            desc="CIFAR-10", total=shown, initial=offset, unit="B", unit_scale=True, disable=None
        ) as bar,
    ):
        for chunk in _chunks(answer):
            file.write(chunk)
            (lines or bar).update(len(chunk))
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
