"""The one geometry that the renderer and the positional codes of the network share.

Patient axes are DICOM LPS: x to the patient's left, y to the posterior, z to the head. Looking at the detector image:

    PA       source behind the patient (+y), detector in front (-y)
             column 0 = patient right, last column = patient left; row 0 = head      (heart on the image's right)
    lateral  source at the patient's left (+x), detector at the right (-x)
             column 0 = anterior, last column = posterior; row 0 = head              (spine on the image's right)

Both are what X2CT-GAN's preparation ends with: plastimatch `--nrm "0 1 0"` followed by a left-right flip, and
plastimatch `--nrm "1 0 0"` as it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError

Vector = tuple[float, float, float]

# view: (from isocentre to source, detector column direction, detector row direction), unit vectors in LPS
FRAMES: dict[str, tuple[Vector, Vector, Vector]] = {
    "pa": ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "lateral": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


@dataclass(frozen=True)
class ConeBeam:
    """An X-ray tube and a square flat detector, facing each other across the isocentre.

    source_isocentre_mm and source_detector_mm are distances along the central ray; detector_mm is the side of the
    detector and pixels its pixels per side. Raises InputError when the detector does not lie beyond the isocentre.
    """

    source_isocentre_mm: float
    source_detector_mm: float
    detector_mm: float
    pixels: int

    def __post_init__(self) -> None:
        if not 0 < self.source_isocentre_mm < self.source_detector_mm:
            raise InputError(
                f"the detector ({self.source_detector_mm} mm from the source) must lie beyond the isocentre "
                f"({self.source_isocentre_mm} mm)"
            )
        if self.detector_mm <= 0 or self.pixels < 1:
            raise InputError(f"a detector of {self.detector_mm} mm and {self.pixels} pixels is not a detector")

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel on the detector."""
        return self.detector_mm / self.pixels

    def view(self, name: str, isocentre_mm: Vector) -> "View":
        """The named view (see the module text) of a patient whose isocentre is given in LPS mm."""
        if name not in FRAMES:
            raise InputError(f"unknown view {name!r}; known: {', '.join(FRAMES)}")
        to_source, column, row = (np.array(axis) for axis in FRAMES[name])
        source = isocentre_mm + self.source_isocentre_mm * to_source
        centre = source - self.source_detector_mm * to_source
        corner = centre - (self.pixels - 1) / 2 * self.pixel_mm * (column + row)
        return View(
            source_mm=_vector(source),
            corner_mm=_vector(corner),
            column_step_mm=_vector(column * self.pixel_mm),
            row_step_mm=_vector(row * self.pixel_mm),
            rows=self.pixels,
            columns=self.pixels,
        )


# Source-isocentre and source-detector distance, detector side, pixels, as published with each data preparation.
PRESETS = {
    "x2ct": ConeBeam(541.0, 949.0, 500.0, 320),
    "perx2ct": ConeBeam(700.0, 949.0, 500.0, 320),
}


@dataclass(frozen=True)
class View:
    """One exposure: where the rays start and where each ends, in patient LPS mm.

    corner_mm is the centre of pixel (row 0, column 0); the steps lead to the next row and the next column.
    """

    source_mm: Vector
    corner_mm: Vector
    column_step_mm: Vector
    row_step_mm: Vector
    rows: int
    columns: int

    def pixel_centres_mm(self) -> NDArray[np.float64]:
        """Centres of all pixels, (row, column, xyz), LPS mm."""
        row = np.arange(self.rows)[:, None, None] * np.array(self.row_step_mm)
        column = np.arange(self.columns)[None, :, None] * np.array(self.column_step_mm)
        return np.asarray(np.array(self.corner_mm) + row + column)

    def resized(self, pixels: int) -> "View":
        """The same detector divided into pixels x pixels larger or smaller pixels."""
        scale_r, scale_c = self.rows / pixels, self.columns / pixels
        row, column = np.array(self.row_step_mm), np.array(self.column_step_mm)
        corner = np.array(self.corner_mm) + (scale_r - 1) / 2 * row + (scale_c - 1) / 2 * column
        return View(self.source_mm, _vector(corner), _vector(column * scale_c), _vector(row * scale_r), pixels, pixels)


def _vector(array: NDArray[np.float64]) -> Vector:
    x, y, z = (float(value) for value in array)
    return x, y, z
