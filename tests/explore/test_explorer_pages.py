"""The explorers as files: whole, small, the same at every run, and how a notebook shows them."""

import html
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from cifar_utils import classify, explore
from cifar_utils.explore import __main__ as command
from cifar_utils.explore import page

NAMES = ["walk", "descent", "augmentation"]


@pytest.fixture(scope="module", params=NAMES)
def explorer(request: pytest.FixtureRequest) -> explore.Explorer:
    return getattr(explore, request.param)()


def test_a_page_asks_for_nothing_and_is_small(explorer: explore.Explorer) -> None:
    assert len(explorer.page.encode()) < 1_500_000
    assert "default-src 'none'" in explorer.page
    without_data = re.sub(r'<script type="application/json".*?</script>', "", explorer.page)
    assert not re.search(r"https?:|//cdn|\bimport\b.*from|\bfetch\(|<link|@import", without_data)
    assert "{{" not in without_data.replace("${{", "")


def test_a_page_is_the_same_at_every_run(explorer: explore.Explorer) -> None:
    again = getattr(explore, explorer.name)()
    assert again == explorer
    assert not plt.get_fignums()


def test_a_notebook_shows_a_picture_and_then_the_frame(explorer: explore.Explorer) -> None:
    InteractiveShell.instance()
    with capture_output() as shown:
        explorer._ipython_display_()
    image, frame = (output.data for output in shown.outputs)
    assert image["image/png"] == explorer.still and "text/html" not in image
    assert explorer.still.startswith(b"\x89PNG")
    held = re.search(r'srcdoc="([^"]*)"', frame["text/html"])[1]
    assert html.unescape(held) == explorer.page
    assert 'sandbox="allow-scripts"' in frame["text/html"]
    assert "object at 0x" not in str([image["text/plain"], frame["text/plain"], repr(explorer)])


def test_only_released_networks_walk() -> None:
    found = re.search(r'id="content">(.*?)</script>', explore.walk().page)[1]
    networks = json.loads(found)["networks"]
    assert [network["name"] for network in networks][0] == "FinalCNN"
    assert {network["name"] for network in networks} <= classify.released().keys()
    assert all(network["parameters"] <= 288_778 for network in networks)


def test_a_page_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LARGEST", 1_000)
    with pytest.raises(ValueError, match=r"'descent' has [\d,]+ bytes; at most 1,000"):
        explore.descent()


def test_modules_are_joined_once_and_before_their_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "FOLDER", tmp_path)
    (tmp_path / "c.mjs").write_text("export const three = 3;\n")
    (tmp_path / "b.mjs").write_text('import { three } from "./c.mjs";\nexport function two() {}\n')
    (tmp_path / "a.mjs").write_text(
        'import { two } from "./b.mjs";\nimport {\n  three,\n} from "./c.mjs";\ntwo(three);\n'
    )
    lines = [line for line in page.module("a").splitlines() if line]
    assert lines == ["const three = 3;", "function two() {}", "two(three);"]
    (tmp_path / "d.mjs").write_text('import * as all from "./c.mjs";\n')
    with pytest.raises(ValueError, match=r"d\.mjs: 'import \* as all"):
        page.module("d")


@pytest.mark.parametrize("to_open", [True, False])
def test_the_command_writes_prints_and_opens(
    to_open: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(command.webbrowser, "open_new_tab", opened.append)
    folder = tmp_path / "new"
    arguments = ["--out", str(folder), "--open" if to_open else "--no-open"]
    result = CliRunner().invoke(command.main, arguments, catch_exceptions=False)
    paths = [folder / f"{name}.html" for name in NAMES]
    assert result.output.split() == [str(path) for path in paths]
    assert all(path.read_text().startswith("<!doctype html>") for path in paths)
    assert opened == ([path.as_uri() for path in paths] if to_open else [])
