"""The documentation as pages, and what of their links leads nowhere."""

from pathlib import Path
import subprocess
import sys
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

from tests.conftest import ROOT


def build(folder: Path) -> Path:
    """The site, built without a network; AssertionError for a warning."""
    site = folder / "site"
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "-d", str(folder / "tree")]
    done = subprocess.run([*command, str(ROOT / "docs"), str(site)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    return site


def dead_links(site: Path) -> list[str]:
    """PAGE: ADDRESS of every address within the site whose file or anchor is not there."""
    pages = {path.resolve(): BeautifulSoup(path.read_bytes(), "html.parser") for path in sorted(site.rglob("*.html"))}
    anchors = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    dead = []
    for path, page in pages.items():
        for address in addresses(page):
            parts = urlsplit(address)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_file() or (anchor and anchor not in anchors.get(target, {anchor})):
                dead.append(f"{path.relative_to(site.resolve())}: {address}")
    return dead


def addresses(page: BeautifulSoup) -> list[str]:
    """What a page links or loads from its own site."""
    found = [str(tag[kind]) for kind in ("href", "src") for tag in page.select(f"[{kind}]")]
    return [address for address in found if not urlsplit(address).scheme and not address.startswith("//")]


def loaded_elsewhere(site: Path) -> list[str]:
    """Scripts, styles and pictures that a page would fetch from somebody else."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = BeautifulSoup(path.read_bytes(), "html.parser")
        sources = [str(tag["src"]) for tag in page.find_all(src=True)]
        sources += [str(tag["href"]) for tag in page.find_all("link", rel="stylesheet")]
        found += [f"{path.name}: {one}" for one in sources if urlsplit(one).netloc]
    return found
