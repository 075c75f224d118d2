"""Forty draws of one image, and what the page says of each."""

import re

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from cifar_utils import classify, data

pytestmark = pytest.mark.browser

CAPTIONS = "return Array.from(document.querySelectorAll('.draw'), each => each.textContent);"
DRAWN = """return Array.from(document.querySelectorAll('.draw canvas'), canvas =>
    Array.from(canvas.getContext('2d').getImageData(0, 0, 32, 32).data));"""
HORSE = data.CLASSES.index("horse")


@pytest.fixture
def page(looking: webdriver.Chrome, pages: dict[str, str]) -> webdriver.Chrome:
    looking.get(pages["augmentation"])
    finished(looking)
    return looking


def finished(page: webdriver.Chrome) -> str:
    """The verdict, once the network has seen all forty that are shown now."""
    heading = page.find_element(By.ID, "verdict")

    def is_told(_: webdriver.Chrome) -> bool:
        right = len(page.find_elements(By.CSS_SELECTOR, ".draw.right"))
        return heading.text.startswith(f"{right} of 40 ")

    WebDriverWait(page, 20).until(is_told)
    return heading.text


def drawn(page: webdriver.Chrome) -> np.ndarray:
    """The forty images, 40×32×32×3."""
    return np.array(page.execute_script(DRAWN)).reshape(40, 32, 32, 4)[..., :3]


def set_to(page: webdriver.Chrome, name: str, value: int) -> None:
    page.execute_script(
        """const slider = document.getElementById(arguments[0]);
        slider.value = arguments[1];
        slider.dispatchEvent(new Event('input'));""",
        name, value,
    )  # fmt: skip
    page.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 50))")


def first_of(label: int) -> np.ndarray:
    test = data.load("sample").test
    return test.images[test.labels == label][0].permute(1, 2, 0).numpy().astype(int)


def test_as_it_is_all_forty_are_the_image_and_the_answer_is_pytorchs(
    page: webdriver.Chrome,
) -> None:
    page.find_element(By.ID, "none").click()
    assert finished(page) == "40 of 40 draws are called horse, which is right."
    assert np.abs(drawn(page) - first_of(HORSE)).max() == 0
    test = data.load("sample").test
    image = test.images[test.labels == HORSE][:1]
    best = classify.likeliest(image, *classify.released_network())[0]
    captions = page.execute_script(CAPTIONS)
    assert set(captions) == {f"{best.index[0]} {100 * best.iloc[0]:.0f} %"}
    mean = page.find_element(By.CSS_SELECTOR, ".bar.first").text
    assert re.findall(r"[\d.]+", mean) == [f"{100 * best.iloc[0]:.1f}"]


def test_it_begins_with_what_the_network_was_trained_with(page: webdriver.Chrome) -> None:
    recipe = classify.released_network()[1]["recipe"]
    assert recipe["augmentation"] == "crop+flip"
    sliders = ("padding", "share", "degrees", "size")
    values = [page.find_element(By.ID, name).get_property("value") for name in sliders]
    assert values == [str(recipe["padding"]), "50", "0", "0"]
    original = first_of(HORSE)
    padded = np.pad(original, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    windows = {
        view.tobytes()
        for top in range(5)
        for left in range(5)
        for crop in [padded[top : top + 32, left : left + 32]]
        for view in (crop, crop[:, ::-1])
    }
    made = drawn(page)
    assert all(image.tobytes() in windows for image in made)
    assert len({image.tobytes() for image in made}) > 20


@pytest.mark.parametrize(("name", "value"), [("degrees", 90), ("size", 12), ("padding", 10)])
def test_each_slider_changes_the_images_and_only_those_it_should(
    name: str, value: int, page: webdriver.Chrome
) -> None:
    page.find_element(By.ID, "none").click()
    set_to(page, name, value)
    different = np.abs(drawn(page) - first_of(HORSE)).max(axis=(1, 2, 3)) > 0
    assert different.sum() >= 38
    finished(page)
    set_to(page, name, 0)
    assert np.abs(drawn(page) - first_of(HORSE)).max() == 0


def test_mirrored_share(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "none").click()
    set_to(page, "share", 100)
    assert np.abs(drawn(page)[:, :, ::-1] - first_of(HORSE)).max() == 0


def test_draw_again_draws_anew_and_a_reload_repeats(page: webdriver.Chrome) -> None:
    once = drawn(page)
    page.find_element(By.ID, "again").click()
    assert np.abs(drawn(page) - once).max() > 0
    page.refresh()
    finished(page)
    assert np.array_equal(drawn(page), once)


def test_another_photograph_and_a_slider_moved_by_keys(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "none").click()
    page.find_elements(By.CSS_SELECTOR, "#thumbs button")[1].click()
    slider = page.find_element(By.ID, "degrees")
    slider.send_keys(Keys.ARROW_RIGHT)
    assert slider.find_element(By.XPATH, "../output").text == "±5°"
    assert " draws are called automobile, which is right." in finished(page)


def test_an_image_of_one_s_own_is_held_against_its_own_answer(
    page: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("own") / "horse.png"
    Image.fromarray(first_of(HORSE).astype(np.uint8)).save(path)
    page.find_element(By.ID, "file").send_keys(str(path))
    WebDriverWait(page, 10).until(lambda _: "as it is" in finished(page))
    assert "called horse, what FinalCNN calls the image as it is." in finished(page)
    path.write_bytes(b"no image")
    page.find_element(By.ID, "file").send_keys(str(path))
    message = page.find_element(By.ID, "message")
    WebDriverWait(page, 10).until(lambda _: message.text.startswith("horse.png is not an image"))
