"""The walk of an image, as a reader takes it: by pointer, by keys, with images of one's own."""

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait
from test_export import stirred
from torch import Tensor

from cifar_utils import classify, data, models
from cifar_utils.explore import export, figures

pytestmark = pytest.mark.browser

SHARES = """return Array.from(document.querySelectorAll('.bar .number'),
    each => parseFloat(each.textContent) / 100);"""
PIXELS = """const image = document.querySelector('#image');
    return Array.from(image.getContext('2d').getImageData(0, 0, 32, 32).data);"""
HAND_OVER = """
    const [way, name, type, content] = arguments;
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const event = way === 'drop'
      ? new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true })
      : new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true });
    document.body.dispatchEvent(event);"""


@pytest.fixture
def walk(looking: webdriver.Chrome, pages: dict[str, str]) -> webdriver.Chrome:
    looking.get(pages["walk"])
    return looking


def shares_of(image: Tensor) -> np.ndarray:
    """What PyTorch says of a uint8 image 3×32×32."""
    series = classify.likeliest(image[None], *classify.released_network(), count=10)[0]
    return series[list(data.CLASSES)].to_numpy()


def pixels_shown(walk: webdriver.Chrome) -> np.ndarray:
    return np.array(walk.execute_script(PIXELS)).reshape(32, 32, 4)[:, :, :3]


def message(walk: webdriver.Chrome) -> str:
    return walk.find_element(By.ID, "message").text


def wait_for(walk: webdriver.Chrome, condition: str) -> None:
    WebDriverWait(walk, 20).until(lambda _: walk.execute_script(f"return {condition}"))


def photograph(folder: Path) -> Path:
    """A wide image whose middle square a box shrinks without a remainder."""
    pixels = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    path = folder / "mine.png"
    Image.fromarray(pixels.repeat(16, axis=0).repeat(16, axis=1)).save(path)
    return path


def test_it_says_of_every_photograph_what_pytorch_says(walk: webdriver.Chrome) -> None:
    test = data.load("sample").test
    buttons = walk.find_elements(By.CSS_SELECTOR, "#thumbs button")
    assert len(buttons) == 20
    for place in (0, 7, 19):
        buttons[place].click()
        image = test.images[test.labels == place // 2][place % 2]
        assert np.array_equal(pixels_shown(walk), image.permute(1, 2, 0).numpy())
        np.testing.assert_allclose(walk.execute_script(SHARES), shares_of(image), atol=0.002)
        assert buttons[place].get_attribute("title") == data.CLASSES[place // 2]


def test_it_is_fast_enough(walk: webdriver.Chrome) -> None:
    for button in walk.find_elements(By.CSS_SELECTOR, "#thumbs button")[:5]:
        button.click()
    cost = walk.find_element(By.ID, "cost").text
    assert cost.startswith("FinalCNN, 288,778 parameters: ")
    assert int(cost.split(": ")[1].split(" ms")[0]) < 50


@pytest.mark.parametrize("way", ["drop", "paste", "choose"])
def test_an_image_of_one_s_own(way: str, walk: webdriver.Chrome, tmp_path: Path) -> None:
    path = photograph(tmp_path)
    if way == "choose":
        walk.find_element(By.ID, "file").send_keys(str(path))
    else:
        content = base64.b64encode(path.read_bytes()).decode()
        walk.execute_script(HAND_OVER, way, path.name, "image/png", content)
    pressed = "document.querySelectorAll('#thumbs [aria-pressed=true]').length"
    wait_for(walk, f"{pressed} === 0")
    expected = classify.read_image(path)
    assert np.abs(pixels_shown(walk) - expected.permute(1, 2, 0).numpy().astype(int)).max() <= 1
    np.testing.assert_allclose(walk.execute_script(SHARES), shares_of(expected), atol=0.02)
    assert message(walk) == ""


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG's head of that size and a few bytes of its pixels."""
    chunks = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body
        chunks += struct.pack(">I", zlib.crc32(kind + body))
    return chunks


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.png", b"\x89PNG\r\n\x1a\n and no more"),
        ("notes.txt", b"not an image"),
        ("empty.jpg", b""),
        ("huge.png", png_that_claims(100_000, 100_000)),
    ],
    ids=["broken", "text", "empty", "huge"],
)
def test_what_is_no_image_gets_one_sentence(
    name: str, content: bytes, walk: webdriver.Chrome
) -> None:
    before = pixels_shown(walk)
    encoded = base64.b64encode(content).decode()
    walk.execute_script(HAND_OVER, "drop", name, "image/png", encoded)
    wait_for(walk, "document.querySelector('#message').textContent !== ''")
    assert message(walk).startswith(f"{name} is not an image that this browser can read")
    assert message(walk).count(".") == name.count(".") + 1
    assert np.array_equal(pixels_shown(walk), before)
    walk.find_element(By.CSS_SELECTOR, "#thumbs button").click()
    assert message(walk) == ""


def test_a_file_of_too_many_bytes_is_not_opened(walk: webdriver.Chrome) -> None:
    walk.execute_script("""
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(70e6)], 'film.mp4'));
        document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer }));""")
    wait_for(walk, "document.querySelector('#message').textContent !== ''")
    assert message(walk) == "film.mp4 has 70 MB; at most 64 are read."


def test_arrow_keys_walk_from_unit_to_unit(walk: webdriver.Chrome) -> None:
    canvas = walk.find_element(By.CSS_SELECTOR, ".maps canvas")
    walk.execute_script("arguments[0].focus()", canvas)
    steps = [
        (Keys.ENTER, "map 1, row 1, column 1"),
        (Keys.ARROW_RIGHT, "map 1, row 1, column 2"),
        (Keys.ARROW_DOWN, "map 1, row 2, column 2"),
        (Keys.ARROW_LEFT, "map 1, row 2, column 1"),
        (Keys.ARROW_LEFT, "map 1, row 2, column 1"),  # the end of the mosaic
    ]
    for key, place in steps:
        canvas.send_keys(key)
        assert f"Convolution 1, {place}: " in walk.find_element(By.CSS_SELECTOR, ".unit h2").text
    for _ in range(31):
        canvas.send_keys(Keys.ARROW_DOWN)
    heading = walk.find_element(By.CSS_SELECTOR, ".unit h2").text
    assert "map 5, row 1, column 1: " in heading  # over the gap, into the map below
    assert walk.find_element(By.ID, "patch").is_displayed()


def test_a_clicked_unit_has_pytorchs_number(walk: webdriver.Chrome) -> None:
    model, record = classify.released_network()
    image = data.load("sample").test.images[:1]
    inputs = data.normalise(image, record["data"]["mean"], record["data"]["std"])
    maps = models.feature_maps(model, inputs)
    expected = [maps["BatchNorm2d-2"], maps["MaxPool2d-3"], maps["MaxPool2d-3"].relu()]
    for place, kind in enumerate(("Convolution 1", "Max-pooling", "ReLU")):
        canvas = walk.find_elements(By.CSS_SELECTOR, ".maps canvas")[place]
        side = expected[place].shape[-1]
        column, row = 2 * (side + 1) + 4, (side + 1) + 7  # in map 7 of four a row
        walk.execute_script(
            """const [canvas, column, row] = arguments;
            const box = canvas.getBoundingClientRect();
            const unit = box.width / canvas.width;
            const at = { clientX: box.left + (column + 0.5) * unit,
                         clientY: box.top + (row + 0.5) * unit };
            canvas.dispatchEvent(new MouseEvent('click', at));""",
            canvas, column, row,
        )  # fmt: skip
        said = walk.find_element(By.CSS_SELECTOR, ".unit h2").text
        assert said.startswith(f"{kind}, map 7, row 8, column 5: ")
        number = float(said.split(": ")[1].replace("−", "-"))
        assert number == pytest.approx(expected[place][0, 6, 7, 4].item(), abs=0.006)


def test_the_last_layers_units_are_the_classes(walk: webdriver.Chrome) -> None:
    canvas = walk.find_elements(By.CSS_SELECTOR, ".maps canvas")[-1]
    walk.execute_script("arguments[0].focus()", canvas)
    for key in (Keys.ENTER, Keys.ARROW_RIGHT):
        canvas.send_keys(key)
    unit = walk.find_element(By.CSS_SELECTOR, ".unit")
    assert "Linear layer, automobile: " in unit.text
    assert "It sees the whole image." in unit.text


def test_drawing_by_pointer_and_by_keys(walk: webdriver.Chrome) -> None:
    walk.find_element(By.ID, "clear").click()
    grey = pixels_shown(walk)
    assert (grey == [125, 123, 114]).all()
    image = walk.find_element(By.ID, "image")
    ActionChains(walk).move_to_element(image).click_and_hold().move_by_offset(
        40, 0
    ).release().perform()
    assert np.array_equal(pixels_shown(walk), grey)  # the button is not pressed yet
    walk.find_element(By.ID, "draw").click()
    walk.find_element(By.CSS_SELECTOR, "#palette [title=red]").click()
    before = walk.execute_script(SHARES)
    ActionChains(walk).move_to_element(image).click_and_hold().move_by_offset(
        40, 0
    ).release().perform()
    wait_for(walk, f"JSON.stringify((() => {{{SHARES}}})()) !== '{before}'.replaceAll(' ', '')")
    rows, columns = (pixels_shown(walk) == [190, 40, 35]).all(axis=2).nonzero()
    assert len(set(rows)) == 1 and rows[0] in (15, 16)
    assert len(columns) == 6 == np.ptp(columns) + 1  # 40 of 256 CSS pixels, without a hole
    walk.execute_script("arguments[0].focus()", image)
    for key in (Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.SPACE):
        image.send_keys(key)
    wait_for(walk, "document.querySelector('#brush').hidden === false")
    WebDriverWait(walk, 5).until(
        lambda _: (pixels_shown(walk) == [190, 40, 35]).all(axis=2).sum() == 7
    )
    assert (pixels_shown(walk)[rows[0] + 2, columns.max()] == [190, 40, 35]).all()


def test_drawing_by_touch(walk: webdriver.Chrome) -> None:
    walk.find_element(By.ID, "draw").click()
    box = walk.find_element(By.ID, "image").rect
    start = [{"x": box["x"] + 20, "y": box["y"] + 20}]
    end = [{"x": box["x"] + 200, "y": box["y"] + 20}]
    for kind, points in (("touchStart", start), ("touchMove", end), ("touchEnd", [])):
        walk.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    WebDriverWait(walk, 5).until(
        lambda _: (pixels_shown(walk)[2] == [250, 250, 248]).all(axis=1).sum() > 15
    )


def test_a_second_network_fits_into_the_page_and_can_be_chosen(
    looking: webdriver.Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The strongest small network's layers, with random statistics, for a second released one."""
    sample = data.load("sample")
    model = stirred(models.build("FastCNN", widths=(48, 88, 88)))
    second = export.as_json(model, list(sample.mean), list(sample.std), "FastCNN")
    networks = [figures._network("FinalCNN"), second]
    monkeypatch.setattr(figures, "_networks", lambda: networks)
    looking.get(figures.walk().save(tmp_path).as_uri())  # refused if it were too large
    chosen = Select(looking.find_element(By.ID, "network"))
    assert [option.text for option in chosen.options] == ["FinalCNN", "FastCNN"]
    chosen.select_by_visible_text("FastCNN")
    cost = looking.find_element(By.ID, "cost").text
    assert cost.startswith(f"FastCNN, {second['parameters']:,} parameters: ")
    assert int(cost.split(": ")[1].split(" ms")[0]) < 500
    with torch.inference_mode():
        expected = model(sample.normalise(sample.test.images[:1])).softmax(1)[0]
    np.testing.assert_allclose(looking.execute_script(SHARES), expected, atol=0.001)
    titles = [each.text for each in looking.find_elements(By.CSS_SELECTOR, ".layer h3")]
    assert sum(title.startswith("Convolution") for title in titles) == 7
    assert sum(title.startswith("GELU") for title in titles) == 7
    canvas = looking.find_elements(By.CSS_SELECTOR, ".maps canvas")[1]
    looking.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys(Keys.ENTER)
    assert "· Φ(" in looking.find_element(By.CSS_SELECTOR, ".unit .sum").text
    chosen.select_by_visible_text("FinalCNN")
    assert looking.find_element(By.ID, "cost").text.startswith("FinalCNN, 288,778 parameters")


def test_torch_runs_on_the_pixels_that_are_shown(walk: webdriver.Chrome) -> None:
    walk.find_element(By.ID, "clear").click()
    image = torch.from_numpy(pixels_shown(walk).astype(np.uint8)).permute(2, 0, 1)
    np.testing.assert_allclose(walk.execute_script(SHARES), shares_of(image), atol=0.002)
