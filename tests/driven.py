"""The Chromium that Playwright drives: one of all browser tests, because a process can drive only one."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chromium import PROGRAM

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL 2 without a GPU
]


def mark_browser_tests(items: list[pytest.Item], folder: str) -> None:
    """The tests of a folder are slow, or skipped where there is nothing to drive."""
    why = "no Chromium here (apt install chromium)" if PROGRAM is None else ""
    try:
        import playwright  # noqa: F401
    except ModuleNotFoundError:
        why = why or "no Playwright here (make browser)"
    for item in items:
        if folder in str(item.fspath):
            item.add_marker(pytest.mark.skip(reason=why) if why else pytest.mark.slow)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield browser
        browser.close()
