"""Training speed of FinalCNN, measured side by side in one run: `python benchmarks/throughput.py`.

Every round measures each contestant once, in turn, so that whatever else the machine does meets
all of them; what is compared are medians over the rounds.
"""

from __future__ import annotations

import copy
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import click
import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.ticker import LogLocator
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.datasets import CIFAR10
from torchvision.transforms import v2
from tqdm import tqdm

from cifar_utils import data, machine, models, records, training

BATCH = 100
RECIPE = training.Recipe(1, BATCH, "adam", 1e-3, augmentation="crop+flip")
TRANSFORM = v2.Compose(
    [
        v2.RandomCrop(32, padding=4, padding_mode="reflect"),
        v2.RandomHorizontalFlip(),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    ]
)
WARM_UP = 10  # batches before the plain loop's clock starts: its workers are up by then
SIZES, WIDTHS = (5_000, 10_000, 20_000, 45_000), (1, 2, 4)
MATRIX = 2048


def pictures(images: int) -> Dataset:
    """The first training images as every tutorial reads them."""
    return Subset(CIFAR10(data.locate("cifar10"), transform=TRANSFORM), range(images))


def plain_loop(
    dataset: Dataset, workers: int, network: str = "FinalCNN", device: str = "cpu"
) -> float:
    """Images per second of the loop that every tutorial writes."""
    loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=workers)
    model = models.build(network).to(memory_format=torch.contiguous_format).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    warm_up = min(WARM_UP, len(loader) // 2)
    running_loss, start, timed = 0.0, 0.0, 0
    for step, (inputs, labels) in enumerate(loader):
        if step == warm_up:
            start = time.perf_counter()
        timed += len(labels) * (step >= warm_up)
        inputs, labels = inputs.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    return timed / (time.perf_counter() - start)


def one_fit(images: data.Data, width: int = 1, precision: str = "auto") -> float:
    """Seconds of one epoch by this project's `fit`, in this process."""
    model, recipe = models.build("FinalCNN", width=width), replace(RECIPE, precision=precision)
    run = training.fit(model, images, recipe, test=False, verbose=False)
    return run.record["seconds"]


def whole_study(images: int, epochs: int) -> float:
    """Images per second, all runs together, of notebook 07 in two seeds by `run --jobs 2`."""
    from cifar_utils.batch import study  # gpu.py imports this file where papermill is not

    overrides = {
        "dataset": "cifar10",
        "train_size": images,
        "val_size": 1000,
        "epochs": epochs,
        "batch_size": BATCH,
    }
    overrides |= {"optimizer": "adam", "lr": 1e-3, "momentum": 0, "padding": 4}
    with tempfile.TemporaryDirectory() as out:
        texts = {name: str(value) for name, value in overrides.items()}
        jobs = study.plan(study.find_notebooks(["07"]), "quick", texts, 2, Path(out))
        errors = [outcome.error for outcome in study.run(jobs, 2) if outcome.error]
        if errors:
            raise RuntimeError(errors[0])
        seconds = pd.concat([records.load(job.folder) for job in jobs]).seconds
    return (images * epochs / seconds).sum()


def matrix_product(threads: int) -> float:
    """GFLOP/s of a large float32 matrix product."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, b = torch.rand(2, MATRIX, MATRIX)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(before)
    return 2 * MATRIX**3 / statistics.median(seconds) / 1e9


def operations(model: nn.Module) -> float:
    """Floating-point operations of a training step for one image, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        logits = copy.deepcopy(model)(torch.zeros(BATCH, 3, 32, 32))
        F.cross_entropy(logits, torch.zeros(BATCH).long()).backward()
    return counter.get_total_flops() / BATCH


def stage_shares(images: data.Data) -> dict[str, float]:
    """Which part of an epoch's steps is spent where; "batch" is what no other stage takes."""
    spent: Counter[str] = Counter()

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        spent[name] += time.perf_counter() - start

    with mock.patch.object(training, "stage", timed):
        total = one_fit(images)
    shares = {name: seconds / total for name, seconds in spent.items()}
    return {"batch": 1 - sum(shares.values())} | shares


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_memory() -> float:
    """GB that one process holds at most while it trains on all images for an epoch."""
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import throughput; "
    program += "throughput.one_fit(throughput.data.load('cifar10'))"
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9


def measure(images: int, rounds: int) -> dict[str, Any]:
    """All contestants, `rounds` times in turn; medians, and each round's values."""
    part = data.load("cifar10", train_size=images, val_size=10)
    contestants: dict[str, Callable[[], float]] = {
        "plain loop, 0 workers": lambda: plain_loop(pictures(images), 0),
        "plain loop, 2 workers": lambda: plain_loop(pictures(images), 2),
        "fit, one process": lambda: images / one_fit(part),
        "fit, one process, bfloat16": lambda: images / one_fit(part, precision="bfloat16"),
        "study, 2 jobs": lambda: whole_study(images, epochs=2),
        "GFLOP/s, 1 thread": lambda: matrix_product(1),
        "GFLOP/s, all threads": lambda: matrix_product(torch.get_num_threads()),
    }
    one_fit(part)  # the first call pays for loading code
    measured: dict[str, list[float]] = {name: [] for name in contestants}
    shares = []
    for _ in tqdm(range(rounds), "rounds", disable=None):
        for name, contestant in contestants.items():
            measured[name].append(contestant())
        shares.append(stage_shares(part))
    return {"rounds": measured, "stages": pd.DataFrame(shares).median().to_dict()}


def growth(sizes: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Seconds of an epoch against training images, and per 1,000 images against width."""
    largest = data.load("cifar10", train_size=max(sizes), val_size=10)
    by_size = {}
    for size in sizes:
        part = data.load("cifar10", train_size=size, val_size=10) if size < max(sizes) else largest
        by_size[f"{size}"] = statistics.median(one_fit(part) for _ in range(3))
    few = data.load("cifar10", train_size=2000, val_size=10)
    by_width = {f"{w}": statistics.median(one_fit(few, w) for _ in range(3)) / 2 for w in WIDTHS}
    return {"seconds_by_size": by_size, "seconds_per_1000_by_width": by_width}


def report(images: int, rounds: int, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Everything measured, as JSON's types."""
    found = measure(images, rounds)
    median = {name: statistics.median(values) for name, values in found["rounds"].items()}
    plain = max(rate for name, rate in median.items() if name.startswith("plain"))
    work = operations(models.build("FinalCNN")) / 1e9
    whole = data.load("cifar10")
    model = models.build("FinalCNN")
    load = partial(data.load, "cifar10")
    test = partial(training.evaluate, model, whole.test, whole)
    return {
        "fit_ratio": median["fit, one process"] / plain,
        "study_ratio": median["study, 2 jobs"] / plain,
        "roofline_fraction": median["fit, one process"] * work / median["GFLOP/s, all threads"],
        "study_roofline_fraction": median["study, 2 jobs"] * work / median["GFLOP/s, all threads"],
        "images_per_second": {n: r for n, r in median.items() if "GFLOP" not in n},
        "gflops_matrix_product": {n: r for n, r in median.items() if "GFLOP" in n},
        "gflop_per_image": work,
        **found,
        "load_seconds": statistics.median(seconds_of(load) for _ in range(3)),
        "evaluate_10000_seconds": statistics.median(seconds_of(test) for _ in range(5))
        * (10_000 / len(whole.test)),
        "peak_memory_gb": peak_memory(),
        **growth(sizes),
        "data": whole.name,
        "environment": machine.environment(torch.device("cpu")),
    }


def table(found: dict[str, Any]) -> str:
    """The report for people."""
    plain = max(r for n, r in found["images_per_second"].items() if n.startswith("plain"))
    lines = [f"{name:26} {rate:8,.0f} images/s  {rate / plain:5.2f} × plain"
             for name, rate in found["images_per_second"].items()]  # fmt: skip
    lines += [f"matrix product, {n[9:]:11} {r:6.0f} GFLOP/s"
              for n, r in found["gflops_matrix_product"].items()]  # fmt: skip
    lines += [
        f"a training step is {1000 * found['gflop_per_image']:.2f} MFLOP an image; of the matrix "
        f"product's rate fit reaches {found['roofline_fraction']:.0%}, the study "
        f"{found['study_roofline_fraction']:.0%}",
        "of a step: " + ", ".join(f"{n} {s:.1%}" for n, s in found["stages"].items()),
        f"loading {found['load_seconds']:.2f} s, evaluation of 10,000 images "
        f"{found['evaluate_10000_seconds']:.2f} s, peak memory {found['peak_memory_gb']:.2f} GB",
        f"{found['data']}; {found['environment']}",
    ]
    return "\n".join(lines)


def draw_growth(found: dict[str, Any], path: Path) -> None:
    """Seconds against training images and against width, both axes logarithmic."""
    from cifar_utils import plots

    plots.use_style()
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    panels = (
        ("seconds_by_size", "training images (log)", "seconds an epoch (log)"),
        (
            "seconds_per_1000_by_width",
            "width, × FinalCNN's (log)",
            "seconds per 1,000 images (log)",
        ),
    )
    for ax, (key, x, y) in zip(axes, panels, strict=True):
        points = {int(size): seconds for size, seconds in found[key].items()}
        ax.loglog(list(points), list(points.values()), marker="o")
        ax.set(xlabel=x, ylabel=y, xticks=list(points), xticklabels=[f"{p:,}" for p in points])
        ax.minorticks_off()
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.grid(False)
        for size, seconds in points.items():
            ax.annotate(
                f"{seconds:.2g} s", (size, seconds), (-7, 5), textcoords="offset points", ha="right"
            )
        ax.margins(0.2, 0.15)
    threads = found["environment"]["threads"]
    figure.suptitle(
        f"What an epoch of FinalCNN costs ({data.TITLES[found['data']]}, {threads} threads)"
    )
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


@click.command()
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here."
)
@click.option("--plot", "plot_path", type=click.Path(path_type=Path), help="Draw cost growth here.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--images", default=10_000, show_default=True, help="Training images in a round.")
def main(json_path: Path | None, plot_path: Path | None, rounds: int, images: int) -> None:
    """Compare a tutorial's loop, `fit` and the study on FinalCNN with crop and flip."""
    most = SIZES[-1]
    found = report(images, rounds, tuple(size for size in SIZES if size <= most))
    click.echo(table(found))
    if json_path:
        json_path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if plot_path:
        draw_growth(found, plot_path)


if __name__ == "__main__":
    main()
