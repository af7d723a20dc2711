"""CT slices in the order and at the distances that their own positions state, and the defects of such a stack."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from drr.ct.dicom_acquisitions import HOLE, MAX_STRAYS, one_acquisition, SAME_PLACE_MM
from drr.ct.dicom_image import CtSlice, place
from drr.ct.dicom_pixels import stored_pixels
from drr.ct.limits import MAX_HOLE_MM, MAX_VOXELS, MIN_SLICES
from drr.errors import InputError

THICK_MM = 5.0
MAX_SIDESTEP_MM = 1.0
_SAME_DIRECTION = 1e-3
_EVEN = 0.02  # of a step
_LEAN_MM = 0.1


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices sorted along their normal.

    frame: (3, 3), columns are the LPS directions of array axes x (along a row), y (down a column) and z (the normal).
    positions_mm: (slice, 3), the place of every first pixel in that frame.
    twins: slices that were left out because another one is the same.
    strays: slices that were left out because another one of a lower InstanceNumber shows the same place otherwise.
    found: what the files themselves are remarked for, and what of the series was passed over.
    """

    slices: list[CtSlice]
    frame: NDArray[np.float64]
    positions_mm: NDArray[np.float64]
    twins: int
    strays: list[CtSlice]
    found: tuple[str, ...] = ()

    @property
    def step_mm(self) -> float:
        """The usual distance between neighbours along the normal."""
        return float(np.median(np.diff(self.positions_mm[:, 2])))

    @property
    def holes(self) -> list[int]:
        """Indices of the slices above which at least one slice is missing."""
        return np.flatnonzero(np.diff(self.positions_mm[:, 2]) > HOLE * self.step_mm).tolist()

    @property
    def is_even(self) -> bool:
        """True when every slice is where even steps would put it; table positions are rounded in the headers."""
        z = self.positions_mm[:, 2]
        off = np.abs(z - np.linspace(z[0], z[-1], len(z))).max()
        return bool(off <= max(_EVEN * self.step_mm, SAME_PLACE_MM))

    @property
    def is_upright(self) -> bool:
        """False when the slices move sideways from one to the next: the gantry was tilted."""
        return bool(np.ptp(self.positions_mm[:, :2], axis=0).max() <= _LEAN_MM)

    def remarks(self) -> list[str]:
        """What is unusual, yet allowed, and what is done about it."""
        found = list(self.found)
        if self.twins:
            found.append(f"{self.twins} slices are there twice with the same pixels: one of each is used")
        if self.strays:
            places = ", ".join(f"{place(one)} ({one.member.name})" for one in self.strays[:3])
            found.append(
                f"{len(self.strays)} slices are there twice with different pixels, at {places}: "
                "the one of the lower InstanceNumber is used"
            )
        if self.step_mm > THICK_MM + SAME_PLACE_MM:
            found.append(f"slices are {self.step_mm:g} mm apart: very thick, the volume will be smooth along z")
        if self.holes:
            found.append(f"slices are missing {self._hole(max(self.holes, key=self._step))}: filled by interpolation")
        if not self.is_even:
            steps = np.diff(self.positions_mm[:, 2])
            found.append(f"slices are {steps.min():g} to {steps.max():g} mm apart: put at even steps by position")
        if not self.is_upright:
            x, y, z = self.positions_mm[-1] - self.positions_mm[0]
            found.append(f"gantry tilt of {math.degrees(math.atan2(math.hypot(x, y), z)):.1f} degrees is straightened")
        return found

    def _step(self, k: int) -> float:
        """Mm from slice k to the one above."""
        return float(self.positions_mm[k + 1, 2] - self.positions_mm[k, 2])

    def _hole(self, k: int) -> str:
        low, high = self.slices[k], self.slices[k + 1]
        others = f", the largest of {len(self.holes)} holes" if len(self.holes) > 1 else ""
        return (
            f"between {place(low)} and {place(high)} ({low.member.name}, {high.member.name}), "
            f"{self._step(k):g} mm apart where others are {self.step_mm:g} mm{others}"
        )

    def require_no_hole_above(self, max_hole_mm: float) -> None:
        """InputError for slices missing over more than max_hole_mm: nobody can tell what was there."""
        for k in sorted(self.holes, key=self._step)[-1:]:
            if self._step(k) > max_hole_mm:
                raise InputError(f"slices are missing {self._hole(k)}; volume.max_hole_mm is {max_hole_mm:g}")


def stack_slices(slices: Sequence[CtSlice], max_hole_mm: float = MAX_HOLE_MM) -> Stack:
    """Order the slices of one series by ImagePositionPatient along their normal.

    SliceThickness, file names and instance numbers say nothing about the place of a slice (a third of LIDC-IDRI has
    overlapping slices). Of slices at one place one is kept. Of several
    acquisitions one is taken (`one_acquisition`).

    max_hole_mm: where slices are missing, the distance up to which that is a remark and no error.
    Raises InputError for slices of different size, spacing or orientation, many unlike slices at one place, larger
    holes, acquisitions that overlap, slices that jump sideways, fewer than MIN_SLICES.
    """
    _require_one_matrix(slices)
    frame = _frame(slices)
    slices, passed_over = one_acquisition(slices, frame[:, 2])
    ordered = sorted(
        slices, key=lambda one: (float(np.dot(one.position_mm, frame[:, 2])), one.instance, one.member.name)
    )
    unique, twins, strays = _without_twins(ordered, frame[:, 2])
    if len(unique) < MIN_SLICES:
        raise InputError(f"{len(unique)} CT slices are too few, give a series of at least {MIN_SLICES}")
    found = (*_remarks_of_images(unique), *passed_over)
    stack = Stack(unique, frame, np.array([one.position_mm for one in unique]) @ frame, twins, strays, found)
    stack.require_no_hole_above(max_hole_mm)
    _require_straight(stack)
    even = np.ptp(stack.positions_mm[:, 2]) / stack.step_mm
    if even * slices[0].rows * slices[0].columns > MAX_VOXELS:
        raise InputError(f"{even:.0f} slices at steps of {stack.step_mm:g} mm would be too many voxels for a CT")
    return stack


def _remarks_of_images(slices: Sequence[CtSlice]) -> list[str]:
    count = Counter(remark for one in slices for remark in one.remarks)
    frames = len({one.frame_of_reference for one in slices} - {""})
    apart = f"the images name {frames} frames of reference: their places may not fit together, look at the volume"
    return [apart] * (frames > 1) + [f"{number} of {len(slices)} images {remark}" for remark, number in count.items()]


def _require_one_matrix(slices: Sequence[CtSlice]) -> None:
    first = slices[0]
    for one in slices:
        if (one.rows, one.columns) != (first.rows, first.columns):
            sizes = f"{first.rows} x {first.columns} and {one.rows} x {one.columns}"
            raise InputError(f"slices of one series differ in size, {sizes} ({first.member.name}, {one.member.name})")
        if not np.allclose(one.spacing_mm, first.spacing_mm, rtol=1e-3):
            raise InputError(
                f"slices of one series differ in pixel spacing, {first.spacing_mm} and {one.spacing_mm} mm "
                f"({first.member.name}, {one.member.name})"
            )
    if len(slices) * first.rows * first.columns > MAX_VOXELS:
        raise InputError(f"{len(slices)} slices of {first.rows} x {first.columns} are too many voxels for a CT")


def _frame(slices: Sequence[CtSlice]) -> NDArray[np.float64]:
    first = slices[0]
    for one in slices:
        if not np.allclose(one.orientation, first.orientation, atol=_SAME_DIRECTION):
            raise InputError(f"slices of one series have two orientations ({first.member.name}, {one.member.name})")
    along_row, down_column = np.reshape(first.orientation, (2, 3))
    lengths = np.linalg.norm(along_row), np.linalg.norm(down_column)
    if not np.allclose((*lengths, 1 + along_row @ down_column), 1, atol=_SAME_DIRECTION):
        raise InputError(f"{first.member.name}: ImageOrientationPatient {first.orientation} is no pair of directions")
    x = along_row / lengths[0]
    z = np.cross(x, down_column)
    z /= np.linalg.norm(z)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _without_twins(ordered: list[CtSlice], normal: NDArray[np.float64]) -> tuple[list[CtSlice], int, list[CtSlice]]:
    """One slice for each place, the number of equal ones left out, and the unlike ones left out."""
    kept, twins, strays = ordered[:1], 0, []
    for one in ordered[1:]:
        if abs(np.dot(np.subtract(one.position_mm, kept[-1].position_mm), normal)) > SAME_PLACE_MM:
            kept.append(one)
        elif one.member is kept[-1].member:
            raise InputError(f"{one.member.name}: two frames at {place(one)}: several phases or energies in one file")
        elif _same_image(kept[-1], one):
            twins += 1
        else:
            strays.append(one)
            if len(strays) > MAX_STRAYS * len(ordered):
                raise InputError(
                    f"two different slices at {place(one)} ({kept[-1].member.name}, {one.member.name}): "
                    "remove those that do not belong"
                )
    return kept, twins, strays


def _same_image(a: CtSlice, b: CtSlice) -> bool:
    same_scale = (a.slope, a.intercept) == (b.slope, b.intercept) and np.allclose(a.position_mm, b.position_mm)
    return bool(same_scale and np.array_equal(stored_pixels(a), stored_pixels(b)))


def _require_straight(stack: Stack) -> None:
    """The first pixels lie on a line: upright, or leaning with the gantry, which no scanner tilts by 45 degrees."""
    x, y, z = stack.positions_mm.T
    if max(np.ptp(x), np.ptp(y)) > np.ptp(z):
        raise InputError("slices move sideways more than along their normal: they are not one stack")
    for sideways in (x, y):
        line = np.polynomial.Polynomial.fit(z, sideways, 1)
        off = np.abs(sideways - line(z))
        if off.max() > MAX_SIDESTEP_MM:
            worst = stack.slices[int(off.argmax())]
            raise InputError(f"slices are not in one line, {worst.member.name} is {off.max():.1f} mm beside it")
