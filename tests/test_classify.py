import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cifar_utils import __main__ as cli
from cifar_utils import classify, data, models, training


@pytest.fixture
def red_and_blue(tmp_path: Path) -> list[Path]:
    """A wide image, red in its middle square and blue beside it, and one that is all blue."""
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[..., 2] = 200
    Image.fromarray(pixels).save(tmp_path / "blue.png")
    pixels[:, 32:96] = (200, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "red.png")
    return [tmp_path / "red.png", tmp_path / "blue.png"]


def test_a_picture_is_its_middle_square_made_small(red_and_blue: list[Path]) -> None:
    red, blue = map(classify.read_image, red_and_blue)
    assert red.shape == (3, 32, 32) and red.dtype == torch.uint8
    assert red.flatten(1).unique(dim=1)[:, 0].tolist() == [200, 0, 0]
    assert blue.flatten(1).unique(dim=1)[:, 0].tolist() == [0, 0, 200]


def test_a_picture_of_32_pixels_is_left_as_it_is(small: data.Data, tmp_path: Path) -> None:
    image = small.test.images[0]
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "one.png")
    assert torch.equal(classify.read_image(tmp_path / "one.png"), image)


def test_likeliest_are_those_of_predict(small: data.Data) -> None:
    model = models.build("FinalCNN").eval()
    record = {"data": {"mean": small.mean, "std": small.std}}
    found = classify.likeliest(small.test.images[:5], model, record)
    expected = training.predict(model, small.test, small)[:5].softmax(1).topk(3)
    for best, values, indices in zip(found, expected.values, expected.indices, strict=True):
        assert best.index.tolist() == [data.CLASSES[i] for i in indices]
        assert best.tolist() == pytest.approx(values.tolist(), abs=1e-6)


def test_the_sample_s_own_images_are_named_rightly(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The released network has about 86 % of the sample's test images right."""
    test = data.load("sample").test
    chosen = data.stratified_order(test.labels, seed=0)[:200]
    paths = [tmp_path / f"{number}.png" for number in chosen]
    for path, image in zip(paths, test.images[chosen], strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    assert not cli.entry(["predict", *map(str, paths)])
    lines = capsys.readouterr().out.splitlines()
    told = [re.match(rf"{path}: (\w+) [\d.]+ %, ", line)[1]
            for path, line in zip(paths, lines, strict=True)]  # fmt: skip
    names = [data.CLASSES[label] for label in test.labels[chosen]]
    assert np.mean([one == other for one, other in zip(told, names, strict=True)]) > 0.8


def test_what_is_no_picture_is_named_and_the_others_are_classified(
    red_and_blue: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "text.png").write_text("no image")
    missing = tmp_path / "missing.png"
    code = cli.entry(["predict", *map(str, [missing, tmp_path / "text.png", red_and_blue[0]])])
    said = capsys.readouterr()
    assert code == 1
    assert "missing.png is not there" in said.err
    assert "text.png is not an image" in said.err
    assert "red.png: " in said.out and said.out.count("%") == 3


def test_without_weights_it_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run 07 --profile full"):
        classify.released_network(tmp_path)
