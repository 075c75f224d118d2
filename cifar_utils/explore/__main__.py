"""`python -m cifar_utils.explore`: write the explorers' pages into a folder and open them."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path

import click

from cifar_utils import explore

EXPLORERS = (explore.walk, explore.descent, explore.augmentation)


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pages, one file each.  [default: a new temporary folder]",
)
@click.option("--open/--no-open", "to_open", default=True, help="Open them in the browser.")
def main(out: Path | None, to_open: bool) -> None:
    """Write the explorers, one self-contained page each, and open them in the browser.

    The paths of the pages are printed, for where no browser is found.
    """
    folder = out or Path(tempfile.mkdtemp(prefix="explorers-"))
    folder.mkdir(parents=True, exist_ok=True)
    for make in EXPLORERS:
        path = make().save(folder).resolve()
        click.echo(path)
        if to_open:
            webbrowser.open_new_tab(path.as_uri())


if __name__ == "__main__":
    main(prog_name="python -m cifar_utils.explore")
