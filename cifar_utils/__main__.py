"""The command line: `python -m cifar_utils --help`."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import pandas as pd
from tqdm import tqdm

from cifar_utils import data, records, statistics
from cifar_utils.batch import again, kernel, study
from cifar_utils.batch import jobs as jobs_module
from cifar_utils.batch import sweep as sweep_module
from cifar_utils.batch.cluster import Cluster
from cifar_utils.batch.execute import Patience, log_of
from cifar_utils.batch.keep import publish
from cifar_utils.batch.options import jobs_option, out_option, patience_options, with_options
from cifar_utils.predict import predict
from cifar_utils.report import pages

IN_CHECKOUT = (data.PROJECT / "notebooks").is_dir()  # else a wheel, installed anywhere
RUN_NOTEBOOKS = ("run", "sweep", "complete", "verify")
NEED_CHECKOUT = (*RUN_NOTEBOOKS, "report")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(context: click.Context) -> None:
    """Convolutional networks without skip connections on CIFAR-10: the study in batch."""
    if context.invoked_subcommand in NEED_CHECKOUT and not IN_CHECKOUT:
        raise click.ClickException(
            f"`{context.invoked_subcommand}` needs the notebooks and results/ of the project: "
            "call it in a clone of the project, in the environment that `make` makes there"
        )
    if context.invoked_subcommand in RUN_NOTEBOOKS:
        kernel.require_asserts()


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
    patience: Patience,
) -> None:
    """Run NOTEBOOKS ("03_pooling" or "03"; all seven by default) and print one table.

    What has its record is not trained again: a study that was stopped goes on where it was.
    """
    chosen = _chosen(notebooks)
    values = study.read_overrides(parameters)
    place = _place(jobs, dask, patience)
    planned = study.plan(chosen, profile, values, seeds, out, place.locate)
    click.echo(_data_line(planned))
    _say_where_progress_is(planned, place)
    failures = _tell(jobs_module.run(planned, place))
    click.echo(f"\n{_readable(study.summary_table(planned))}\n")
    click.echo(f"Executed notebooks and records: {planned[0].folder.parents[1]}")
    _end(failures + study.diverged(planned), _data_line(planned, ended=True))


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
    patience: Patience,
) -> None:
    """Run NOTEBOOK on a grid: `sweep 04_optimizers -p lr_scale=0.5,1 -p batch_size=50,100`.

    Prints mean and spread of validation accuracy over the seeds, best first, and draws them. The
    same command goes on where a sweep was stopped.
    """
    chosen = _chosen([notebook])[0]
    values = study.read_overrides(parameters)
    place = _place(jobs, dask, patience)
    planned = sweep_module.plan(chosen, profile, values, seeds, out, place.locate)
    click.echo(_data_line(planned.jobs))
    _say_where_progress_is(planned.jobs, place)
    failures = _tell(jobs_module.run(planned.jobs, place)) + study.diverged(planned.jobs)
    runs = sweep_module.runs(planned)
    if runs.val_accuracy.notna().any():
        click.echo(f"\n{sweep_module.table(runs, planned.names)}\n")
        try:
            click.echo(f"Plot: {sweep_module.draw(runs, planned)}")
        except OSError as error:
            failures.append(f"{planned.picture} can't be written: {error.strerror}")
    _end(failures, _data_line(planned.jobs, ended=True))


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
            click.echo(f"\nprofile {profile}, {data.TITLES.get(str(name), name)}: test accuracy")
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
@click.option(
    "--seeds",
    type=click.IntRange(1),
    help="Runs of each variant, from 0 on.  [default: as declared]",
)
@jobs_option
@out_option
@patience_options
def complete_evidence(
    notebooks: tuple[str, ...],
    seeds: int | None,
    jobs: int,
    out: Path,
    patience: Patience,
) -> None:
    """Train what results/ lacks: every variant and seed of NOTEBOOKS (all) without its record.

    Each notebook has its number of seeds declared in `cifar_utils/outline.py`.

    Each variant is trained alone, as by `verify`, and its record goes to results/ at once. What
    was stopped goes on from its last epoch. `report --refresh` then renews the READMEs.
    """
    chosen = [path.stem for path in _chosen(notebooks)]
    place = jobs_module.ThisMachine(jobs, patience)
    planned = again.plan_missing(chosen, seeds, out / "complete")
    click.echo(f"{len(planned)} runs have no record in {records.EVIDENCE.name}/.")
    if planned:
        _say_where_progress_is(planned, place)
        failures = _tell(again.complete(planned, place))
        _end(failures, _data_line(planned, ended=True))


@main.command("verify")
@click.argument("record", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=data.PROJECT / "runs" / "verify",
    help="Folder for the run.  [default: runs/verify]",
)
@patience_options
def verify_record(record: Path, out: Path, patience: Patience) -> None:
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
    click.echo(f"in {kept['seconds']:.0f} s; training it again, with what it prints in the .log in")
    click.echo(f"  {out.resolve() / records.file_name(kept).removesuffix('.json')}")
    verdict = again.verify(record, out, patience)
    click.echo(verdict)
    if not verdict.agrees:
        raise click.exceptions.Exit(1)


@main.command("data")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that will hold it.  [default: CIFAR_ROOT, or data]",
)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    help="Take it from this cifar-10-python.tar.gz (or .tar, .zip), or the folder it unpacks to.",
)
@click.option("--url", help="Download cifar-10-python.tar.gz from this mirror.")
def get_data(root: Path | None, source: Path | None, url: str | None) -> None:
    """Download CIFAR-10 (170 MB) into data/ (or --root, or CIFAR_ROOT) and check it.

    A download that broke or was stopped goes on where it was.
    """
    from cifar_utils.batch import download  # with torchvision: seconds, which others don't wait

    if source and url:
        raise click.UsageError("--from takes a copy of this machine, --url downloads: give one")
    if not (root or os.environ.get("CIFAR_ROOT") or IN_CHECKOUT):
        raise click.ClickException("say where CIFAR-10 shall be: --root FOLDER, or CIFAR_ROOT")
    folder = data.root_folder(root)
    if source:
        target = download.take(source, folder)
    else:
        target = download.download(folder, url) if url else download.download(folder)
    click.echo(f"CIFAR-10 is in {target}")


main.add_command(predict)


def _chosen(names: Sequence[str]) -> list[Path]:
    """The study's notebooks of these names; what else lies among them is named."""
    found = study.find_notebooks(names)
    if others := study.strangers():
        click.echo(f"Ignored, as the study has no such part: {', '.join(others)}", err=True)
    return found


def _say_where_progress_is(jobs: Sequence[jobs_module.Job], place: jobs_module.Place) -> None:
    if isinstance(place, jobs_module.ThisMachine):
        click.echo(f"What a notebook prints is beside it as it runs: {log_of(jobs[0].output)}")


def _place(workers: int, dask: str | None, patience: Patience) -> jobs_module.Place:
    if not dask:
        return jobs_module.ThisMachine(workers, patience)
    source = click.get_current_context().get_parameter_source("jobs")
    if source is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--jobs is of this machine; with --dask the workers' threads decide")
    return Cluster(dask, patience)


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


def _data_line(jobs: Sequence[jobs_module.Job], ended: bool = False) -> str:
    """What the jobs' numbers are of, by their parameters; at their end, by their records."""
    datasets = {job.parameters.get("dataset", "sample") for job in jobs}
    if ended:
        frames = [records.load(job.folder) for job in jobs if job.folder.exists()]
        datasets = {name for frame in frames for name in frame["data"]} or datasets
    if "sample" not in datasets:
        part = any(job.parameters.get("train_size") for job in jobs)
        return f"Data: CIFAR-10, {'a part of its' if part else 'all 60,000'} images."
    return (
        "Data: the sample, 7,000 photographs of CIFAR-10. For all 60,000: `make data`, then "
        "`python -m cifar_utils run --profile full`."
    )


def _readable(frame: pd.DataFrame) -> str:
    return frame.to_string(index=False, float_format=lambda value: f"{value:.4g}", na_rep="–")


def _end(failures: list[str], said: str) -> None:
    for failure in failures:
        click.echo(f"FAILED {failure}")
    click.echo(said)
    if failures:
        raise click.exceptions.Exit(1)


def _with_home(argument: str) -> str:
    """`--root=~/data` with the home folder in place of `~`, which a shell leaves there."""
    option, equals, value = argument.partition("=")
    if option.startswith("--") and equals:
        return f"{option}={os.path.expanduser(value)}"
    return os.path.expanduser(argument)


def entry(arguments: list[str] | None = None) -> Any:
    """Run the command line; a mistake of the user's is one sentence and exit code 1, 2 or 130."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what it can't write must not end a study
            only_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding="utf-8" if only_ascii else None, errors="replace")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return main([_with_home(each) for each in given], standalone_mode=False)
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


def _begin_again_in_utf8() -> None:
    """Where Python takes names of files for ASCII (LC_ALL=C PYTHONUTF8=0), start it anew.

    Else a folder called é is no folder to a notebook's kernel. A running Python can't change it.
    """
    if codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        os.environ["PYTHONUTF8"] = "1"  # for the processes that it starts, too
        os.execv(sys.executable, [sys.executable, "-m", "cifar_utils", *sys.argv[1:]])


if __name__ == "__main__":
    _begin_again_in_utf8()
    sys.exit(entry())
