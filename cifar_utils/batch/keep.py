"""Bring the evidence among a study's records into results/."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from cifar_utils.files import write_whole
from cifar_utils.records import file_name, is_evidence, read, write


def publish(folder: Path, target: Path) -> list[Path]:
    """Copy the evidence among the records of a study's folder, one file a run.

    Beside the record of the FinalCNN that is best on the validation images lie its weights.
    """
    sources = {}
    for path in sorted(Path(folder).rglob("record.json")):
        record = read(path)
        if is_evidence(record["profile"]):
            write(record, target / file_name(record))
            sources[target / file_name(record)] = path
    return [*sources, *_keep_best_weights(sources, target)]


def _keep_best_weights(sources: Mapping[Path, Path], target: Path) -> list[Path]:
    """Copy the weights of the best FinalCNN among the new records and the one kept so far."""
    accuracies = {}
    kept_so_far = {old.with_suffix(".json") for old in target.glob("*/*.pt")}
    for kept in {*sources, *filter(Path.exists, kept_so_far)}:
        record = read(kept)
        if (record["variant"], record["profile"]) == ("FinalCNN", "full"):
            accuracies[kept] = record["history"][-1]["val_accuracy"]
    best = max(accuracies, key=accuracies.__getitem__, default=None)
    if best is None or best not in sources:
        return []
    weights = best.with_suffix(".pt")
    write_whole(weights, lambda to: shutil.copy(sources[best].with_name("weights.pt"), to))
    for old in set(target.glob("*/*.pt")) - {weights}:
        old.unlink()
    return [weights]
