"""A cohort of one's own CTs: find the scans under a folder, split them by patient, write the sample sheet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
import json
from pathlib import Path
import random
import shlex
import sys

from drr.ct.sources import note
from drr.errors import InputError
from drr.files import replacing
from drr.progress import bar
from dx2ct.config import check, FilterSettings, VolumeSettings
from dx2ct.data.cohort import patients
from dx2ct.data.cohort.apart import scans_at_each
from dx2ct.data.cohort.facts import FACTS, Facts
from dx2ct.data.cohort.names import is_plain, scan_names, shown
from dx2ct.data.cohort.places import candidates, LeftOut, Scan
from dx2ct.data.cohort.selection import filter_reason
from dx2ct.data.cohort.sheet import COLUMNS, Row
from dx2ct.data.cohort.used import write_table
from dx2ct.data.cohort.whole import whole_series

DEFAULT_SIDE_MM = check(VolumeSettings).side_mm
_MOST_NAMES = 6
SHEET, LEFT_OUT, CONFIG = "cohort.tsv", "left_out.tsv", "config.yaml"
_CONFIG = """\
# Laid over the demo's networks and runs:
#     {command}
# `base: workflow/config/paper.yaml` lays it over the paper's.
base: config.yaml
cohort:
  source: local
  sheet: {sheet}
  left_out: {left_out}
  split: null
  limit: null
"""


def write_cohort(
    folder: Path,
    output: Path,
    filters: FilterSettings,
    *,
    test_fraction: float,
    val_fraction: float,
    seed: int,
    patient_from: str | None = None,
    force: bool = False,
) -> int:
    """Write cohort.tsv, left_out.tsv and config.yaml into `output`; return how many scans turned out unusable.

    Every sub-folder or zip with a DICOM CT series and every volume file is one scan; of several series of one patient
    in one place the largest is taken. Of DICOM the headers and two slices are read, of volume files the voxels. Every
    scan left out is one line on stderr and one row of left_out.tsv, those that do not pass the filters as well. What
    makes several scans one patient is said there, too, and in the sheet's column `patient_from`.

    patient_from: None, or what else tells patients apart (`patients.patient_from`). force: replace an older sheet.
    Raises InputError, and writes nothing, when no scan can be used, the fractions make no split, or a file is there.
    """
    trains = test_fraction + val_fraction < 1
    if not (test_fraction >= 0 and val_fraction >= 0 and (trains or (test_fraction, val_fraction) == (1, 0))):
        raise InputError(f"--test {test_fraction} and --val {val_fraction} leave nothing to train on or to test")
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder")
    folder, output = folder.resolve(), output.resolve()
    if not is_plain(output):
        raise InputError(f"{shown(output)}: the name is no text in UTF-8, or holds control characters: choose another")
    _require_new(output, force)
    choose = patients.patient_from(patient_from, folder) if patient_from else None
    scans, left_out = _survey(folder, output)
    if choose:
        scans = _named(scans, choose, left_out, patient_from)
    unusable = len(left_out)
    names, remarks = patients.patients_of(scans, folder, choose)
    for remark in remarks:
        note(shown(remark))
    kept, names = _filtered(scans, names, filters, left_out)
    _tell_of_low(kept)
    split_of = split_patients([one.name for one in names], test_fraction, val_fraction, seed, folder)
    rows = [
        Row(scan, one.name, str(found.path), found.series_uid, split_of[one.name])
        for scan, one, found in zip(scan_names([one.path for one in kept], folder), names, kept, strict=True)
    ]
    _write(output, rows, [one.facts for one in kept], [one.origin for one in names], left_out)
    return unusable


def _require_new(output: Path, force: bool) -> None:
    """A sheet is there to be edited, and a survey may take an hour: say so at once."""
    there = [name for name in (SHEET, LEFT_OUT, CONFIG) if (output / name).exists()]
    if there and not force:
        raise InputError(
            f"{output / there[0]}: is there already, perhaps edited: choose another folder, or add --force"
        )


def _survey(folder: Path, output: Path) -> tuple[list[Scan], list[LeftOut]]:
    paths = candidates(folder, output)
    found = []
    with bar("survey", "place", len(paths)) as shown_bar:
        for ones in scans_at_each(paths):
            found += ones
            shown_bar.update()
    found = list(whole_series(found))
    left_out = [one for one in found if isinstance(one, LeftOut)]
    for one in left_out:
        _tell(one)
    return [one for one in found if isinstance(one, Scan)], left_out


def _tell(one: LeftOut) -> None:
    print(f"left out: {shown(one.path)}: {shown(one.reason)}", file=sys.stderr)


def _named(
    scans: Sequence[Scan], choose: patients.PatientFrom, left_out: list[LeftOut], expression: str | None
) -> list[Scan]:
    """The scans whose patient the expression finds; the others are added to `left_out`."""
    kept = []
    for scan in scans:
        if choose(scan):
            kept.append(scan)
        else:
            left_out.append(LeftOut(scan.path, f"--patient-from {expression} finds no patient in its path"))
            _tell(left_out[-1])
    return kept


def _filtered(
    scans: Sequence[Scan], names: Sequence[patients.Name], filters: FilterSettings, left_out: list[LeftOut]
) -> tuple[list[Scan], list[patients.Name]]:
    """The scans that pass, with their patients; the others are added to `left_out`."""
    kept = []
    for scan, name in zip(scans, names, strict=True):
        reason = filter_reason(scan.facts, asdict(filters))
        if reason:
            left_out.append(LeftOut(scan.path, reason))
            _tell(left_out[-1])
        else:
            kept.append((scan, name))
    return [scan for scan, _ in kept], [name for _, name in kept]


def split_patients(
    patients: Sequence[str], test_fraction: float, val_fraction: float, seed: int, folder: Path
) -> dict[str, str]:
    """Patient -> train, val or test by a seeded shuffle of the distinct patients.

    Of two patients or more at least one trains and, unless test_fraction is 0, one tests; with test_fraction 1 all do.
    """
    distinct = sorted(set(patients))
    if not distinct:
        raise InputError(f"{folder}: no CT that can be used and passes the filters")
    random.Random(seed).shuffle(distinct)
    test = round(test_fraction * len(distinct))
    if 0 < test_fraction < 1:
        test = min(max(test, 1), len(distinct) - 1)
    val = max(min(round(val_fraction * len(distinct)), len(distinct) - test - 1), 0)
    parts = ["test"] * test + ["val"] * val + ["train"] * (len(distinct) - test - val)
    return dict(zip(distinct, parts, strict=True))


def _tell_of_low(scans: Sequence[Scan]) -> None:
    """A cube is filled by half or less, and what fills it may be an abdomen or a head."""
    half_mm = DEFAULT_SIDE_MM / 2
    low = [
        f"{shown(scan.path.name)} ({scan.facts['z_mm']} mm)" for scan in scans if float(scan.facts["z_mm"]) < half_mm
    ]
    if low:
        names = ", ".join(low[:_MOST_NAMES]) + (f" and {len(low) - _MOST_NAMES} more" if len(low) > _MOST_NAMES else "")
        note(
            f"less than {half_mm:g} mm high, half of a cube of {DEFAULT_SIDE_MM:g} mm: {names}: "
            "parts of a chest, or none; --min-z-mm leaves them out"
        )


def _write(
    output: Path, rows: Sequence[Row], facts: Sequence[Facts], origins: Sequence[str], left_out: Sequence[LeftOut]
) -> None:
    sheet, table, config = (output / name for name in (SHEET, LEFT_OUT, CONFIG))
    _hide_from_git(output)
    cells = [
        asdict(row) | known | {"patient_from": origin} for row, known, origin in zip(rows, facts, origins, strict=True)
    ]
    columns = [*COLUMNS, *FACTS, "patient_from"]
    write_table(sheet, columns, ([row[column] for column in columns] for row in cells))
    write_table(table, ("path", "reason"), ((shown(one.path), shown(one.reason)) for one in left_out))
    count = Counter(row.split for row in rows)
    target = "all" if count["train"] and count["test"] else "results/qc.html"
    command = _command(config, target)
    quoted = {
        "sheet": json.dumps(str(sheet), ensure_ascii=False),
        "left_out": json.dumps(str(table), ensure_ascii=False),
    }
    with replacing(config) as part:
        part.write_text(_CONFIG.format(command=command, **quoted), encoding="utf-8")
    people = len({row.patient for row in rows})
    print(f"{len(rows)} scans of {people} patients: {count['train']} train, {count['val']} val, {count['test']} test")
    print(f"patients by {', '.join(dict.fromkeys(origins))}; --patient-from says otherwise")
    for split, what in (("train", "no training"), ("test", "no score")):
        if not count[split]:
            note(f"no patient in split {split}: {what} from this cohort, see docs/data.md")
    print(f"wrote {sheet}\nnext: {command}")


def _command(config: Path, target: str) -> str:
    """What to type next, in the folder that this command was typed in."""
    snakefile = Path(__file__).resolve().parents[3] / "Snakefile"
    elsewhere = ["--snakefile", str(snakefile)] if snakefile.is_file() and Path.cwd() != snakefile.parent else []
    return shlex.join(["snakemake", target, "--cores", "8", *elsewhere, "--configfile", str(config)])


def _hide_from_git(output: Path) -> None:
    """PatientIDs and paths of a hospital are nothing to publish; what else lies in the folder is for others to say."""
    ignore = output / ".gitignore"
    if not ignore.exists():
        is_own = not output.exists() or not any(output.iterdir())
        output.mkdir(parents=True, exist_ok=True)
        ignore.write_text("*\n" if is_own else f"/{SHEET}\n/{LEFT_OUT}\n/{CONFIG}\n", encoding="utf-8")
