"""A DICOM CT series, one slice a file or multi-frame, from a folder or a zip, as a volume in Hounsfield units."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from drr.ct.dicom_acquisitions import MAX_STRAYS
from drr.ct.dicom_header import read_header
from drr.ct.dicom_image import BadCt, CtFrames, CtSlice, NotCt
from drr.ct.dicom_pixels import hounsfield_of
from drr.ct.dicom_stack import Stack, stack_slices
from drr.ct.limits import MAX_HOLE_MM
from drr.ct.sources import Member, members, note
from drr.errors import InputError
from drr.volume import AIR_HU, Volume

# What a slice may be called that lacks the suffix of DICOM: IM0001, 1-017, 1.2.840.113; not LICENSE, 069.xml.
_SLICE_NAME = re.compile(r"(?=.*\d)(?!.*\.[A-Za-z]\w*$).*")
_MAX_PAGES = 3  # dose reports and screens are one or two a series


@dataclass(frozen=True, eq=False)
class Series:
    """The CT images of one series, as found.

    patient: the PatientID of most of them. remarks: what is unusual, yet allowed. fault: why they are no one scan.
    """

    patient: str
    uid: str
    files: list[CtSlice | BadCt]
    remarks: tuple[str, ...] = ()
    fault: str = ""

    def stacked(self, max_hole_mm: float = MAX_HOLE_MM) -> Stack:
        """Its slices in order. Raises InputError when any file of it, or their geometry, has a defect."""
        for file in self.files:
            if isinstance(file, BadCt):
                raise InputError(file.reason)
        if self.fault:
            raise InputError(self.fault)
        stack = stack_slices([file for file in self.files if isinstance(file, CtSlice)], max_hole_mm)
        return replace(stack, found=(*self.remarks, *stack.found))


def find_series(files: Sequence[Member]) -> tuple[list[Series], list[NotCt]]:
    """CT series among the files, the largest first, and the DICOM files that are something else.

    Raises InputError for a file that claims to be DICOM and cannot be parsed: it may be a missing slice.
    """
    groups: dict[str, list[CtSlice | BadCt]] = defaultdict(list)
    others: list[NotCt] = []
    strangers: list[str] = []
    for member in files:
        header = read_header(member)
        if isinstance(header, NotCt):
            others.append(header)
        elif header is not None:
            groups[header.series_uid].extend(header.slices if isinstance(header, CtFrames) else (header,))
        elif _SLICE_NAME.fullmatch(member.name.rpartition("/")[2]):
            strangers.append(member.name)
    remarks = [f"{_count(strangers)} no DICOM and passed over"] if strangers else []
    pages = {uid: [page.name for page in others if page.page_of == uid] for uid in {page.page_of for page in others}}
    series = [_series(uid, slices, pages.get(uid, []), remarks) for uid, slices in groups.items()]
    return sorted(series, key=lambda one: (-len(one.files), one.uid)), others


def _series(uid: str, files: list[CtSlice | BadCt], pages: list[str], remarks: list[str]) -> Series:
    """All files of one SeriesInstanceUID, whatever else they say."""
    remarks, fault = list(remarks), ""
    ids = Counter(file.patient for file in files)
    if len(ids) > 1:
        named = ", ".join(f"{name!r} ({number} images)" for name, number in ids.items())
        if len({same_patient(name) for name in ids} - {""}) > 1:
            fault = f"PatientID differs in series {uid}: {named}: put each patient's files into a folder of its own"
        remarks.append(f"PatientID differs in one series: {named}: taken for one patient")
    if pages:
        text = f"{_count(pages)} CT image without a position in the patient"
        if len(pages) > max(_MAX_PAGES, MAX_STRAYS * len(files)):
            fault = fault or f"{text}: ImagePositionPatient is lost"
        remarks.append(f"{text}, dose reports or the like: left out")
    return Series(ids.most_common(1)[0][0], uid, files, tuple(remarks), fault)


def same_patient(patient: str) -> str:
    """What a PatientID is compared by: writers differ in case, blanks and the form of accents."""
    return unicodedata.normalize("NFC", patient).strip().casefold()


def _count(names: list[str]) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} files ({shown}) are" if len(names) > 1 else f"1 file ({shown}) is"


def largest_per_patient(series: Sequence[Series]) -> Iterator[tuple[Series, list[str]]]:
    """Of every patient the series with the most images, and a remark when others are passed over."""
    by_patient: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        by_patient[same_patient(one.patient)].append(one)
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
