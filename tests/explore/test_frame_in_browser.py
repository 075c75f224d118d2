"""The frame that a notebook shows: its height, its colours, its width, whatever is around it."""

import re
from pathlib import Path

import pytest
from conftest import WIDTHS, look
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from cifar_utils import explore

pytestmark = pytest.mark.browser
NAMES = ["walk", "descent", "augmentation"]
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"
FITS = """const root = document.documentElement;
    return [root.scrollHeight - innerHeight, root.scrollWidth - innerWidth];"""


@pytest.fixture(params=NAMES)
def around(
    request: pytest.FixtureRequest, looking: webdriver.Chrome, tmp_path: Path
) -> webdriver.Chrome:
    """A page with two frames in it, as a notebook's page has them."""
    shown = getattr(explore, request.param)()._repr_html_()
    path = tmp_path / "around.html"
    path.write_text(f"<!doctype html><body style='background: #fff'>{shown * 2}</body>")
    looking.get(path.as_uri())
    return looking


@pytest.mark.parametrize("width", WIDTHS)
def test_the_frame_is_as_high_as_its_page(width: str, around: webdriver.Chrome) -> None:
    look(around, width)
    for frame in around.find_elements(By.TAG_NAME, "iframe"):
        around.execute_script("arguments[0].scrollIntoView()", frame)
        around.switch_to.frame(frame)
        WebDriverWait(around, 10).until(lambda _: around.execute_script(FITS)[0] <= 0)
        height = around.execute_script("return document.body.getBoundingClientRect().height")
        assert around.execute_script(FITS)[1] <= 0, "it scrolls sideways"
        around.switch_to.default_content()
        assert 300 < height <= frame.rect["height"] < height + 4


def test_a_frame_below_the_fold_has_its_height_before_it_is_seen(
    looking: webdriver.Chrome, tmp_path: Path
) -> None:
    path = tmp_path / "long.html"
    shown = explore.walk()._repr_html_()
    path.write_text(f"<!doctype html><body><div style='height: 9000px'></div>{shown}</body>")
    height = "return document.querySelector('iframe').style.height"
    for _ in range(5):  # what comes first, the frame or the script around it, is chance
        looking.get(path.as_uri())
        WebDriverWait(looking, 10).until(
            lambda _: re.fullmatch(r"1\d{3}px", looking.execute_script(height))
        )


def test_a_frame_that_was_folded_away_works_once_it_is_shown(around: webdriver.Chrome) -> None:
    """While it has no size, nothing can be drawn in it."""
    fold = """
        const fresh = document.querySelector('iframe').cloneNode();
        document.body.innerHTML = '<div id="folded" style="display: none"></div>';
        document.querySelector('#folded').append(fresh);"""
    around.execute_script(fold)
    around.execute_async_script("setTimeout(arguments[0], 1500)")
    around.execute_script("document.querySelector('#folded').style.display = ''")
    frame = around.find_element(By.TAG_NAME, "iframe")
    WebDriverWait(around, 10).until(lambda _: frame.rect["height"] != 720)
    around.switch_to.frame(frame)
    WebDriverWait(around, 10).until(lambda _: around.execute_script(FITS)[0] <= 0)
    around.switch_to.default_content()


def test_the_frame_is_as_dark_as_what_is_around_it(around: webdriver.Chrome) -> None:
    frame = around.find_elements(By.TAG_NAME, "iframe")[1]
    for page, inside in (("#111", "rgb(21, 24, 28)"), ("#fff", "rgb(255, 255, 255)")):
        around.execute_script("document.body.style.background = arguments[0]", page)
        around.switch_to.frame(frame)
        WebDriverWait(around, 10).until(
            lambda _, inside=inside: around.execute_script(BACKGROUND) == inside
        )
        around.switch_to.default_content()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_its_own_follows_the_devices_scheme_and_motion(
    name: str, looking: webdriver.Chrome, pages: dict[str, str]
) -> None:
    looking.get(pages[name])
    transition = "return getComputedStyle(document.querySelector('.fill')).transitionDuration"
    for scheme, background in (("dark", "rgb(21, 24, 28)"), ("light", "rgb(255, 255, 255)")):
        look(looking, scheme=scheme)
        assert looking.execute_script(BACKGROUND) == background
    if name != "descent":
        assert looking.execute_script(transition) == "0.25s"
        look(looking, motion="reduce")
        assert looking.execute_script(transition) == "0s"


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_pressed_or_moved_has_a_name(
    name: str, looking: webdriver.Chrome, pages: dict[str, str]
) -> None:
    looking.get(pages[name])
    shown = looking.find_elements(By.CSS_SELECTOR, "button, input, select, canvas[tabindex]")
    assert len(shown) > 9
    assert all(each.accessible_name for each in shown if each.is_displayed())
