"""Values of parameters that can't be, found before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from cifar_utils.data import TITLES, check_sizes, training_images
from cifar_utils.outline import BESIDE
from cifar_utils.recipe import Recipe

RECIPE = tuple(each.name for each in fields(Recipe))


def check_values(
    notebook: str, values: Mapping[str, Any], seeds: int, locate: Callable[[str], object]
) -> None:
    """Raise ValueError or OSError, naming the notebook, for a value that it could not take.

    `values` are those of all its parameters, `seeds` the number of its runs. Beside the recipe's
    own names it may have others that end or begin with one: `corrected_lr`, `lr_scale`.
    """
    try:
        own = {name: values[name] for name in RECIPE if name in values}
        Recipe(**own)
        Recipe(seed=own.get("seed", 0) + seeds - 1)
        for name, value in values.items():
            for field in RECIPE:
                if name.endswith(f"_{field}") or name == f"{field}_scale":
                    _check_relative(name, field, value, own)
        if values.get("beside", BESIDE[0]) not in BESIDE:
            raise ValueError(f"unknown beside {values['beside']!r}; there are: {', '.join(BESIDE)}")
        _check_data(values)
        locate(values.get("dataset", "sample"))
    except (ValueError, OSError) as error:
        raise type(error)(f"{notebook}: {error}") from error


def _check_relative(name: str, field: str, value: Any, own: Mapping[str, Any]) -> None:
    """Check a value that takes a field's place in another recipe of the notebook."""
    try:
        Recipe(**{**own, field: value})
    except ValueError as error:
        raise ValueError(str(error).replace(field, name, 1)) from error


def _check_data(values: Mapping[str, Any]) -> None:
    dataset = values.get("dataset", "sample")
    train_size, val_size = values.get("train_size", 0), values.get("val_size", 0)
    check_sizes(train_size, val_size, dataset)
    most, batch = training_images(train_size, val_size, dataset), values.get("batch_size", 1)
    if dataset in TITLES and batch > most:
        raise ValueError(f"batch_size is {batch:,}; there are only {most:,} training images")
