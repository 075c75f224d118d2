"""How fast `fit` is on a GPU, and why: the parts of `gpu.py` that time steps."""

from __future__ import annotations

import multiprocessing
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import gpu_steps
import torch
from gpu_runs import Setting, recipe_of
from PIL import Image
from throughput import RECIPE, TRANSFORM, operations, plain_loop
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import Dataset

from cifar_utils import data, machine, models, training
from cifar_utils.recipe import Recipe

Found = Iterator[dict[str, Any]]  # a part gives all that it knows, each time it knows more
NETWORKS = ("SimpleCNN", "FinalCNN", "PlainCNN")
EVERYTHING = "crop+flip+rotation+cutout"


def waits(setting: Setting, network: str, recipe: Recipe, steps: int) -> Counter[str]:
    """Where the host waits for the GPU in an epoch of so many steps: places and how often."""
    images = setting.load(val_size=10)
    part = data.Split(*(x[: steps * recipe.batch_size] for x in vars(images.train).values()))
    few = replace(images, train=part)
    model, on_gpu = models.build(network), setting.device.startswith("cuda")
    state = training._State(model, few, recipe, torch.device(setting.device))
    if on_gpu:
        torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        state._train()
    if on_gpu:
        torch.cuda.set_sync_debug_mode("default")
    told = [each for each in seen if "synchroniz" in str(each.message)]
    return Counter(f"{Path(each.filename).name}:{each.lineno}" for each in told)


def sync(setting: Setting) -> Found:
    """An epoch of twice the steps must not wait more often."""
    base = setting.fitted(Recipe(2, 128, augmentation=EVERYTHING, averaging=0.99))
    rows = []
    for optimizer, momentum in (("muon", 0.9), ("nesterov", 0.9), ("adamw", 0.0), ("rmsprop", 0.0)):
        recipe = replace(base, optimizer=optimizer, momentum=momentum, epochs=2)
        waits(setting, "PlainCNN", recipe, 2)  # what is made once is made here
        once, twice = (waits(setting, "PlainCNN", recipe, steps) for steps in (2, 4))
        rows.append({"optimizer": optimizer, "places": twice,
                     "waits_a_step": (twice.total() - once.total()) / 2})  # fmt: skip
        checked = setting.device.startswith("cuda")
        yield {"n": len(rows), "checked": checked, "rows": list(rows)}


def steps(setting: Setting) -> Found:
    """A step in each of gpu_steps' ways: FinalCNN's, then PlainCNN's."""
    rows: list[dict[str, Any]] = []
    on_gpu = setting.device.startswith("cuda")
    ways = [way for way in gpu_steps.WAYS if on_gpu or way in ("eager", "light Muon")]
    for way in ways:
        for network in NETWORKS[1:]:
            if setting.over:
                return
            recipe = setting.fitted(recipe_of(network))
            try:
                row = gpu_steps.measure(way, network, recipe, setting.load(), setting.device)
            except Exception as error:  # a way that fails is a finding; the others go on
                row = {"way": way, "network": network} | gpu_steps.failure(error)
            torch.backends.cudnn.benchmark = False
            rows.append(row)
            yield {"n": len(rows), "rows": list(rows)}


class Pictures(Dataset):
    """Images as torchvision's CIFAR10 gives them, from memory: a PIL image, transformed."""

    def __init__(self, split: data.Split) -> None:
        self.images = split.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = split.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return TRANSFORM(Image.fromarray(self.images[place])), self.labels[place]


def matrix_product(device: torch.device, side: int) -> float:
    """TFLOP/s of a bfloat16 product of two random square matrices."""
    a, b = (torch.randn(side, side, dtype=torch.bfloat16, device=device) for _ in range(2))
    seconds = []
    for _ in range(13):
        gpu_steps.wait(device)
        start = time.perf_counter()
        a @ b
        gpu_steps.wait(device)
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / statistics.median(seconds[3:]) / 1e12


def fit_rate(network: str, setting: Setting, epochs: int = 4) -> float:
    """Images per second of `fit`: the median of its epochs but the first."""
    images, recipe = setting.load(val_size=10), setting.fitted(RECIPE)
    made = training.fit(
        models.build(network), images, replace(recipe, epochs=epochs),
        test=False, verbose=False, device=setting.device,
    )  # fmt: skip
    return len(images.train) / statistics.median(made.history.seconds[1:])


def throughput(setting: Setting) -> Found:
    """Images per second by a textbook loop and by `fit`, and what part of the card that is."""
    device, rows = torch.device(setting.device), []
    peak = matrix_product(device, 8192 if device.type == "cuda" else 512)
    split = setting.load(val_size=10).train
    pictures = Pictures(data.Split(split.images[:10_000], split.labels[:10_000]))
    workers = (0, 2, machine.usable_cores()) if device.type == "cuda" else (0,)
    for network in NETWORKS:
        textbook: dict[str, float] = {}
        for count in workers:
            if setting.over:
                return
            textbook[f"{count} workers"] = plain_loop(pictures, count, network, setting.device)
        rate = fit_rate(network, setting)
        work = operations(models.build(network)) / 1e12
        rows.append({"network": network, "textbook": textbook, "fit": rate,
                     "ratio": rate / max(textbook.values()), "tflop_per_image": work,
                     "roofline_share": rate * work / peak})  # fmt: skip
        yield {"n": len(rows), "matrix_product_tflops": peak, "rows": list(rows)}


START: Barrier


def _together(barrier: Barrier) -> None:
    global START
    START = barrier


def _rate(setting: Setting, _: int) -> float:
    """Images per second of one of several processes, which begin when all are warm."""
    torch.set_num_threads(1)
    fit_rate("FinalCNN", setting.warm_up, 2)
    setting.load(val_size=10)
    START.wait(timeout=180)  # one that failed must not keep the others waiting
    return fit_rate("FinalCNN", setting)


def jobs(setting: Setting) -> Found:
    """Images per second, all together, of so many runs side by side on the card."""
    rows = []
    context = multiprocessing.get_context("spawn")
    for count in (1, 4, 8) if setting.device.startswith("cuda") else (2,):
        if setting.over:
            return
        with context.Pool(count, _together, (context.Barrier(count),)) as pool:
            rates = pool.map(partial(_rate, setting), range(count), chunksize=1)
        rows.append({"jobs": count, "each": rates, "together": sum(rates)})
        yield {"n": len(rows), "rows": list(rows)}


def profiled(network: str, setting: Setting, count: int = 20) -> dict[str, Any]:
    """Twenty steps of `fit` under PyTorch's profiler: the operations that take longest."""
    recipe, images = setting.fitted(recipe_of(network)), setting.load(val_size=10)
    size = count * recipe.batch_size
    part = data.Split(images.train.images[:size], images.train.labels[:size])
    device = torch.device(setting.device)
    few = replace(images, train=part)
    state = training._State(models.build(network), few, replace(recipe, epochs=2), device)
    state._train()
    activities = [ProfilerActivity.CPU, ProfilerActivity.CUDA][: 1 + (device.type == "cuda")]
    start = time.perf_counter()
    with profile(activities=activities) as profiler:
        state._train()
        gpu_steps.wait(device)
    seconds = time.perf_counter() - start
    done = len(part.images) / recipe.batch_size
    rows = profiler.key_averages()
    kernels = [row for row in rows if row.device_type != torch.autograd.DeviceType.CPU]
    kernels = [row for row in kernels if not getattr(row, "is_user_annotation", False)]
    busy = sum(row.self_device_time_total for row in kernels)

    def top(events: list[Any], time_of: str) -> list[dict[str, Any]]:
        events = sorted(events, key=lambda row: -getattr(row, time_of))[:15]
        return [{"name": row.key[:90], "microseconds_a_step": getattr(row, time_of) / done,
                 "calls_a_step": row.count / done} for row in events]  # fmt: skip

    launched = sum(row.count for row in rows if row.key in gpu_steps.LAUNCHES)
    return {"network": network, "milliseconds_a_step": 1000 * seconds / done,
            "launches_a_step": launched / done, "gpu_busy": busy / 1e6 / seconds,
            "host": top(list(rows), "self_cpu_time_total"),
            "gpu": top(kernels, "self_device_time_total")}  # fmt: skip


def profile_steps(setting: Setting) -> Found:
    """FinalCNN's and PlainCNN's steps, the profiler's own cost included."""
    rows = []
    for network in NETWORKS[1:]:
        if setting.over:
            return
        rows.append(profiled(network, setting))
        yield {"n": len(rows), "rows": list(rows)}
