"""A study for the tests that call the command line."""

from pathlib import Path

import pytest
import toy_notebook


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a study of one notebook, which only pretends to train."""
    folder = tmp_path / "notebooks"
    toy_notebook.write_study(folder, "01_first")
    toy_notebook.use(folder, monkeypatch)
    return folder
