"""A checkpoint is gone on from whole, or set aside whole: none leaves a trace in the numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from cifar_utils import checkpoint, data, models, training
from cifar_utils.experiment import Experiment
from cifar_utils.recipe import Recipe

RECIPE = Recipe(3, 10, augmentation="crop+flip", schedule="onecycle", averaging=0.9)
KEYS = ("digest", "model", "averaged", "scaler", "optimizer", "scheduler", "generator", "random",
        "cuda_random", "history", "fingerprint")  # fmt: skip
Change = Callable[[dict], object]


def train(images: data.Data, folder: Path | None = None) -> training.Run:
    torch.set_num_threads(1)  # also where a fixture of the module trains, before any test
    network = models.build("DropoutCNN")
    return training.fit(network, images, RECIPE, folder=folder, verbose=False)


def numbers(run: training.Run) -> list:
    """What two equal runs have in common, to the bit."""
    weights = [value.tolist() for value in run.model.state_dict().values()]
    rows = run.history.drop(columns="seconds").to_numpy().tolist()
    return [weights, rows, run.record["test"], run.record["digest"]]


@pytest.fixture(scope="module")
def whole(tiny: data.Data) -> list:
    """The numbers of the run that nothing disturbed."""
    return numbers(train(tiny))


@pytest.fixture(scope="module")
def after_two(tiny: data.Data, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The checkpoint of the second of three epochs."""
    folder = tmp_path_factory.mktemp("stopped")
    run_epoch, epochs = training._State.run_epoch, []

    def stopped(state: training._State) -> None:
        if len(epochs) == 2:
            raise KeyboardInterrupt
        epochs.append(run_epoch(state))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training._State, "run_epoch", stopped)
        train(tiny, folder)
    return (folder / "checkpoint.pt").read_bytes()


def halve(state: dict, part: str) -> None:
    key = next(key for key, value in state[part].items() if value.ndim > 1)
    state[part][key] = state[part][key][1:]


CHANGES: dict[str, Change] = {
    **{f"without {key}": lambda state, key=key: state.pop(key) for key in KEYS},
    "a weight of another shape": lambda state: halve(state, "model"),
    "an averaged weight of another shape": lambda state: halve(state, "averaged"),
    "a weight too few": lambda state: state["model"].popitem(),
    "a weight of another name": lambda state: state["model"].update(more=torch.zeros(1)),
    "a group of the optimizer too few": lambda state: state["optimizer"]["param_groups"].pop(),
    "a group without its learning rate": lambda state: state["optimizer"]["param_groups"][0].pop(
        "lr"
    ),
    "no memory of a parameter": lambda state: state["optimizer"]["state"].pop(0),
    "a scheduler that lost its place": lambda state: state["scheduler"].pop("last_epoch"),
    "a generator of another kind": lambda state: state.update(generator=torch.zeros(3)),
    "no history": lambda state: state.update(history=None),
    "an epoch too few": lambda state: state["history"].pop(),
    "another number": lambda state: state["averaged"]["n_averaged"].add_(1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_not_whole_is_set_aside_and_leaves_no_trace(
    tiny: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture,
    whole: list, after_two: bytes, change: Change,
) -> None:  # fmt: skip
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(after_two)
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)
    run = train(tiny, tmp_path)
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith(f"{path} does not read (it ")
    assert said.endswith("; set aside as checkpoint.pt.unreadable")
    assert numbers(run) == whole


@pytest.mark.parametrize(
    "name",
    ["a weight of another shape", "an averaged weight of another shape", "a weight too few",
     "a group of the optimizer too few", "a generator of another kind", "without scaler"],
)  # fmt: skip
def test_what_another_version_wrote_whole_leaves_no_trace_either(
    tiny: data.Data, tmp_path: Path, whole: list, after_two: bytes, name: str
) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(after_two)
    state = checkpoint.load(path, torch.device("cpu"), KEYS)
    CHANGES[name](state)
    checkpoint.save(state, path)
    run = train(tiny, tmp_path)
    assert (tmp_path / "checkpoint.pt.unreadable").exists()
    assert numbers(run) == whole


@pytest.mark.parametrize("content", [b"", b"half a checkpoint", None])
def test_what_is_no_checkpoint_is_set_aside_in_one_sentence(
    tiny: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture, whole: list,
    after_two: bytes, content: bytes | None,
) -> None:  # fmt: skip
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(after_two[:-500] if content is None else content)
    run = train(tiny, tmp_path)
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert numbers(run) == whole


def test_a_sound_one_is_gone_on_from(
    tiny: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture, whole: list, after_two: bytes
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(after_two)
    run = train(tiny, tmp_path)
    assert capsys.readouterr().out == "going on after epoch 2 of 3\n"
    assert numbers(run) == whole


def kept(tiny: data.Data, folder: Path, **change: object) -> training.Run:
    recipe = Recipe(1, 10, **change)
    return Experiment("test", out=folder).run("plain", models.build("SimpleCNN"), tiny, recipe)


WRONG: dict[str, Change] = {
    "the last layer of another shape": lambda state: state.update(
        {"fc2.weight": state["fc2.weight"][:7]}
    ),
    "without the last layer": lambda state: state.pop("fc2.bias"),
    "with one more": lambda state: state.update(more=torch.zeros(1)),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_weights_that_fit_in_part_leave_no_trace(
    tiny: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture, change: Change
) -> None:
    whole = numbers(kept(tiny, tmp_path))
    path = tmp_path / "plain" / "weights.pt"
    state = {key: value + 1 for key, value in torch.load(path, weights_only=True).items()}
    change(state)
    torch.save(state, path)
    capsys.readouterr()
    again = kept(tiny, tmp_path)
    told = [line for line in capsys.readouterr().out.splitlines() if "weights.pt" in line]
    assert len(told) == 1 and told[0].endswith("set aside as weights.pt.unreadable")
    assert numbers(again) == whole


def test_a_record_is_never_read_back_with_the_weights_of_another_recipe(
    tiny: data.Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = numbers(kept(tiny, tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("cifar_utils.records.write", _stop)  # between the weights and their record
        with pytest.raises(KeyboardInterrupt):
            kept(tiny, tmp_path, lr=0.1)
    assert numbers(kept(tiny, tmp_path)) == first


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_fingerprint_follows_names_shapes_and_numbers() -> None:
    one = torch.arange(4.0)
    states = [{"a": one}, {"b": one}, {"a": one + 1}, {"a": one.view(2, 2)}, {"a": one.double()},
              {"a": [one]}, {"a": one, "b": []}, {"a": 1}, {"a": 1.0}, {"a": None}]  # fmt: skip
    assert len({checkpoint.fingerprint(state) for state in states}) == len(states)
    columns = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last).state_dict()
    rows = {key: value.contiguous() for key, value in columns.items()}
    assert checkpoint.fingerprint(columns) == checkpoint.fingerprint(rows)
