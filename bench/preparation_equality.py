"""Do both ways of preparing a scan give the same values? Compared where both look: at the same positions.

A process of its own (bench/preparation.py calls it): a child's peak memory begins at that of its parent.
"""

from pathlib import Path
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bench.public_preparation import read, resample, SIDE
from drr.ct.read import read_ct
from drr.volume import AIR_HU, read_volume, Volume
from dx2ct.data.prepare.separable import apply, bspline

TOP_HU = 1476  # of the window that the networks see
MAX_HU = 1.0  # apart: both round to whole HU
PADDING_MM = 12  # splines ring where a padding of -2048 HU begins, which ours is not: it is air before they see it
FACE_VOXELS = 8  # at the faces of the scan one way goes on with the last value, the other with the mirror image
Array = NDArray[Any]


def equality(scan: Path, folder: Path) -> list[str]:
    """Lines of the report; `folder` holds what both ways wrote. SystemExit when they differ by more than MAX_HU."""
    hu, spacing_mm = read(scan)
    theirs, volume = resample(hu, spacing_mm), read_ct(scan)
    if not volume.is_canonical or not np.array_equal(np.maximum(hu[::-1], AIR_HU), volume.array):
        raise SystemExit(f"{scan}: the comparison wants axes of the patient and slices that count from the head")
    # zoom puts its first and last voxel on those of the scan: its voxels are not quite 1 mm
    places = [np.linspace(0, old - 1, new) for old, new in zip(hu.shape, theirs.shape, strict=True)]
    mine = apply([bspline(old, place) for old, place in zip(hu.shape, places, strict=True)], volume.array, AIR_HU)
    far = _far_from_padding(hu, spacing_mm)[np.ix_(*(np.rint(place).astype(int) for place in places[1:]))]
    z, y, x = ((place >= FACE_VOXELS) & (place <= place[-1] - FACE_VOXELS) for place in places)
    difference = np.abs(_window(np.rint(mine)) - _window(theirs[::-1]))[z][:, far & y[:, None] & x]
    if difference.max() > MAX_HU:
        raise SystemExit(f"the two ways differ by {difference.max()} HU at the same positions")
    return [
        "## Are the results equal?",
        "",
        f"At the same positions, farther than {PADDING_MM} mm from padding and {FACE_VOXELS} voxels from the faces",
        f"of the scan ({difference.size / mine.size:.0%} of the volume), within {AIR_HU} to {TOP_HU} HU: yes.",
        f"They differ by {difference.max():.0f} HU at most and {difference.mean():.4f} HU in the mean: rounding.",
        "",
        *_as_written(folder, volume, places),
    ]


def _as_written(folder: Path, scan: Volume, places: list[Array]) -> list[str]:
    ours, theirs = read_volume(folder / "bspline.mha"), np.load(folder / "public" / "volume.npy")[::-1]
    apart = []
    for axis, place in enumerate(places):  # z, y, x
        first = 0 if axis == 0 else (len(place) - SIDE) // 2
        mm = scan.origin_mm[2 - axis] + place[first : first + SIDE] * scan.spacing_mm[2 - axis]
        apart.append(np.abs(mm - (ours.origin_mm[2 - axis] + np.arange(SIDE))).max())
    volumes = np.abs(_window(ours.array) - _window(theirs)).mean()
    axial = [np.load(folder / "public" / "axial" / f"{k:03}.npy") for k in reversed(range(128))]
    slices = np.abs(_window(np.load(folder / "bspline" / "axial.npy")) - _window(np.stack(axial))).mean()
    return [
        f"As written they do not lie at the same positions: {apart[2]:.2f}, {apart[1]:.2f} and {apart[0]:.2f} mm apart",
        "at most along x, y and z. zoom stretches the scan by a voxel, is cut at whole voxels, takes z from one end;",
        f"ours are 1 mm and say where they lie. That is a mean difference of {volumes:.1f} HU between the volumes.",
        f"Between the axial stacks of 128 it is {slices:.1f} HU: ours are means over each new voxel, theirs are values",
        "at points.",
    ]


def _window(hu: Array) -> NDArray[np.float32]:
    return np.clip(hu, AIR_HU, TOP_HU).astype(np.float32)


def _far_from_padding(hu: Array, spacing_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """(row, column), over all slices."""
    inside = (hu >= AIR_HU).all(axis=0)
    return np.asarray(ndimage.distance_transform_edt(inside, sampling=spacing_mm[1:]) > PADDING_MM)


if __name__ == "__main__":
    print("\n".join(equality(*map(Path, sys.argv[1:]))))
