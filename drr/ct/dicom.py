"""A DICOM CT series, one slice a file or multi-frame, from a folder or a zip, as a volume in Hounsfield units."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re

from drr.ct.dicom_acquisitions import MAX_STRAYS
from drr.ct.dicom_header import read_header
from drr.ct.dicom_image import BadCt, CtFrames, CtSlice, NotCt
from drr.ct.dicom_stack import Stack, stack_slices
from drr.ct.dicom_volume import volume_of
from drr.ct.limits import MAX_HOLE_MM
from drr.ct.patient import patient_key
from drr.ct.sources import folders_below, Member, members, note
from drr.errors import InputError
from drr.volume import Volume

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

    @property
    def is_derived(self) -> bool:
        """Most images were computed from others, as reformatted ones are."""
        return 2 * sum(isinstance(file, CtSlice) and file.derived for file in self.files) > len(self.files)

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
    """CT series among the files, and the DICOM files that are something else.

    The largest comes first; of equally large ones that of original images.

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
    remarks = [f"passes over {_count(strangers, 'file')}: no DICOM"] if strangers else []
    pages = {uid: [page.name for page in others if page.page_of == uid] for uid in {page.page_of for page in others}}
    series = [_series(uid, slices, pages.get(uid, []), remarks) for uid, slices in groups.items()]
    return sorted(series, key=lambda one: (-len(one.files), one.is_derived, one.uid)), others


def _series(uid: str, files: list[CtSlice | BadCt], pages: list[str], remarks: list[str]) -> Series:
    """All files of one SeriesInstanceUID, whatever else they say."""
    remarks, fault = list(remarks), ""
    ids = Counter(file.patient for file in files)
    if len(ids) > 1:
        named = ", ".join(f"{name!r} ({number} images)" for name, number in ids.items())
        if len({patient_key(name) for name in ids} - {""}) > 1:
            fault = f"PatientID differs in series {uid}: {named}: put each patient's files into a folder of its own"
        remarks.append(f"PatientID differs in one series: {named}: taken for one patient")
    if pages:
        text = f"{_count(pages, 'CT image')} without a position in the patient"
        if len(pages) > max(_MAX_PAGES, MAX_STRAYS * len(files)):
            fault = fault or f"{text}: ImagePositionPatient is lost"
        remarks.append(f"leaves out {text}: dose reports or the like")
    return Series(ids.most_common(1)[0][0], uid, files, tuple(remarks), fault)


def _count(names: list[str], what: str) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} {what}{'s' if len(names) > 1 else ''} ({shown})"


def largest_per_patient(series: Sequence[Series]) -> Iterator[tuple[Series, list[str]]]:
    """Of every patient the series with the most images, and a remark when others are passed over."""
    by_patient: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        by_patient[patient_key(one.patient)].append(one)
    for first, *rest in by_patient.values():
        passed = ", ".join(f"{one.uid} ({len(one.files)})" for one in rest)
        which = "one of the largest" if rest and len(rest[0].files) == len(first.files) else "the largest"
        remark = f"takes {which} CT series, {first.uid} ({len(first.files)} images), and passes over {passed}"
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

    A series that lies in the folder itself and goes on in folders below is read as a whole.

    Raises InputError naming the path, the file and the defect.
    """
    with members(path, below=True) as files:
        chosen, remarks = _choose(*find_series(files), series_uid)
        rest = _rest(path, files, chosen.uid)
        if rest:
            series, _ = find_series([*files, *rest])
            chosen = next(one for one in series if one.uid == chosen.uid)
            remarks = [*remarks, f"the series goes on in folders below ({rest[0].name}, ...): read as one"]
        stack = chosen.stacked(max_hole_mm)
        for remark in [*remarks, *stack.remarks()]:
            note(f"{path}: {remark}")
        return volume_of(stack, path)


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


def _rest(path: Path, files: Sequence[Member], uid: str) -> list[Member]:
    """The files of the folders below that hold the same series, by the first and the last file of each."""
    if not path.is_dir() or any((path / one.name).parent != path for one in files):
        return []
    return [one for found in folders_below(path).values() if uid in map(_uid, (found[0], found[-1])) for one in found]


def _uid(member: Member) -> str:
    try:
        header = read_header(member)
    except InputError:
        return ""
    return "" if header is None or isinstance(header, NotCt) else header.series_uid
