"""What results/ lacks: every variant of the outline without its record, trained alone and kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cifar_utils import jobs as jobs_module
from cifar_utils import outline, results, single
from cifar_utils.jobs import Job, Outcome, Place
from cifar_utils.results import Only


def plan(notebooks: Sequence[str], profile: str, seeds: int, out: Path) -> list[Job]:
    """A job for each variant and seed of the notebooks that has no record, seed by seed.

    Raises:
        ValueError: an unknown profile, or a notebook of which there is no record at all.
    """
    kept = [results.read(path) for path in sorted(results.EVIDENCE.glob("*.json"))]
    jobs = []
    for seed in range(seeds):
        for section in (each for each in outline.SECTIONS if each.notebook in notebooks):
            of_notebook = [each for each in kept if each["notebook"] == section.notebook]
            others = [each for each in of_notebook if each["profile"] == profile] or of_notebook
            for variant in section.variants:
                names = {"notebook": section.notebook, "variant": variant}
                file = results.file_name({**names, "profile": profile, "seed": seed})
                if not (results.EVIDENCE / file).exists():
                    folder = out.resolve() / file.removesuffix(".json")
                    only = Only(variant, others)
                    jobs.append(single.plan(section.notebook, only, profile, seed, folder))
    return jobs


def run(jobs: Sequence[Job], place: Place) -> Iterator[Outcome]:
    """Run the jobs as `jobs.run` does; keep each record in results/ as soon as it is there."""
    for outcome in jobs_module.run(jobs, place):
        results.publish(outcome.job.folder, results.EVIDENCE)
        yield single.with_reason(outcome)
