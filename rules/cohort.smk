# The cohort's scans: what the sheet's filters leave, what could not be read of it, and the files of a scan. No rule.
from collections import Counter
from pathlib import Path

from dx2ct.data.cohort.selection import fingerprint, leaks, read_rows, select
from drr.errors import InputError


def read_cohort(section, sheet):
    """The sheet, checked and filtered: {scan: row} and (scan, reason) of what is left out."""
    try:
        rows = read_rows(sheet)
    except InputError as error:
        refuse(f"config.cohort.sheet: {error}")
    data = {"source": section["source"], "rows": rows}
    check(data, "cohort.schema.yaml", lambda path: ", ".join([sheet, *place(path)]))
    for scan, often in Counter(row["scan"] for row in rows).items():
        if often > 1:
            refuse(f"{sheet}: scan {scan} appears twice")
    try:
        kept, left_out = select(rows, section)
        leaked = leaks(kept)
    except InputError as error:
        refuse(f"{sheet}: {error}")
    if leaked and workflow.is_main_process:
        print(
            f"warning: {', '.join(leaked)}: patient in two parts of the published split {section['split']}; "
            f"{section['split']}_leak_free leaves the training scan out",
            file=sys.stderr,
        )
    return {row["scan"]: row for row in kept}, left_out


def place(path):
    """Where a value of the sheet lies, for people: ["rows", 0, "split"] is line 2, column split."""
    return [f"line {key + 2}" if isinstance(key, int) else key for key in path if key != "rows"]


def stamp(source):
    """Bytes and newest modification time in ns of a file, or of all files in a folder (as `dx2ct volume` records)."""
    path = Path(source)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    stats = [file.stat() for file in files]
    return [sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)]


def failure(scan):
    """Why the scan could not be read, or None; a repaired source and changed settings are tried again."""
    record = Path(f"data/failed/{scan}.txt")
    if not record.is_file():
        return None
    reason, _, tried = record.read_text(encoding="utf-8").partition("\n")
    row = COHORT[scan]
    now = {"settings": stage("volume"), "series_uid": row["series_uid"], "stamp": stamp(row["path"])}
    try:
        return reason if json.loads(tried) == now else None
    except ValueError:  # a damaged record says nothing: try the scan again
        return None


def usable(*splits):
    """Scans of the given parts of the split, without the failed ones."""
    return [scan for scan, row in COHORT.items() if row["split"] in splits and scan not in FAILED]


def leave_out(*splits):
    """Options for a command that reads the sheet."""
    return [f"--leave-out={scan}" for scan in FAILED if COHORT[scan]["split"] in splits]


def left_out_tables():
    """Files that say which scans are not in the results, and why."""
    table = config["cohort"]["left_out"]
    return ([found(table)] if table else []) + ["results/left_out.tsv"]


def nodule_tables():
    """Positions of nodules that the sheet itself does not hold."""
    return [found("workflow/resources/lidc-nodules.tsv")] if config["cohort"]["source"] == "lidc" else []


def nodule_columns(scans):
    """What the sheet says of where nodules are."""
    return [{key: COHORT[scan].get(key, "") for key in ("nodules", "fov_mm", "pixel_mm")} for scan in scans]


def xrays(scans, views):
    """X-ray images of scans."""
    return [f"data/xrays/{scan}/{view}.mha" for scan in scans for view in views]


def stacks(scans):
    """The slice stacks of scans."""
    return [f"data/slices/{scan}/{plane}.npy" for scan in scans for plane in PLANES]


def reconstructions(run, scans):
    """What `reconstruct` makes of scans: the fused volume and the volume of each plane."""
    volumes = [f"results/{run}/volumes/{scan}.nii.gz" for scan in scans]
    return volumes + [f"results/{run}/planes/{scan}/{plane}.nii.gz" for scan in scans for plane in PLANES]


SHEET = found(config["cohort"]["sheet"])
COHORT, LEFT_OUT = read_cohort(config["cohort"], SHEET)
FAILED = {scan: reason for scan in COHORT if (reason := failure(scan))}
if workflow.is_main_process:
    for scan, reason in FAILED.items():
        print(f"warning: scan {scan} is left out: {reason} (data/failed/{scan}.txt)", file=sys.stderr)
for split in ("train", "test"):
    if not usable(split):
        refuse(f"{SHEET}: no usable scan in split {split}")
