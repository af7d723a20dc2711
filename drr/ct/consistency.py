"""Where voxels lie in the patient, and whether a header's own statements of it agree: one place for all formats."""

from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError

Matrix = NDArray[np.float64]
Shape = tuple[int, int, int]

SAME_VOXELS = 0.5
# Cosines between axes. Below the first they are rounding, 0.01 mm over a chest; 143 CTs of a public set reach the
# second.
_ROUNDING, _NEARLY_RIGHT = 2e-5, 1.01e-3
MIN_SPACING_MM, MAX_SPACING_MM = 0.01, 100.0


@dataclass(frozen=True, eq=False)
class Place:
    """A box of voxels in LPS mm: spacing and origin per axis x, y, z; direction row-major with the axes as columns.

    remarks: what was made of an imperfect header, for the user.
    """

    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: tuple[float, ...]
    remarks: tuple[str, ...] = ()


def place_of(affine_mm: Matrix, shape: Shape) -> Place:
    """The box of an affine (4, 4) from voxel index (x, y, z) to LPS mm.

    Axes that all but meet at right angles are made orthonormal about the centre of the box, with a remark where that
    is more than rounding. Raises InputError for shear, and for voxels that no CT has.
    """
    skew = _skew(affine_mm)
    axes = affine_mm[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if not ((spacing >= MIN_SPACING_MM) & (spacing <= MAX_SPACING_MM)).all():
        raise InputError(
            f"states voxels of {_numbers(spacing)} mm, a CT has {MIN_SPACING_MM:g} to {MAX_SPACING_MM:g} mm: "
            "save it with the CT's spacing in mm"
        )
    left, _, right = np.linalg.svd(axes / spacing)
    frame = left @ right
    origin = affine_mm[:3, 3] + (axes - frame * spacing) @ ((np.array(shape) - 1) / 2)
    told = f"axes are {skew:.1e} from right angles: made orthonormal"
    return Place(_three(spacing), _three(origin), tuple(frame.ravel().tolist()), (told,) * (skew > _ROUNDING))


def require_one_place(sform: Matrix, qform: Matrix | None, zooms: Matrix, shape: Shape) -> None:
    """InputError where a NIfTI header's sform (4, 4) contradicts its qform (None without code) or its pixdim (3,).

    A sheared sform is refused for its shear, because no qform could say the same.
    """
    _skew(sform)
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    if (np.abs(zooms / spacing - 1) * (np.array(shape) - 1)).max() > SAME_VOXELS:
        raise InputError(
            f"contradicts itself: pixdim states a voxel of {_numbers(zooms)}, sform of {_numbers(spacing)} mm: "
            "correct the header"
        )
    apart = 0.0 if qform is None else _voxels_apart(sform, qform, shape)
    if apart > SAME_VOXELS:
        raise InputError(
            f"contradicts itself: sform and qform differ by {apart:.1f} voxels at a corner: "
            "remove the wrong one from the header"
        )


def _skew(affine_mm: Matrix) -> float:
    """The largest cosine between two axes. InputError for more than imprecise writing, and for axes that are none.

    A slanted third axis is a gantry's tilt or a wrong header, and the voxels of both look alike.
    """
    lengths = np.linalg.norm(affine_mm[:3, :3], axis=0)
    if not (np.isfinite(affine_mm).all() and np.isfinite(lengths).all() and lengths.min() > 0):
        raise InputError(f"states a place without extent ({_numbers(affine_mm[:3].ravel())}): the header is damaged")
    unit = affine_mm[:3, :3] / lengths
    cosines = np.abs(unit.T @ unit - np.eye(3))
    skew = float(cosines.max())
    if skew > _NEARLY_RIGHT:
        first, second = divmod(int(cosines.argmax()), 3)
        degrees = math.degrees(math.asin(min(skew, 1.0)))
        raise InputError(
            f"is sheared, its {'xyz'[first]} and {'xyz'[second]} axes are {degrees:.1f} degrees from a right angle "
            "(a tilted gantry, uncorrected?): give the straightened file, dcm2niix's _Tilt, or the DICOM series"
        )
    return skew


def _voxels_apart(first: Matrix, second: Matrix, shape: Shape) -> float:
    """The largest distance between the corners of two boxes, in voxels of the first."""
    corners = np.array(np.meshgrid(*([0, size - 1] for size in shape))).reshape(3, -1)
    apart = second[:3, :3] @ corners + second[:3, 3:] - first[:3, :3] @ corners - first[:3, 3:]
    try:
        found = float(np.abs(np.linalg.solve(first[:3, :3], apart)).max())
    except np.linalg.LinAlgError:
        return math.inf
    return found if math.isfinite(found) else math.inf


def _three(values: Matrix) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def _numbers(values: Matrix) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
