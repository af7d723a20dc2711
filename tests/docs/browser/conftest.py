"""The site in a Chromium, as `dx2ct serve` is."""

from pathlib import Path

import pytest

from tests.driven import mark_browser_tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One line where there is nothing to drive."""
    mark_browser_tests(items, "tests/docs/browser")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation as pages."""
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    from tests.docs.site import build

    return build(tmp_path_factory.mktemp("docs"))
