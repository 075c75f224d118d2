"""The READMEs' tables and the figures in images/, from the records in results/ alone."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifar_utils import figures, findings, outline, results, tables
from cifar_utils.data import PROJECT
from cifar_utils.outline import Section
from cifar_utils.wording import ENGLISH, RUSSIAN

READMES = {PROJECT / "README.md": ENGLISH, PROJECT / "README.ru.md": RUSSIAN}
IMAGES = PROJECT / "images"
SPEED = PROJECT / "benchmarks" / "throughput.json"
CLAIM = PROJECT / "benchmarks" / "time_to_accuracy.json"
OVERVIEW = "differences.png"
SMALL = ("CIFAR-10_bird.png", "CIFAR-10_ship.png")
ALWAYS = {"samples.png", *SMALL, "descent.gif"}  # drawn from no record


def records_block(frame: pd.DataFrame, words: Mapping[str, str] = ENGLISH) -> str:
    """The study: its answer, the original's networks in one table, a section a notebook, mistakes.

    `frame` is all evidence; tables and sentences use the runs on all training images.
    """
    frame = outline.in_order(frame)
    full = frame[frame.profile == "full"]
    parts = [findings.answer(full, words), words["no records"]]
    if len(full):
        networks = tables.metrics_table(full, outline.NETWORKS, words, named=True)
        told = words["metrics"].format(images=full.train_size.max())
        parts[1:] = [words["networks"].format(metrics=told), networks, _provenance(frame, words)]
    drawn = {picture.name for picture in figures.from_records(frame)} | ALWAYS
    parts += _pictures([each for each in (OVERVIEW,) if each in drawn], words)
    parts += [_section(frame, section, drawn, words) for section in outline.SECTIONS]
    heading = f"### {words['heading mistakes']}"
    return "\n\n".join([*parts, heading, findings.mistakes_table(frame, words)])


def _section(
    frame: pd.DataFrame, section: Section, drawn: Collection[str], words: Mapping[str, str]
) -> str:
    """A notebook's questions, a paragraph each; figures, comparisons; all metrics folded away."""
    name = section.notebook
    records = findings.of_notebook(frame, name)
    runs = records[records.profile == "full"]
    number, title = name.split("_")[0], words[f"heading {name}"]
    parts = [f"### [{number}](notebooks/{name}.ipynb) · {title}"]
    for question in section.questions:
        strongest = results.strongest(records, question.variants)
        parts.append(findings.paragraph(strongest, question, words))
    if name != "07_final":  # what the original claimed for that network is answered first of all
        parts += findings.beside_original(runs, words)
    parts += _pictures([image for image in section.images if image in drawn], words)
    if compared := findings.of_section(frame, section):
        parts.append(tables.comparisons_table(compared, words))
    sized = records[records.profile != "part"]
    if sized.train_size.nunique() > 1:
        parts += [words["question sizes"], tables.sizes_table(sized, outline.RIVALS, words)]
    details = []
    for which in (runs, records[records.profile == "part"]):
        if len(which):
            variants = [(name, variant) for variant in _variants(section, which)]
            details += [words["metrics"].format(images=which.train_size.max())]
            details += [tables.metrics_table(which, variants, words), *_diverged(which, words)]
    details += [words["commands"], _commands(name, records)]
    folded = [f"<details><summary>{words['details']}</summary>", *details, "</details>"]
    return "\n\n".join([*parts, *folded])


def _variants(section: Section, runs: pd.DataFrame) -> list[str]:
    """The outline's variants and then those it does not know."""
    return [*section.variants, *(v for v in runs.variant.unique() if v not in section.variants)]


def _pictures(names: Sequence[str], words: Mapping[str, str]) -> list[str]:
    """The images below each other, but two small ones side by side."""
    links = {name: f"![{words[f'alt {name}']}](images/{name})" for name in names}
    small = [links.pop(name) for name in SMALL if name in links]
    beside = [tables.markdown(" | ".join(small), [])] if small else []
    return [*links.values(), *beside]


def _commands(notebook: str, records: pd.DataFrame) -> str:
    """What makes a notebook's records, and what makes one of them again."""
    profiles = dict.fromkeys(["full", *records.profile])
    seeds = {p: int(records.seed[records.profile == p].max()) + 1 for p in records.profile}
    lines = []
    for profile in profiles:
        kept = f"python -m cifar_utils report runs/{results.slug(profile)} --keep"
        lines += [results.command(notebook, profile, seeds.get(profile, 3)), kept]
    if len(records):
        largest = records.sort_values("train_size", ascending=False, kind="stable").iloc[0]
        first = f"{results.EVIDENCE.name}/{results.file_name(largest)}"
        lines.append(f"python -m cifar_utils verify {first}")
    return "\n".join(["```sh", *lines, "```"])


def _diverged(runs: pd.DataFrame, words: Mapping[str, str]) -> list[str]:
    lost = runs.accuracy.isna().groupby(runs.variant, sort=False).agg(["sum", "count"])
    return [
        words["diverged"].format(lost=row["sum"], n=row["count"], variant=variant)
        for variant, row in lost[lost["sum"] > 0].iterrows()
    ]


def _provenance(frame: pd.DataFrame, words: Mapping[str, str]) -> str:
    """What the full-scale runs were made on, and how many of the page's intervals may be wrong."""
    full = frame[frame.profile == "full"]
    machines = dict.fromkeys(words["machine"].format(**place) for place in full.environment)
    compared = [
        each for section in outline.SECTIONS for each in findings.of_section(frame, section)
    ]
    pairs = [each.n for _, each in compared if each.n > 1]
    said = words["provenance"].format(
        tested=np.sum(full.confusion.iloc[0]),
        trained=full.train_size.max(),
        runs=len(full),
        seeds=", ".join(map(str, sorted(full.seed.unique()))),
        machine="; ".join(machines),
    )
    if not pairs:
        return said
    chance = words["chance"].format(count=len(pairs), wrong=(1 - results.CONFIDENCE) * len(pairs))
    return " ".join([said, chance, *([words["run on"]] if max(pairs) > 3 else [])])


def speed_block(speed: Mapping[str, Any], words: Mapping[str, str] = ENGLISH) -> str:
    """How fast training is, from what benchmarks/throughput.py wrote."""
    rates = speed["images_per_second"]
    plain = max(rate for name, rate in rates.items() if name.startswith("plain"))
    rows = [[name, f"{rate:,.0f}", f"{rate / plain:.2f}"] for name, rate in rates.items()]
    measured = words["speed"].format(
        rounds=len(speed["rounds"]["fit, one process"]),
        machine=words["machine"].format(**speed["environment"]),
        fit=100 * speed["roofline_fraction"],
        study=100 * speed["study_roofline_fraction"],
        stages=", ".join(f"{name} {100 * share:.1f} %" for name, share in speed["stages"].items()),
        load=speed["load_seconds"],
        evaluate=speed["evaluate_10000_seconds"],
        memory=speed["peak_memory_gb"],
    )
    return f"{tables.markdown(words['speed headings'], rows)}\n\n{measured}"


def claim_block(claim: Mapping[str, Any], words: Mapping[str, str] = ENGLISH) -> str:
    """How soon the original's claim is reached, from what benchmarks/time_to_accuracy.py wrote."""
    runs = pd.DataFrame(claim["runs"])
    return words["claim"].format(
        claim=100 * claim["claim"],
        epochs=runs.epochs[0],
        test=tables.mean_and_spread(runs.test),
        seconds=runs.seconds.mean(),
        spread=runs.seconds.std(),
        operations=runs.operations.mean() / 1e12,
        runs=len(runs),
        reached=(runs.test >= claim["claim"]).sum(),
        machine=words["machine"].format(**claim["environment"]),
    )


def blocks(frame: pd.DataFrame, words: Mapping[str, str] = ENGLISH) -> dict[str, str]:
    """What stands between each pair of a README's marks."""
    found = {"records": records_block(frame, words)}
    for name, path, block in (("speed", SPEED, speed_block), ("claim", CLAIM, claim_block)):
        if path.exists():
            found[name] = block(json.loads(path.read_text()), words)
    return found


def fill(text: str, name: str, block: str) -> str:
    """`text` with `block` between the marks called `name`.

    Raises:
        ValueError: the marks are not there.
    """
    start, end = (f"<!-- {name}: {at} -->" for at in ("start", "end"))
    pattern = re.compile(f"{start}.*{end}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no lines {start} and {end} to put the {name} between")
    return pattern.sub(lambda _: f"{start}\n{block}\n{end}", text)


def write_readmes(frame: pd.DataFrame, readmes: Mapping[Path, Mapping[str, str]]) -> None:
    """Put every block between its marks, in each README in its language."""
    for path, words in readmes.items():
        text = path.read_text(encoding="utf-8")
        for name, block in blocks(frame, words).items():
            text = fill(text, name, block)
        path.write_text(text, encoding="utf-8")


def draw_images(frame: pd.DataFrame, folder: Path = IMAGES) -> list[Path]:
    """Draw what of the report's images is not there or no longer what the records give."""
    pictures = figures.from_records(outline.in_order(frame))
    return figures.write([*pictures, *figures.others()], folder)
