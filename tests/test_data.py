import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10
from torchvision.transforms.v2 import functional as tvf

from cifar_utils import data

REAL = data.locate()
needs_cifar10 = pytest.mark.skipif(REAL is None, reason="CIFAR-10 is not on this machine")


def test_splits_share_no_image_and_have_their_sizes(small: data.Data) -> None:
    assert (len(small.train), len(small.val), len(small.test)) == (400, 100, 200)
    seen = [{image.numpy().tobytes() for image in split.images}
            for split in (small.train, small.val, small.test)]  # fmt: skip
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_splits_are_stratified(small: data.Data) -> None:
    for split in (small.train, small.val):
        counts = torch.bincount(split.labels, minlength=10)
        assert counts.max() - counts.min() <= 1


def test_order_of_unbalanced_labels_is_a_permutation_with_balanced_prefix() -> None:
    labels = torch.tensor([0] * 50 + [1] * 10)
    order = data.stratified_order(labels, seed=1)
    assert sorted(order) == list(range(60))
    assert labels[order[:20]].sum() == 10


def test_split_follows_its_seed_and_validation_does_not_follow_the_training_size() -> None:
    first, again = (data.load("sketches", train_size=100, val_size=50) for _ in range(2))
    assert first.digest == again.digest
    assert data.load("sketches", train_size=100, val_size=50, seed=1).digest != first.digest
    pool = data.Split(torch.arange(200).view(-1, 1, 1, 1).expand(-1, 3, 2, 2).byte().contiguous(),
                      torch.arange(200) % 10)  # fmt: skip
    short, long = (data._split("sketches", pool, pool, n, 20, 0, "") for n in (50, 150))
    assert torch.equal(short.val.images, long.val.images)
    assert torch.equal(short.train.images, long.train.images[:50])


def test_images_keep_their_labels() -> None:
    count = 300
    numbers = (torch.arange(count) % 256).byte().view(-1, 1, 1, 1)
    images = numbers.expand(-1, 3, 2, 2).contiguous()
    pool = data.Split(images, torch.arange(count) % 256 % 10)
    splits = data._split("sketches", pool, pool, 100, 50, 0, "")
    generator = torch.Generator().manual_seed(0)
    for split in (splits.train, splits.val):
        assert torch.equal(split.images[:, 0, 0, 0].long() % 10, split.labels)
        for chosen, labels in data.batches(split, 7, generator):
            assert torch.equal(chosen[:, 0, 0, 0].long() % 10, labels)


def test_batches_give_every_image_once_in_a_new_order_each_time(small: data.Data) -> None:
    generator = torch.Generator().manual_seed(0)
    epochs = [torch.cat([labels for _, labels in data.batches(small.train, 64, generator)])
              for _ in range(2)]  # fmt: skip
    assert not torch.equal(*epochs)
    for labels in epochs:
        assert torch.equal(labels.sort().values, small.train.labels.sort().values)
    plain = torch.cat([labels for _, labels in data.batches(small.train, 64)])
    assert torch.equal(plain, small.train.labels)


def test_channel_statistics_equal_numpy(small: data.Data) -> None:
    pixels = small.train.images.numpy() / 255
    np.testing.assert_allclose(small.mean, pixels.mean((0, 2, 3)), atol=1e-7)
    np.testing.assert_allclose(small.std, pixels.std((0, 2, 3)), atol=1e-7)


def test_normalise_equals_torchvision(small: data.Data) -> None:
    images = small.val.images[:5]
    expected = tvf.normalize(tvf.to_dtype(images, scale=True), small.mean, small.std)
    torch.testing.assert_close(small.normalise(images), expected, atol=1e-5, rtol=1e-5)
    assert images.dtype == torch.uint8


def test_normalisations(small: data.Data) -> None:
    black = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    assert small.with_normalisation("none").normalise(black).unique().tolist() == [0]
    assert small.with_normalisation("half").normalise(black).unique().tolist() == [-1]
    assert small.with_normalisation("half").with_normalisation("own").mean == small.mean
    with pytest.raises(ValueError, match="own, half, none"):
        small.with_normalisation("mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "mnist"}, "'mnist'.*auto, cifar10, sketches"),
        ({"train_size": -1}, "train_size is -1"),
        ({"val_size": -5}, "val_size is -5"),
        ({"train_size": 5}, "at least 10 images"),
        ({"train_size": 12_000}, "leave 7,000, not the 12,000"),
        ({"val_size": 13_000}, "leave 0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        data.load(**{"dataset": "sketches", **arguments})


def test_the_stand_in_is_said_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    loaded = data.load("auto", train_size=50, val_size=20)
    assert loaded.name == "sketches" and "stand-in" in loaded.title
    assert "stand-in" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="make data"):
        data.load("cifar10")


def make_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch, per_batch: int = 40) -> Path:
    """A small folder in CIFAR-10's format whose MD5 sums torchvision is told to expect."""
    folder = root / CIFAR10.base_folder
    folder.mkdir()
    random = np.random.default_rng(0)
    lists = {"train_list": [f"data_batch_{i}" for i in range(1, 6)], "test_list": ["test_batch"]}
    for attribute, names in lists.items():
        for name in names:
            content = {"data": random.integers(0, 256, (per_batch, 3072), dtype=np.uint8),
                       "labels": [i % 10 for i in range(per_batch)]}  # fmt: skip
            (folder / name).write_bytes(pickle.dumps(content))
        sums = [[name, md5(folder / name)] for name in names]
        monkeypatch.setattr(CIFAR10, attribute, sums)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(data.CLASSES)}))
    meta = {**CIFAR10.meta, "md5": md5(folder / "batches.meta")}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    return folder


def md5(path: Path) -> str:
    import hashlib

    return hashlib.md5(path.read_bytes()).hexdigest()


def test_cifar10_is_read_pixel_by_pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_cifar10(tmp_path, monkeypatch)
    pool, test = data.read_cifar10(tmp_path)
    assert pool.images.shape == (200, 3, 32, 32) and test.images.dtype == torch.uint8
    raw = pickle.loads((folder / "test_batch").read_bytes())
    assert np.array_equal(test.images.numpy().reshape(40, 3072), raw["data"])
    assert test.labels.tolist() == raw["labels"]
    assert data.load("auto", tmp_path, val_size=50).name == "cifar10"


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
@pytest.mark.parametrize("damage", ["missing", "short", "altered"])
def test_a_bad_cifar10_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: str
) -> None:
    path = make_cifar10(tmp_path, monkeypatch) / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-9] if damage == "short" else b"X" + content[1:])
    word = "missing" if damage == "missing" else "cut short or altered"
    for dataset in ("cifar10", "auto"):
        with pytest.raises(OSError, match=f"{name} is {word}.*make data"):
            data.load(dataset, tmp_path, val_size=50)


def test_an_empty_folder_is_an_error_and_not_the_stand_in(tmp_path: Path) -> None:
    (tmp_path / CIFAR10.base_folder).mkdir()
    with pytest.raises(OSError, match="data_batch_1 is missing"):
        data.load("auto", tmp_path)
    shutil.rmtree(tmp_path / CIFAR10.base_folder)
    assert data.locate("auto", tmp_path) is None


@needs_cifar10
def test_the_real_data_set() -> None:
    loaded = data.load("cifar10")
    assert (len(loaded.train), len(loaded.val), len(loaded.test)) == (45_000, 5_000, 10_000)
    assert torch.bincount(loaded.val.labels).tolist() == [500] * 10
    np.testing.assert_allclose(loaded.mean, (0.4914, 0.4822, 0.4465), atol=1e-3)
    np.testing.assert_allclose(loaded.std, (0.2470, 0.2435, 0.2616), atol=1e-3)
