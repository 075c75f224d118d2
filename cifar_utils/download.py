"""Getting CIFAR-10: the only place of the project that talks to another host, and only when told.

The address, the archive's MD5 and the files' are torchvision's own.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import threading
import urllib.request
from pathlib import Path
from typing import Any

from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity
from tqdm import tqdm

from cifar_utils.data import read_cifar10

CONNECT_SECONDS = 12
TRIES = 3
CHUNK = 1 << 16


def download(root: Path, url: str = CIFAR10.url) -> Path:
    """Put `cifar-10-batches-py` into `root` and return its path; nothing half-written stays.

    Raises:
        ConnectionError: no answer within CONNECT_SECONDS, or TRIES broken transfers.
        OSError: a file that is there already is missing, cut short or altered.
        ValueError: the archive that came is not CIFAR-10 (its MD5 differs).
    """
    target = root / CIFAR10.base_folder
    if target.exists():
        read_cifar10(root)  # raises where a file is missing or altered
        return target
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".download-") as folder:
        archive = Path(folder) / CIFAR10.filename
        _fetch(url, archive)
        if not check_integrity(str(archive), CIFAR10.tgz_md5):
            raise ValueError(f"what {url} sent is not CIFAR-10: its MD5 differs; nothing was kept")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        shutil.move(Path(folder) / CIFAR10.base_folder, target)
    return target


def _fetch(url: str, archive: Path) -> None:
    for attempt in range(1, TRIES + 1):
        answer = _connect(url)
        try:
            _copy(answer, archive)
            return
        except OSError as error:
            if attempt == TRIES:
                raise ConnectionError(
                    f"the connection to {url} broke {TRIES} times ({error}); try again later"
                ) from error
            print(f"the connection broke ({error}); trying again")


def _connect(url: str) -> Any:
    """The opened answer. In a thread of its own: no time-out of Python's covers a slow DNS."""
    outcome: list[Any] = []

    def ask() -> None:
        try:
            outcome.append(urllib.request.urlopen(url, timeout=CONNECT_SECONDS))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    answer = outcome[0] if outcome else TimeoutError(f"no answer in {CONNECT_SECONDS} s")
    if isinstance(answer, Exception):
        raise ConnectionError(f"{url} can't be reached ({answer})") from answer
    return answer


def _copy(answer: Any, archive: Path) -> None:
    size = int(answer.headers.get("Content-Length", 0))
    with (
        answer,
        archive.open("wb") as file,
        tqdm(desc="CIFAR-10", total=size, unit="B", unit_scale=True, disable=None) as bar,
    ):
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
    if size and archive.stat().st_size != size:
        raise ConnectionError(f"{archive.stat().st_size:,} of {size:,} bytes came")
