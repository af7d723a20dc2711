"""Volumes for the page's viewer: a few scans, as small as they must be."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
import gzip
from pathlib import Path
import struct

import numpy as np
from numpy.typing import NDArray

from drr.progress import each
from drr.volume import read_volume, Volume
from dx2ct import layout
from dx2ct.data.scans import read_stack
from dx2ct.data.window import LOW_HU, WIDTH_HU
from dx2ct.report.pictures import ranked

BUDGET = 44e6  # characters of all volumes together: the page stays below 60 MB
ROUNDED_HU = 10  # what a byte can hold of the window
UINT8, INT16 = 2, 4  # NIfTI's names


@dataclass(frozen=True)
class Viewer:
    """volumes: {id: gzipped NIfTI in base64}; index: for each scan its name, why it is shown, ids of CT and runs."""

    volumes: dict[str, str]
    index: list[dict[str, object]]
    rounded_hu: int


def viewer_of(runs: Sequence[Path], tests: Sequence[str], data: Path, budget: float = BUDGET) -> Viewer:
    """The median, worst and best test scan by the mean of the runs' PSNR, as many of them as the budget holds.

    Voxels are whole HU, or rounded to 10 HU where that would take too much; one scan is always there.
    """
    chosen = _chosen([scan for scan in ranked(runs) if scan in tests])
    for step in (1, ROUNDED_HU):
        viewer = _viewer(chosen[:1], runs, data, step)
        room = int(budget // _size(viewer))
        if room >= len(chosen) or step == ROUNDED_HU:
            break
    kept = chosen[: max(room, 1)]
    return _viewer(kept, runs, data, viewer.rounded_hu) if len(kept) > 1 else viewer


def _size(viewer: Viewer) -> int:
    return sum(map(len, viewer.volumes.values())) or 1


def _chosen(ranking: Sequence[str]) -> list[tuple[str, str]]:
    """(scan, why), each scan once."""
    found: dict[str, str] = {}
    for place, why in ((len(ranking) // 2, "median"), (0, "worst"), (-1, "best")):
        if ranking:
            found.setdefault(ranking[place], why)
    return list(found.items())


def _viewer(chosen: Sequence[tuple[str, str]], runs: Sequence[Path], data: Path, step: int) -> Viewer:
    volumes: dict[str, str] = {}
    index: list[dict[str, object]] = []
    for number, (scan, why) in enumerate(chosen):
        images = {run.name: read_volume(layout.reconstruction(run, scan)) for run in runs}
        place = next(iter(images.values()))
        ids = {name: f"volume-{number}-{k}" for k, name in enumerate(images, start=1)}
        truth = Volume(np.asarray(read_stack(data, scan, "axial")), place.spacing_mm, place.origin_mm)
        shown = {f"volume-{number}-0": truth} | {ids[name]: image for name, image in images.items()}
        for id in each(list(shown), f"viewer, {scan}", "volume"):
            volumes[id] = packed(shown[id], step)
        index.append({"scan": scan, "why": why, "ct": f"volume-{number}-0", "runs": ids})
    return Viewer(volumes, index, step)


def packed(volume: Volume, step: int) -> str:
    """A volume as NIfTI-1, gzip, base64: clipped to the window, int16 HU or, for a step of 10 HU, a byte a voxel."""
    hu = np.clip(np.asarray(volume.array, np.float32), LOW_HU, LOW_HU + WIDTH_HU)
    if step == 1:
        voxels, slope, shift = np.rint(hu).astype("<i2"), 1.0, 0.0
    else:
        voxels, slope, shift = np.rint((hu - LOW_HU) / step).astype("<u1"), float(step), LOW_HU
    file = _header(volume, voxels, slope, shift) + voxels.tobytes()
    return b64encode(gzip.compress(file, 6, mtime=0)).decode("ascii")


def _header(volume: Volume, voxels: NDArray[np.generic], slope: float, shift: float) -> bytes:
    """The 348 bytes of NIfTI-1 and 4 that say there is no extension; LPS to RAS turns x and y round."""
    kind = UINT8 if voxels.dtype.itemsize == 1 else INT16
    (sx, sy, sz), (ox, oy, oz) = volume.spacing_mm, volume.origin_mm
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, kind, 8 * voxels.dtype.itemsize)
    struct.pack_into("<8f", header, 76, 1, sx, sy, sz, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, slope, shift)
    header[123] = 2  # mm
    struct.pack_into("<2h", header, 252, 0, 1)  # no qform; sform: the scanner's coordinates
    struct.pack_into("<12f", header, 280, -sx, 0, 0, -ox, 0, -sy, 0, -oy, 0, 0, sz, oz)
    header[344:348] = b"n+1\0"
    return bytes(header)
