"""A cohort of one's own CTs: find the scans under a folder, split them by patient, write the sample sheet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
import json
import os
from pathlib import Path
import random
import re
import sys

from tqdm import tqdm

from drr.ct.dicom import find_series, largest_per_patient, no_ct
from drr.ct.read import PICTURE_REASON, read_chest
from drr.ct.sources import kind_of, members, note
from drr.errors import InputError
from drr.files import replacing
from drr.volume import SUFFIXES
from dx2ct.config import FilterSettings
from dx2ct.data.cohort.facts import FACTS, Facts, of_stack, of_volume
from dx2ct.data.cohort.selection import filter_reason
from dx2ct.data.cohort.sheet import COLUMNS, Row
from dx2ct.data.cohort.used import write_table

_CONFIG = """\
# Laid over the demo's networks and runs:  snakemake --cores 8 --configfile {config} all
# `base: workflow/config/paper.yaml` lays it over the paper's.
base: config.yaml
cohort:
  source: local
  sheet: {sheet}
  left_out: {left_out}
  split: null
  limit: null
"""
_WORKFLOW_FOLDERS = ("data", "results", "logs", "benchmarks")


@dataclass(frozen=True)
class Scan:
    """A usable CT: the file or folder, its DICOM series (empty for a volume file), whose it is, how it was taken."""

    path: Path
    series_uid: str
    patient: str
    facts: Facts


@dataclass(frozen=True)
class LeftOut:
    """Something that looks like a scan and cannot be used, or that the filters leave out."""

    path: Path
    reason: str


def write_cohort(
    folder: Path, output: Path, filters: FilterSettings, *, test_fraction: float, val_fraction: float, seed: int
) -> int:
    """Write cohort.tsv, left_out.tsv and config.yaml into `output`; return how many scans turned out unusable.

    Every sub-folder or zip with a DICOM CT series and every volume file is one scan; of several series of one patient
    in one place the largest is taken. Of DICOM the headers are read, of volume files the voxels. Every scan left out is
    one line on stderr and one row of left_out.tsv, those that do not pass the filters as well.

    Raises InputError, and writes nothing, when there are fewer than two patients or the fractions make no split.
    """
    if not (0 < test_fraction < 1 and 0 <= val_fraction < 1 and test_fraction + val_fraction < 1):
        raise InputError(f"--test {test_fraction} and --val {val_fraction} leave nothing to train on or to test")
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder")
    folder, output = folder.resolve(), output.resolve()
    scans, left_out = _survey(folder, output)
    unusable = len(left_out)
    scans = _filtered(_tell_apart(scans, folder), filters, left_out)
    split_of = split_patients([scan.patient for scan in scans], test_fraction, val_fraction, seed, folder)
    names = scan_names([scan.path for scan in scans], folder)
    rows = [
        Row(name, scan.patient, str(scan.path), scan.series_uid, split_of[scan.patient])
        for name, scan in zip(names, scans, strict=True)
    ]
    _write(output, rows, [scan.facts for scan in scans], left_out)
    return unusable


def _filtered(scans: Sequence[Scan], filters: FilterSettings, left_out: list[LeftOut]) -> list[Scan]:
    """The scans that pass; the others are added to `left_out`."""
    kept = []
    for scan in scans:
        reason = filter_reason(scan.facts, asdict(filters))
        if reason:
            print(f"left out: {scan.path}: {reason}", file=sys.stderr)
            left_out.append(LeftOut(scan.path, reason))
        else:
            kept.append(scan)
    return kept


def _survey(folder: Path, output: Path) -> tuple[list[Scan], list[LeftOut]]:
    scans: list[Scan] = []
    left_out: list[LeftOut] = []
    place_of: dict[str, Path] = {}
    for path in tqdm(_candidates(folder, output), desc="scans", disable=None):
        for found in _scans_at(path):
            if isinstance(found, Scan) and found.series_uid in place_of:
                found = LeftOut(path, f"the same series as {place_of[found.series_uid]}")
            if isinstance(found, LeftOut):
                print(f"left out: {found.path}: {found.reason}", file=sys.stderr)
                left_out.append(found)
                continue
            if found.series_uid:
                place_of[found.series_uid] = path
            scans.append(found)
    return scans, left_out


def _tell_apart(scans: Sequence[Scan], folder: Path) -> list[Scan]:
    """Volume files of one name in several folders (PATIENT/ct.nii.gz) are patients by their way below `folder`."""
    often = Counter(scan.patient for scan in scans if not scan.series_uid)
    return [
        replace(scan, patient=_safe(_stem(scan.path, str(scan.path.relative_to(folder)))))
        if not scan.series_uid and often[scan.patient] > 1
        else scan
        for scan in scans
    ]


def _candidates(folder: Path, output: Path) -> list[Path]:
    """Everything that may be a scan, in a fixed order: folders (also `folder` itself) and files of known kinds."""
    found = [folder]
    entered = {os.path.realpath(folder)}  # links may lead in circles
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        visible = [one for one in folders if not one.startswith(".") and here / one != output]
        folders[:] = [one for one in visible if os.path.realpath(here / one) not in entered]
        if (
            ".snakemake" in folders or (here / ".snakemake").is_dir()
        ):  # a workflow ran here: what it made is no new scan
            folders[:] = [one for one in folders if one not in _WORKFLOW_FOLDERS]
        entered.update(os.path.realpath(here / one) for one in folders)
        found += [here / one for one in [*folders, *files] if not one.startswith(".")]
    return sorted(path for path in found if kind_of(path) in ("folder", "zip", "volume", "picture"))


def _scans_at(path: Path) -> Iterator[Scan | LeftOut]:
    kind = kind_of(path)
    try:
        if kind == "picture":
            yield LeftOut(path, PICTURE_REASON)
        elif kind == "volume":
            yield Scan(path, "", _safe(_stem(path)), of_volume(read_chest(path)))
        elif kind == "zip" or any(path.iterdir()):
            yield from _series_at(path)
        else:
            yield LeftOut(path, "empty folder")
    except InputError as error:
        yield LeftOut(path, str(error).removeprefix(f"{path}: "))
    except OSError as error:
        yield LeftOut(path, f"cannot be read ({error.strerror or error})")


def _series_at(path: Path) -> Iterator[Scan | LeftOut]:
    """The scan of every patient whose DICOM slices lie directly in a folder or a zip, and the X-rays among them."""
    if path.is_dir() and not any(file.is_file() and not file.name.startswith(".") for file in path.iterdir()):
        return
    with members(path, below=False) as files:
        series, others = find_series(files)
        yield from (
            LeftOut(path / one.name, f"X-ray image, a CT is expected ({one.what})") for one in others if one.is_xray
        )
        if not series and not any(one.is_xray for one in others) and (others or not path.is_dir()):
            raise no_ct(others)
        for one, remarks in largest_per_patient(series):
            try:
                stack = one.stacked()
                facts = of_stack(stack)
            except InputError as error:
                yield LeftOut(path, str(error))
                continue
            for remark in [*remarks, *stack.remarks()]:
                note(f"{path}: {remark}")
            yield Scan(path, one.uid, _safe(one.patient or _stem(path)), facts)


def split_patients(
    patients: Sequence[str], test_fraction: float, val_fraction: float, seed: int, folder: Path
) -> dict[str, str]:
    """Patient -> train, val or test by a seeded shuffle of the distinct patients; at least one trains, one tests."""
    distinct = sorted(set(patients))
    if not distinct:
        raise InputError(f"{folder}: no CT that can be used and passes the filters")
    if len(distinct) == 1:
        raise InputError(
            f"{folder}: {len(patients)} scan(s) of one patient ({distinct[0]}), at least two patients are needed: "
            "one to train on, one to test on"
        )
    random.Random(seed).shuffle(distinct)
    test = min(max(round(test_fraction * len(distinct)), 1), len(distinct) - 1)
    val = min(round(val_fraction * len(distinct)), len(distinct) - test - 1)
    parts = ["test"] * test + ["val"] * val + ["train"] * (len(distinct) - test - val)
    return dict(zip(distinct, parts, strict=True))


def scan_names(paths: Iterable[Path], folder: Path) -> list[str]:
    """A name for every scan, from its file or folder; from the whole way below `folder` where that is not unique."""
    paths = list(paths)
    short = [_safe(_stem(path)) for path in paths]
    often = Counter(name.lower() for name in short)
    names: list[str] = []
    taken: set[str] = set()
    for path, name in zip(paths, short, strict=True):
        if often[name.lower()] > 1 and path != folder:
            name = _safe(_stem(path, str(path.relative_to(folder))))
        number, unique = 1, name
        while unique.lower() in taken:
            number += 1
            unique = f"{name}-{number}"
        names.append(unique)
        taken.add(unique.lower())
    return names


def _stem(path: Path, name: str | None = None) -> str:
    name = name or path.name
    suffixes = [] if path.is_dir() else [suffix for suffix in (".zip", *SUFFIXES) if name.lower().endswith(suffix)]
    return name[: -max(map(len, suffixes))] if suffixes else name


def _safe(name: str) -> str:
    """Letters, digits, _ and - alone: names become file names and words of a command line."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:100] or "scan"


def _write(output: Path, rows: Sequence[Row], facts: Sequence[Facts], left_out: Sequence[LeftOut]) -> None:
    sheet, table, config = (output / name for name in ("cohort.tsv", "left_out.tsv", "config.yaml"))
    cells = [asdict(row) | known for row, known in zip(rows, facts, strict=True)]
    columns = [*COLUMNS, *FACTS]
    write_table(sheet, columns, ([row[column] for column in columns] for row in cells))
    write_table(table, ("path", "reason"), ((str(one.path), one.reason) for one in left_out))
    quoted = {
        "sheet": json.dumps(str(sheet), ensure_ascii=False),
        "left_out": json.dumps(str(table), ensure_ascii=False),
    }
    with replacing(config) as part:
        part.write_text(_CONFIG.format(config=config, **quoted), encoding="utf-8")
    count = Counter(row.split for row in rows)
    patients = len({row.patient for row in rows})
    print(f"{len(rows)} scans of {patients} patients: {count['train']} train, {count['val']} val, {count['test']} test")
    print(f"wrote {sheet}\nnext: snakemake --cores 8 --configfile {config} all")
