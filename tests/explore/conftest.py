"""The explorers' pages as files, and a browser that looks at them."""

import json
from collections.abc import Iterator
from typing import Any

import chromium
import pytest
from selenium import webdriver

from cifar_utils import explore

WIDTHS = {"desktop": 1200, "phone": 390}


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The address of each explorer's page, opened from the disk."""
    folder = tmp_path_factory.mktemp("explorers")
    made = (explore.walk(), explore.descent(), explore.augmentation())
    return {each.name: each.save(folder).as_uri() for each in made}


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    started = chromium.start(tmp_path_factory.mktemp("explorers-chromium"))
    try:
        yield started
    finally:
        started.quit()


@pytest.fixture
def looking(chrome: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    """The browser, wide and light; afterwards nothing was severe, nothing asked of a host."""
    look(chrome)
    for kind in ("browser", "performance"):
        chrome.get_log(kind)
    yield chrome
    said = [entry["message"] for entry in chrome.get_log("browser")]
    assert not [text for text in said if "readback" not in text]  # of the tests' own looking
    events = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]


def look(
    chrome: webdriver.Chrome, width: str = "desktop", scheme: str = "light", motion: str = ""
) -> None:
    """Set what a reader's device says of itself."""
    screen: dict[str, Any] = {"width": WIDTHS[width], "height": 900, "deviceScaleFactor": 1}
    screen["mobile"] = width == "phone"
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": motion},
    ]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
