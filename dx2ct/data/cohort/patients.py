"""Which scans are one patient, and why that is believed. In doubt they are one: a patient must not be in two splits."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import re

from drr.ct.patient import patient_key
from drr.errors import InputError
from dx2ct.data.cohort.groups import joined
from dx2ct.data.cohort.lidc import ct_series, ORIGIN
from dx2ct.data.cohort.names import bids_subject, shown, stem, undivided, written
from dx2ct.data.cohort.places import Scan, series_of

_MOST_PATHS = 6
_AFTER_A_NAME = " ._-"
# PatientIDs that anonymisation leaves behind. They tell nobody apart, and yield to a name that does.
_NOBODY = re.compile(r"anon\w*|unknown|none|no[ _-]?name|n/?a|de-?identified|removed|[x0-]+")


@dataclass(frozen=True)
class Name:
    """A patient's name as written, and where it is from."""

    name: str
    origin: str

    @property
    def keys(self) -> set[str]:
        """What it is compared by; `sub-01` is also the PatientID 01 that it was made from."""
        bare = {patient_key(self.name.removeprefix("sub-"))} if self.origin == "BIDS subject" else set()
        return {patient_key(self.name)} | bare


PatientFrom = Callable[[Scan], Name | None]


def patient_from(choice: str, folder: Path) -> PatientFrom:
    """What the option --patient-from means: `folder`, `name`, or a regular expression on the path below `folder`.

    The name of a regular expression is its group `patient`, its first group, or all of it; None where it is not found.
    Raises InputError for an expression that is none.
    """
    if choice == "folder":
        return lambda scan: Name(_top_folder(scan.path, folder), "folder")
    if choice == "name":
        return lambda scan: Name(undivided(stem(scan.path)), "name")
    try:
        pattern = re.compile(choice)
    except re.error as error:
        raise InputError(f"--patient-from {choice}: neither folder, name nor a regular expression ({error})") from None

    def found(scan: Scan) -> Name | None:
        match = pattern.search(_way(scan.path, folder))
        if not match:
            return None
        group = "patient" if "patient" in pattern.groupindex else min(pattern.groups, 1)
        name = written(match[group] or "")
        return Name(name, f"{choice} in the path") if name else None

    return found


def patients_of(scans: Sequence[Scan], folder: Path, choose: PatientFrom | None = None) -> tuple[list[Name], list[str]]:
    """The patient of every scan, and remarks: which scans are believed to be one patient, and why.

    choose: gives the names of scans that are not listed; None takes PatientIDs, subjects of BIDS, names of files and
    folders. Names are compared by `patient_key`. Two files that hold one image are one patient whatever their names
    are, and so are two CTs of one patient of LIDC-IDRI, whose table knows their series.
    """
    names = _all_names(scans, folder, choose)
    same, remarks = _same_images(scans, names, folder)
    keys = [[*_keys(own), *([("image", same[k])] if k in same else [])] for k, own in enumerate(names)]
    groups: dict[int, list[int]] = defaultdict(list)
    for k, first in enumerate(joined(keys)):
        groups[first].append(k)
    found: dict[int, Name] = {}
    for group in groups.values():
        best = _best([name for k in group for name in names[k]])
        for k in group:
            own = [one.origin for one in names[k] if one.keys & best.keys]
            found[k] = Name(best.name, own[0] if own else "the same voxels" if k in same else "another scan's names")
        if len(group) > 1 and not _is_plain([scans[k] for k in group], [names[k] for k in group]):
            why = _why([names[k] for k in group], any(k in same for k in group))
            remarks.append(f"{_listed([scans[k].path for k in group], folder)}: one patient, {best.name}: {why}")
    return [found[k] for k in range(len(scans))], remarks


def _all_names(scans: Sequence[Scan], folder: Path, choose: PatientFrom | None) -> list[list[Name]]:
    """Of a listed scan the name that it has there; of all others what they are called, or what `choose` says."""
    free = [k for k, scan in enumerate(scans) if not scan.listed]
    own = [scans[k] for k in free]
    told = [scan.listed.patient for scan in scans if scan.listed]
    found = [[Name(scan.listed.patient, scan.listed.origin)] if scan.listed else [] for scan in scans]
    for k, names in zip(free, _names(own, folder, told) if choose is None else map(_chosen(choose), own), strict=True):
        found[k] = names
    return [names + _unsaid(_of_lidc(scan), names) for names, scan in zip(found, scans, strict=True)]


def _unsaid(further: Sequence[Name], names: Sequence[Name]) -> list[Name]:
    said = {key for one in names for key in one.keys}
    return [one for one in further if not one.keys & said]


def _chosen(choose: PatientFrom) -> Callable[[Scan], list[Name]]:
    return lambda scan: [name] if (name := choose(scan)) else []


def _of_lidc(scan: Scan) -> list[Name]:
    """Whose a series of LIDC-IDRI is by its UID, in whatever file it lies."""
    row = ct_series(series_of(scan))
    return [Name(row["patient"], ORIGIN)] if row else []


def _is_plain(scans: Sequence[Scan], names: Sequence[Sequence[Name]]) -> bool:
    """True where lists alone say that scans are one patient, with one name: nothing is believed, and nothing told."""
    return any(scan.listed for scan in scans) and len({key for own in names for one in own for key in one.keys}) == 1


def _keys(names: Sequence[Name]) -> list[tuple[str, str]]:
    return [("name", key) for one in names for key in one.keys]


def _names(scans: Sequence[Scan], folder: Path, told: Sequence[str]) -> list[list[Name]]:
    """All names that each scan has for its patient; every scan has one. told: patients of other scans, by lists."""
    known = {patient_key(one): one for one in (*told, *(one for scan in scans for one in scan.ids))}
    found = []
    for scan in scans:
        subject = written(bids_subject(_way(scan.path, folder)))
        of_lidc = _of_lidc(scan)
        is_told = bool(subject or of_lidc)
        own = [Name(one, "PatientID") for one in scan.ids if not (is_told and _NOBODY.fullmatch(patient_key(one)))]
        own += [Name(subject, "BIDS subject")] if subject else []
        found.append(own or of_lidc or _in_path(scan, folder, known))
    nameless = [k for k, own in enumerate(found) if not own]
    stems = {k: undivided(stem(scans[k].path)) for k in nameless}
    below = _shared([scans[k].path for k in nameless])
    tops = {k: _top_folder(scans[k].path, below) for k in nameless}
    folders_tell = _tops_of_patients([(stems[k], tops[k], scans[k].path.parent) for k in nameless])
    for k in nameless:
        by_folder = tops[k] in folders_tell
        found[k] = [Name(written(tops[k] if by_folder else stems[k]) or "scan", "folder" if by_folder else "file name")]
    return found


def _in_path(scan: Scan, folder: Path, known: dict[str, str]) -> list[Name]:
    """A name that the path says twice or another scan's header, too; the longest.

    A file may begin with the name of a folder around it (P1/P1_ct.nii.gz) or with another scan's PatientID; a folder
    around it may be called by such a PatientID.
    """
    own = patient_key(undivided(stem(scan.path)))
    around = scan.path.relative_to(folder).parts[:-1]
    found = [Name(written(part), "file name") for part in around if _begins(own, patient_key(part))]
    found += [Name(name, "file name") for key, name in known.items() if _begins(own, key)]
    found += [Name(written(part), "folder") for part in around if patient_key(part) in known]
    return sorted(found, key=lambda one: -len(one.name))[:1]


def _begins(name: str, start: str) -> bool:
    return bool(start) and name.startswith(start) and (name == start or name[len(start)] in _AFTER_A_NAME)


def _tops_of_patients(scans: Sequence[tuple[str, str, Path]]) -> set[str]:
    """Folders that stand for a patient, of (name, top folder, folder): names that come again and again tell nobody.

    P1/ct and P2/ct, also P1/2020/ct and P1/2021/ct, are told apart by their folder; nifti/P1 and mha/P1 by their name.
    """
    places: dict[str, set[Path]] = defaultdict(set)
    tops: dict[str, set[str]] = defaultdict(set)
    for name, top, place in scans:
        places[patient_key(name)].add(place)
        tops[patient_key(name)].add(top)
    again = [name for name in places if len(places[name]) > 1]
    found = set().union(*(tops[name] for name in again)) if again else set()
    return found if len(found) >= len(again) else set()


def _same_images(
    scans: Sequence[Scan], names: Sequence[Sequence[Name]], folder: Path
) -> tuple[dict[int, str], list[str]]:
    """Index of a scan to what it shares with another, and remarks on equal voxels that prove nothing."""
    alike: dict[str, list[int]] = defaultdict(list)
    for k, scan in enumerate(scans):
        if scan.image:
            alike[scan.image.digest].append(k)
    same: dict[int, str] = {}
    remarks = []
    for digest, group in alike.items():
        if len(set(joined([_keys(names[k]) for k in group]))) == 1:  # the names say it
            continue
        parts = _parts([scans[k] for k in group], [names[k] for k in group])
        same |= {k: f"{digest} {part}" for k, part in zip(group, parts, strict=False) if parts.count(part) > 1}
        if len(set(joined([[*_keys(names[k]), part] for k, part in zip(group, parts, strict=False)]))) > 1:
            remarks.append(
                f"{_listed([scans[k].path for k in group], folder)}: the same voxels under several names, without the "
                "noise that would prove one scan: if they are one patient, give them one name in the sheet"
            )
    return same, remarks


def _parts(scans: Sequence[Scan], names: Sequence[Sequence[Name]]) -> list[str]:
    """Of scans with equal voxels a word each, the same for those that are one scan; none where nothing is to be said.

    Noise proves it. Without, they may be at several places, as phantoms are; those at one place are one scan where only
    one of them has a PatientID, or one of those in a folder.
    """
    pictures = [scan.image for scan in scans if scan.image]
    if pictures[0].has_noise:
        return [""] * len(scans)
    if not all(one.is_at_place_of(pictures[0]) for one in pictures):
        return []
    if _has_one_id(names):
        return [""] * len(scans)
    below = _shared([scan.path for scan in scans])
    tops = [_top_folder(scan.path, below) for scan in scans]
    joins = {top: _has_one_id([own for own, one in zip(names, tops, strict=True) if one == top]) for top in tops}
    return [f"in {top}" if joins[top] else f"{k}" for k, top in enumerate(tops)]


def _has_one_id(names: Sequence[Sequence[Name]]) -> bool:
    return len(set(joined([_keys(own) for own in names if any(one.origin == "PatientID" for one in own)]))) == 1


def _best(names: Sequence[Name]) -> Name:
    """The name for the sheet: a scanner's or data set's before a file's, and LIDC-IDRI's where there is no other."""
    order = ("PatientID", "BIDS subject", "folder")
    last = len(order)
    return min(names, key=lambda one: order.index(one.origin) if one.origin in order else last + (one.origin == ORIGIN))


def _why(names: Sequence[Sequence[Name]], has_same_image: bool) -> str:
    """What the names say, each form once: `PatientID P1, p1; file name P1`."""
    forms: dict[str, dict[str, None]] = defaultdict(dict)
    for one in (one for own in names for one in own):
        forms[one.origin][one.name] = None
    why = [f"{origin} {', '.join(found)}" for origin, found in forms.items()]
    return "; ".join([*why, "the same voxels"] if has_same_image else why)


def _listed(paths: Sequence[Path], folder: Path) -> str:
    ways = [shown(_way(path, folder)) for path in paths[:_MOST_PATHS]]
    more = [f"{len(paths) - _MOST_PATHS} more"] if len(paths) > _MOST_PATHS else []
    return ", ".join(ways + more)


def _way(path: Path, folder: Path) -> str:
    """The path below the folder; the folder's own name for itself."""
    return path.relative_to(folder).as_posix() if path != folder else folder.name


def _shared(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths])) if paths else Path()


def _top_folder(path: Path, folder: Path) -> str:
    """The name of the first folder on the way from `folder` to a scan; of what lies directly in it, its own."""
    parts = path.relative_to(folder).parts if path != folder else ()
    if not parts:
        return folder.name
    return parts[0] if len(parts) > 1 or path.is_dir() else undivided(stem(path))
