import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.datasets import CIFAR10
from torchvision.transforms.v2 import functional as tvf

from cifar_utils import data, official, sample


def cifar10_is_here() -> bool:
    try:
        return bool(data.locate("cifar10"))
    except FileNotFoundError:
        return False


needs_cifar10 = pytest.mark.skipif(not cifar10_is_here(), reason="CIFAR-10 is not on this machine")


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


@pytest.fixture(params=data.TITLES)
def dataset(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either data set; CIFAR-10 is a folder of few images."""
    make_cifar10(tmp_path, monkeypatch)
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    return request.param


def test_a_seed_fixes_which_images_are_taken(dataset: str) -> None:
    first, again, other = (
        data.load(dataset, train_size=100, val_size=50, seed=seed) for seed in (0, 0, 1)
    )
    assert first.digest == again.digest != other.digest
    assert not torch.equal(first.val.images, other.val.images)
    assert torch.equal(first.test.images, other.test.images)


def test_validation_images_do_not_follow_the_training_size(dataset: str) -> None:
    short, long, whole = (data.load(dataset, train_size=n, val_size=20) for n in (50, 150, 0))
    for each in (short, long):
        assert torch.equal(each.val.images, whole.val.images)
        assert torch.equal(each.train.images, whole.train.images[: len(each.train)])


def test_images_keep_their_labels(dataset: str, tmp_path: Path) -> None:
    parts = sample.read() if dataset == "sample" else official.read(tmp_path)
    known = [data.Split(*part) for part in parts]
    label_of = {
        image.numpy().tobytes(): label.item()
        for split in known
        for image, label in zip(split.images, split.labels, strict=True)
    }

    def right(images: Tensor, labels: Tensor) -> bool:
        return [label_of[image.numpy().tobytes()] for image in images] == labels.tolist()

    loaded = data.load(dataset, train_size=100, val_size=50)
    for split in (loaded.train, loaded.val, loaded.test):
        assert right(split.images, split.labels)
        batches = data.batches(split, 7, torch.Generator().manual_seed(0))
        assert all(right(*batch) for batch in batches)


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
        ({"dataset": "mnist"}, "unknown dataset 'mnist'; there are: sample, cifar10"),
        ({"train_size": -1}, "train_size is -1"),
        ({"val_size": -5}, "val_size is -5"),
        ({"train_size": 9}, r"train_size is 9; it must be 0 \(all there are\) or at least 10"),
        ({"train_size": 5_001}, "5,001 images were asked for, but only 5,000 are left; lower"),
        ({"val_size": 1_001}, "1,001 images were asked for, but only 1,000 are left; lower"),
        ({"dataset": "cifar10", "val_size": 191}, "at least 10 images were .* only 9 are left"),
        ({"dataset": "cifar10"}, "5,000 images were asked for, but only 200 are left; lower"),
    ],
)
def test_bad_arguments_are_named(
    arguments: dict, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_cifar10(tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=message):
        data.load(root=tmp_path, **arguments)


def test_the_sample_is_taken_unless_another_is_asked_for_and_says_what_it_is(
    dataset: str, capsys: pytest.CaptureFixture
) -> None:
    loaded = data.load()
    assert str(loaded) == "CIFAR-10 sample: 5,000 training, 1,000 validation, 1,000 test images"
    assert (loaded.name, loaded.source) == ("sample", "comes with cifar_utils")
    assert loaded.digest == data.load("sample", "elsewhere", 5_000, 1_000).digest
    assert data.load(val_size=10).val.labels.sort().values.tolist() == list(range(10))
    assert not capsys.readouterr().out


def test_cifar10_that_is_missing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError) as missing:
        data.load("cifar10")
    assert str(missing.value) == (
        f"CIFAR-10 is not in {tmp_path}; run `make data` to download it, or set CIFAR_ROOT to the "
        "folder that holds cifar-10-batches-py, or use dataset='sample'"
    )
    assert not list(tmp_path.iterdir())


def make_cifar10(root: Path, monkeypatch: pytest.MonkeyPatch, levels: int = 256) -> Path:
    """A small folder in CIFAR-10's format whose MD5 sums torchvision is told to expect."""
    folder = root / CIFAR10.base_folder
    folder.mkdir()
    random = np.random.default_rng(0)
    lists = {"train_list": [f"data_batch_{i}" for i in range(1, 6)], "test_list": ["test_batch"]}
    for attribute, names in lists.items():
        for name in names:
            content = {"data": random.integers(0, levels, (40, 3072), dtype=np.uint8),
                       "labels": [i % 10 for i in range(40)]}  # fmt: skip
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
    pool, test = (data.Split(*part) for part in official.read(tmp_path))
    assert pool.images.shape == (200, 3, 32, 32) and test.images.dtype == torch.uint8
    raw = pickle.loads((folder / "test_batch").read_bytes())
    assert np.array_equal(test.images.numpy().reshape(40, 3072), raw["data"])
    assert test.labels.tolist() == raw["labels"]
    monkeypatch.setenv("CIFAR_ROOT", str(tmp_path / "elsewhere"))
    loaded = data.load("cifar10", tmp_path, val_size=50)
    assert (loaded.name, loaded.source) == ("cifar10", str(tmp_path))
    assert torch.equal(loaded.test.images, test.images)
    taken = torch.cat([loaded.train.images, loaded.val.images])
    assert torch.equal(taken.flatten(1).sort(0).values, pool.images.flatten(1).sort(0).values)


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
    with pytest.raises(OSError, match=f"{name} is {word}.*make data"):
        data.load("cifar10", tmp_path, val_size=50)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / CIFAR10.base_folder).mkdir()
    with pytest.raises(OSError, match="data_batch_1 is missing"):
        data.load("cifar10", tmp_path)


@needs_cifar10
def test_the_real_data_set() -> None:
    loaded = data.load("cifar10")
    assert (len(loaded.train), len(loaded.val), len(loaded.test)) == (45_000, 5_000, 10_000)
    assert torch.bincount(loaded.val.labels).tolist() == [500] * 10
    np.testing.assert_allclose(loaded.mean, (0.4914, 0.4822, 0.4465), atol=1e-3)
    np.testing.assert_allclose(loaded.std, (0.2470, 0.2435, 0.2616), atol=1e-3)
