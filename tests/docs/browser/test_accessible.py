"""axe-core finds nothing serious on the site's main pages, light and dark; nothing scrolls sideways on a telephone."""

from pathlib import Path
from typing import Any

import pytest

from tests.axe import AXE, violations, WITHOUT_AXE

PAGES = ("index", "tutorials/method", "configuration", "commands", "api", "ranking", "notebooks/films", "search")


def opened(chromium: Any, site: Path, name: str, width: int, scheme: str) -> Any:
    """A page of the site in a window of its own."""
    page = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    page.goto((site / f"{name}.html").as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(chromium: Any, site: Path, name: str, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip(WITHOUT_AXE)
    page = opened(chromium, site, name, 1400, scheme)
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_telephone(chromium: Any, site: Path, name: str) -> None:
    page = opened(chromium, site, name, 390, "light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    if not AXE.is_file():
        pytest.skip(WITHOUT_AXE)
    assert violations(page) == []
    page.context.close()
