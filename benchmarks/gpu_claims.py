"""What `fit` reaches on a GPU: the parts of `gpu.py` that train to the end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import time_to_accuracy
import torch
from gpu_runs import OutOfTime, Setting, recipe_of, recorded, stopping
from gpu_speed import fit_rate
from recipe_search import CANDIDATES, Candidate, build, read_candidates
from scipy import stats
from time_to_94 import CHOSEN as ROAD

from cifar_utils import models, records, training
from cifar_utils.recipe import Recipe

Found = Iterator[dict[str, Any]]  # a part gives all that it knows, each time it knows more
WIDE = {"widths": (128, 384, 384)}  # airbench95's


@dataclass(frozen=True)
class Claim:
    """An accuracy on the test set, in one view or six, and what is to reach it."""

    candidate: Candidate
    accuracy: float
    views: str
    val_size: int
    seeds: int


def claims() -> list[Claim]:
    """What `times` measures: the study's two networks, and FastCNN, narrow and wide."""
    road = read_candidates(CANDIDATES, "time_to_94")[ROAD]
    wide = replace(road, name="wide", options=road.options | WIDE,
                   recipe=replace(road.recipe, epochs=10))  # fmt: skip
    try:
        wide = next(iter(read_candidates(CANDIDATES, "time_to_95").values()))
    except click.UsageError:  # not searched yet: a guess, called "wide"
        pass
    final_cnn = Candidate("07_final", "FinalCNN", "six epochs", time_to_accuracy.RECIPE, {})
    plain_cnn = Candidate("07_final", "PlainCNN", "its record's", recipe_of("PlainCNN"), {})
    return [
        Claim(final_cnn, time_to_accuracy.CLAIM, "test", 0, 3),
        Claim(road, 0.94, "test_six", 10, 3),
        Claim(wide, 0.95, "test_six", 10, 2),
        Claim(plain_cnn, 0.915, "test", 0, 1),
    ]


def times(setting: Setting) -> Found:
    """Seconds of training to each claim, seed by seed; a first short run warms the card up."""
    rows, stopped = [], []
    for claim in claims():
        if setting.over:
            stopped.append(f"{claim.candidate.network} to {claim.accuracy:.2%}")
            continue
        fit_rate(claim.candidate.network, setting.warm_up, 2)
        images = setting.load(claim.val_size)
        for seed in range(min(claim.seeds, setting.seeds)):
            recipe = replace(setting.fitted(claim.candidate.recipe), seed=seed)
            model = build(replace(claim.candidate, recipe=recipe), images)
            start = time.perf_counter()
            try:
                with stopping(setting.until):
                    made = training.fit(model, images, recipe, verbose=False, device=setting.device)
            except OutOfTime:
                stopped.append(f"{claim.candidate.network} to {claim.accuracy:.2%}, seed {seed}")
                continue
            reached = {name: made.record[name]["accuracy"] or 0.0 for name in training.TESTS}
            rows.append({"network": claim.candidate.network, "candidate": claim.candidate.name,
                         "claim": claim.accuracy, "views": claim.views, "seed": seed,
                         "epochs": recipe.epochs, "seconds": made.record["seconds"],
                         "with_test_seconds": time.perf_counter() - start, **reached,
                         "reached": reached[claim.views] >= claim.accuracy})  # fmt: skip
            yield {"n": len(rows), "stopped": list(stopped), "rows": list(rows)}
    yield {"n": len(rows), "stopped": stopped, "rows": rows}


def agreement(setting: Setting) -> Found:
    """FinalCNN's seeds on this device beside the spread of its records, made on processors."""
    paths = sorted((records.EVIDENCE / "07_final").glob("FinalCNN.seed*.json"))
    there = [records.read(path)["test"]["accuracy"] for path in paths]
    mean, spread = statistics.mean(there), statistics.stdev(there)
    reach = stats.t.ppf(0.975, len(there) - 1) * spread * (1 + 1 / len(there)) ** 0.5
    rows, images = [], setting.load()
    for seed in range(min(setting.seeds, 2)):
        recipe = setting.fitted(recipe_of("FinalCNN", seed))
        try:
            with stopping(setting.until):
                made = training.fit(
                    models.build("FinalCNN", seed), images, recipe,
                    verbose=False, device=setting.device,
                )  # fmt: skip
        except OutOfTime:
            return
        rows.append({"seed": seed, "test": made.test["accuracy"], "seconds": made.record["seconds"],
                     "on_processor": recorded("FinalCNN", seed)["test"]["accuracy"],
                     "same_recipe_and_data": same(made.record, recorded("FinalCNN", seed)),
                     "within": bool(abs(made.test["accuracy"] - mean) <= reach)})  # fmt: skip
        yield {"n": len(rows), "processor": {"n": len(there), "mean": mean, "std": spread,
               "next_seed_95": [mean - reach, mean + reach]}, "rows": list(rows)}  # fmt: skip


def same(record: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two runs had the same recipe and images.

    Their digests may differ: mean and std of the images do, in the last bit, between processors.
    """
    recipes = [Recipe(**each["recipe"]) for each in (record, other)]
    return recipes[0] == recipes[1] and record["data"]["digest"] == other["data"]["digest"]


def fit_few(
    setting: Setting, folder: Path | None, threads: int, exact: bool, kill_at: int = 0
) -> torch.Tensor:
    """All weights of FinalCNN after three epochs of 5,000 images; killed at that step, if any.

    `exact` asks PyTorch for kernels that add in a fixed order, where it has them.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = exact
    torch.use_deterministic_algorithms(exact, warn_only=True)
    few = replace(setting, images=setting.images or 5000)
    recipe = replace(few.fitted(recipe_of("FinalCNN")), epochs=3)
    step, done = training._State._step, [0]

    def counted(state: training._State, *batch: torch.Tensor) -> torch.Tensor:
        done[0] += 1
        if done[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(state, *batch)

    training._State._step = counted
    try:
        made = training.fit(
            models.build("FinalCNN"), few.load(), recipe,
            folder=folder, test=False, verbose=False, device=setting.device,
        )  # fmt: skip
    finally:
        training._State._step = step
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False
    return torch.cat(
        [x.detach().double().cpu().flatten() for x in made.model.state_dict().values()]
    )


def resume(setting: Setting) -> Found:
    """A run killed in its second epoch and gone on with, beside one that was not, and a repeat."""
    rows: list[dict[str, Any]] = []
    few = replace(setting, images=setting.images or 5000)
    batch = few.fitted(recipe_of("FinalCNN")).batch_size
    kill_at = 1 + int(1.5 * -(-few.images // batch))
    threads = torch.get_num_threads()
    for exact in (False, True) if setting.device.startswith("cuda") else (False,):
        if setting.over:
            return
        folder = setting.checkpoints / f"resume-{os.getpid()}-{exact}"
        victim = multiprocessing.get_context("spawn").Process(
            target=fit_few, args=(setting, folder, threads, exact, kill_at)
        )
        victim.start()
        victim.join()
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            going_on = (folder / "checkpoint.pt").exists()
            resumed = fit_few(setting, folder, threads, exact)
            whole, again = (fit_few(setting, None, threads, exact) for _ in range(2))
        (folder / "checkpoint.pt").unlink()
        off, repeat_off = ((x - whole).abs().max().item() for x in (resumed, again))
        unsure = {str(each.message)[:120] for each in seen if "determinis" in str(each.message)}
        rows.append({"deterministic": exact, "killed": victim.exitcode == -signal.SIGKILL,
                     "went_on": going_on, "same_weights": off == 0, "largest_difference": off,
                     "of_a_repeat": repeat_off, "why": why(off, repeat_off),
                     "without_a_fixed_order": sorted(unsure)})  # fmt: skip
        yield {"n": len(rows), "rows": list(rows)}


def why(difference: float, of_a_repeat: float) -> str:
    """What the two differences say."""
    if difference == 0:
        return "the same weights to the bit"
    if of_a_repeat > 0:
        return "a run that nobody stopped differs too when repeated: sums in no fixed order"
    return "differs, though a repeated run does not: resuming is at fault"
