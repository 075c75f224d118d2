"""CIFAR-10 in the forms in which people have it: what is read, and what is recognised.

Read are the files of its version for Python, in a folder or packed in any way; whether they are
the right ones, their own MD5 sums say. Nothing is unpacked to a disk here.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

from torchvision.datasets import CIFAR10

from cifar_utils import official
from cifar_utils.data import CLASSES

MOST_BYTES = 40_000_000  # of one file; the largest has 31 million
MOST_NAMES = 10_000  # looked at to tell what a folder holds
STEMS = (Path(CIFAR10.filename).name.partition(".")[0], CIFAR10.base_folder)
ENDINGS = (".tar.gz", ".tgz", ".tar", ".zip")  # a browser may have unpacked the .gz
BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError,
    NotImplementedError,
)  # fmt: skip
GET = f"get {CIFAR10.filename} instead: `make data` downloads it, and {CIFAR10.url} is its address"
GIVE = "give --from just that, unpacked from what it lies in"
FORMS = (  # the first pattern that a name fits tells what it is, and what to do
    (r"/data_batch_\d$", "CIFAR-10, too far down", GIVE),
    (r"cifar-?100", "CIFAR-100, another data set", GET),
    (r"(data_batch_\d|test_batch|batches\.meta)\.mat$", "CIFAR-10's version for MATLAB", GET),
    (r"(data_batch_\d|test_batch)\.bin$|-binary\.", "CIFAR-10's binary version, for C", GET),
    (rf"(^|/)({'|'.join(CLASSES)}|plane|car)/[^/]*\.(png|jpe?g)$", "folders of images", GET),
    (r"(^|/)(train|test)/\d+\.png$|(^|/)trainlabels\.csv$", "single images", GET),
    (r"\.parquet$|\.arrow$", "tables (parquet, Arrow)", GET),
    (r"\.tfrecord", "TFRecord files", GET),
    (r"\.(npz|npy|h5|hdf5|mat|bin)$", "arrays of another program", GET),
    (r"\.(7z|rar)$", "an archive that Python can't open", "unpack it, and give its folder"),
    (r"cifar.*\.(tar|tgz|tar\.\w+|zip)$", "an archive", GIVE),
)


def find(source: Path) -> Path:
    """The folder of CIFAR-10's files, or the archive of them, that `source` is or holds.

    Raises:
        FileNotFoundError: there is neither; the message says what is there, if it is known.
        OSError: `source` can't be read.
    """
    with _naming(source):
        if source.is_file():
            return source
        if (folder := official.batches_folder(source)).is_dir():
            return folder
        for name in (f"{stem}{ending}" for stem in STEMS for ending in ENDINGS):
            if (source / name).is_file():
                return source / name
        names = (Path(at, name) for at, _, inside in os.walk(source) for name in inside)
        seen = [path.relative_to(source).as_posix() for path in islice(names, MOST_NAMES)]
    neither = f"neither {CIFAR10.filename} nor {CIFAR10.base_folder}"
    raise FileNotFoundError(
        _refusal(source, seen) or f"there is no CIFAR-10 in {source}: {neither}"
    )


def contents(found: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each of CIFAR-10's files, once its MD5 sum is found right.

    Raises:
        ValueError: a file is missing or altered, or `found` is not CIFAR-10 at all.
        OSError: `found` can't be read.
    """
    wanted = official.files()
    seen: list[str] = []
    altered: set[str] = set()
    with _naming(found):
        for path, content in _folder(found) if found.is_dir() else _archive(found):
            name = PurePosixPath(path).name
            seen.append(path)
            if content is None or name not in wanted:
                continue
            if hashlib.md5(content).hexdigest() != wanted[name]:
                altered.add(name)
                continue
            del wanted[name]
            yield name, content
            if not wanted:
                return
    nothing_fits = len(wanted) == len(official.files()) and not altered
    if nothing_fits and (refused := _refusal(found, seen)):
        raise ValueError(refused)
    name = next(iter(wanted))
    bad = "cut short or altered (its MD5 differs)" if name in altered else "missing"
    raise ValueError(f"{found / name} is {bad}; nothing was copied. `make data` downloads CIFAR-10")


def _folder(folder: Path) -> Iterator[tuple[str, bytes | None]]:
    for name in official.files():
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                yield name, file.read(MOST_BYTES)


def _archive(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Each member's path; the content of those that may be CIFAR-10's, None for the others."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, _beginning(archive.open(name)) if _is_wanted(name) else None
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            for member in (each for each in tar if not each.isdir()):
                wanted = member.isfile() and _is_wanted(member.name)  # a link is no file
                file = tar.extractfile(member) if wanted else None
                yield member.name, _beginning(file) if file else None
    elif refused := _refusal(path, []):
        raise ValueError(refused)
    else:
        raise zipfile.BadZipFile("neither tar nor zip")


def _beginning(file: IO[bytes]) -> bytes:
    """A file's content; of one that is too long to be CIFAR-10's, so much that its MD5 differs."""
    with file:
        return file.read(MOST_BYTES)


def _is_wanted(path: str) -> bool:
    return PurePosixPath(path).name in official.files()


def _refusal(source: Path, names: Sequence[str]) -> str:
    """A sentence, if the names in `source`, or its own, tell of a form that is not read."""
    for pattern, what, advice in FORMS:
        for name in names:
            if re.search(pattern, name.lower()):
                return f"{source} holds no CIFAR-10 that is read here, but {name}: {what}; {advice}"
    for pattern, what, advice in FORMS[:-1]:
        if re.search(pattern, source.name.lower()):
            return f"{source} is no CIFAR-10 that is read here, but {what}; {advice}"
    return ""


@contextmanager
def _naming(source: Path) -> Iterator[None]:
    """Whatever reading `source` raises names it."""
    try:
        yield
    except BROKEN as error:
        raise ValueError(
            f"{source} is cut short or altered, or no archive ({error}); nothing was copied. "
            "`make data` downloads CIFAR-10"
        ) from error
    except OSError as error:
        if error.errno is None:  # gzip.BadGzipFile
            raise ValueError(f"{source} is altered ({error}); nothing was copied") from error
        raise OSError(
            f"{source} can't be read ({error.strerror}); give another with --from"
        ) from error
