"""The book: whole, linked, and sufficient to itself."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode, v4

from cifar_utils import book

NOTEBOOKS = sorted(book.NOTEBOOKS.glob("[0-9]*.ipynb"))
NAMES = ["index.html", *(f"{path.stem}.html" for path in NOTEBOOKS)]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    assert [path.name for path in book.build(folder)] == NAMES
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, BeautifulSoup]:
    return {name: BeautifulSoup((site / name).read_text(), "html.parser") for name in NAMES}


def question(path: Path) -> str:
    first = nbformat.read(path, 4).cells[0].source
    return re.search(r"\*\*The question:\*\* (.+)", first).group(1).strip()


def test_every_link_and_anchor_resolves(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        links = [urlsplit(a["href"]) for a in page.select("a[href]")]
        for link in links:
            if link.scheme:
                assert link.scheme == "https", link
                continue
            target = link.path or name
            assert (site / target).is_file(), f"{name} links to {target}"
            if link.fragment:
                ids = [link.fragment, unquote(link.fragment)]  # browsers try both
                assert pages[target].find(id=ids), f"{name} links to {target}#{ids[1]}"
        assert any(link.path == "index.html" for link in links)


def test_nothing_comes_from_another_host(site: Path, pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        assert not page.select("script, iframe, object, embed"), name
        for tag, attribute in LOADED.items():
            for element in page.select(tag):
                url = urlsplit(element[attribute])
                assert url.scheme == "data" or (site / url.path).is_file(), f"{name}: {element}"
        assert not any("@import" in style.text or "url(" in style.text for style in page("style"))
    style = (site / "style.css").read_text()
    fonts = re.findall(r"url\(\"?([^\")]+)", style)
    assert fonts and all((site / font).is_file() for font in fonts) and "@import" not in style


def test_previous_and_next_lead_through_the_book_and_back(pages: dict[str, BeautifulSoup]) -> None:
    for rel, order in (("next", NAMES), ("prev", NAMES[:0:-1])):
        found = {
            name: [link["href"] for link in page.select(f".turn a[rel={rel}]")]
            for name, page in pages.items()
        }
        for here, there in zip(order, order[1:], strict=False):
            assert found.pop(here) == [there, there]
        assert not any(found.values()), found


def test_contents_ask_each_notebooks_question(pages: dict[str, BeautifulSoup]) -> None:
    entries = pages["index.html"].select("main ol > li")
    start = (book.NOTEBOOKS / "start.md").read_text()
    assert [entry.a["href"] for entry in entries] == NAMES[1:]
    for path, entry in zip(NOTEBOOKS, entries, strict=True):
        assert question(path) in start, f"notebooks/start.md asks not what {path.name} asks"
        assert entry.a.text == pages[f"{path.stem}.html"].h1.text.rstrip("¶")


def drawn(output: NotebookNode) -> list[str]:
    """A cell's figures in base64: a PNG, or what its HTML holds (an animation)."""
    bundle = output.get("data", {})
    inside = BeautifulSoup(bundle.get("text/html", ""), "html.parser").select("img")
    sources = [bundle.get("image/png", ""), *(img["src"].partition("base64,")[2] for img in inside)]
    return [source.replace("\n", "") for source in sources if source]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_page_has_all_of_its_notebook(path: Path, pages: dict[str, BeautifulSoup]) -> None:
    page, cells = pages[f"{path.stem}.html"], nbformat.read(path, 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    figures = [figure for cell in code for output in cell.outputs for figure in drawn(output)]
    shown = [img["src"].partition("base64,")[2].replace("\n", "") for img in page.select("img")]
    assert figures and shown == figures
    assert all(img["alt"] for img in page.select("img"))
    assert len(page.select(".input_area")) == len(code)
    solutions = [cell for cell in code if "solution" in cell.metadata.get("tags", [])]
    folded = page.select("details.solution:not([open])")
    assert len(folded) == len(solutions)
    for details, cell in zip(folded, solutions, strict=True):
        assert details.pre.text.strip() == cell.source.strip()


def test_formulas_are_mathml(pages: dict[str, BeautifulSoup]) -> None:
    for name, page in pages.items():
        prose = BeautifulSoup(str(page.main), "html.parser")
        for element in prose.select("pre, code"):
            element.decompose()
        assert not re.search(r"\$|\\[a-zA-Z]", prose.text), name
        for formula in page.select("math[display=block]"):
            assert "formula" in formula.parent["class"]
    assert len(pages["01_baseline.html"].select("math")) > 10


def test_a_notebook_that_was_not_executed_is_refused(tmp_path: Path) -> None:
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# 01"), v4.new_code_cell("1")])
    nbformat.write(notebook, tmp_path / "01_new.ipynb")
    (tmp_path / "start.md").write_text("# Start")
    with pytest.raises(ValueError, match=r"01_new\.ipynb was not executed.*make notebooks"):
        book.build(tmp_path / "book", tmp_path)
    assert not (tmp_path / "book").exists()
