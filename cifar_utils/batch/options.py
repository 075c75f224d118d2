"""The options that the commands which run notebooks share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cifar_utils.batch.execute import PATIENCE, Patience
from cifar_utils.data import PROJECT
from cifar_utils.machine import usable_cores

Command = Callable[..., None]

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=PROJECT / "runs",
    help="Folder for executed notebooks and records.  [default: runs]",
)
jobs_option = click.option(
    "--jobs",
    default=min(4, usable_cores()),
    show_default=True,
    help="Notebooks side by side; the cores that may be used are shared out among them.",
)


def patience_options(command: Command) -> Command:
    """Two time-outs, which the command gets as `patience`."""

    @click.option(
        "--start-timeout",
        type=click.FloatRange(min=1),
        default=PATIENCE.start_seconds,
        show_default=True,
        metavar="SECONDS",
        help="How long a kernel may take to start.",
    )
    @click.option(
        "--cell-timeout",
        type=click.FloatRange(min=0, min_open=True, max=10_000),
        default=PATIENCE.cell_hours,
        show_default=True,
        metavar="HOURS",
        help="How long a cell may take.",
    )
    @functools.wraps(command)
    def with_patience(start_timeout: float, cell_timeout: float, **others: Any) -> None:
        command(patience=Patience(start_timeout, cell_timeout), **others)

    return with_patience


common_options: list[Callable[[Command], Command]] = [
    click.option(
        "--profile", default="quick", show_default=True, help="quick, full, or a YAML file."
    ),
    click.option("--seeds", default=1, show_default=True, help="Runs of each, from `seed` on."),
    click.option(
        "-p",
        "parameters",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a notebook's parameter; may be repeated.",
    ),
    jobs_option,
    click.option(
        "--dask",
        metavar="ADDRESS",
        help="Run on the dask.distributed cluster whose scheduler is at ADDRESS.",
    ),
    out_option,
    patience_options,
]


def with_options(command: Command) -> Command:
    """Add the options that `run` and `sweep` share."""
    return functools.reduce(lambda inner, option: option(inner), reversed(common_options), command)
