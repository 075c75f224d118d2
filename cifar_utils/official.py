"""CIFAR-10's official files: found, checked by their MD5 sums, read by torchvision."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import check_integrity

Part = tuple[Tensor, Tensor]  # images, uint8 N×3×32×32, and their labels, int64 N


def find(folder: Path) -> Path:
    """That folder, if CIFAR-10 is in it.

    Raises:
        FileNotFoundError: it is not; the message says how to get it.
    """
    if not batches_folder(folder).exists():
        no_folder = "" if folder.is_dir() else ", which is no folder"
        raise FileNotFoundError(
            f"CIFAR-10 is not in {folder}{no_folder}; {_how_to_get(folder)}, or set "
            f"CIFAR_ROOT to the folder that holds {CIFAR10.base_folder}, or use dataset='sample'"
        )
    return folder


def batches_folder(root: Path) -> Path:
    """The folder of CIFAR-10's files: in `root`, `root` itself, or in one of the same name in it.

    Of these the first that has every file, else any. Where there is none, its place in `root`.
    """
    inside = root / CIFAR10.base_folder
    folders = (inside, root, inside / CIFAR10.base_folder)
    held = [sum((folder / name).is_file() for name in files()) for folder in folders]
    best = folders[held.index(max(held))]  # the first of the fullest
    return best if max(held) else inside


def files() -> dict[str, str]:
    """The names of CIFAR-10's files and their MD5 sums."""
    meta = CIFAR10.meta
    return dict([*CIFAR10.train_list, *CIFAR10.test_list, (meta["filename"], meta["md5"])])


def fault(folder: Path) -> str:
    """Which of CIFAR-10's files in `folder` is missing or altered; "" where none is."""
    for name, md5 in files().items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        try:
            if not check_integrity(str(path), md5):
                return f"{path} is cut short or altered (its MD5 differs)"
        except OSError as error:
            return f"{path} can't be read ({error.strerror})"
    return ""


class _Files(CIFAR10):  # type: ignore[misc]  # torchvision comes without types
    """CIFAR-10 in the very folder it is given, whatever that is called."""

    base_folder = ""


def read(root: Path) -> tuple[Part, Part]:
    """The 50,000 training and the 10,000 test images; torchvision's MD5 check comes first.

    Raises:
        OSError: a file is missing, cut short or altered; the message names it.
    """
    folder = batches_folder(root)
    try:
        pool, test = (_Files(folder, train=train) for train in (True, False))
    except (RuntimeError, EOFError, OSError) as error:
        bad = fault(folder) or f"{folder}/* does not read"
        raise OSError(f"CIFAR-10 file {bad}; {_how_to_mend(folder)}") from error
    return _tensors(pool), _tensors(test)


def _tensors(source: CIFAR10) -> Part:
    images = torch.from_numpy(source.data).permute(0, 3, 1, 2)
    return images.contiguous(), torch.tensor(source.targets)


def _how_to_get(folder: Path) -> str:
    archive = folder / CIFAR10.filename
    if archive.is_file():
        return f"run `python -m cifar_utils data --from {archive}` to unpack the archive there"
    return "run `make data` to download it"


def _how_to_mend(folder: Path) -> str:
    """What to do about a bad file; nothing that could cost a good copy."""
    for name in (CIFAR10.filename, f"{CIFAR10.filename}.part"):
        for archive in (folder.parent / name, folder / name):
            if check_integrity(str(archive), CIFAR10.tgz_md5):
                return (
                    f"a whole copy is {archive}: `python -m cifar_utils data --from {archive} "
                    "--root FOLDER` unpacks it into another folder, for CIFAR_ROOT to name"
                )
    return f"move {folder} away and run `make data`, or point CIFAR_ROOT to a whole copy"
