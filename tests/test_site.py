"""docs/ as a site: it builds without a network and without a warning, and every link in it leads somewhere."""

from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
from tests.docs.site import build, dead_links, loaded_elsewhere  # bs4 comes with the extra


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("docs"))


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "Not a medical device" in page and 'href="tutorials/method.html"' in page
    assert "TrainedNearest" in (site / "tutorials/method.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_notebooks_are_pages_with_their_outputs(site: Path) -> None:
    for name, said in (("drrs", "error of the X-rays"), ("films", "instead of 68 %"), ("table", "ridge, ours")):
        page = (site / f"notebooks/{name}.html").read_text(encoding="utf-8")
        assert said in page and page.count("<img alt=") >= 2, name


@pytest.mark.slow
def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    assert dead_links(site) == []
    assert loaded_elsewhere(site) == []


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    """The crawler itself."""
    (tmp_path / "a.html").write_text('<p id="here"><a href="b.html#there">b</a> <a href="#here">here</a></p>')
    (tmp_path / "b.html").write_text('<p id="there"><a href="https://example.org/x#y">x</a></p>')
    assert dead_links(tmp_path) == [] and loaded_elsewhere(tmp_path) == []
    (tmp_path / "c.html").write_text(
        '<a href="b.html#gone">1</a><a href="#gone">2</a><img src="gone.png"><script src="https://example.org/x.js">'
    )
    assert dead_links(tmp_path) == ["c.html: b.html#gone", "c.html: #gone", "c.html: gone.png"]
    assert loaded_elsewhere(tmp_path) == ["c.html: https://example.org/x.js"]
