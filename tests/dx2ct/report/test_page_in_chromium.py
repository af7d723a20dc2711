"""The pages in a real browser: they open, fit and ask nobody, and the viewer does what it says."""

from base64 import b64encode
from collections.abc import Iterator
import json
from pathlib import Path
import re
import time

from cv2 import imencode
from matplotlib.image import imread
import numpy as np
import pytest

from dx2ct.report.provenance import today
from dx2ct.report.qc_page import write_qc_page
from tests.chromium import browser, Page, PROGRAM
from tests.dx2ct.report.test_report import page as page
from tests.dx2ct.report.test_report import project as project  # the same finished runs

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here (apt install chromium)")
VIEWER = "document.getElementById('viewer')"


@pytest.fixture(scope="module")
def tab(project: Path, page: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        tab.open(project / "results/report.html")
        yield tab


@pytest.fixture(scope="module")
def viewer(tab: Page) -> Page:
    assert tab.run(f"{VIEWER}.dataset.state") == "waiting", "nothing is decoded before it is in sight"
    tab.run(f"{VIEWER}.scrollIntoView()")
    tab.wait(f"{VIEWER}.dataset.state !== 'waiting'")
    assert tab.run(f"{VIEWER}.dataset.state") == "ready", tab.run(
        "document.getElementById('viewer-values').textContent"
    )
    return tab


def picture(tab: Page, canvas: str, folder: Path) -> np.ndarray:
    """What a canvas shows, (row, column, RGB)."""
    time.sleep(0.3)  # a frame or two
    tab.screenshot(folder / "page.png")
    box = tab.run(f"JSON.parse(JSON.stringify(document.getElementById('{canvas}').getBoundingClientRect()))")
    left, top, width, height = (round(box[key]) for key in ("x", "y", "width", "height"))
    shown = imread(folder / "page.png")[top : top + height, left : left + width, :3]
    return np.rint(shown * 255).astype(int)


def values(tab: Page) -> str:
    return str(tab.run("document.getElementById('viewer-values').textContent"))


def choose(tab: Page, control: str, value: str) -> None:
    element = f"document.getElementById('{control}')"
    tab.run(f"{element}.value = '{value}'; {element}.dispatchEvent(new Event('change'))")


def crosshairs(tab: Page) -> list[list[float]]:
    return [tab.run(f"[...{VIEWER}.niivue.{name}.scene.crosshairPos]") for name in ("ct", "run", "difference")]


def test_it_opens_without_a_word_and_asks_nobody(viewer: Page) -> None:
    assert viewer.console() == []
    assert {url.split(":")[0] for url in viewer.requests()} <= {"file", "data", "blob"}
    assert viewer.run("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


def test_the_values_at_the_crosshair_are_those_of_the_volumes(viewer: Page) -> None:
    """The run of the fabricated project is 20 HU too dense everywhere; the middle is soft tissue of 40 HU."""
    assert viewer.run("document.getElementById('viewer-run').value") == "dx2ct"
    assert "CT 40 HU, run 60 HU, difference 20 HU" in values(viewer)


def test_a_click_in_one_picture_moves_the_crosshair_of_all(viewer: Page) -> None:
    before = crosshairs(viewer)
    box = viewer.run("JSON.parse(JSON.stringify(document.getElementById('viewer-run-volume').getBoundingClientRect()))")
    side = box["height"]  # three squares in the middle of the canvas, the first is axial
    left = box["x"] + (box["width"] - 3 * side) / 2
    viewer.click(left + 0.66 * side, box["y"] + 0.5 * side)  # in the lung, at the patient's left
    viewer.wait(f"{VIEWER}.niivue.run.scene.crosshairPos[0] !== {before[1][0]}")
    after = crosshairs(viewer)
    assert after[0] == pytest.approx(after[1], abs=1e-6) and after[2] == pytest.approx(after[1], abs=1e-6)
    assert "CT -850 HU, run -830 HU, difference 20 HU" in values(viewer)


def test_windows_are_those_they_say(viewer: Page, tmp_path: Path) -> None:
    shades = {}
    for preset in ("lung", "bone"):
        viewer.run(f"document.querySelector('[data-preset={preset}]').click()")
        shown = picture(viewer, "viewer-ct", tmp_path)
        # soft tissue of 40 HU below the lungs, in the axial picture: no crosshair there
        side = shown.shape[0]
        left = (shown.shape[1] - 3 * side) // 2
        shades[preset] = int(shown[int(0.72 * side), left + int(0.3 * side), 0])
    assert shades["lung"] == pytest.approx(255 * (40 + 1350) / 1500, abs=6)
    assert shades["bone"] == pytest.approx(255 * (40 + 500) / 1800, abs=6)
    assert viewer.run("document.querySelector('[aria-pressed=true]').dataset.preset") == "bone"


def test_another_run_and_another_scan_are_loaded(viewer: Page) -> None:
    viewer.run(
        "{const s = document.getElementById('viewer-run'); s.value = 'mean'; s.dispatchEvent(new Event('change'))}"
    )
    viewer.wait("document.getElementById('viewer-values').textContent.includes('difference 80 HU')")
    viewer.run(
        "{const s = document.getElementById('viewer-scan'); s.value = '1'; s.dispatchEvent(new Event('change'))}"
    )
    viewer.wait(f"{VIEWER}.niivue.ct.volumes.length === 1")
    assert viewer.console() == []


def test_the_difference_can_be_hidden(viewer: Page, tmp_path: Path) -> None:
    shown = picture(viewer, "viewer-difference", tmp_path)
    side = shown.shape[0]
    r, g, b = (value for value in shown[int(0.72 * side), (shown.shape[1] - 3 * side) // 2 + int(0.3 * side)])
    assert r > g and r > b, "too dense is red"
    viewer.run("document.getElementById('viewer-difference-on').click()")
    assert viewer.run("document.getElementById('viewer-difference').getBoundingClientRect().height") == 0
    viewer.run("document.getElementById('viewer-difference-on').click()")


NO_WEBGL = """
const original = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind) { return kind === "2d" ? original.call(this, kind) : null; };
"use strict";
"""


def test_without_webgl_the_middle_slices_are_shown(project: Path, tmp_path: Path) -> None:
    text = (project / "results/report.html").read_text()
    before, _, after = text.rpartition('"use strict";')  # of the viewer's own script, the last of the page
    (tmp_path / "report.html").write_text(before + NO_WEBGL + after)
    with browser(tmp_path / "profile") as tab:
        tab.open(tmp_path / "report.html")
        tab.run(f"{VIEWER}.scrollIntoView()")
        tab.wait(f"{VIEWER}.dataset.state === 'still'")
        assert "no WebGL 2" in values(tab) and tab.console() == []
        tab.run("document.querySelector('[data-preset=bone]').click()")
        pixel = "[...document.getElementById('{}').getContext('2d').getImageData({}, {}, 1, 1).data]"
        size = tab.run("document.getElementById('viewer-ct').height")
        x, y = int(0.3 * size), int(0.72 * size)  # soft tissue of 40 HU below the lungs, 20 too dense
        gray = tab.run(pixel.format("viewer-ct", x, y))
        assert gray[:3] == pytest.approx([255 * (40 + 500) / 1800] * 3, abs=2) and gray[3] == 255
        red, green, blue, _ = tab.run(pixel.format("viewer-difference", x, y))
        assert red > green and red > blue, "too dense is red"


LONG = "/archive/of/a/hospital/" + "a-folder-with-a-long-name/" * 6


@pytest.fixture(scope="module")
def quality_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two scans, one of them doubtful, with long names and words."""
    folder = tmp_path_factory.mktemp("quality")
    names, strip = ("s" * 60, "scan-2"), np.zeros((108, 540), np.uint8)
    known = {"size": [512, 512, 130], "spacing_mm": [0.7, 0.7, 2.5], "z_mm": 325.0, "highest_hu": 1400, "cut_mm": 5.0}
    known |= {"histogram": list(range(50)), "strip": b64encode(imencode(".webp", strip)[1].tobytes()).decode("ascii")}
    (folder / "data/qc").mkdir(parents=True)
    for name, padded, warnings in zip(names, (0.0, 0.9), ([], ["90% of the cube is padding", LONG]), strict=True):
        scan = known | {"scan": name, "padded": padded, "lung": 0.3, "warnings": warnings}
        (folder / f"data/qc/{name}.json").write_text(json.dumps(scan))
    (folder / "cohort.tsv").write_text("scan\tsplit\tflags\n" + "".join(f"{name}\ttrain\t\n" for name in names))
    (folder / "left_out.tsv").write_text(f"path\treason\n{LONG}\tnot a chest: 3 slices\n")
    write_qc_page(folder / "cohort.tsv", [folder / "left_out.tsv"], folder / "data", folder / "qc.html")
    return folder / "qc.html"


@pytest.fixture(params=["report", "quality"])
def any_page(request: pytest.FixtureRequest) -> Path:
    """Each of the pages, which share their style."""
    if request.param == "quality":
        return Path(request.getfixturevalue("quality_page"))
    request.getfixturevalue("page")
    return Path(request.getfixturevalue("project")) / "results/report.html"


@pytest.mark.parametrize("width", [390, 800, 1400, 1700])
def test_a_page_fits_the_window(any_page: Path, tmp_path: Path, width: int) -> None:
    """Nothing but what scrolls by itself is wider; headless Chromium's window is 500 pixels wide at least."""
    with browser(tmp_path / "profile", width) as tab:
        tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        tab.open(any_page)
        assert tab.run("document.documentElement.scrollWidth") == width
        links = tab.run("[...document.querySelectorAll('nav a')].map((a) => a.getAttribute('href'))")
        assert len(links) > 2
        for link in links:
            assert tab.run(f"document.querySelector('{link}') !== null"), link
        assert tab.run("document.querySelector('time').dateTime") == today()
        assert tab.console() == []


def test_scans_of_the_quality_page_are_sorted_and_searched_at_any_width(quality_page: Path, tmp_path: Path) -> None:
    first = "document.querySelector('#scans tbody th').textContent"
    shown, buttons = (
        "document.getElementById('shown').textContent",
        "[...document.querySelectorAll('#scans thead button')]",
    )
    with browser(tmp_path / "profile") as tab:
        for width in (390, 1700):
            tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            tab.open(quality_page)
            assert tab.run(first).startswith("sss")
            tab.run(f"window.button = {buttons}.find((one) => one.textContent === 'scan'); button.scrollIntoView()")
            assert tab.run(
                "{const b = button.getBoundingClientRect(); document.elementFromPoint(b.x + 5, b.y + 5) === button}"
            )
            tab.run("button.click()")
            assert tab.run(first) == "scan-2"
            tab.run("document.getElementById('warned').click()")
            assert tab.run(shown) == "1 of 2 scans"
            heights = tab.run("[...document.querySelectorAll('#scans tbody tr')].map((row) => row.offsetHeight)")
            assert heights[0] > 0 and heights[1] == 0


def test_in_the_dark_a_page_is_dark_and_can_be_read(any_page: Path, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as tab:
        for scheme, is_dark in (("light", False), ("dark", True)):
            tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            tab.open(any_page)
            paper, ink, head = (
                sum(
                    map(
                        int, re.findall(r"\d+", tab.run(f"getComputedStyle(document.querySelector('{one}')).{key}"))[:3]
                    )
                )
                for one, key in (("html", "backgroundColor"), ("html", "color"), ("th", "backgroundColor"))
            )
            assert (paper < 3 * 60) == is_dark and abs(paper - ink) > 3 * 150 and abs(head - ink) > 3 * 130
