"""The book, as `make book` builds it: whole, linked, readable and sufficient to itself."""

import json
import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import chromium
import nbformat
import pytest
from nbformat import v4
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from cifar_utils.batch import study
from cifar_utils.data import PROJECT

DOCS = PROJECT / "docs"
NOTEBOOKS = study.find_notebooks()
CORE = "data augment models muon recipe training inference metrics records experiment statistics"
CORE += " uncertainty descent"
WIDTHS = {"desktop": 1200, "phone": 390}
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book, built by the words of `make book`, which turn a warning into a failure."""
    recipe = ["make", "--dry-run", "--always-make", "--no-print-directory", "book"]
    said = subprocess.run(recipe, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    options = re.search(r"sphinx-build (.*) docs _site", said).group(1).split()
    assert "--fail-on-warning" in options
    out = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "sphinx", *options, str(DOCS), str(out)]
    built = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """The book, served on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chrome = chromium.start(tmp_path_factory.mktemp("chromium"), NO_NETWORK)
    try:
        yield chrome
    finally:
        chrome.quit()


# What a page holds; its folded parts are opened afterwards, so that they are measured too.
HOLDS = r"""
const all = selector => Array.from(document.querySelectorAll(selector));
const prose = document.querySelector('article').cloneNode(true);
prose.querySelectorAll('pre, code, math, style, script').forEach(each => each.remove());
const held = {
  title: document.title,
  links: all('a[href]').map(link => link.href),
  anchors: all('[id]').map(each => each.id),
  prose: prose.textContent,
  formulas: all('article math').length,
  code: all('.cell_input').length,
  figures: all('.cell_output img:not(.only-dark)')
    .map(image => [image.naturalWidth > 0, image.alt]),
  tables: all('.cell_output table').length,
  folded: all('details.hide.above-input:not([open])')
    .map(each => each.querySelector('pre').textContent.trim()),
};
all('details').forEach(each => { each.open = true; });
return held;
"""

# The page as a whole must not scroll sideways, code must wrap, and any other thing that is wider
# than the page needs a box that scrolls.
TOO_WIDE = """
const scrolls = each => /auto|scroll/.test(getComputedStyle(each).overflowX);
const cut = each => {
  if (each.scrollWidth > each.clientWidth + 1)
    if (each.matches('pre') || each.matches('.formula') && !scrolls(each)) return true;
  const right = each.getBoundingClientRect().right;
  for (let box = each.parentElement; !box.matches('.content'); box = box.parentElement)
    if (scrolls(box)) return false;
  return right > document.querySelector('.content').getBoundingClientRect().right + 1;
};
const pages = [document.documentElement, document.body, document.querySelector('.content')];
const inside = Array.from(document.querySelectorAll('article :is(table, pre, img, .formula)'));
return [...pages.filter(each => each.scrollWidth > each.clientWidth + 1), ...inside.filter(cut)]
  .map(each => each.outerHTML.slice(0, 200));
"""


@pytest.fixture(scope="session")
def pages(site: Path, address: str, browser: webdriver.Chrome) -> dict[str, dict[str, Any]]:
    """Every page, loaded once: what it holds, what it asked for, what is cut at which width."""
    looks = {}
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        resize(browser, "desktop")
        browser.get(f"{address}/{name}")
        looks[name] = browser.execute_script(HOLDS) | {"too wide": {}}
        for kind in WIDTHS:
            resize(browser, kind)
            looks[name]["too wide"][kind] = browser.execute_script(TOO_WIDE)
        looks[name]["requests"] = network_log(browser)
        looks[name]["console"] = [entry["message"] for entry in browser.get_log("browser")]
    return looks


def network_log(browser: webdriver.Chrome) -> dict[str, list[dict[str, Any]]]:
    """What was asked, answered and refused since the last call, by the name of the event."""
    log = defaultdict(list)
    for entry in browser.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        log[event["method"].removeprefix("Network.")].append(event["params"])
    return log


def resize(browser: webdriver.Chrome, kind: str) -> None:
    screen = {"width": WIDTHS[kind], "height": 900, "deviceScaleFactor": 1}
    screen["mobile"] = kind == "phone"
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def prefer(browser: webdriver.Chrome, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def page_of(path: Path) -> str:
    return f"notebooks/{path.stem}.html"


@pytest.mark.browser
def test_the_book_has_its_parts(pages: dict[str, dict[str, Any]]) -> None:
    modules = [f"reference/cifar_utils.{name}.html" for name in CORE.split()]
    modules += ["reference/cifar_utils.classify.html", "reference/cifar_utils.plots.html"]
    parts = ["index.html", "results.html", "results.ru.html", "usage.html", "search.html"]
    parts += ["explorers.html", "uncertainty.html"]
    assert {*parts, *modules, *map(page_of, NOTEBOOKS)} <= pages.keys()
    for path in NOTEBOOKS:
        first = nbformat.read(path, 4).cells[0].source.splitlines()[0]
        assert pages[page_of(path)]["title"].startswith(first.lstrip("# "))
    assert "fit" in " ".join(pages["reference/cifar_utils.training.html"]["anchors"])


@pytest.mark.browser
def test_no_request_fails_or_goes_to_another_host(
    pages: dict[str, dict[str, Any]], address: str
) -> None:
    for name, page in pages.items():
        log = page["requests"]
        sent = [
            each for each in log["requestWillBeSent"] if each["documentURL"].startswith(address)
        ]
        urls = [each["request"]["url"] for each in sent]
        assert len(urls) > 3, f"{name}: no page loads so little"
        assert not [url for url in urls if not url.startswith((address, "data:"))], name
        own = {each["requestId"] for each in sent}  # the rest are of Chromium's own first tab
        assert not [each for each in log["loadingFailed"] if each["requestId"] in own], name
        answers = [each["response"] for each in log["responseReceived"]]
        assert not [answer["url"] for answer in answers if answer["status"] >= 400], name
        assert not page["console"], name


@pytest.mark.browser
@pytest.mark.parametrize("kind", WIDTHS)
def test_nothing_is_cut_and_no_page_scrolls_sideways(
    pages: dict[str, dict[str, Any]], kind: str
) -> None:
    too_wide = {name: page["too wide"][kind] for name, page in pages.items()}
    assert not {name: parts for name, parts in too_wide.items() if parts}


@pytest.mark.browser
def test_every_link_and_anchor_resolves(pages: dict[str, dict[str, Any]], address: str) -> None:
    for name, page in pages.items():
        for link in map(urlsplit, page["links"]):
            if f"{link.scheme}://{link.netloc}" != address:
                assert link.scheme == "https", f"{name} links to {link.geturl()}"
                continue
            target = unquote(link.path).lstrip("/") or "index.html"
            if target.startswith(("_downloads/", "_images/")):
                continue
            assert target in pages, f"{name} links to {target}"
            anchors = ["", *pages[target]["anchors"]]
            assert unquote(link.fragment) in anchors, f"{name} links to {target}#{link.fragment}"


@pytest.mark.browser
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_page_has_all_of_its_notebook(path: Path, pages: dict[str, dict[str, Any]]) -> None:
    page = pages[page_of(path)]
    code = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    shown = [output.get("data", {}) for cell in code for output in cell.outputs]
    html = "".join("".join(data.get("text/html", "")) for data in shown)
    figures = sum("image/png" in data for data in shown) + html.count("<img")
    assert page["code"] == len(code)
    assert len(page["figures"]) == figures > 0
    assert all(drawn and alt for drawn, alt in page["figures"])
    assert page["tables"] == html.count("<table")
    folded = {"solution", "hide-input"}
    hidden = [cell.source for cell in code if folded & set(cell.metadata.get("tags", []))]
    assert page["folded"] == [source.strip() for source in hidden]


@pytest.mark.browser
def test_formulas_are_mathml(pages: dict[str, dict[str, Any]]) -> None:
    for name, page in pages.items():
        assert not re.search(r"\$|\\[a-zA-Z]", page["prose"]), name
    assert pages["notebooks/01_baseline.html"]["formulas"] > 10


@pytest.mark.browser
@pytest.mark.parametrize("served", [True, False], ids=["served", "opened as a file"])
def test_search_finds_a_word(
    served: bool, site: Path, address: str, browser: webdriver.Chrome
) -> None:
    browser.get(f"{address if served else site.as_uri()}/search.html?q=nesterov")
    found = "return Array.from(document.querySelectorAll('.search li a'), link => link.href)"
    WebDriverWait(browser, 30).until(
        lambda _: "notebooks/07_final.html" in " ".join(browser.execute_script(found))
    )


@pytest.mark.browser
def test_dark_mode_inverts_drawings_and_shows_photographs_on_dark_paper(
    address: str, browser: webdriver.Chrome
) -> None:
    colours = """
    const shade = colour => Math.max(...colour.match(/[0-9]+/g).slice(0, 3));
    const style = getComputedStyle(document.body);
    const all = selector => Array.from(document.querySelectorAll('.cell_output ' + selector));
    const hidden = selector => all(selector).map(each => each.offsetParent === null);
    return [shade(style.backgroundColor), shade(style.color),
      getComputedStyle(all('img.few-colours')[0]).filter,
      hidden('img.only-light'), hidden('img.only-dark')];"""
    browser.get(f"{address}/notebooks/01_baseline.html")
    try:
        prefer(browser, "light")
        paper, ink, inverted, light, dark = browser.execute_script(colours)
        assert paper > 240 and ink < 60 and inverted == "none"
        assert len(light) == len(dark) > 3 and not any(light) and all(dark)
        prefer(browser, "dark")
        paper, ink, inverted, light, dark = browser.execute_script(colours)
        assert paper < 60 and ink > 190 and inverted.startswith("invert(0.92)")
        assert all(light) and not any(dark)
        resize(browser, "desktop")
        browser.find_element("css selector", ".content-icon-container .theme-toggle").click()
        assert browser.execute_script("return document.body.dataset.theme") != "auto"
    finally:
        browser.execute_script("localStorage.clear()")
        prefer(browser, "light")


@pytest.mark.browser
def test_side_bar_stands_beside_the_page_and_slides_in_on_a_phone(
    address: str, browser: webdriver.Chrome
) -> None:
    left = "return document.querySelector('.sidebar-drawer').getBoundingClientRect().left"
    resize(browser, "desktop")
    browser.get(f"{address}/index.html")
    assert browser.execute_script(left) == 0
    resize(browser, "phone")
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(left) < -200)
    browser.find_element("css selector", ".mobile-header .nav-overlay-icon").click()
    WebDriverWait(browser, 10).until(lambda _: browser.execute_script(left) == 0)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_start_page_asks_each_notebooks_question(path: Path) -> None:
    first = nbformat.read(path, 4).cells[0].source
    question = re.search(r"\*\*The question:\*\* (.+)", first).group(1).strip()
    assert question in (PROJECT / "notebooks" / "start.md").read_text()


def test_a_notebook_that_was_not_executed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(DOCS / "_ext")
    chapters = import_module("chapters")
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# 01"), v4.new_code_cell("1")])
    nbformat.write(notebook, tmp_path / "01_new.ipynb")
    with pytest.raises(SystemExit, match=r"01_new\.ipynb was not .* `make notebooks`"):
        chapters.chapter(tmp_path / "01_new.ipynb")
