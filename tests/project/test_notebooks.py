"""What nbval passes without a word: notebooks not executed, or not shaped as agreed."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import papermill
import pytest
import yaml
from PIL import Image

from cifar_utils import classify, data, plots
from cifar_utils.batch import study
from cifar_utils.data import PROJECT

NOTEBOOKS = study.find_notebooks()
NAMES = ["01_baseline", "02_deeper_batchnorm", "03_pooling", "04_optimizers", "05_dropout",
         "06_augmentation", "07_final"]  # fmt: skip
COMMON = {"dataset": "str", "train_size": "int", "val_size": "int", "epochs": "int",
          "seed": "int", "profile": "str", "only": "str", "out": "str"}  # fmt: skip
UNCOMPARED = {  # by nbval: an animation; images/descent.gif is the same, and is compared
    "04_optimizers": ["fits = {"],
}
COLAB = "**Open in Colab**: "
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    cells = nbformat.read(path, 4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_the_seven_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == NAMES


@each_notebook
def test_every_code_cell_was_executed_in_order(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_no_committed_error_warning_or_machine_path(path: Path) -> None:
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error" or "raises-exception" in cell.metadata.tags
            assert output.get("name") != "stderr"
            texts = [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
            assert not re.search(r"/(home|root|tmp|Users)/|object at 0x", "".join(texts))


@each_notebook
def test_nbval_compares_every_cell_but_those_whose_output_cannot_be_compared(path: Path) -> None:
    found = []
    for cell in code_cells(path):
        marks = [*cell.metadata.get("tags", []), *re.findall(r"^\s*#.*", cell.source, re.MULTILINE)]
        if re.search(r"nbval|pytest.validate", " ".join(marks), re.IGNORECASE):
            found.append(cell.source.splitlines()[0])
    assert found == UNCOMPARED.get(path.stem, [])


@each_notebook
def test_cells_are_short(path: Path) -> None:
    for cell in code_cells(path):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        list_of_names = "parameters" in cell.metadata.get("tags", [])
        assert len(lines) <= (20 if list_of_names else 18), cell.source


@each_notebook
def test_every_parameter_has_type_and_help_and_quick_is_the_default(path: Path) -> None:
    known = papermill.inspect_notebook(str(path))
    for name, kind in COMMON.items():
        assert known[name]["inferred_type_name"] == kind
    for parameter in known.values():
        assert parameter["inferred_type_name"] in ("int", "float", "str", "bool")
        assert parameter["help"]
    quick = study.typed_parameters(path, study.read_profile("quick"))
    for name, value in quick.items():
        assert yaml.safe_load(known[name]["default"]) == value, name
    for profile in ("quick", "full"):
        study.typed_parameters(path, study.read_profile(profile, path.stem))


def test_every_notebook_installs_what_it_needs_by_the_same_cells() -> None:
    """In Colab: before the first import, and where the package is there already, nothing."""
    seen = set()
    for path in NOTEBOOKS:
        cells = nbformat.read(path, 4).cells
        (place,) = (k for k, cell in enumerate(cells) if cell.source.startswith(COLAB))
        installs = cells[place + 1]
        first = next(cell for cell in cells if "cifar_utils import" in cell.source)
        assert cells.index(first) > place + 1 and not installs.outputs
        seen.add((cells[place].source, installs.source))
    ((_, source),) = seen
    magic = '    get_ipython().run_line_magic("pip", "install --quiet cifar_utils-*.whl")'
    assert source.endswith(f'if not find_spec("cifar_utils"):\n{magic}')
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert "make wheel" in seen.pop()[0] and "\nwheel: " in makefile


@pytest.mark.parametrize("path", [NOTEBOOKS[0], NOTEBOOKS[-1]], ids=lambda path: path.stem)
def test_an_image_of_one_s_own_is_named_or_refused_in_a_sentence(
    path: Path, small: data.Data, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (cell,) = (cell for cell in code_cells(path) if "my_image = " in cell.source)
    words = ("in_words", "released_network", "likeliest", "read_image")
    known = {"classify": classify, "images": small, "plots": plots, "plt": plt}
    known |= {name: getattr(classify, name) for name in words}
    Image.fromarray(small.test.images[5].permute(1, 2, 0).numpy()).save(tmp_path / "mine.png")
    (tmp_path / "text.jpg").write_text("a text")
    titles = {}
    for name in ("", "mine.png", "text.jpg", "none.jpg"):
        given = repr(str(tmp_path / name) if name else "")
        exec(cell.source.replace('my_image = ""', f"my_image = {given}"), dict(known))
        titles[name] = [plt.figure(k).axes[0].get_title() for k in plt.get_fignums()]
        plt.close("all")
    (best,) = classify.likeliest(small.test.images[5:6], *classify.released_network())
    assert titles["mine.png"] == [classify.in_words(best)] and len(titles[""]) == 1
    assert titles["text.jpg"] == titles["none.jpg"] == []
    sentences = capsys.readouterr().out.splitlines()
    assert len(sentences) == 2 and "text.jpg is not an image in one of" in sentences[0]
    assert sentences[1] == f"{tmp_path}/none.jpg is not there"


@pytest.mark.parametrize("path", NOTEBOOKS[:-1], ids=lambda path: path.stem)
def test_asserts_on_live_runs_hold_the_text_at_the_notebook_s_own_settings(path: Path) -> None:
    """07 tells of records alone; in the others a sweep's own settings are not held to the text."""
    settings, derived = {}, r"^(?:described|given|as_described) = .+$"
    (parameters,) = (c for c in code_cells(path) if "parameters" in c.metadata.get("tags", []))
    exec(parameters.source, settings)
    (found,) = (c for c in code_cells(path) if "\nas_described = " in c.source)
    lines = "\n".join(re.findall(derived, found.source, re.MULTILINE))
    exec(lines, settings)
    assert settings["as_described"] is True
    settings["seed"] = 1
    exec(lines, settings)
    assert settings["as_described"] is False
    assert any("if as_described:\n    " in cell.source for cell in code_cells(path))


@each_notebook
def test_the_anatomy(path: Path) -> None:
    text = prose(path)
    first = nbformat.read(path, 4).cells[0].source
    assert "You will see" in first and "**The question:**" in first
    links = re.findall(r"\]\((\d\d_\w+)\.ipynb\)", first.split("**The question:**")[0])
    assert sorted([*links, path.stem]) == NAMES
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    order = ["Predict", "Experiment", "Evidence", "Verdict", "Where the original study",
             "We have seen", "Exercises"]  # fmt: skip
    found = [next(o for o in order if h.startswith(o)) for h in headings if h.startswith((*order,))]
    assert found == order
    assert sum("solution" in cell.metadata.get("tags", []) for cell in code_cells(path)) >= 3
