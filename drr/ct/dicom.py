"""A DICOM CT series, one slice a file or multi-frame, from a folder or a zip, as a volume in Hounsfield units."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drr.ct.dicom_header import read_header
from drr.ct.dicom_image import BadCt, CtFrames, CtSlice, NotCt
from drr.ct.dicom_pixels import hounsfield_of
from drr.ct.dicom_stack import Stack, stack_slices
from drr.ct.limits import MAX_HOLE_MM
from drr.ct.sources import Member, members, note
from drr.errors import InputError
from drr.volume import AIR_HU, Volume


@dataclass(frozen=True, eq=False)
class Series:
    """The CT images of one series of one patient, as found."""

    patient: str
    uid: str
    files: list[CtSlice | BadCt]

    def stacked(self, max_hole_mm: float = MAX_HOLE_MM) -> Stack:
        """Its slices in order. Raises InputError when any file of it, or their geometry, has a defect."""
        for file in self.files:
            if isinstance(file, BadCt):
                raise InputError(file.reason)
        return stack_slices([file for file in self.files if isinstance(file, CtSlice)], max_hole_mm)


def find_series(files: Sequence[Member]) -> tuple[list[Series], list[NotCt]]:
    """CT series among the files, the largest first, and the DICOM files that are something else.

    Raises InputError for a file that claims to be DICOM and cannot be parsed: it may be a missing slice.
    """
    groups: dict[tuple[str, str], list[CtSlice | BadCt]] = defaultdict(list)
    others: list[NotCt] = []
    for header in map(read_header, files):
        if isinstance(header, NotCt):
            others.append(header)
        elif header is not None:
            images = header.slices if isinstance(header, CtFrames) else (header,)
            groups[header.patient, header.series_uid].extend(images)
    series = [Series(patient, uid, slices) for (patient, uid), slices in groups.items()]
    return sorted(series, key=lambda one: (-len(one.files), one.uid)), others


def largest_per_patient(series: Sequence[Series]) -> Iterator[tuple[Series, list[str]]]:
    """Of every patient the series with the most images, and a remark when others are passed over."""
    by_patient: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        by_patient[one.patient].append(one)
    for first, *rest in by_patient.values():
        passed = ", ".join(f"{one.uid} ({len(one.files)})" for one in rest)
        remark = f"takes the largest CT series, {first.uid} ({len(first.files)} images), and passes over {passed}"
        yield first, [remark] if rest else []


def no_ct(others: Sequence[NotCt]) -> InputError:
    """The error for files without a CT series."""
    for other in others:
        if other.is_xray:
            return InputError(f"X-ray image, a CT is expected ({other.name} is {other.what})")
    if others:
        return InputError(f"no CT series, only {', '.join(sorted({other.what for other in others}))}")
    return InputError("no DICOM CT series in it")


def read_series(path: Path, series_uid: str | None, max_hole_mm: float = MAX_HOLE_MM) -> Volume:
    """Read the asked-for or the largest CT series of a folder or zip, int16 HU in the slices' own directions.

    Raises InputError naming the path, the file and the defect.
    """
    with members(path, below=True) as files:
        chosen, remarks = _choose(*find_series(files), series_uid)
        stack = chosen.stacked(max_hole_mm)
        for remark in [*remarks, *stack.remarks()]:
            note(f"{path}: {remark}")
        return _volume(stack)


def _choose(series: list[Series], others: list[NotCt], series_uid: str | None) -> tuple[Series, list[str]]:
    if not series:
        raise no_ct(others)
    if series_uid is not None:
        found = [one for one in series if one.uid == series_uid]
        if not found:
            raise InputError(f"no CT series {series_uid}; there are {', '.join(one.uid for one in series)}")
        return found[0], []
    chosen = list(largest_per_patient(series))
    if len(chosen) > 1:
        uids = ", ".join(one.uid for one, _ in chosen)
        raise InputError(f"CTs of {len(chosen)} patients: name one of the series {uids}")
    return chosen[0]


def _volume(stack: Stack) -> Volume:
    first = stack.slices[0]
    array = np.empty((len(stack.slices), first.rows, first.columns), np.int16)
    for k, image in hounsfield_of(stack.slices):
        array[k] = image
    rows_mm, columns_mm = first.spacing_mm
    corner = stack.positions_mm[0].copy()
    if not stack.is_upright:
        array, corner[:2] = _upright(array, stack, (columns_mm, rows_mm))
    array, step_mm = _even(array, stack)
    x, y, z = (stack.frame @ corner).tolist()
    return Volume(array, (columns_mm, rows_mm, step_mm), (x, y, z), tuple(stack.frame.ravel().tolist()))


def _upright(
    array: NDArray[np.int16], stack: Stack, pixel_mm: tuple[float, float]
) -> tuple[NDArray[np.int16], NDArray[np.float64]]:
    """Straighten a stack that leans with the gantry: every slice moves sideways to its true place on a wider canvas."""
    from scipy import ndimage  # slow to import, and few scans need it

    corner = stack.positions_mm[:, :2].min(axis=0)
    shift = (stack.positions_mm[:, :2] - corner) / pixel_mm  # pixels along x and y
    wide, high = np.ceil(shift.max(axis=0)).astype(int)
    canvas = np.pad(array, ((0, 0), (0, high), (0, wide)), constant_values=AIR_HU)
    for image, (right, down) in zip(canvas, shift, strict=True):
        ndimage.shift(image.copy(), (down, right), output=image, order=1, cval=AIR_HU)
    return canvas, corner


def _even(array: NDArray[np.int16], stack: Stack) -> tuple[NDArray[np.int16], float]:
    """The slices at even steps, and the step in mm: linear between neighbours where true positions are uneven."""
    z = stack.positions_mm[:, 2]
    if stack.is_even:
        return array, float((z[-1] - z[0]) / (len(z) - 1))
    even = np.linspace(z[0], z[-1], round((z[-1] - z[0]) / stack.step_mm) + 1)
    above = np.clip(np.searchsorted(z, even), 1, len(z) - 1)
    weight = ((even - z[above - 1]) / (z[above] - z[above - 1])).astype(np.float32)
    result = np.empty((len(even), *array.shape[1:]), np.int16)
    for k, (high, share) in enumerate(zip(above, weight, strict=True)):
        result[k] = np.rint(array[high - 1] * (1 - share) + array[high] * share)
    return result, float(even[1] - even[0])
