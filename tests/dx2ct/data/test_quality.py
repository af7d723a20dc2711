"""The numbers of the quality page on volumes whose answer is known, and the page itself."""

from base64 import b64decode
from dataclasses import replace
import json
from pathlib import Path
import re

import cv2
import numpy as np
import pytest
import yaml

from drr.errors import InputError
from drr.volume import AIR_HU, read_volume, Volume
from dx2ct.config import check, VolumeSettings, XraySettings
from dx2ct.data.prepare.quality import histogram, lung_share, padded_share, PIXELS, write_quality
from dx2ct.data.prepare.volume import make_volume, to_cube
from dx2ct.data.prepare.xrays import make_xrays
from dx2ct.report.qc_page import write_qc_page
from tests.drr.series import body, write_series
from tests.workflow.snake import SMOKE

SMALL = yaml.safe_load(SMOKE.read_text())
CUBE = check(VolumeSettings, **SMALL["volume"])
XRAY = check(XraySettings, **SMALL["xray"])
VIEWS = tuple(XRAY.views)


def box(width_mm: float, depth_mm: float, height_mm: float) -> Volume:
    shape = tuple(round(mm / 4) for mm in (height_mm, depth_mm, width_mm))
    return Volume(np.zeros(shape, np.int16), (4.0, 4.0, 4.0), (-7.0, 3.0, 11.0))


@pytest.mark.parametrize(
    ("size_mm", "share"),
    [((320, 320, 320), 0.0), ((320, 320, 160), 0.5), ((160, 160, 160), 0.875), ((480, 400, 640), 0.0)],
)
def test_the_padded_share_is_what_the_scan_does_not_reach(size_mm: tuple[float, float, float], share: float) -> None:
    scan = box(*size_mm)
    cube = to_cube(scan, CUBE)
    assert padded_share(scan, cube) == pytest.approx(share, abs=0.1)  # every eighth voxel is looked at
    turned = Volume(scan.array[::-1], scan.spacing_mm, _last_corner(scan), (1, 0, 0, 0, 1, 0, 0, 0, -1))
    assert padded_share(turned, cube) == padded_share(scan, cube), "the direction of the slices is no matter"


def _last_corner(scan: Volume) -> tuple[float, float, float]:
    x, y, z = scan.origin_mm
    return x, y, z + (scan.array.shape[0] - 1) * scan.spacing_mm[2]


def test_the_histogram_counts_everything_but_padding() -> None:
    hu = np.concatenate([np.full(1000, AIR_HU), np.full(400, 10), np.full(100, -900)]).astype(np.int16)
    found = histogram(hu)
    assert found[(10 - AIR_HU) // 50] == 100 and found[(-900 - AIR_HU) // 50] == 50
    assert sum(found) == 150
    assert sum(histogram(np.full(10, AIR_HU, np.int16))) == 0


def test_lungs_are_counted_of_what_is_denser_than_air() -> None:
    hu = np.full(1000, AIR_HU, np.int16)
    assert lung_share(hu) == 0
    hu[:100], hu[100:400], hu[400:500] = -800, 40, -1000
    assert lung_share(hu) == 0.25


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thick-sliced series of 160 mm height, prepared as the workflow does."""
    tmp_path = tmp_path_factory.mktemp("prepared")
    hu = np.kron(body(16, 32, 40), np.ones((1, 2, 2), np.int16))
    write_series(tmp_path / "raw", hu, step_mm=10.0)
    make_volume(tmp_path / "raw", CUBE, tmp_path / "data/volumes/s.mha", None)
    make_xrays(tmp_path / "data/volumes/s.mha", XRAY, tmp_path / "data/xrays/s", "numpy")
    return tmp_path


def test_a_scan_is_described_and_its_warnings_are_those_of_the_reader(prepared: Path) -> None:
    write_quality("s", prepared / "raw", "", prepared / "data", prepared / "data/qc/s.json", VIEWS)
    found = json.loads((prepared / "data/qc/s.json").read_text())
    assert found["size"] == [80, 64, 16] and found["spacing_mm"][2] == 10.0 and found["z_mm"] == 160.0
    assert found["cut_mm"] == 0.0 and found["padded"] > 0.5
    assert found["warnings"][0].startswith("slices are 10 mm apart: very thick")
    assert found["warnings"][-2] == "hardly any lung in it, 6% of what is denser than air: is this a chest?"
    assert found["warnings"][-1].endswith("of the cube is padding")
    picture = cv2.imdecode(np.frombuffer(b64decode(found["strip"]), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (PIXELS, 5 * PIXELS)
    for panel in np.hsplit(picture, 5):
        assert np.ptp(panel) > 100, "every picture shows something"


def test_what_the_cube_cuts_off_is_a_warning(prepared: Path, tmp_path: Path) -> None:
    small = replace(CUBE, size=CUBE.size // 4)
    make_volume(prepared / "raw", small, tmp_path / "volumes/s.mha", None)
    make_xrays(tmp_path / "volumes/s.mha", XRAY, tmp_path / "xrays/s", "numpy")
    write_quality("s", prepared / "raw", "", tmp_path, tmp_path / "qc/s.json", VIEWS)
    found = json.loads((tmp_path / "qc/s.json").read_text())
    assert found["cut_mm"] == 80.0
    [said] = [one for one in found["warnings"] if "cut off" in one]
    assert said.startswith("the scan is 160 mm tall, the cube")


def write_page(folder: Path, flags: str = "", scan: str = "s") -> str:
    (folder / "cohort.tsv").write_text(
        f"scan\tpatient\tpath\tseries_uid\tsplit\tflags\n{scan}\tp\traw\t\ttest\t{flags}\n"
    )
    (folder / "left_out.tsv").write_text("scan\treason\nother\tslice_mm 5 <b>is above</b>\n")
    write_qc_page(folder / "cohort.tsv", [folder / "left_out.tsv"], folder / "data", folder / "qc.html")
    return (folder / "qc.html").read_text()


def test_the_page_needs_no_network_and_escapes_what_it_shows(prepared: Path) -> None:
    write_quality("s", prepared / "raw", "", prepared / "data", prepared / "data/qc/s.json", VIEWS)
    page = write_page(prepared, "split-leak")
    assert "Look at this scan before anything is trained" in page and "is this a chest?" in page
    assert "not a medical device" in page and "known defect: split-leak" in page
    assert "&lt;b&gt;is above" in page
    assert set(re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(\w+:)", page)) == {"data:"}
    assert "http:" not in page and "https:" not in page and "<link" not in page
    row = page.partition("<tbody>")[2].partition("</tr>")[0]
    heads = page.partition("<thead>")[2].partition("</thead>")[0]
    assert len(re.findall("<t[dh]", row)) == len(re.findall("<th ", heads)), "or sorting takes the wrong column"


def test_a_scan_without_its_file_is_one_line(prepared: Path) -> None:
    with pytest.raises(InputError, match=r"data/qc/gone\.json: cannot be read"):
        write_page(prepared, scan="gone")


@pytest.mark.slow
def test_real_scans_have_no_warning_but_the_thick_one(real_data: Path, tmp_path: Path) -> None:
    for scan, source, warned in (("a", "LIDC-IDRI-0001.zip", False), ("b", "Lung_Dx-A0002.zip", True)):
        make_volume(real_data / "ct" / source, CUBE, tmp_path / f"volumes/{scan}.mha", None)
        make_xrays(tmp_path / f"volumes/{scan}.mha", XRAY, tmp_path / "xrays" / scan, "numpy")
        write_quality(scan, real_data / "ct" / source, "", tmp_path, tmp_path / f"qc/{scan}.json", VIEWS)
        found = json.loads((tmp_path / f"qc/{scan}.json").read_text())
        assert bool(found["warnings"]) == warned


@pytest.mark.slow
def test_the_lowest_part_of_a_real_scan_is_doubted(real_data: Path, tmp_path: Path) -> None:
    whole = read_volume(real_data / "ct/pyradiomics-lung2-2mm.nii.gz")
    lowest = np.repeat(whole.array[:14], 4, axis=0)  # drawn out: what is not 100 mm tall is refused
    part = Volume(lowest, whole.spacing_mm, whole.origin_mm, whole.direction)
    for scan, volume in (("whole", whole), ("part", part)):
        volume.write(tmp_path / f"{scan}.nii.gz")
        make_volume(tmp_path / f"{scan}.nii.gz", CUBE, tmp_path / f"volumes/{scan}.mha", None)
        make_xrays(tmp_path / f"volumes/{scan}.mha", XRAY, tmp_path / "xrays" / scan, "numpy")
        write_quality(scan, tmp_path / f"{scan}.nii.gz", "", tmp_path, tmp_path / f"qc/{scan}.json", VIEWS)
        found = json.loads((tmp_path / f"qc/{scan}.json").read_text())
        assert any("is this a chest?" in warning for warning in found["warnings"]) == (scan == "part")
