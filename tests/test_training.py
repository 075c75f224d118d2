import copy
import itertools
import math
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cifar_utils import data, machine, metrics, models, records, training
from cifar_utils.experiment import Experiment
from cifar_utils.training import Recipe, fit

SHORT = Recipe(epochs=2, batch_size=64)
BRIEF = Recipe(epochs=2, batch_size=20)  # where the data are tiny


def small_net(seed: int = 0, name: str = "DropoutCNN") -> nn.Module:
    return models.build(name, seed)


def equal_weights(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def without_seconds(run: training.Run) -> list[dict]:
    return run.history.drop(columns="seconds").to_dict("records")


def test_fit_equals_the_loop_of_a_textbook(small: data.Data) -> None:
    run = fit(small_net(name="SimpleCNN"), small, SHORT, test=False, verbose=False)
    model = small_net(name="SimpleCNN")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    for epoch in range(2):
        total, hits = 0.0, 0
        for chosen in torch.randperm(400, generator=generator).split(64):
            images, labels = small.train.images[chosen], small.train.labels[chosen]
            logits = model(small.normalise(images))
            loss = F.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            hits += (logits.argmax(1) == labels).sum().item()
        row = run.history.iloc[epoch]
        assert row.train_loss == pytest.approx(total / 400, abs=1e-6)
        assert row.train_accuracy == pytest.approx(hits / 400)
    val_logits = model(small.normalise(small.val.images))
    assert row.val_loss == pytest.approx(F.cross_entropy(val_logits, small.val.labels).item())


def test_means_are_over_samples_and_not_over_batches(small: data.Data) -> None:
    model = small_net(name="SimpleCNN")
    loss, accuracy = training.evaluate(model, small.val, small)
    logits = training.predict(model, small.val, small, batch_size=64)  # 64 and 36 images
    assert accuracy == (logits.argmax(1) == small.val.labels).float().mean().item()
    assert loss == pytest.approx(F.cross_entropy(logits, small.val.labels).item())
    uneven = fit(model, small, replace(SHORT, epochs=1, batch_size=399, lr=1e-12), verbose=False)
    expected = training.evaluate(model, small.train, small)
    assert uneven.history.train_accuracy[0] == pytest.approx(expected[1])
    assert uneven.history.train_loss[0] == pytest.approx(expected[0], abs=1e-5)


class Recorder(nn.Module):
    """Notes the mode and the images of every pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 32 * 32, 10)
        self.passes: list[tuple[bool, Tensor]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.passes.append((self.training, images.detach().clone()))
        return self.layer(images.flatten(1))


def test_modes_are_set_and_only_training_images_are_augmented(small: data.Data) -> None:
    model = Recorder()
    recipe = Recipe(epochs=2, batch_size=400, augmentation="crop+flip")
    fit(model, small, recipe, verbose=False)
    modes = [mode for mode, _ in model.passes]
    assert modes[:4] == [True, False, True, False]
    assert modes[4:] == [False] * 6  # the test images in six views
    plain = small.normalise(small.train.images).flatten(1)
    assert torch.equal(model.passes[1][1], small.normalise(small.val.images))
    for at in (0, 2):
        distances = torch.cdist(model.passes[at][1].flatten(1), plain).min(1).values
        assert (distances > 1e-3).float().mean() > 0.9
    assert not torch.equal(model.passes[0][1], model.passes[2][1])


def test_batchnorm_moves_in_training_and_stands_still_in_evaluation(small: data.Data) -> None:
    model = small_net(name="NotSimpleCNN")
    norm = model.blocks[1]
    fit(model, small, replace(SHORT, epochs=2), test=False, verbose=False)
    assert norm.num_batches_tracked.item() == 2 * math.ceil(400 / 64)
    state = copy.deepcopy(model.state_dict())
    training.evaluate(model, small.val, small)
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())


def test_predict_keeps_the_mode_and_permutes_with_its_input(small: data.Data) -> None:
    model = small_net().train()
    logits = training.predict(model, small.val, small)
    order = torch.randperm(100)
    shuffled = data.Split(small.val.images[order], small.val.labels[order])
    torch.testing.assert_close(training.predict(model, shuffled, small), logits[order])
    assert model.training and not logits.requires_grad


def test_learning_needs_the_labels_of_the_images(small: data.Data) -> None:
    recipe = Recipe(epochs=8, batch_size=50, lr=3e-3)
    run = fit(small_net(name="NotSimpleCNN"), small, recipe, verbose=False)
    assert run.history.train_accuracy.iloc[-1] > 0.5
    assert run.test["accuracy"] > 0.3
    order = torch.randperm(400, generator=torch.Generator().manual_seed(0))
    others = replace(small, train=data.Split(small.train.images, small.train.labels[order]))
    misled = fit(small_net(name="NotSimpleCNN"), others, recipe, verbose=False)
    assert misled.test["accuracy"] < 0.2
    assert run.confusion == _confusion(run, small)
    predicted = torch.tensor([int(digit) for digit in run.record["predicted"]])
    assert (predicted == small.test.labels).float().mean() == pytest.approx(run.test["accuracy"])


def _confusion(run: training.Run, small: data.Data) -> list[list[int]]:
    counts = torch.zeros(10, 10, dtype=torch.int64)
    predictions = training.predict(run.model, small.test, small).argmax(1)
    for true, predicted in zip(small.test.labels, predictions, strict=True):
        counts[true, predicted] += 1
    return counts.tolist()


def test_a_seed_repeats_to_the_bit_and_leaves_the_global_random_state(small: data.Data) -> None:
    recipe = replace(SHORT, augmentation="crop+flip+rotation+cutout")
    before = torch.get_rng_state()
    first, again = (fit(small_net(), small, recipe, verbose=False) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert equal_weights(first.model, again.model)
    assert without_seconds(first) == without_seconds(again)
    other = fit(small_net(), small, replace(recipe, seed=1), verbose=False)
    assert not equal_weights(first.model, other.model)


RECIPES = [
    Recipe(4, 10, "adam", augmentation="crop+flip", schedule="onecycle"),
    Recipe(4, 10, "nesterov", 0.05, momentum=0.9, weight_decay=5e-4, schedule="cosine"),
    Recipe(4, 10, "rmsprop", momentum=0.5, label_smoothing=0.1),
    Recipe(4, 10, "muon", 0.01, momentum=0.9, weight_decay=0.1, schedule="onecycle"),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.optimizer)
def test_a_resumed_run_equals_an_uninterrupted_one(
    tiny: data.Data, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(small_net(), tiny, recipe, verbose=False)
    epochs = []
    run_epoch = training._State.run_epoch

    def interrupted(state: training._State) -> None:
        if len(epochs) == 2:
            raise KeyboardInterrupt
        epochs.append(run_epoch(state))

    monkeypatch.setattr(training._State, "run_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(small_net(), tiny, recipe, folder=tmp_path, verbose=False)
    monkeypatch.undo()
    resumed = fit(small_net(), tiny, recipe, folder=tmp_path, verbose=False)
    assert equal_weights(whole.model, resumed.model)
    assert without_seconds(whole) == without_seconds(resumed)
    assert whole.record["test"] == resumed.record["test"]
    assert whole.record["digest"] == resumed.record["digest"]


def test_a_checkpoint_that_does_not_read_is_set_aside(
    tiny: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"half a checkpoint")
    run = fit(small_net(), tiny, BRIEF, folder=tmp_path, verbose=False)
    assert "checkpoint.pt does not read" in capsys.readouterr().out
    assert (tmp_path / "checkpoint.pt.unreadable").exists()
    assert equal_weights(run.model, fit(small_net(), tiny, BRIEF, verbose=False).model)


def test_a_checkpoint_of_another_recipe_is_not_continued(
    tiny: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    fit(small_net(), tiny, BRIEF, folder=tmp_path, verbose=False)
    other = replace(BRIEF, lr=2e-3)
    run = fit(small_net(), tiny, other, folder=tmp_path, verbose=False)
    assert "another network, recipe or data" in capsys.readouterr().out
    assert equal_weights(run.model, fit(small_net(), tiny, other, verbose=False).model)


def test_a_loss_that_is_not_finite_stops_the_run_and_is_said(
    tiny: data.Data, capsys: pytest.CaptureFixture
) -> None:
    run = fit(small_net(), tiny, Recipe(epochs=9, batch_size=20, optimizer="sgd", lr=1e9))
    assert run.diverged == {"epoch": 1, "lr": 1e9}
    assert len(run.history) == 1 and math.isnan(run.test["accuracy"])
    assert "epoch 1 at learning rate 1e+09" in capsys.readouterr().out


def test_the_rate_of_every_epoch_is_its_schedule_s(tiny: data.Data) -> None:
    def rates(schedule: str) -> list[float]:
        recipe = Recipe(epochs=8, batch_size=20, lr=0.01, schedule=schedule)
        return fit(small_net(), tiny, recipe, test=False, verbose=False).history.lr.tolist()

    assert rates("constant") == [0.01] * 8
    cosine = [0.01 * (1 + math.cos(math.pi * epoch / 8)) / 2 for epoch in range(8)]
    assert rates("cosine") == pytest.approx(cosine)
    onecycle = rates("onecycle")
    assert onecycle[:3] == sorted(onecycle[:3]) and onecycle[3:] == sorted(onecycle[3:])[::-1]
    assert 0.009 < max(onecycle) <= 0.01 and onecycle[-1] < 0.001


def test_label_smoothing_changes_training_and_not_what_is_reported(tiny: data.Data) -> None:
    recipe = Recipe(epochs=1, batch_size=40, lr=1e-9)
    plain, smooth = (
        fit(small_net(name="SimpleCNN"), tiny, replace(recipe, label_smoothing=s), verbose=False)
        for s in (0.0, 0.2)
    )
    assert plain.history.train_loss[0] == pytest.approx(smooth.history.train_loss[0])
    assert not equal_weights(plain.model, smooth.model)


def test_bad_calls_are_named_before_training(small: data.Data) -> None:
    with pytest.raises(ValueError, match="batch_size is 500.*400 images"):
        fit(small_net(), small, Recipe(batch_size=500))
    with pytest.raises(ValueError, match="'tpu' is not here; there are: .*cpu"):
        fit(small_net(), small, SHORT, device="tpu")


def test_the_digest_follows_what_determines_the_numbers(small: data.Data) -> None:
    model, recipe = small_net(), Recipe()
    base = training.digest(model, small, recipe)
    assert base == training.digest(small_net(), small, Recipe())
    others = [
        training.digest(small_net(seed=1), small, recipe),
        training.digest(models.build("DropoutCNN", p=0.2), small, recipe),
        training.digest(model, small, replace(recipe, seed=1)),
        training.digest(model, small, replace(recipe, precision="bfloat16")),
        training.digest(model, small.with_normalisation("half"), recipe),
        training.digest(model, data.load("sample", train_size=300, val_size=100), recipe),
    ]
    assert len({base, *others}) == 7


def test_the_loop_of_notebook_01_gives_the_same_losses_batch_by_batch(
    small: data.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[float] = []
    cross_entropy = F.cross_entropy

    def noted(*arguments: object, **options: object) -> Tensor:
        loss = cross_entropy(*arguments, **options)
        if loss.requires_grad:
            losses.append(loss.item())
        return loss

    monkeypatch.setattr(F, "cross_entropy", noted)
    cells = nbformat.read(data.PROJECT / "notebooks" / "01_baseline.ipynb", as_version=4).cells
    loop = next(cell.source for cell in cells if "def train_epoch" in cell.source)
    names = {"data": data, "F": F}
    exec(loop, names)
    model, order = small_net(name="SimpleCNN"), torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(model.parameters(), SHORT.lr)
    for _ in range(SHORT.epochs):
        names["train_epoch"](model, adam, small, SHORT.batch_size, order)
    by_hand = losses.copy()
    losses.clear()
    fit(small_net(name="SimpleCNN"), small, SHORT, test=False, verbose=False)
    assert len(losses) == 2 * math.ceil(400 / 64)
    assert losses == pytest.approx(by_hand, abs=1e-6)


def _kill_at(moment: str) -> None:
    """Arrange that this process kills itself at a moment of its training."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    save, step, count = torch.save, training._State._step, itertools.count()

    def torn(state: dict, path: Path) -> None:
        save(state, path)
        if len(state.get("history", [])) == 3:
            os.truncate(path, path.stat().st_size // 2)
            die()

    def unlucky_step(*arguments: object) -> Tensor:
        return die() if next(count) == 17 else step(*arguments)

    def unlucky_rename(source: Path, target: Path) -> None:
        return die() if target.name == moment.split()[-1] else os.rename(source, target)

    if moment == "in the middle of an epoch":
        training._State._step = unlucky_step
    elif moment == "in the middle of writing checkpoint.pt":
        torch.save = torn
    else:
        os.replace = unlucky_rename


@pytest.mark.parametrize(
    "moment",
    [
        "in the middle of an epoch",
        "in the middle of writing checkpoint.pt",
        "before the renaming of checkpoint.pt",
        "before the renaming of weights.pt",
        "before the renaming of record.json",
    ],
)
def test_a_run_killed_at_any_moment_ends_as_one_never_interrupted(
    tiny: data.Data, tmp_path: Path, moment: str
) -> None:
    recipe = Recipe(5, 8, augmentation="crop+flip", schedule="onecycle", averaging=0.9)

    def run(folder: Path) -> training.Run:
        experiment = Experiment("test", out=folder)
        return experiment.run("victim", small_net(), tiny, recipe, verbose=False)

    def victim() -> None:
        _kill_at(moment)
        run(tmp_path)

    process = multiprocessing.get_context("fork").Process(target=victim)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    resumed, whole = run(tmp_path), run(tmp_path / "whole")
    assert equal_weights(resumed.model, whole.model)
    assert without_seconds(resumed) == without_seconds(whole)
    told = [records.read(tmp_path / at / "record.json") for at in ("victim", "whole/victim")]
    for record in told:
        del record["seconds"]
        record["history"] = [{**row, "seconds": 0} for row in record["history"]]
    assert told[0] == told[1]
    leftovers = {path.name for path in (tmp_path / "victim").glob("[!.]*")}
    assert leftovers == {"weights.pt", "record.json"}


def test_averaging_is_the_moving_average_of_the_weights(
    small: data.Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(SHORT, averaging=0.8)
    averages: dict[str, Tensor] = {}
    step = training._State._step

    def noting(state: training._State, *batch: Tensor) -> Tensor:
        logits = step(state, *batch)
        for name, value in state.model.state_dict().items():
            before = averages.get(name, value)
            averages[name] = 0.8 * before + 0.2 * value
        return logits

    monkeypatch.setattr(training._State, "_step", noting)
    run = fit(small_net(name="NotSimpleCNN"), small, recipe, test=False, verbose=False)
    for name, value in run.model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, averages[name], atol=1e-5, rtol=1e-4)
    monkeypatch.undo()
    loss, accuracy = training.evaluate(run.model, small.val, small)
    assert (run.history.val_loss.iloc[-1], run.history.val_accuracy.iloc[-1]) == (loss, accuracy)
    plain = fit(small_net(name="NotSimpleCNN"), small, SHORT, test=False, verbose=False)
    assert run.history.train_loss.tolist() == plain.history.train_loss.tolist()
    assert not equal_weights(run.model, plain.model)


def test_flip_averaging_is_that_of_the_probabilities_of_both_images(small: data.Data) -> None:
    run = fit(small_net(), small, SHORT, verbose=False)
    mirrored = data.Split(small.test.images.flip(3), small.test.labels)
    sides = [training.predict(run.model, split, small) for split in (small.test, mirrored)]
    flipped = training.predict(run.model, small.test, small, mirrored=True)
    torch.testing.assert_close(flipped, sides[1])
    assert not torch.allclose(sides[0], sides[1])
    together = sum(logits.softmax(1) for logits in sides) / 2
    assert run.test_flip == pytest.approx(metrics.scores(small.test.labels, together))
    assert run.test == pytest.approx(metrics.scores(small.test.labels, sides[0].softmax(1)))


@pytest.mark.parametrize(
    ("device", "has_bfloat16", "asked", "expected"),
    [("cpu", True, "auto", None), ("mps", True, "auto", None), ("cuda", False, "float32", None),
     ("cuda", True, "auto", torch.bfloat16), ("cuda", False, "auto", torch.float16),
     ("cpu", False, "bfloat16", torch.bfloat16)],
)  # fmt: skip
def test_precision_is_short_on_cuda_or_where_asked_for(
    device: str, has_bfloat16: bool, asked: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_supported(including_emulation: bool = True) -> bool:
        return including_emulation or has_bfloat16  # PyTorch emulates it on every card

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    assert machine.mixed_precision(torch.device(device), asked) is expected


def test_the_loop_in_short_precision_stays_near_that_in_float32(small: data.Data) -> None:
    exact = fit(small_net(name="NotSimpleCNN"), small, SHORT, test=False, verbose=False)
    recipe = replace(SHORT, precision="bfloat16")
    short = fit(small_net(name="NotSimpleCNN"), small, recipe, test=False, verbose=False)
    losses = exact.history.train_loss.tolist(), short.history.train_loss.tolist()
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert all(p.dtype == torch.float32 for p in short.model.parameters())
