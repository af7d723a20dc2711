"""Where the X-ray source and the detector stand in the patient: the one geometry of rendering and of networks.

Patient axes are DICOM LPS: x to the patient's left, y to the posterior, z to the head. Named views, all with the head
at row 0:

    pa             source behind the patient (+y); column 0 = patient right (heart on the image's right)
    ap             source in front (-y);           column 0 = patient right
    lateral        source at the patient's left (+x), detector at the right; column 0 = anterior (spine on the right)
    right_lateral  the same, by its clinical name: the right side is at the detector
    left_lateral   source at the patient's right (-x), detector at the left; column 0 = anterior

`pa` and `lateral` are what X2CT-GAN's preparation ends with: plastimatch `--nrm "0 1 0"` followed by a left-right flip,
and plastimatch `--nrm "1 0 0"` as it is. docs/views.png draws them all.
"""

from dataclasses import dataclass, replace
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError

Vector = tuple[float, float, float]
Array = NDArray[np.float64]

PROTOCOL_VIEWS = ("pa", "lateral")
HEAD: Vector = (0.0, 0.0, 1.0)
# view: (from isocentre to source, seen from the detector's side). From the source, a viewer whose head points to the
# patient's head sees the image as the detector records it; a radiograph is hung the other way round where that puts the
# patient's right, or front, on the left.
_NAMED: dict[str, tuple[Vector, bool]] = {
    "pa": ((0.0, 1.0, 0.0), True),
    "ap": ((0.0, -1.0, 0.0), False),
    "lateral": ((1.0, 0.0, 0.0), False),
    "right_lateral": ((1.0, 0.0, 0.0), False),
    "left_lateral": ((-1.0, 0.0, 0.0), True),
}
VIEW_NAMES = tuple(_NAMED)


@dataclass(frozen=True)
class ConeBeam:
    """An X-ray tube and a flat detector, facing each other across the isocentre.

    source_isocentre_mm and source_detector_mm are distances along the central ray; detector_mm is the side of a square
    detector, or (height, width); pixels are its pixels a side, or (rows, columns). Raises InputError when the detector
    does not lie beyond the isocentre or is none.
    """

    source_isocentre_mm: float
    source_detector_mm: float
    detector_mm: float | tuple[float, float]
    pixels: int | tuple[int, int]

    def __post_init__(self) -> None:
        lengths = (self.source_isocentre_mm, self.source_detector_mm, self.height_mm, self.width_mm)
        if not all(math.isfinite(length) for length in lengths):
            raise InputError(f"distances of a geometry must be finite, not {lengths} mm")
        if not 0 < self.source_isocentre_mm < self.source_detector_mm:
            raise InputError(
                f"the detector ({self.source_detector_mm} mm from the source) must lie beyond the isocentre "
                f"({self.source_isocentre_mm} mm)"
            )
        if min(self.height_mm, self.width_mm) <= 0 or min(self.rows, self.columns) < 1:
            raise InputError(f"a detector of {self.detector_mm} mm and {self.pixels} pixels is not a detector")

    @property
    def height_mm(self) -> float:
        """Height of the detector."""
        return self.detector_mm[0] if isinstance(self.detector_mm, tuple) else self.detector_mm

    @property
    def width_mm(self) -> float:
        """Width of the detector."""
        return self.detector_mm[1] if isinstance(self.detector_mm, tuple) else self.detector_mm

    @property
    def rows(self) -> int:
        """Pixels from top to bottom."""
        return self.pixels[0] if isinstance(self.pixels, tuple) else self.pixels

    @property
    def columns(self) -> int:
        """Pixels from left to right."""
        return self.pixels[1] if isinstance(self.pixels, tuple) else self.pixels

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Height and width of a pixel on the detector."""
        return self.height_mm / self.rows, self.width_mm / self.columns

    def view(self, name: str, isocentre_mm: Vector) -> "View":
        """The named view (see the module text) of a patient whose isocentre is given in LPS mm."""
        if name not in _NAMED:
            raise InputError(f"unknown view {name!r}; known: {', '.join(_NAMED)}")
        to_source, from_detector = _NAMED[name]
        return self.looking(to_source, isocentre_mm, from_detector=from_detector)

    def rotated(self, gantry_deg: float, tilt_deg: float, isocentre_mm: Vector) -> "View":
        """The view at a gantry angle, as recorded (seen from the source).

        gantry_deg as in IEC 61217 for a supine patient, head first: 0 source in front, 90 at the patient's left, 180
        behind, 270 at the right. tilt_deg moves the source towards the head, less than 90 either way.
        """
        if not (math.isfinite(gantry_deg) and abs(tilt_deg) < 90):
            raise InputError(f"gantry {gantry_deg} and tilt {tilt_deg} degrees: the tilt lies between -90 and 90")
        gantry, tilt = math.radians(gantry_deg), math.radians(tilt_deg)
        to_source = (math.cos(tilt) * math.sin(gantry), -math.cos(tilt) * math.cos(gantry), math.sin(tilt))
        return self.looking(to_source, isocentre_mm)

    def looking(
        self, to_source: Vector, isocentre_mm: Vector, up: Vector = HEAD, *, from_detector: bool = False
    ) -> "View":
        """The view with the source in a direction from the isocentre, and the image's top towards `up` (LPS axes).

        from_detector: mirrored left to right, as seen from the detector's side. Raises InputError for a direction of no
        length or along `up`, and for an isocentre that is not finite.
        """
        if not np.isfinite(isocentre_mm).all():
            raise InputError(f"isocentre {tuple(isocentre_mm)} mm: three finite numbers are needed")
        axis, top = np.array(to_source, float), np.array(up, float)
        right = np.cross(-axis, top)
        if not np.isfinite([axis, top]).all() or np.linalg.norm(right) <= 1e-9 * np.linalg.norm(top):
            raise InputError(f"direction to the source {to_source} and up {up} do not make an image")
        axis, column = axis / np.linalg.norm(axis), right / np.linalg.norm(right)
        row = np.cross(-axis, column)  # down the image
        if from_detector:
            column = -column
        source = isocentre_mm + self.source_isocentre_mm * axis
        centre = source - self.source_detector_mm * axis
        height, width = self.pixel_mm
        corner = centre - (self.rows - 1) / 2 * height * row - (self.columns - 1) / 2 * width * column
        steps = _vector(column * width), _vector(row * height)
        return View(_vector(source), _vector(corner), *steps, self.rows, self.columns)

    def with_pixels(self, pixels: int | tuple[int, int]) -> "ConeBeam":
        """The same detector divided into other pixels."""
        return replace(self, pixels=pixels)


# Source-isocentre and source-detector distance, detector side, pixels. The first two as published with each data
# preparation; chest_film is the usual 1.8 m upright radiograph on a 43 cm detector.
PRESETS = {
    "x2ct": ConeBeam(541.0, 949.0, 500.0, 320),
    "perx2ct": ConeBeam(700.0, 949.0, 500.0, 320),
    "chest_film": ConeBeam(1600.0, 1800.0, 430.0, 512),
}


def preset(name: str) -> ConeBeam:
    """The preset of a name; InputError for an unknown one."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]


@dataclass(frozen=True)
class View:
    """One exposure: where the rays start and where each ends, in patient LPS mm.

    corner_mm is the centre of pixel (row 0, column 0); the steps lead to the next column and the next row.
    """

    source_mm: Vector
    corner_mm: Vector
    column_step_mm: Vector
    row_step_mm: Vector
    rows: int
    columns: int

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Height and width of a pixel on the detector."""
        return float(np.linalg.norm(self.row_step_mm)), float(np.linalg.norm(self.column_step_mm))

    @property
    def source_detector_mm(self) -> float:
        """Distance from the source to the plane of the detector."""
        normal = np.cross(self.column_step_mm, self.row_step_mm)
        return float(abs((np.array(self.corner_mm) - self.source_mm) @ normal) / np.linalg.norm(normal))

    def pixel_centres_mm(self) -> Array:
        """Centres of all pixels, (row, column, xyz), LPS mm."""
        row = np.arange(self.rows)[:, None, None] * np.array(self.row_step_mm)
        column = np.arange(self.columns)[None, :, None] * np.array(self.column_step_mm)
        return np.asarray(np.array(self.corner_mm) + row + column)

    def resized(self, pixels: int | tuple[int, int]) -> "View":
        """The same detector divided into larger or smaller pixels: so many a side, or (rows, columns)."""
        rows, columns = (pixels, pixels) if isinstance(pixels, int) else pixels
        scale_r, scale_c = self.rows / rows, self.columns / columns
        row, column = np.array(self.row_step_mm), np.array(self.column_step_mm)
        corner = np.array(self.corner_mm) + (scale_r - 1) / 2 * row + (scale_c - 1) / 2 * column
        return View(self.source_mm, _vector(corner), _vector(column * scale_c), _vector(row * scale_r), rows, columns)

    def projection_matrix(self) -> Array:
        """3 x 4: a point (x, y, z, 1) in LPS mm to (column, row, 1) times its depth along the central axis over 1 mm.

        Hartley and Zisserman, Multiple View Geometry, 2nd ed., section 6.1; the last row's first three numbers have
        length 1, so that the scale of the matrix is fixed.
        """
        column, row = np.array(self.column_step_mm), np.array(self.row_step_mm)
        to_corner = np.array(self.corner_mm) - self.source_mm
        # source + depth * (to_corner + c column + r row) = point, solved for (c, r, 1) * depth
        inverse = np.linalg.inv(np.stack([column, row, to_corner], axis=1))
        inverse /= np.linalg.norm(inverse[2])
        return np.concatenate([inverse, -inverse @ np.array(self.source_mm)[:, None]], axis=1)

    @classmethod
    def from_projection_matrix(cls, matrix: Array, source_detector_mm: float, rows: int, columns: int) -> "View":
        """The view of a projection matrix, up to a positive factor; it leaves the detector's distance open.

        Raises InputError for a matrix that is not one of a source at a finite point, or for a distance not positive.
        """
        matrix = np.asarray(matrix, float)
        if matrix.shape != (3, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :3])) < 1e-15:
            raise InputError("a projection matrix is 3 x 4 and finite, and its left 3 x 3 part can be inverted")
        if not source_detector_mm > 0:
            raise InputError(f"the detector must lie in front of the source, not at {source_detector_mm} mm")
        inverse = np.linalg.inv(matrix[:, :3])
        source = -inverse @ matrix[:, 3]
        # Along the axis (unit vector: third row) every pixel of the detector lies source_detector_mm from the source.
        inverse *= source_detector_mm * np.linalg.norm(matrix[2, :3])
        corner, column, row = source + inverse[:, 2], inverse[:, 0], inverse[:, 1]
        return cls(_vector(source), _vector(corner), _vector(column), _vector(row), rows, columns)


def _vector(array: NDArray[Any]) -> Vector:
    x, y, z = (float(value) + 0.0 for value in array)  # + 0.0 turns -0.0 into 0.0
    return x, y, z
