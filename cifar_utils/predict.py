"""The command `predict`: what a released network sees in images of one's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cifar_utils import classify, data, image_files

HELP = f"""Name the three likeliest classes of each image in IMAGES, by a released network.

IMAGES are files, folders (the images in one, by name) or -, standard input. Of each the middle
square is taken and shrunk to 32 × 32 pixels; what is transparent is laid on a plain grey.

Reads {", ".join(image_files.FORMATS)}, of at most {image_files.PIXELS // 10**6} megapixels. What
can't be read is named, the others are classified, and the exit code is 1.
"""


@click.command(help=HELP)
@click.argument(
    "images",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, readable=False, allow_dash=True),
)
@click.option(
    "--weights",
    default=classify.FIRST_CHOICE,
    show_default=True,
    metavar="NAME|PATH",
    help=f"A released network ({', '.join(classify.released())}), or a weights.pt that a run left.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one list: for each image its name and all ten probabilities, or the error.",
)
def predict(images: tuple[Path, ...], weights: str, as_json: bool) -> None:
    """Name the classes, or say in a sentence why not."""
    network = _network(weights)
    answers = []
    for argument in images:
        for answer in _answers(argument, network):
            answers.append(answer)
            if "error" in answer:
                click.echo(f"Error: {answer['error']}", err=True)
            elif not as_json:
                click.echo(f"{answer['image']}: {classify.in_words(answer['best'].head(3))}")
    if as_json:
        click.echo(json.dumps([_as_json(answer) for answer in answers], indent=1))
    if any("error" in answer for answer in answers):
        raise click.exceptions.Exit(1)


def _network(choice: str) -> classify.Network:
    named = choice == classify.FIRST_CHOICE or choice in classify.released()
    return classify.released_network(name=choice) if named else classify.own_network(Path(choice))


def _answers(argument: Path, network: classify.Network) -> Iterator[dict[str, Any]]:
    """For each image of an argument its name, and what is seen in it or why it can't be."""
    try:
        found = _images(argument)
    except ValueError as error:
        yield {"image": image_files.shown(argument), "error": str(error)}
        return
    for path in found:
        answer: dict[str, Any] = {"image": image_files.shown(path)}
        try:
            image = classify.read_image(path)
        except ValueError as error:
            yield answer | {"error": str(error)}
        else:
            (best,) = classify.likeliest(image[None], *network, count=len(data.CLASSES))
            yield answer | {"best": best}


def _images(argument: Path) -> list[Path]:
    """The file itself; of a folder the files whose names end like an image's, sorted."""
    if not os.path.isdir(argument):
        return [argument]
    name, ends = image_files.shown(argument), image_files.suffixes()
    try:
        files = [path for path in argument.iterdir() if path.suffix.lower() in ends]
    except OSError as error:
        raise ValueError(f"{name} can't be opened: {error.strerror}") from error
    visible = sorted(path for path in files if path.is_file() and path.name[0] != ".")
    if not visible:
        raise ValueError(f"{name} holds no images: no name in it ends in .jpg, .png or such")
    return visible


def _as_json(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        return answer
    shares = {name: round(float(share), 6) for name, share in answer["best"].items()}
    return {"image": answer["image"], "probabilities": shares}
