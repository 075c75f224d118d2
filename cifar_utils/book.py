"""The seven executed notebooks as a book: static pages that need no script and no other host.

`python -m cifar_utils.book FOLDER`. Formulas become MathML, which browsers render themselves.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
import nbformat
from bs4 import BeautifulSoup
from jinja2 import pass_context
from jinja2.runtime import Context
from latex2mathml.converter import convert as mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from cifar_utils.data import PROJECT

NOTEBOOKS = PROJECT / "notebooks"
TEMPLATE = PROJECT / "book" / "page.html.j2"
STYLE = PROJECT / "book" / "style.css"
MATH_FONT = Path(find_spec("ziamath").origin).parent / "fonts" / "STIXTwoMath-Regular.ttf"
FIGURE = "Figure; the text around it says what it shows."
NOTEBOOK_LINK = re.compile(r"^(\w+)\.ipynb(#.*)?$")


@dataclass(frozen=True)
class Page:
    """A page before it is rendered: its file's name and its cells."""

    href: str
    notebook: NotebookNode

    @property
    def title(self) -> str:
        """The first line, a heading, without its mark."""
        return self.notebook.cells[0].source.splitlines()[0].lstrip("# ")


class PageRenderer(IPythonRenderer):
    """Markdown with formulas as MathML and with links to the book's pages, not to notebooks."""

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link; `03_pooling.ipynb` becomes `03_pooling.html`."""
        return super().link(text, NOTEBOOK_LINK.sub(r"\1.html\2", url), title)

    def inline_math(self, body: str) -> str:
        """A formula in a line."""
        return mathml(body)

    def block_math(self, body: str) -> str:
        """A formula on a line of its own."""
        return f'<div class="formula">{mathml(body, display="block")}</div>'


class PageExporter(HTMLExporter):
    """nbconvert's HTML in the book's template."""

    def __init__(self) -> None:
        super().__init__(template_file=str(TEMPLATE))
        self.register_preprocessor("nbconvert.preprocessors.CoalesceStreamsPreprocessor", True)

    @pass_context
    def markdown2html(self, context: Context, source: str) -> str:
        """Markdown as HTML, by PageRenderer."""
        return MarkdownWithMath(renderer=PageRenderer(escape=False)).render(source)


def build(out: Path, source: Path = NOTEBOOKS) -> list[Path]:
    """Write the book: a page a notebook of `source`, `index.html` from its start.md, style, font.

    Returns:
        The pages, contents first.

    Raises:
        ValueError: a notebook with a code cell that was not executed.
    """
    pages = [_page(path) for path in sorted(source.glob("[0-9]*.ipynb"))]
    start = nbformat.v4.new_markdown_cell((source / "start.md").read_text())
    contents = nbformat.v4.new_notebook(cells=[start])
    out.mkdir(parents=True, exist_ok=True)
    written = [out / "index.html"]
    written[0].write_text(_render(Page("index.html", contents), None, pages[0]))
    for number, page in enumerate(pages):
        before, after = pages[max(number - 1, 0) : number], pages[number + 1 : number + 2]
        written.append(out / page.href)
        written[-1].write_text(_render(page, *(before or [None]), *(after or [None])))
    (out / "style.css").write_text(_style())
    shutil.copy(MATH_FONT, out)
    return written


def _page(path: Path) -> Page:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.execution_count is None:
            raise ValueError(f"{path.name} was not executed to its end: `make notebooks` does that")
        cell.metadata.setdefault("alt", FIGURE)
    return Page(f"{path.stem}.html", notebook)


def _render(page: Page, previous: Page | None, following: Page | None) -> str:
    resources = {"title": page.title, "previous": previous, "next": following}
    html, _ = PageExporter().from_notebook_node(page.notebook, resources)
    soup = BeautifulSoup(html, "html.parser")
    if page.href != "index.html":
        soup.h1.insert_after(_on_this_page(soup))
    return str(soup)


def _on_this_page(soup: BeautifulSoup) -> BeautifulSoup:
    headings = [(h["id"], h.get_text().rstrip("¶")) for h in soup.select("h2[id]")]
    lines = [f'<li><a href="#{anchor}">{text}</a></li>' for anchor, text in headings]
    summary = "<summary>On this page</summary>"
    nav = f'<details id="on-this-page">{summary}<ul>{"".join(lines)}</ul></details>'
    return BeautifulSoup(nav, "html.parser")


def _style() -> str:
    light, dark = (
        HtmlFormatter(style=name).get_style_defs(".highlight")
        for name in ("default", "github-dark")
    )
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{STYLE.read_text()}"


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
def main(out: Path) -> None:
    """Build the book in the folder OUT."""
    click.echo(f"The book: {build(out)[0]}")


if __name__ == "__main__":
    main()
