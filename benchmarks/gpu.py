"""What a GPU brings, in parts that are called one by one; each leaves OUT/PART.json.

A machine with a card, PyTorch and the usual libraries needs no installation, only the project and
CIFAR-10. In the project's folder:

    export CIFAR_ROOT=FOLDER PYTHONPATH=. PYTHONUNBUFFERED=1
    python3 benchmarks/gpu.py sync steps --out gpu --minutes 2
    python3 benchmarks/gpu.py throughput times agreement resume profile jobs --out gpu --minutes 6
    python3 benchmarks/gpu.py search --search NAME --jobs 8 --out gpu --minutes 9
    python3 benchmarks/gpu.py final --search NAME --candidate CHOSEN --variant PlainCNN \\
        --seeds 5 --jobs 5 --out gpu --minutes 9
    python3 benchmarks/gpu.py keep --out gpu

The last one, on whatever machine, puts the records of `search` and `final` into results/. A part
writes its file anew after each result, so a call that is cut off loses the result it was at; runs
of `search` and `final` go on from their last epoch as long as runs/gpu is there.
`--device cpu --dataset sample --images 60 --epochs 1` tries a part on a processor.

sync: whether a step of `fit` makes the host wait. steps: what CUDA graphs and torch.compile would
gain. throughput: a textbook loop, `fit` and the card's matrix product. jobs: runs side by side on
one card. profile: where a step's time goes. times: seconds to an accuracy. agreement: FinalCNN
beside the records made on processors. resume: a killed run that goes on. search, final: the
candidates of recipes.yaml, and the seeds of the one that was chosen.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from gpu_claims import agreement, resume, times
from gpu_runs import Setting, final, keep, search
from gpu_speed import jobs, profile_steps, steps, sync, throughput

from cifar_utils import machine, records
from cifar_utils.files import write_whole

PARTS: dict[str, Callable[[Setting], Iterator[dict[str, Any]]]] = {
    "sync": sync, "steps": steps, "throughput": throughput, "jobs": jobs,
    "profile": profile_steps, "times": times, "agreement": agreement, "resume": resume,
    "search": search, "final": final,
}  # fmt: skip


def carry_out(part: str, setting: Setting) -> dict[str, Any]:
    """Run a part; its file is written after each result and once more at the end."""
    device = torch.device(setting.device)
    told: dict[str, Any] = {
        "part": part,
        "environment": machine.environment(device) | {"cores": machine.usable_cores()},
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
        "numpy": np.__version__,
        "data": setting.dataset,
        "images": setting.images,
        "epochs": setting.epochs,
        "n": 0,
    }
    start = time.perf_counter()
    for found in PARTS[part](setting):
        told |= found | {"complete": False, "seconds": time.perf_counter() - start}
        write(told, setting.out / f"{part}.json")
        click.echo(f"{part}: {told['n']} after {told['seconds']:.1f} s")
    left = told.get("left", 0) + len(told.get("stopped", []))
    told |= {"complete": not (left or setting.over), "seconds": time.perf_counter() - start}
    write(told, setting.out / f"{part}.json")
    return told


def write(told: dict[str, Any], path: Path) -> None:
    """A JSON file, whole or as it was."""
    text = json.dumps(told, indent=1) + "\n"
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def keep_all(out: Path, results: Path = records.EVIDENCE) -> list[str]:
    """Records of search.json and final.json, and weights of final.pt, into results/."""
    told: list[str] = []
    for part in ("search", "final"):
        path = out / f"{part}.json"
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))["records"]
            stored = out / "final.pt"
            weights = torch.load(stored, weights_only=True) if stored.exists() else {}
            told += keep(found, weights, results)
    return told


@click.command()
@click.argument("parts", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the files.")
@click.option("--device", default=None, help="cuda, cpu or mps; the fastest by default.")
@click.option("--dataset", default="cifar10", show_default=True)
@click.option("--images", default=0, help="Train on so many images; 0: all.")
@click.option("--epochs", default=0, help="Train for so many epochs; 0: the recipe's.")
@click.option("--seeds", default=3, show_default=True, help="Seeds of a candidate, at most.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--jobs", "side", default=1, show_default=True, help="Runs side by side.")
@click.option("--minutes", default=60.0, show_default=True, help="For all parts of this call.")
@click.option("--search", "searched", default="07_final", help="A search of recipes.yaml.")
@click.option("--candidate", "candidates", multiple=True, help="By default all of the search.")
@click.option("--variant", default="PlainCNN", help="What records of `final` are called.")
def main(
    parts: tuple[str, ...], out: Path, device: str | None, dataset: str, images: int, epochs: int,
    seeds: int, first: int, side: int, minutes: float, searched: str, candidates: tuple[str, ...],
    variant: str,
) -> None:  # fmt: skip
    """Run PARTS, in this order, and write what they found into OUT."""
    unknown = [part for part in parts if part not in (*PARTS, "keep")]
    if unknown:
        known = ", ".join([*PARTS, "keep"])
        raise click.UsageError(f"unknown part {', '.join(unknown)}; there are: {known}")
    until = time.time() + 60 * minutes
    setting = Setting(
        out, str(machine.choose_device(device)), dataset, images, epochs, seeds, first, side, until,
        searched, candidates, variant,
    )  # fmt: skip
    failed = []
    for part in parts:
        if part == "keep":
            click.echo("\n".join(keep_all(out)))
        elif setting.over:
            click.echo(f"{part}: not begun, the {minutes:g} minutes are over")
        else:
            try:
                carry_out(part, setting)
            except click.UsageError:
                raise
            except Exception:  # a lent machine's minutes are few: the other parts go on
                traceback.print_exc()
                failed.append(part)
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
