"""Profiles: a notebook's parameters from YAML files, the study's own and those of users."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from cifar_utils.records import split_profile

NOT_FOR_USERS = ("search",)  # the search for recipes, in results/search


class TextLoader(yaml.BaseLoader):
    """YAML whose values stay the text that they are, as those of `-p` do.

    What they mean, the notebook's annotations say: 010, 0x8 and 1:30 never become 8, 8 and 90.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping; YAMLError for a key that it has twice."""
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} is given twice")
        return super().construct_mapping(node, deep)


def built_in(folder: Path) -> list[str]:
    """The names of the study's profiles; `full.07_final.yaml` is a part of `full`."""
    return sorted({each.name.partition(".")[0] for each in folder.glob("*.yaml")})


def find(folder: Path, name: str) -> tuple[Path, str]:
    """A profile's file, and what its runs are called: a name in `folder`, or a user's own file.

    Raises:
        ValueError: unknown; or a file of the user's that has the name of a built-in profile.
    """
    names = built_in(folder)
    if name in names and (folder / f"{name}.yaml").is_file():
        return folder / f"{name}.yaml", name
    path = Path(name)
    if not path.is_file():
        raise ValueError(
            f"unknown profile {name!r}; there are: {', '.join(names)}, or a YAML file's path"
        )
    if path.resolve().parent == folder.resolve() and path.stem in names:
        return path, path.stem
    alike, _ = split_profile(path.name.partition(".")[0])
    if alike in (*names, *NOT_FOR_USERS):
        raise ValueError(
            f"{name}: its runs would be recorded as those of the study's profile {alike!r}; give "
            "the file another name"
        )
    return path, path.stem


def beside(path: Path) -> dict[str, Path]:
    """The files that hold what is other for a notebook, by its name: `full.07_final.yaml`."""
    files = sorted(path.parent.glob(f"{path.stem}.*.yaml"))
    return {each.stem.removeprefix(f"{path.stem}."): each for each in files}


def read(path: Path, notebook: str = "") -> dict[str, Any]:
    """The parameters in a profile's file, and in the one beside it for the notebook, as text.

    Raises:
        ValueError: not lines of `parameter: value`.
    """
    own = beside(path).get(notebook)
    return _read_yaml(path) | (_read_yaml(own) if own else {})


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = TextLoader(path.read_text(encoding="utf-8")).get_single_data() or {}
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8
        reason = " ".join(str(error).split())
        raise ValueError(f"profile {path} does not read: {reason}") from error
    if not isinstance(values, dict):
        raise ValueError(f"profile {path} must be lines of `parameter: value`")
    return values
