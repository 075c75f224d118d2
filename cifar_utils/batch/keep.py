"""Bring the evidence among a study's records into results/."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cifar_utils.batch import study
from cifar_utils.data import training_images
from cifar_utils.files import write_whole
from cifar_utils.records import file_name, is_evidence, read, read_all, split_profile, write

WHOLE: dict[str, Any] = {"name": "cifar10", "val": 5_000, "test": 10_000}


def publish(folder: Path, target: Path) -> list[Path]:
    """Copy the evidence among the records of a study's folder, one file a run.

    Beside the record of the FinalCNN that is best on the validation images lie its weights.

    Raises:
        ValueError: a record that calls itself evidence and is none, before anything is copied.
    """
    found = {
        path: record
        for path, record in read_all(folder).items()
        if path.name == "record.json" and is_evidence(record["profile"])
    }
    for path, record in found.items():
        if wrong := complaint(record, target):
            raise ValueError(f"nothing is kept: {path} says profile {record['profile']}; {wrong}")
    sources = {}
    for path, record in found.items():
        write(record, target / file_name(record))
        sources[target / file_name(record)] = path
    return [*sources, *_keep_best_weights(sources, target)]


def complaint(record: Mapping[str, Any], target: Path) -> str:
    """Why a record that calls itself evidence is none; "" where it is."""
    return _not_the_profile_s(record) or _unlike_the_kept(record, target)


def _not_the_profile_s(record: Mapping[str, Any]) -> str:
    """What was not made on the whole of CIFAR-10 at the profile's own settings; "": all was."""
    name, given = split_profile(record["profile"])
    notebook = study.find_notebooks([record["notebook"]])[0]
    values = study.all_parameters(notebook, name, study.read_overrides(given))
    size = training_images(values["train_size"], WHOLE["val"], WHOLE["name"])
    for key, wanted in {**WHOLE, "train": size}.items():
        if record["data"].get(key) != wanted:
            return f"of its data, {key} is {record['data'].get(key)!r} and ought to be {wanted!r}"
    network = record["variant"].lower().removesuffix("cnn")  # plain_epochs is of PlainCNN
    epochs = values.get(f"{network}_epochs", values["epochs"])
    if record["recipe"]["epochs"] != epochs:
        return f"it has {record['recipe']['epochs']} epochs, and ought to have {epochs}"
    return ""


def _unlike_the_kept(record: Mapping[str, Any], target: Path) -> str:
    """How its recipe differs from that of the variant's other seeds among the kept; "": it doesn't.

    Keys that only one of them has are of another version.
    """
    same = ("notebook", "variant", "profile")
    for path, other in read_all(target / record["notebook"]).items():
        if all(other[key] == record[key] for key in same):
            for key in (record["recipe"].keys() & other["recipe"].keys()) - {"seed"}:
                ours, theirs = record["recipe"][key], other["recipe"][key]
                if ours != theirs:
                    return f"its {key} is {ours!r}, and {theirs!r} in {path}"
    return ""


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
