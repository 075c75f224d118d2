"""Walking downhill: the page's paths are those of cifar_utils.descent."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from conftest import look
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from cifar_utils import descent

pytestmark = pytest.mark.browser

SET = """
    const [id, value] = arguments;
    const slider = document.querySelector(id);
    slider.value = value;
    slider.dispatchEvent(new Event('input'));"""
RATES = """return Object.fromEntries(Array.from(document.querySelectorAll('.walker'),
    row => [row.dataset.walker, Number(row.querySelector('output').textContent)]));"""


@pytest.fixture
def page(looking: webdriver.Chrome, pages: dict[str, str]) -> webdriver.Chrome:
    looking.get(pages["descent"])
    for box in looking.find_elements(By.CSS_SELECTOR, ".walker input[type=checkbox]"):
        if not box.is_selected():
            box.click()
    return looking


def choose(page: webdriver.Chrome, surface: str) -> None:
    page.find_element(By.CSS_SELECTOR, f"[data-surface={surface}]").click()


def walks(page: webdriver.Chrome) -> dict[str, np.ndarray]:
    return {
        walk["name"]: np.array(walk["points"]) for walk in page.execute_script("return walks()")
    }


def differences(page: webdriver.Chrome, surface: descent.Surface, **options: Any) -> list[float]:
    """How far the page's paths are from the package's, a number a walker."""
    rates = page.execute_script(RATES)
    found = walks(page)
    assert found.keys() == descent.BY_HAND.keys()
    furthest = []
    for name, points in found.items():
        steps = len(points) - 1
        expected = descent.walk(surface, name, rates[name], steps, **options).to_numpy()
        furthest.append(np.abs(points - expected).max())
    return furthest


@pytest.mark.parametrize("name", descent.SURFACES)
def test_paths_are_the_packages(name: str, page: webdriver.Chrome) -> None:
    choose(page, name)
    page.execute_script(SET, "#steps", 200)
    assert max(differences(page, descent.surface(name))) < 1e-6


def test_paths_of_one_example_a_step(page: webdriver.Chrome) -> None:
    choose(page, "line_fit")
    all_examples = walks(page)["sgd"]
    page.find_element(By.ID, "single").click()
    assert max(differences(page, descent.surface("line_fit"), batch=1)) < 1e-6
    assert np.abs(walks(page)["sgd"] - all_examples).max() > 0.01
    choose(page, "ravine")
    assert not page.find_element(By.ID, "single").is_displayed()  # it has no examples


def test_momentum_and_learning_rates(page: webdriver.Chrome) -> None:
    choose(page, "ravine")
    page.execute_script(SET, "#momentum", 0.5)
    page.execute_script(SET, ".walker[data-walker=momentum] input[type=range]", 0.5)
    WebDriverWait(page, 5).until(lambda _: page.execute_script(RATES)["momentum"] == 0.055)
    assert max(differences(page, descent.surface("ravine"), momentum=0.5)) < 1e-6


def test_the_start_is_dragged_clicked_and_moved_by_keys(page: webdriver.Chrome) -> None:
    choose(page, "ravine")
    start = page.find_element(By.ID, "start")
    page.execute_script("arguments[0].focus()", start)
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_UP):
        start.send_keys(key)
    moved = walks(page)["sgd"][0]
    assert moved[:2] == pytest.approx([-4 + 0.2, 1.5 + 0.2])
    surface = dataclasses.replace(descent.surface("ravine"), start=tuple(moved[:2]))
    assert max(differences(page, surface)) < 1e-6

    width = page.find_element(By.ID, "map").rect["width"]
    ActionChains(page).click_and_hold(start).move_by_offset(round(width / 5), 0).release().perform()
    dragged = walks(page)["sgd"][0]
    assert dragged[0] == pytest.approx(moved[0] + 2, abs=0.05)
    page.find_element(By.ID, "map").click()  # in its middle
    assert np.abs(walks(page)["sgd"][0][:2]).max() < 0.05
    page.find_element(By.ID, "reset").click()
    assert tuple(walks(page)["sgd"][0][:2]) == descent.surface("ravine").start


def test_the_start_stays_on_the_map(page: webdriver.Chrome) -> None:
    choose(page, "noisy_bowl")
    start = page.find_element(By.ID, "start")
    page.execute_script("arguments[0].focus()", start)
    for _ in range(15):
        start.send_keys(Keys.ARROW_LEFT)
    assert walks(page)["sgd"][0][0] == -2


@pytest.mark.parametrize("name", descent.SURFACES)
def test_the_limit_of_the_learning_rate(name: str, page: webdriver.Chrome) -> None:
    choose(page, name)
    surface = descent.surface(name)
    limit = descent.largest_stable_lr(surface, surface.start)
    assert f" 2/λ = {limit:#.3g};" in page.find_element(By.ID, "limit").text
    slider = ".walker[data-walker=sgd] input[type=range]"
    output = page.find_element(By.CSS_SELECTOR, ".walker[data-walker=sgd] output")
    for position in (0, 1):
        page.execute_script(SET, slider, position)
        over = [0.001, 3.0][position] > limit
        WebDriverWait(page, 5).until(
            lambda _, over=over: ("over" in output.get_attribute("class")) == over
        )


def test_a_walker_that_flies_off_is_said_to(page: webdriver.Chrome) -> None:
    choose(page, "ravine")
    page.execute_script(SET, ".walker[data-walker=sgd] input[type=range]", 1)
    end = page.find_element(By.CSS_SELECTOR, ".walker[data-walker=sgd] .end")
    WebDriverWait(page, 5).until(lambda _: end.text == "flies off")


def test_play_runs_to_the_last_step_and_is_hidden_where_motion_is_not_wanted(
    page: webdriver.Chrome,
) -> None:
    play = page.find_element(By.ID, "play")
    play.click()
    steps = page.find_element(By.ID, "steps")
    WebDriverWait(page, 20).until(
        lambda _: play.is_enabled() and steps.get_property("value") == "40"
    )
    look(page, motion="reduce")
    assert not play.is_displayed()
