"""The command `predict`: what it takes, what it says, what stops it."""

import io
import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from command_line import call
from PIL import Image

from cifar_utils import __main__ as cli
from cifar_utils import classify, data, models
from cifar_utils import image_files as pictures_module
from cifar_utils.experiment import Experiment
from cifar_utils.recipe import Recipe


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three images among other files."""
    inside = tmp_path / "of mine"
    (inside / "below.png").mkdir(parents=True)
    for number, name in enumerate(("b.png", "a.JPG", "c.webp")):
        Image.new("RGB", (40, 40), (90 * number, 30, 200)).save(inside / name)
    (inside / "notes.txt").write_text("no image")
    (inside / "._b.png").write_bytes(b"left by another system")
    return inside


def test_a_folder_is_the_pictures_in_it_in_order(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    code, said = call(capsys, "predict", folder)
    assert not code
    names = [Path(line.partition(": ")[0]).name for line in said.splitlines()]
    assert names == ["a.JPG", "b.png", "c.webp"]


def test_a_folder_without_pictures_is_named_and_the_rest_is_classified(
    folder: Path, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    code, said = call(capsys, "predict", tmp_path / "empty", folder / "b.png")
    assert code == 1
    assert f"Error: {tmp_path / 'empty'} holds no images" in said
    assert f"{folder / 'b.png'}: " in said


def from_shell(monkeypatch: pytest.MonkeyPatch, stream: io.BufferedIOBase) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize("kind", [Pipe, io.BytesIO])
def test_standard_input(
    kind: type[io.BytesIO],
    folder: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from_shell(monkeypatch, kind((folder / "b.png").read_bytes()))
    code, said = call(capsys, "predict", "-")
    _, other = call(capsys, "predict", folder / "b.png")
    assert not code and said.startswith("standard input: ")
    assert said.partition(": ")[2] == other.partition(": ")[2]


def test_standard_input_that_is_empty_or_endless(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_shell(monkeypatch, Pipe())
    assert call(capsys, "predict", "-") == (1, "Error: standard input is empty\n")
    monkeypatch.setattr(pictures_module, "BYTES", 1000)
    from_shell(monkeypatch, Pipe(bytes(2000)))
    code, said = call(capsys, "predict", "-")
    assert code == 1 and "standard input has more than 1,000 bytes" in said


def test_json_is_one_document(folder: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    assert cli.entry(["predict", "--json", str(missing), str(folder)]) == 1
    shown = capsys.readouterr()
    first, *others = json.loads(shown.out)
    assert first == {"image": str(missing), "error": f"{missing} is not there"}
    assert shown.err == f"Error: {missing} is not there\n"
    assert [Path(other["image"]).name for other in others] == ["a.JPG", "b.png", "c.webp"]
    for other in others:
        shares = other["probabilities"]
        assert set(shares) == set(data.CLASSES) and sum(shares.values()) == pytest.approx(
            1, abs=1e-4
        )
        assert list(shares.values()) == sorted(shares.values(), reverse=True)


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_name_that_is_no_utf_8(
    options: list[str], folder: Path, capsys: pytest.CaptureFixture
) -> None:
    odd, broken = (os.fsdecode(os.fsencode(folder) + end) for end in (b"/\xff.png", b"/\xfe.png"))
    shutil.copy(folder / "b.png", odd)
    Path(broken).write_bytes(b"broken")
    code, said = call(capsys, "predict", *options, odd, broken, folder / "b.png")
    assert code == 1
    assert "is not an image" in said and said.count("b.png") == 1
    assert said.count(r"/\ufffd.png" if options else "/\ufffd.png") >= 2


def test_an_unreadable_picture_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for root, who may read everything."""
    may, opened = os.access, open

    def refuse(path: str, *arguments: object, **options: object) -> object:
        if Path(path).name == "a.JPG":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(
        os, "access", lambda path, mode: "a.JPG" not in str(path) and may(path, mode)
    )
    monkeypatch.setattr(pictures_module, "open", refuse, raising=False)
    code, said = call(capsys, "predict", folder / "a.JPG", folder / "b.png")
    assert code == 1
    assert f"{folder / 'a.JPG'} can't be opened: Permission denied\n" in said
    assert f"{folder / 'b.png'}: " in said


@pytest.mark.parametrize("name", ["loop", "x" * 300, "below.png/none.png"])
def test_what_can_t_be_opened_is_named(
    name: str, folder: Path, capsys: pytest.CaptureFixture
) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    code, said = call(capsys, "predict", folder / name, folder / "b.png")
    assert code == 1 and f"Error: {folder / name} " in said and f"{folder / 'b.png'}: " in said


def run_of(network: torch.nn.Module, small: data.Data, out: Path) -> Path:
    recipe = Recipe(epochs=1, batch_size=20, lr=0.01)
    Experiment("01_baseline", out=out).run("a", network, small, recipe, verbose=False)
    return out / "a" / "weights.pt"


def test_weights_of_one_s_own_run(
    tiny: data.Data, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    network = models.build("SimpleCNN")
    weights = run_of(network, tiny, tmp_path / "runs")
    image = classify.read_image(folder / "b.png")[None]
    with torch.inference_mode():
        expected = network.cpu().eval()(tiny.normalise(image)).softmax(1)[0]
    code, said = call(capsys, "predict", "--json", "--weights", weights, folder / "b.png")
    assert not code
    (answer,) = json.loads(said)
    seen = [answer["probabilities"][name] for name in data.CLASSES]
    assert np.allclose(seen, expected, atol=1e-5)


def test_the_released_weights_by_name_and_by_path_are_the_same(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    plain = call(capsys, "predict", folder / "b.png")
    for name, path in classify.released().items():
        named = call(capsys, "predict", "--weights", name, folder / "b.png")
        assert named == call(capsys, "predict", "--weights", path, folder / "b.png")
        assert (named == plain) is (name == classify.FIRST_CHOICE)
    assert classify.FIRST_CHOICE in call(capsys, "predict", "--help")[1]


def test_a_network_made_with_options_is_not_taken_for_one_without(
    tiny: data.Data, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Weights of average pooling fit a network of max pooling, and would answer wrongly."""
    weights = run_of(models.build("PoolingCNN", pool="average"), tiny, tmp_path / "runs")
    code, said = call(capsys, "predict", "--weights", weights, folder / "b.png")
    assert code == 1 and f"Error: {weights} is of 'a', a PoolingCNN made with options" in said


def test_weights_that_do_not_do_are_named(
    tiny: data.Data, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def said(weights: Path | str) -> str:
        code, words = call(capsys, "predict", "--weights", weights, folder / "b.png")
        assert code == 1 and words.count("\n") == 1
        return words

    assert "NoSuchCNN is not there; released are: FinalCNN" in said("NoSuchCNN")
    weights = run_of(models.build("SimpleCNN"), tiny, tmp_path / "runs")
    record = weights.with_name("record.json")
    kept = torch.load(weights, weights_only=True)
    torch.save({**kept, "fc2.bias": torch.zeros(9)}, weights)
    assert f"{weights} does not hold the weights of SimpleCNN" in said(weights)
    weights.write_bytes(b"damaged")
    assert f"{weights} does not hold the weights of SimpleCNN" in said(weights)
    record.write_text("{}")
    assert f"{record} is not the record of a network: not a record of" in said(weights)
    record.unlink()
    assert f"{weights} has no record beside it" in said(weights)


def test_the_notebooks_and_the_command_see_the_same(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    image = classify.read_image(folder / "b.png")
    (best,) = classify.likeliest(image[None], *classify.released_network())
    _, said = call(capsys, "predict", folder / "b.png")
    assert said == f"{folder / 'b.png'}: {classify.in_words(best)}\n"
