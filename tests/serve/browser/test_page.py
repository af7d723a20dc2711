"""Upload, frame, run, cancel, view, download as a person does: at three widths, light and dark, by keyboard."""

import io
from pathlib import Path
import subprocess
import sys
import time
from typing import Any
import zipfile

import pytest

from tests.axe import AXE, violations, WITHOUT_AXE
from tests.conftest import ROOT
from tests.serve.browser.conftest import Open, WAIT_MS

FAST = {"steps": "2"}


def loaded(page: Any, films: dict[str, Path]) -> None:
    """Both films in."""
    for view, path in films.items():
        page.set_input_files(f"[data-view={view}] .drop input", path)
        page.wait_for_selector(f"[data-view={view}] .loaded:not([hidden])")


def faster(page: Any) -> None:
    """Fewer steps, where the model has steps."""
    page.click("#settings summary")
    for name, value in FAST.items():
        if page.locator(f"[name={name}]").count():
            page.fill(f"[name={name}]", value)
            page.press(f"[name={name}]", "Tab")


def until(page: Any, condition: str) -> None:
    """A JavaScript expression comes true. Playwright's own way evaluates text in the page, which its policy forbids."""
    end = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def finished(page: Any) -> None:
    """The run is over and its volume in the viewer."""
    page.wait_for_selector("#viewer[data-state$='ct.nii.gz']")


def test_from_films_to_files(opened: Open, films: dict[str, Path], tmp_path: Path) -> None:
    page = opened()
    loaded(page, films)
    notes = page.inner_text("[data-view=pa] .notes")
    assert "NO SCALE" in notes and "--" not in notes
    page.click("[data-view=pa] .notes button")
    assert page.evaluate("document.activeElement.name") == "spacing_mm"
    page.fill("[data-view=pa] [name=spacing_mm]", "0.8")
    page.press("[data-view=pa] [name=spacing_mm]", "Tab")
    until(page, "!document.querySelector('[data-view=pa] .notes').textContent.includes('NO SCALE')")
    faster(page)
    page.click("#start")
    finished(page)
    assert page.evaluate("document.getElementById('viewer').niivue[0].volumes.length") == 1
    before = page.inner_text("#values")
    page.focus("#at-2")
    page.keyboard.press("ArrowRight")
    until(page, f"document.getElementById('values').textContent !== {before!r}")
    for name in ("CT, NIfTI", "CT, DICOM series (zip)", "Sheet of slices, PNG", "Record, run.json"):
        with page.expect_download() as download:
            page.click(f"#downloads >> text={name}")
        download.value.save_as(tmp_path / download.value.suggested_filename)
    assert (tmp_path / "dx2ct-ct.nii.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert len(zipfile.ZipFile(io.BytesIO((tmp_path / "dx2ct-series.zip").read_bytes())).namelist()) > 8


def test_a_frame_that_is_dragged_is_the_crop(opened: Open, films: dict[str, Path]) -> None:
    page = opened()
    loaded(page, films)
    image = page.locator("[data-view=pa] .whole")
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.1 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.8 * box["height"], steps=4)
    page.mouse.up()
    until(page, "document.querySelector('[data-view=pa] [name=right]').value !== '400'")
    edges = [float(page.input_value(f"[data-view=pa] [name={edge}]")) for edge in ("left", "top", "right", "bottom")]
    assert edges == pytest.approx([40, 50, 360, 400], abs=4)
    page.click("[data-view=pa] [data-do=whole]")
    until(page, "document.querySelector('[data-view=pa] [name=right]').value === '400'")


def test_a_run_that_is_cancelled_leaves_the_page_ready(opened: Open) -> None:
    page = opened()
    page.click("#example")
    page.wait_for_selector("#start:not([disabled])")
    if not page.locator("[name=steps]").count():
        pytest.skip("this model answers in one pass")
    page.click("#settings summary")
    page.fill("[name=steps]", "900")
    page.click("#start")
    until(page, "document.getElementById('state').textContent.startsWith('Step')")
    page.click("#cancel")
    until(page, "document.getElementById('state').textContent === 'Cancelled.'")
    page.wait_for_selector("#start:not([disabled])")


def test_a_file_that_is_none_is_a_message_and_no_html(opened: Open, films: dict[str, Path], tmp_path: Path) -> None:
    page = opened()
    evil = tmp_path / "<img src=x onerror=document.title=1>.png"
    evil.write_bytes(b"\x89PNG\r\n\x1a\n<script>document.title=1</script>")
    page.set_input_files("[data-view=pa] .drop input", evil)
    page.wait_for_selector("[data-view=pa] .fault:not([hidden])")
    assert "not a readable image" in page.inner_text("[data-view=pa] .fault")
    evil.write_bytes(films["pa"].read_bytes())
    page.set_input_files("[data-view=pa] .drop input", evil)
    page.wait_for_selector("[data-view=pa] .loaded:not([hidden])")
    assert "<img src=x" in page.inner_text("[data-view=pa] .label") and page.title().startswith("DX2CT")


def test_by_keyboard_alone(opened: Open) -> None:
    page = opened()

    def go(selector: str) -> None:
        for _ in range(80):
            if page.evaluate(f"document.activeElement?.matches({selector!r}) ?? false"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {selector}")

    go("#example")
    page.keyboard.press("Enter")
    page.wait_for_selector("#start:not([disabled])")
    go("[data-view=pa] [data-do=flip]")
    page.keyboard.press("Space")
    page.wait_for_selector("[data-view=pa] [data-do=flip][aria-pressed=true]")
    page.keyboard.press("Space")
    page.wait_for_selector("[data-view=pa] [data-do=flip][aria-pressed=false]")
    go("#settings summary")
    page.keyboard.press("Enter")
    if page.locator("[name=steps]").count():
        go("[name=steps]")
        page.keyboard.type("1")
    go("#start")
    page.keyboard.press("Enter")
    finished(page)
    assert page.evaluate("document.activeElement.id") == "result-title"
    go("[data-window=bone]")
    page.keyboard.press("Enter")
    assert page.evaluate("document.getElementById('viewer').niivue[0].volumes[0].cal_min") == -500


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 800, 1400])
def test_it_fits_and_is_accessible(opened: Open, width: int, scheme: str, tmp_path: Path) -> None:
    page = opened(width, scheme)
    page.click("#example")
    page.wait_for_selector("#start:not([disabled])")
    faster(page)
    page.click("#start")
    finished(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
    assert page.inner_text(".banner >> nth=0").startswith("Research use only. Not a medical device.")
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    if not AXE.is_file():
        pytest.skip(WITHOUT_AXE)
    assert violations(page) == []


def test_the_page_of_the_api(opened: Open) -> None:
    page = opened(path="/api")
    assert "PUT /api/sessions/{session}/films/{view}" in page.inner_text("#api")
    if AXE.is_file():
        assert violations(page) == []


def test_the_script_of_the_docs(server: str, films: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "ct.nii.gz"
    words = [ROOT / "docs/serve_client.py", films["pa"], films["lateral"], "-o", output, "--server", server]
    words += ["--settings", '{"steps": 1, "passes": 0}']
    subprocess.run([sys.executable, *map(str, words)], check=True, timeout=600)
    assert output.read_bytes()[:2] == b"\x1f\x8b"


def test_what_is_closed_is_gone(opened: Open, server: str) -> None:
    page = opened()
    page.click("#example")
    page.wait_for_selector("#start:not([disabled])")
    picture = page.get_attribute("[data-view=pa] .seen", "src").partition("?")[0]
    assert page.request.get(server + picture).status == 200
    page.goto("about:blank")
    end = time.monotonic() + 30
    while page.request.get(server + picture).status != 404:
        assert time.monotonic() < end, "the session outlives its page"
        time.sleep(0.1)
