"""What a person looks at before trusting a scan: small pictures, spacing, histogram, padding, warnings."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from io import StringIO
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.ct.read import read_ct
from drr.ct.restated import Restated
from drr.files import replacing
from drr.volume import AIR_HU, read_volume, Volume
from dx2ct import layout
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.prepare.volume import cut_remarks, height_mm
from dx2ct.data.scans import read_xrays

PIXELS = 120  # side of each of the five pictures
WEBP_QUALITY = 50
WINDOW_HU = (-1000.0, 600.0)  # lung and soft tissue together
XRAY_PERCENTILES = (1.0, 99.5)
HISTOGRAM_HU = np.arange(AIR_HU, 1500, 50)
PADDED_WARNING = 0.5
# In seven chest CTs 25 to 40 % of what is denser than air has the density of lungs, in their lowest tenth 10 to 25 %.
LUNG_WARNING = 0.15
LUNG_HU = (-950, -500)
CUT_WARNING = 0.05  # of the scan's height; the column `cut` shows every millimetre
_SAMPLE = 8  # every so many voxels along each axis are enough for a share of the cube


@dataclass(frozen=True)
class Quality:
    """One scan.

    size, spacing_mm, extent_mm: of the scan itself, along its own axes x, y, z; z_mm along the patient.
    padded: share of the prepared cube that the scan does not reach. cut_mm: height of the scan beyond the cube.
    lung: share of the cube's voxels denser than air that are as dense as lungs.
    histogram: of the prepared cube without padding, square root of the count, the highest bin is 100; bins of 50 HU
    from -1024. strip: the X-rays, then axial, coronal and sagittal middle slice side by side, WebP in base64.
    """

    scan: str
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    z_mm: float
    highest_hu: int
    padded: float
    cut_mm: float
    lung: float
    histogram: list[int]
    warnings: list[str]
    strip: str


def write_quality(
    scan: str,
    source: Path,
    series_uid: str,
    data: Path,
    output: Path,
    views: Sequence[str],
    restated: Restated | None = None,
) -> None:
    """Read one scan as `dx2ct volume` does and look at what was prepared of it in `data`; write Quality as JSON.

    restated: what holds instead of the header of a volume file.
    Raises InputError for a source, volume or X-ray that is missing or cannot be read.
    """
    with _notes(source) as warnings:
        volume = read_ct(source, series_uid or None, restated=restated)
    cube = read_volume(layout.volume(data, scan))
    nx, ny, nz = volume.array.shape[::-1]
    z_mm = height_mm(volume)
    warnings += cut_remarks(volume, cube, CUT_WARNING)
    padded, lung = padded_share(volume, cube), lung_share(cube.array)
    if lung < LUNG_WARNING:
        warnings.append(f"hardly any lung in it, {lung:.0%} of what is denser than air: is this a chest?")
    if padded > PADDED_WARNING:
        warnings.append(f"{padded:.0%} of the cube is padding")
    found = Quality(
        scan,
        (nx, ny, nz),
        volume.spacing_mm,
        round(z_mm, 1),
        int(volume.array.max()),
        round(padded, 4),
        round(max(z_mm - height_mm(cube), 0.0), 1),
        round(lung, 4),
        histogram(cube.array),
        warnings,
        b64encode(_webp(strip(cube, list(read_xrays(data, scan, views).values())))).decode("ascii"),
    )
    with replacing(output) as part:
        part.write_text(json.dumps(asdict(found)) + "\n", encoding="utf-8")


def padded_share(volume: Volume, cube: Volume) -> float:
    """Share of the cube's voxels whose centre lies outside the scan's box."""
    axes = [np.arange(0, n, _SAMPLE) * mm for n, mm in zip(cube.array.shape[::-1], cube.spacing_mm, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) + cube.origin_mm
    frame = np.reshape(volume.direction, (3, 3))
    index = (points - volume.origin_mm) @ frame / volume.spacing_mm
    inside = (index >= -0.5).all(axis=1) & (index <= np.array(volume.array.shape[::-1]) - 0.5).all(axis=1)
    return float(1 - inside.mean())


def lung_share(hu: NDArray[np.integer]) -> float:
    """Of the voxels denser than air the share that is as dense as lungs; 0 without any."""
    low, high = LUNG_HU
    dense = np.count_nonzero(hu > low)
    return float(np.count_nonzero((hu > low) & (hu < high)) / dense) if dense else 0.0


def histogram(hu: NDArray[np.integer]) -> list[int]:
    """Square roots of the counts above padding, the highest is 100."""
    counts, _ = np.histogram(hu[hu > AIR_HU], HISTOGRAM_HU)
    roots = np.sqrt(counts)
    return [int(value) for value in np.rint(100 * roots / max(roots.max(), 1))]


def strip(cube: Volume, xrays: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """X-rays, (row, column) line integrals each, and the three middle slices side by side, PIXELS a side each."""
    low, high = WINDOW_HU
    pictures = [_stretched(_small(xray)) for xray in xrays]
    for plane in PLANES:
        stack = to_plane(cube.array, plane)
        pictures.append((_small(stack[len(stack) // 2].astype(np.float32)) - low) / (high - low))
    return np.asarray(np.clip(np.hstack(pictures), 0, 1) * 255, dtype=np.uint8)


def _small(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of any size, also below PIXELS."""
    return np.asarray(cv2.resize(image, (PIXELS, PIXELS), interpolation=cv2.INTER_AREA))


def _stretched(xray: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(xray, XRAY_PERCENTILES)
    return np.asarray((xray - low) / max(high - low, 1e-6), dtype=np.float32)


def _webp(picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1])


@contextmanager
def _notes(source: Path) -> Iterator[list[str]]:
    """What the reader notes on stderr meanwhile, without the path in front."""
    found: list[str] = []
    with redirect_stderr(StringIO()) as text:
        yield found
    found += [line.removeprefix("note: ").removeprefix(f"{source}: ") for line in text.getvalue().splitlines()]
