"""A server of its own process, and a Chromium that Playwright drives."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import re
import socket
import subprocess
import sys
import time
from typing import Any
from urllib.request import urlopen

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.driven import mark_browser_tests
from tests.fabricate import lateral, pa, random_run
from tests.fabricate.xray_files import write_dicom

_LOADED_S, WAIT_MS = 300, 240_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One line where there is nothing to drive."""
    mark_browser_tests(items, "tests/serve/browser")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `dx2ct serve` with a small random DX2CT; DX2CT_SERVED names one that runs already."""
    if there := os.environ.get("DX2CT_SERVED"):
        yield there
        return
    run = random_run(tmp_path_factory.mktemp("runs") / "run")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-m", "dx2ct", "serve", "--model", str(run), "--port", str(port), "--threads", "1"]
    process = subprocess.Popen(line, env=os.environ | {"PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"})
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + _LOADED_S
    try:
        while b'"ready":true' not in _asked(f"{address}/api/model"):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _asked(address: str) -> bytes:
    try:
        with urlopen(address, timeout=30) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A PNG and a DICOM film, large enough for any model."""
    folder = tmp_path_factory.mktemp("films")
    cv2.imwrite(str(folder / "pa.png"), (pa(500, 400) * 65535).astype(np.uint16))
    stored = (lateral(500, 400) * 4000).astype(np.uint16)
    write_dicom(folder / "lateral.dcm", stored, ImagerPixelSpacing=[0.8, 0.8])
    return {"pa": folder / "pa.png", "lateral": folder / "lateral.dcm"}


Open = Callable[..., Any]


@pytest.fixture
def opened(chromium: Any, server: str) -> Iterator[Open]:
    """Opens the page in a window of some width; every request and every word of the console is looked at after."""
    pages, asked, said = [], [], []

    def at(width: int = 1400, scheme: str = "light", path: str = "/") -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(server + path)
        page.wait_for_selector("body[data-ready=yes]")
        pages.append(context)
        return page

    yield at
    for context in pages:
        context.close()
    others = [url for url in asked if not re.match(rf"{re.escape(server)}/|data:|blob:", url)]
    assert others == [], "the page asks somebody else"
    assert [text for text in said if "422" not in text and "413" not in text] == []
