"""The command line: `python -m cifar_utils --help`."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import pandas as pd
from tqdm import tqdm

from cifar_utils import classify, data, records, statistics
from cifar_utils.batch import again, download, study
from cifar_utils.batch import jobs as jobs_module
from cifar_utils.batch import sweep as sweep_module
from cifar_utils.batch.cluster import Cluster
from cifar_utils.batch.keep import publish
from cifar_utils.report import pages

IN_CHECKOUT = (data.PROJECT / "notebooks").is_dir()  # else a wheel, installed anywhere
NEED_CHECKOUT = ("run", "sweep", "report", "complete", "verify")

out_option = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=data.PROJECT / "runs",
    help="Folder for executed notebooks and records.  [default: runs]",
)
jobs_option = click.option(
    "--jobs",
    default=min(4, os.cpu_count() or 1),
    show_default=True,
    help="Notebooks side by side; the processor's cores are shared out among them.",
)
common_options = [
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
]


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that `run` and `sweep` share."""
    return functools.reduce(lambda inner, option: option(inner), reversed(common_options), command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Convolutional networks without skip connections on CIFAR-10: the study in batch."""
    if context.invoked_subcommand in NEED_CHECKOUT and not IN_CHECKOUT:
        raise click.ClickException(
            f"`{context.invoked_subcommand}` needs the notebooks and results/ of the project: "
            "call it in a clone of the project, in the environment that `make` makes there"
        )


@main.command()
@click.argument("notebooks", nargs=-1)
@with_options
def run(
    notebooks: tuple[str, ...],
    profile: str,
    seeds: int,
    parameters: tuple[str, ...],
    jobs: int,
    dask: str | None,
    out: Path,
) -> None:
    """Run NOTEBOOKS ("03_pooling" or "03"; all seven by default) and print one table.

    What has its record is not trained again: a study that was stopped goes on where it was.
    """
    chosen = study.find_notebooks(notebooks)
    values = study.read_overrides(parameters)
    place = _place(jobs, dask)
    planned = study.plan(chosen, profile, values, seeds, out, place.locate)
    said = _data_line(planned, place)
    click.echo(said)
    failures = _tell(jobs_module.run(planned, place))
    click.echo(f"\n{_readable(study.summary_table(planned))}\n")
    click.echo(f"Executed notebooks and records: {planned[0].folder.parents[1]}")
    _end(failures + study.diverged(planned), said)


@main.command()
@click.argument("notebook")
@with_options
def sweep(
    notebook: str,
    profile: str,
    seeds: int,
    parameters: tuple[str, ...],
    jobs: int,
    dask: str | None,
    out: Path,
) -> None:
    """Run NOTEBOOK on a grid: `sweep 04_optimizers -p lr_scale=0.5,1 -p batch_size=50,100`.

    Prints mean and spread of validation accuracy over the seeds, best first, and draws them. The
    same command goes on where a sweep was stopped.
    """
    chosen = study.find_notebooks([notebook])[0]
    values = study.read_overrides(parameters)
    place = _place(jobs, dask)
    planned = sweep_module.plan(chosen, profile, values, seeds, out, place.locate)
    said = _data_line(planned.jobs, place)
    click.echo(said)
    failures = _tell(jobs_module.run(planned.jobs, place)) + study.diverged(planned.jobs)
    runs = sweep_module.runs(planned)
    if runs.val_accuracy.notna().any():
        click.echo(f"\n{sweep_module.table(runs, planned.names)}\n")
        try:
            click.echo(f"Plot: {sweep_module.draw(runs, planned)}")
        except OSError as error:
            failures.append(f"{planned.picture} can't be written: {error.strerror}")
    _end(failures, said)


@main.command("report")
@click.argument("folder", type=click.Path(exists=True, path_type=Path), default=records.EVIDENCE)
@click.option("--keep", "to_keep", is_flag=True, help="Copy the full-scale records into results/.")
@click.option("--refresh", is_flag=True, help="Renew all that shows results/.")
@click.option("--commands", is_flag=True, help="Print the command that makes each record.")
def print_report(folder: Path, to_keep: bool, refresh: bool, commands: bool) -> None:
    """Print n, mean, spread and 95 % interval of test accuracy for the records in FOLDER.

    `report runs/full --keep --refresh` brings what a study left into results/, and tells it:
    README, docs/results.md, results.csv and images/ are made from results/ alone.
    """
    frame = records.load(folder)
    if frame.empty:
        raise click.ClickException(f"there are no records in {folder}")
    for (profile, name), rows in frame.groupby(["profile", "data"]):
        summary = statistics.summary(rows).reset_index()
        if len(summary):  # a search for recipes never looked at the test set
            click.echo(f"\nprofile {profile}, {data.TITLES[str(name)]}: test accuracy")
            click.echo(_readable(summary))
    if commands:
        for run in frame.to_dict("records"):
            made = records.command(run["notebook"], run["profile"], run["seed"] + 1)
            click.echo(f"{run['notebook']}, {run['variant']}, seed {run['seed']}: {made}")
    if to_keep:
        for path in publish(folder, records.EVIDENCE):
            click.echo(f"kept {path.relative_to(data.PROJECT)}")
    if refresh:
        for path in pages.refresh():
            click.echo(f"wrote {path.relative_to(data.PROJECT)}")


@main.command("complete")
@click.argument("notebooks", nargs=-1)
@click.option("--seeds", default=5, show_default=True, help="Runs of each variant, from 0 on.")
@jobs_option
@out_option
def complete_evidence(notebooks: tuple[str, ...], seeds: int, jobs: int, out: Path) -> None:
    """Train what results/ lacks: every variant and seed of NOTEBOOKS (all) without its record.

    Each variant is trained alone, as by `verify`, and its record goes to results/ at once. What
    was stopped goes on from its last epoch. `report --refresh` then renews the READMEs.
    """
    chosen = [path.stem for path in study.find_notebooks(notebooks)]
    place = jobs_module.ThisMachine(jobs)
    planned = again.plan_missing(chosen, seeds, out / "complete")
    click.echo(f"{len(planned)} runs have no record in {records.EVIDENCE.name}/.")
    failures = _tell(again.complete(planned, place))
    _end(failures, _data_line(planned, place))


@main.command("verify")
@click.argument("record", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=data.PROJECT / "runs" / "verify",
    help="Folder for the run.  [default: runs/verify]",
)
def verify_record(record: Path, out: Path) -> None:
    """Run the notebook of RECORD (a file of results/) again and compare the test accuracy.

    Only the record's own variant is trained, with its profile, seed and number of threads, from
    scratch: this takes as long as RECORD's `seconds` say, on an equal processor.

    Says "The same to the digit" (all metrics and the confusion matrix are equal), "Within the
    spread" (no further apart than 2·√2 standard deviations of the variant's seeds in results/),
    or "Differs by", which ends with exit code 1.
    """
    kept = again.read(record)
    click.echo(f"{kept['notebook']}, {kept['variant']}, seed {kept['seed']}, made by")
    click.echo(f"  {records.command(kept['notebook'], kept['profile'], kept['seed'] + 1)}")
    click.echo(f"in {kept['seconds']:.0f} s; training it again …")
    verdict = again.verify(record, out)
    click.echo(verdict)
    if not verdict.agrees:
        raise click.exceptions.Exit(1)


@main.command("data")
@click.option("--root", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    help="Take it from this cifar-10-python.tar.gz, or the folder it unpacks to.",
)
@click.option("--optional", is_flag=True, help="Where it can't be had, say so and go on.")
def get_data(root: Path | None, source: Path | None, optional: bool) -> None:
    """Download CIFAR-10 (170 MB) into data/ (or --root, or CIFAR_ROOT) and check it.

    A download that broke or was stopped goes on where it was.
    """
    named = root or os.environ.get("CIFAR_ROOT")
    if not (named or IN_CHECKOUT):
        raise click.ClickException("say where CIFAR-10 shall be: --root FOLDER, or CIFAR_ROOT")
    folder = Path(named or data.PROJECT / "data")
    try:
        target = download.take(source, folder) if source else download.download(folder)
    except (OSError, ValueError) as error:
        if not optional or data.locate("auto", folder):  # damaged files would stop the study too
            raise
        stand_in = data.TITLES["sketches"]
        click.echo(f"Data: {stand_in}, because CIFAR-10 can't be had: {error}")
        return
    click.echo(f"CIFAR-10 is in {target}")


@main.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
def predict(images: tuple[Path, ...]) -> None:
    """Name the three likeliest classes of each picture in IMAGES, by the kept FinalCNN."""
    model, record = classify.kept_network()
    bad = False
    for path in images:
        try:
            (best,) = classify.likeliest(classify.read_picture(path)[None], model, record)
        except ValueError as error:
            click.echo(f"Error: {error}", err=True)
            bad = True
        else:
            click.echo(f"{path}: {classify.in_words(best)}")
    if bad:
        raise click.exceptions.Exit(1)


def _place(workers: int, dask: str | None) -> jobs_module.Place:
    if not dask:
        return jobs_module.ThisMachine(workers)
    source = click.get_current_context().get_parameter_source("jobs")
    if source is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--jobs is of this machine; with --dask the workers' threads decide")
    return Cluster(dask)


def _tell(outcomes: Iterable[jobs_module.Outcome]) -> list[str]:
    """A line for each job as it ends; what failed, in words."""
    failures = []
    for outcome in outcomes:
        state = f"failed, {outcome.error}" if outcome.error else "done"
        when = f"{outcome.seconds:.0f} s" if outcome.seconds else "before"
        tqdm.write(f"{outcome.job.name}: {state} ({when})")
        if outcome.error:
            failures.append(f"{outcome.job.name}: {outcome.error} (see {outcome.job.output})")
    return failures


def _data_line(jobs: Sequence[jobs_module.Job], place: jobs_module.Place) -> str:
    asked = {job.parameters.get("dataset", "auto") for job in jobs}
    found = {name for name in asked if place.locate(name)}
    if found == asked:
        return "Data: CIFAR-10."
    why = f"because CIFAR-10 is not on {place.name} (`make data` gets it)"
    if asked - found == {"sketches"}:
        why = "as asked for"
    first = "CIFAR-10, and " if found else ""
    return f"Data: {first}sketches, the drawn stand-in, {why}. They say nothing about CIFAR-10."


def _readable(frame: pd.DataFrame) -> str:
    return frame.to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep="–")


def _end(failures: list[str], said: str) -> None:
    for failure in failures:
        click.echo(f"FAILED {failure}")
    click.echo(said)
    if failures:
        raise click.exceptions.Exit(1)


def entry(arguments: list[str] | None = None) -> Any:
    """Run the command line; a mistake of the user's is one sentence and exit code 1, 2 or 130."""
    try:
        return main(arguments, standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (ValueError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nStopped. What was finished is kept; the same command goes on.", err=True)
        return 130


if __name__ == "__main__":
    sys.exit(entry())
