"""The executed notebooks and their start page as sources of the book, in docs/notebooks/."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx

from cifar_utils import outline

FIGURE = "Figure; the text around it says what it shows."


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx; the setting `book_notebooks` says where the notebooks are."""
    app.add_config_value("book_notebooks", "../notebooks", "env", str)
    app.connect("builder-inited", copy_chapters)
    app.connect("source-read", redirect)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def copy_chapters(app: Sphinx) -> None:
    """Copy what has changed, so that the next build renders that alone.

    Raises:
        SystemExit: a code cell was not executed; Sphinx would bury another error's message.
    """
    source = app.srcdir / app.config.book_notebooks
    target = app.srcdir / "notebooks"
    paths = [source / f"{section.notebook}.ipynb" for section in outline.SECTIONS]
    texts = {path.name: chapter(path) for path in paths}
    start = (source / "start.md").read_text(encoding="utf-8")
    texts["start.md"] = start.replace("](", "](/notebooks/")  # from docs/index.md
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        if old.name not in texts:
            old.unlink()
    for name, text in texts.items():
        path = target / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def chapter(path: Path) -> str:
    """A notebook for MyST-NB: solutions folded, figures with a text for screen readers."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if cell.execution_count is None:
                raise SystemExit(f"{path.name} was not run to its end; `make notebooks` runs it")
            prepare(cell)
    return nbformat.writes(notebook)


def prepare(cell: NotebookNode) -> None:
    """Add what MyST-NB reads in a cell's metadata."""
    tags = cell.metadata.get("tags", [])
    shown = cell.metadata.setdefault("mystnb", {"image": {"alt": FIGURE}})
    if "solution" in tags:
        cell.metadata["tags"] = [*tags, "hide-cell"]
        shown["code_prompt_show"] = "Show the solution"
        shown["code_prompt_hide"] = "Hide the solution"


def redirect(app: Sphinx, page: str, content: list[str]) -> None:
    """Lead a link that is right in the repository to the notebook's page in the book."""
    content[0] = content[0].replace("](../notebooks/", "](/notebooks/")
