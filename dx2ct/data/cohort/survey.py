"""A cohort of one's own CTs: find the scans of a folder or a table, split them by patient, write the sample sheet."""

from pathlib import Path

from drr.ct.sources import note
from drr.errors import InputError
from dx2ct.config import FilterSettings
from dx2ct.data.cohort import output as files
from dx2ct.data.cohort.datasets import ANY, listing_of
from dx2ct.data.cohort.folds import leave_one_out as folds_by_patient
from dx2ct.data.cohort.kept import agreeing, filtered, leave, named
from dx2ct.data.cohort.listing import Listing
from dx2ct.data.cohort.look import everything
from dx2ct.data.cohort.names import scan_names, shown
from dx2ct.data.cohort.patients import patient_from as chosen_from
from dx2ct.data.cohort.patients import patients_of
from dx2ct.data.cohort.places import LeftOut, Scan
from dx2ct.data.cohort.remarks import of_low, of_twice
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.cohort.splits import require_split, split_scans
from dx2ct.data.cohort.table import read_listing, SUFFIXES


def write_cohort(
    source: Path,
    output: Path,
    filters: FilterSettings,
    *,
    test_fraction: float | None = None,
    val_fraction: float | None = None,
    seed: int = 0,
    patient_from: str | None = None,
    preset: str = ANY,
    leave_one_out: bool = False,
    force: bool = False,
) -> int:
    """Write cohort.tsv, left_out.tsv and config.yaml into `output`; return how many scans turned out unusable.

    source: a table (`table.read_listing`), or a folder. There every sub-folder or zip with a DICOM CT series and every
    volume file is one scan; of several series of one patient in one place the largest is taken. Of DICOM the headers
    and two slices are read, of volume files the voxels, of those that a table or a data set lists the header alone.
    Every scan left out is one line on stderr and one row of left_out.tsv, those that do not pass the filters as well.
    What makes several scans one patient is said there, too, and in the sheet's column `patient_from`.

    test_fraction, val_fraction: None takes the splits that are listed, or the defaults (`splits.split_scans`).
    patient_from: None, or what else tells patients apart (`patients.patient_from`). preset: which data set a folder is
    (`datasets`). leave_one_out: with a column split_foldN for each patient, and `folds` in the configuration.
    force: replace an older sheet.
    Raises InputError, and writes nothing, when no scan can be used, the fractions make no split, or a file is there.
    """
    require_split(test_fraction, val_fraction)
    source, output = source.resolve(), output.resolve()
    files.require_new(output, force)
    listing = _listing(source, output, preset, patient_from)
    choose = chosen_from(patient_from, listing.folder) if patient_from else None
    found = everything(listing)
    left_out: list[LeftOut] = []
    for one in found:
        if isinstance(one, LeftOut):
            leave(one, left_out)
    scans = [one for one in found if isinstance(one, Scan)]
    if choose:
        scans = named(scans, choose, left_out, patient_from)
    names, remarks = patients_of(scans, listing.folder, choose)
    for remark in [*remarks, *of_twice(scans, names)]:
        note(shown(remark))
    if test_fraction is None:
        scans, names = agreeing(scans, names, left_out)
    elif any(scan.listed and scan.listed.split for scan in scans):
        note(f"--test {test_fraction:g} draws the splits anew: those that {source} states are not used")
    unusable = len(left_out)
    for one in listing.unwanted:
        leave(one, left_out)
    kept, names = filtered(scans, names, filters, left_out)
    for remark in of_low(kept):
        note(remark)
    split_of = split_scans(kept, names, test_fraction, val_fraction, seed, source)
    given = [one.listed.name if one.listed else "" for one in kept]
    rows = [
        Row(scan, one.name, str(found.path), found.series_uid, split_of[one.name])
        for scan, one, found in zip(
            scan_names([one.path for one in kept], listing.folder, given), names, kept, strict=True
        )
    ]
    folds = folds_by_patient([one.name for one in names]) if leave_one_out else {}
    files.write(output, rows, kept, names, left_out, folds)
    return unusable


def _listing(source: Path, output: Path, preset: str, patient_from: str | None) -> Listing:
    """What is looked at; what it is taken for is said."""
    if source.is_dir():
        listing = listing_of(source, output, preset)
    elif not (source.is_file() and source.suffix.lower() in SUFFIXES):
        raise InputError(f"{source}: not a folder, and no table ({', '.join(SUFFIXES)})")
    elif preset != ANY or patient_from:
        option = f"--preset {preset}" if preset != ANY else f"--patient-from {patient_from}"
        raise InputError(f"{option}: {source} is a table, which says itself what and whose its scans are")
    else:
        listing = read_listing(source)
    for remark in listing.remarks:
        note(shown(remark))
    return listing
