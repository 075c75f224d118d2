"""A notebook's runs: what is done is kept and read back, not done again."""

from __future__ import annotations

import copy
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from cifar_utils import records, training
from cifar_utils.data import Data
from cifar_utils.files import check_writable, set_aside, slug, write_whole
from cifar_utils.machine import choose_device
from cifar_utils.recipe import Recipe
from cifar_utils.training import Run


class Experiment:
    """The runs of one notebook; with a folder, what is done is kept and not done again."""

    def __init__(
        self, notebook: str, profile: str = "quick", out: str | Path = "", only: str = ""
    ) -> None:
        """Name the notebook ("03_pooling") and the profile; `out` "" keeps nothing.

        `only` names a variant to train alone: the others stay untrained.

        Raises:
            OSError: `out` can't be written.
        """
        self.notebook, self.profile, self.only = notebook, profile, only
        self.out = Path(out) if out else None
        if self.out:
            check_writable(self.out)

    def run(
        self,
        variant: str,
        model: nn.Module,
        data: Data,
        recipe: Recipe,
        *,
        test: bool = True,
        verbose: bool = True,
    ) -> Run:
        """Train `model` as one variant, or read the run back where the same one has its record.

        `test` and `verbose` are those of `training.fit`. A variant that `only` leaves out is not
        trained, and all that its run would have measured is NaN.

        Writes `<out>/<variant>/`: `weights.pt` (a plain state dict), then `record.json`; while
        the run lasts `checkpoint.pt`, from which a run that was stopped goes on.
        """
        if self.only and variant != self.only:
            print(f"{variant}: not trained, since only {self.only!r} was asked for")
            return self._named(variant, training.untrained(model, data, recipe))
        if verbose:
            print(f"{variant} ({data.title})")
        folder = self.out / slug(variant) if self.out else None
        if folder and (known := self._read_back(folder, model, data, recipe)):
            print(f"  already trained: {folder.name}/record.json")
            return known
        run = training.fit(model, data, recipe, folder=folder, test=test, verbose=verbose)
        self._named(variant, run)
        if folder:
            _keep(run, folder)
        return run

    def _named(self, variant: str, run: Run) -> Run:
        """The run, with what it is called written into its record."""
        names = {"notebook": self.notebook, "variant": variant, "profile": self.profile}
        run.record |= {"schema": records.SCHEMA, **names, "seed": run.recipe.seed}
        return run

    def _read_back(self, folder: Path, model: nn.Module, data: Data, recipe: Recipe) -> Run | None:
        """The run kept in `folder`, its weights put into `model`; None where it is another."""
        path, weights = folder / "record.json", folder / "weights.pt"
        if not (path.exists() and weights.exists()):
            return None
        try:
            record = records.read(path)
        except ValueError as error:
            set_aside(path, error)
            return None
        if record["digest"] != training.digest(model, data, recipe):
            return None
        try:
            trained = copy.deepcopy(model)  # what fits in part must not touch the initial weights
            trained.load_state_dict(torch.load(weights, weights_only=True))
        except Exception as error:
            set_aside(weights, error)
            return None
        model.load_state_dict(trained.state_dict())
        if self.only:
            path.touch()  # whoever waits for this record sees that it is there and holds
        model.to(choose_device()).to(memory_format=torch.channels_last)
        return Run(model, recipe, pd.DataFrame(record["history"]), record)


def _keep(run: Run, folder: Path) -> None:
    """Write weights, then the record, which so says that the weights are there and its own."""
    (folder / "record.json").unlink(missing_ok=True)  # of another recipe, with other weights
    weights = {key: value.cpu() for key, value in run.model.state_dict().items()}
    write_whole(folder / "weights.pt", lambda beside: torch.save(weights, beside))
    records.write(run.record, folder / "record.json")
    (folder / "checkpoint.pt").unlink(missing_ok=True)
