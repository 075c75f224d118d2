import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cifar_utils import sketches

Pictures = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def drawn() -> Pictures:
    return sketches.draw(1400, 0)


@pytest.mark.parametrize("count", [0, 1, sketches.CHUNK + 1])
def test_shape_and_dtype(count: int) -> None:
    images, labels = sketches.draw(count, 0)
    assert images.shape == (count, 3, 32, 32) and images.dtype == torch.uint8
    assert labels.shape == (count,) and labels.dtype == torch.int64


def test_a_longer_series_begins_with_the_shorter(drawn: Pictures) -> None:
    for count in (10, 203):
        for short, long in zip(sketches.draw(count, 0), drawn, strict=True):
            assert torch.equal(short, long[:count])


def test_a_seed_repeats_and_another_differs(drawn: Pictures) -> None:
    again, other = sketches.draw(100, 0), sketches.draw(100, 6)
    for first, same, different in zip(drawn, again, other, strict=True):
        assert torch.equal(first[:100], same) and not torch.equal(first[:100], different)


def test_the_chunks_of_a_series_differ(drawn: Pictures) -> None:
    assert not torch.equal(drawn[0][: sketches.CHUNK], drawn[0][sketches.CHUNK :][: sketches.CHUNK])
    assert len(drawn[0].flatten(1).unique(dim=0)) == len(drawn[0])


def test_every_chunk_is_balanced_and_shuffled(drawn: Pictures) -> None:
    chunks = drawn[1].split(sketches.CHUNK)
    for chunk in chunks:
        assert chunk.bincount().tolist() == [sketches.CHUNK // 10] * 10
        assert not torch.equal(chunk, chunk.sort().values)
    assert not torch.equal(chunks[0], chunks[1])


@pytest.mark.parametrize(("count", "seed", "name"), [(-1, 0, "count"), (10, -2, "seed")])
def test_negative_numbers_are_refused(count: int, seed: int, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is -[12], but it cannot be negative"):
        sketches.draw(count, seed)


def test_every_class_has_views_colours_and_a_scene() -> None:
    assert list(sketches.VIEWS) == list(sketches.HABITS) and len(sketches.VIEWS) == 10
    assert all(len(views) == 2 for views in sketches.VIEWS.values())
    assert {scene for _, scene in sketches.HABITS.values()} <= set(sketches.SCENES)
    parts = [part for views in sketches.VIEWS.values() for view in views for part in view]
    assert {part.colour for part in parts} <= set(sketches.COLOURS)
    ellipses = [part for part in parts if part.kind == "ellipse"]
    assert min(min(part.radii) for part in ellipses) > sketches.WOBBLE  # else one fills the picture


def test_pictures_use_the_range_of_a_byte(drawn: Pictures) -> None:
    pixels = drawn[0].float()
    assert pixels.min() == 0 and pixels.max() == 255
    assert 90 < pixels.mean() < 165 and (pixels.flatten(1).std(dim=1) > 5).all()


def test_the_mean_pictures_of_the_classes_differ(drawn: Pictures) -> None:
    """On average twice as much as the two halves of one class do, which only chance parts."""
    images, labels = drawn[0].double(), drawn[1]
    classes = [images[labels == number].flatten(1) for number in range(10)]
    between = torch.pdist(torch.stack([pictures.mean(dim=0) for pictures in classes]))
    halves = [(one[::2].mean(dim=0) - one[1::2].mean(dim=0)).norm() for one in classes]
    assert between.min() > 0 and between.mean() > 2 * torch.stack(halves).mean()


def test_a_linear_classifier_learns_something_but_not_all(drawn: Pictures) -> None:
    pixels = torch.nn.functional.avg_pool2d(drawn[0].float(), 4).flatten(1).numpy()
    labels = np.asarray(drawn[1])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=100))
    model.fit(pixels[:1000], labels[:1000])
    assert 0.15 < model.score(pixels[1000:], labels[1000:]) < 0.6
