"""The pages, the table of runs and the figures, made anew from results/ and benchmarks/ alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from cifar_utils import metrics, outline, records
from cifar_utils.data import PROJECT
from cifar_utils.report import figures, numbers

PAGES = {  # each page and its template
    PROJECT / "README.md": "README.en.md.j2",
    PROJECT / "README.ru.md": "README.ru.md.j2",
    PROJECT / "docs" / "results.md": "results.en.md.j2",
    PROJECT / "docs" / "results.ru.md": "results.ru.md.j2",
    PROJECT / "docs" / "uncertainty.md": "uncertainty.en.md.j2",
}
IMAGES = PROJECT / "images"
TABLE = records.EVIDENCE / "results.csv"
TABLE_COLUMNS = [
    "notebook", "variant", "seed", "profile", "network", "parameters", "epochs", "lr",
    "train_size", "val_accuracy", *metrics.NAMES, "flip_accuracy", "seconds",
]  # fmt: skip


def refresh() -> list[Path]:
    """Make all of them anew; the files whose content is no longer what it was."""
    every = records.load()
    evidence = records.all_evidence()
    known = facts(evidence)
    texts = {path: render(template, known) for path, template in PAGES.items()}
    texts[TABLE] = table_of_runs(every)
    written = []
    for path, text in texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written + draw_images(evidence)


def facts(evidence: pd.DataFrame) -> dict[str, Any]:
    """All that the templates name, from the evidence (`records.all_evidence`)."""
    pictures = figures.from_records(outline.in_order(evidence))
    return {
        **numbers.facts(evidence),
        "pictures": {picture.name: picture.origin() for picture in pictures},
        "splits": numbers.splits(records.load(records.EVIDENCE / "splits")),
        "searched": len(records.load(records.EVIDENCE / "search")),
    }


def render(template: str, known: Mapping[str, Any]) -> str:
    """A page, from its template's name and the facts.

    Raises:
        jinja2.UndefinedError: the template names something that there is not.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "signed": signed, "thousands": "{:,}".format, "italics": italics, "codes": codes,
        "table": table,
    }  # fmt: skip
    return environment.get_template(template).render(known)


def table_of_runs(frame: pd.DataFrame) -> str:
    """A row a run as CSV: the evidence, and the search for recipes."""
    return frame[TABLE_COLUMNS].to_csv(index=False, lineterminator="\n")


def draw_images(evidence: pd.DataFrame, folder: Path = IMAGES) -> list[Path]:
    """Draw what of the images is not there or no longer what the records give."""
    pictures = figures.from_records(outline.in_order(evidence))
    return figures.write([*pictures, *figures.others()], folder)


def signed(fraction: float) -> str:
    """A fraction as points with its sign: "+1.20", "−0.35"."""
    rounded = round(100 * fraction, 2) + 0.0  # which makes −0.0 a 0.0
    return f"{rounded:+.2f}".replace("-", "−")


def italics(words: Iterable[str]) -> str:
    """The words in italics, with commas between."""
    return ", ".join(f"*{word}*" for word in words)


def codes(words: Iterable[str]) -> str:
    """The words as code, with commas between."""
    return ", ".join(f"`{word}`" for word in words)


def table(rows: Iterable[Sequence[str]], headings: str) -> str:
    """A table in Markdown; `headings` are joined by " | "."""
    lines = [headings, " | ".join(["---"] * len(headings.split(" | "))), *map(" | ".join, rows)]
    return "\n".join(f"| {line} |" for line in lines)
