"""What `dx2ct cohort` leaves: the sheet, the scans left out, and a configuration that names both."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
import json
from pathlib import Path
import shlex

from drr.ct.sources import note
from drr.errors import InputError
from drr.files import replacing
from dx2ct.config import to_json
from dx2ct.data.cohort.facts import FACTS
from dx2ct.data.cohort.names import is_plain, shown
from dx2ct.data.cohort.patients import Name
from dx2ct.data.cohort.places import LeftOut, Scan
from dx2ct.data.cohort.sheet import COLUMNS, Row
from dx2ct.data.cohort.used import write_table
from dx2ct.layout import ROOT

FEW = 10  # patients: with fewer a split of its own for tests holds one or two
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
_FOLDS = "folds: [{names}]   # every run is trained once for each, without the patient that it tests\n"


def require_new(output: Path, force: bool) -> None:
    """A sheet is there to be edited, and a survey may take an hour: say so at once."""
    if not is_plain(output):
        raise InputError(f"{shown(output)}: the name is no text in UTF-8, or holds control characters: choose another")
    there = [name for name in (SHEET, LEFT_OUT, CONFIG) if (output / name).exists()]
    if there and not force:
        raise InputError(
            f"{output / there[0]}: is there already, perhaps edited: choose another folder, or add --force"
        )


def write(
    output: Path,
    rows: Sequence[Row],
    scans: Sequence[Scan],
    names: Sequence[Name],
    left_out: Sequence[LeftOut],
    folds: Mapping[str, Mapping[str, str]],
) -> None:
    """Write the three files, and say what is in them and what to type next.

    folds: {fold: {patient: part}}, columns split_FOLD that every run is trained by.
    """
    sheet, table, config = (output / name for name in (SHEET, LEFT_OUT, CONFIG))
    _hide_from_git(output)
    cells = [
        asdict(row)
        | scan.facts
        | {"patient_from": name.origin}
        | _listed_cells(scan)
        | {f"split_{fold}": part_of[row.patient] for fold, part_of in folds.items()}
        for row, scan, name in zip(rows, scans, names, strict=True)
    ]
    further = sorted({column for scan in scans for column in _listed_cells(scan)})
    columns = [*COLUMNS, *FACTS, "patient_from", *dict.fromkeys([*further, *(f"split_{fold}" for fold in folds)])]
    write_table(sheet, columns, ([row.get(column, "") for column in columns] for row in cells))
    write_table(table, ("path", "reason"), ((shown(one.path), shown(one.reason)) for one in left_out))
    count = Counter(row.split for row in rows)
    target = "all" if folds or (count["train"] and count["test"]) else "results/qc.html"
    command = _command(config, target)
    quoted = {
        "sheet": json.dumps(str(sheet), ensure_ascii=False),
        "left_out": json.dumps(str(table), ensure_ascii=False),
    }
    with replacing(config) as part:
        text = _CONFIG.format(command=command, **quoted) + (_FOLDS.format(names=", ".join(folds)) if folds else "")
        part.write_text(text, encoding="utf-8")
    people = len({row.patient for row in rows})
    print(f"{len(rows)} scans of {people} patients: {count['train']} train, {count['val']} val, {count['test']} test")
    if folds:
        print(f"leave one out: {len(folds)} folds, split_fold1 to split_fold{len(folds)}, each tests one patient")
    otherwise = "" if all(scan.listed for scan in scans) else "; --patient-from says otherwise"
    print(f"patients by {', '.join(dict.fromkeys(name.origin for name in names))}{otherwise}")
    if others := [column.removeprefix("split_") for column in further if column.startswith("split_")]:
        print(f"further splits, as cohort.split of {config}: {', '.join(others)}")
    if count["test"] and not folds and people < FEW:
        note(f"{people} patients are few to test on: --leave-one-out tests each by a training without them")
    for split, what in (("train", "no training"), ("test", "no score")):
        if not count[split] and not folds:
            note(f"no patient in split {split}: {what} from this cohort, see docs/data.md")
    print(f"wrote {sheet}\nnext: {command}")


def _listed_cells(scan: Scan) -> dict[str, str]:
    """Further columns of a scan that is listed: a header instead of the file's, and splits of other names."""
    if not scan.listed:
        return {}
    header = {"header": to_json(asdict(scan.listed.restated))} if scan.listed.restated else {}
    return header | dict(scan.listed.folds)


def _command(config: Path, target: str) -> str:
    """What to type next, in the folder that this command was typed in."""
    elsewhere = [] if _is_project(Path.cwd()) else ["--snakefile", str(ROOT / "Snakefile")]
    return shlex.join(["snakemake", target, "--cores", "8", *elsewhere, "--configfile", str(config)])


def _is_project(folder: Path) -> bool:
    """True for the clone, and for what `dx2ct new` has written: Snakemake finds this workflow there by itself."""
    snakefile = folder / "Snakefile"
    return snakefile.is_file() and "dx2ct" in snakefile.read_text(encoding="utf-8", errors="replace")


def _hide_from_git(output: Path) -> None:
    """PatientIDs and paths of a hospital are nothing to publish; what else lies in the folder is for others to say."""
    ignore = output / ".gitignore"
    if not ignore.exists():
        is_own = not output.exists() or not any(output.iterdir())
        output.mkdir(parents=True, exist_ok=True)
        ignore.write_text("*\n" if is_own else f"/{SHEET}\n/{LEFT_OUT}\n/{CONFIG}\n", encoding="utf-8")
