"""What is said elsewhere of a volume file, and holds instead of its header."""

from dataclasses import dataclass, replace
import math

import numpy as np

from drr.ct.consistency import Matrix
from drr.ct.voxels import Stored
from drr.errors import InputError

_PLACE = ("spacing_mm", "orientation", "position_mm")


@dataclass(frozen=True)
class Restated:
    """Scale and place of a volume whose header does not state them.

    slope, intercept: HU are slope * value + intercept, of values as the header means them.
    spacing_mm: along the array's x, y, z. orientation: directions of x and y, the six cosines of DICOM's
        ImageOrientationPatient; z is their normal. position_mm: centre of the first voxel, LPS. All three, or none.
    blank_only: all of this holds only where the header is blank: voxels of 1 mm along the axes, or no place at all.
    Raises InputError for numbers that are none, a slope of 0, and a place that is not whole.
    """

    slope: float = 1.0
    intercept: float = 0.0
    spacing_mm: tuple[float, float, float] | None = None
    orientation: tuple[float, float, float, float, float, float] | None = None
    position_mm: tuple[float, float, float] | None = None
    blank_only: bool = False

    def __post_init__(self) -> None:
        given = [getattr(self, name) for name in _PLACE]
        numbers = [self.slope, self.intercept, *(number for values in given for number in values or ())]
        if not all(map(math.isfinite, numbers)) or self.slope == 0:
            raise InputError(
                f"a header of slope {self.slope:g} and {numbers[1:]} is none: finite numbers, no slope of 0"
            )
        if len({values is None for values in given}) > 1:
            raise InputError(f"a header's place is {', '.join(_PLACE)} together, or none of them")

    @property
    def states_place(self) -> bool:
        """True where the file's own place does not count."""
        return self.spacing_mm is not None

    def of(self, stored: Stored) -> Stored:
        """The voxels under this header."""
        if self.blank_only and not np.array_equal(np.abs(stored.affine_mm[:3, :3]), np.eye(3)):
            return stored
        slope, intercept = stored.slope * self.slope, stored.intercept * self.slope + self.intercept
        return replace(stored, slope=slope, intercept=intercept, affine_mm=self._affine_mm(stored))

    def _affine_mm(self, stored: Stored) -> Matrix:
        if self.spacing_mm is None or self.orientation is None or self.position_mm is None:
            return stored.affine_mm
        affine = np.eye(4)
        x, y = np.reshape(self.orientation, (2, 3))
        affine[:3, :3] = np.column_stack([x, y, np.cross(x, y)]) * self.spacing_mm
        affine[:3, 3] = self.position_mm
        return affine
