"""What a report is about: scans, scans left out, versions, the commit."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
import platform
import subprocess
from typing import Literal

from drr.ct.patient import patient_key
from drr.errors import InputError
from dx2ct.config import LearnedSettings, RunSettings
from dx2ct.config.augment import NO_AUGMENT
from dx2ct.data.cohort.selection import SPLITS
from dx2ct.data.cohort.sheet import read_sheet, Row
from dx2ct.data.tables import read_table
from dx2ct.methods.trained_on import known_or_unknown, Stage, TrainedOn

PACKAGES = ("dx2ct", "torch", "numpy", "SimpleITK", "scikit-image", "lpips", "matplotlib", "snakemake")


def commit() -> str | None:
    """Commit of the source that runs, with + for changes that are not committed; None outside a git checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        head, changes = _git(root, "rev-parse", "HEAD"), _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):  # no git here, or a checkout of somebody else
        return None
    return head + ("+" if changes else "")


def _git(root: Path, *words: str) -> str:
    line = ["git", "-C", str(root), *words]
    return subprocess.run(line, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def versions() -> dict[str, str]:
    """Of Python and the packages that made the numbers."""
    return {"Python": platform.python_version()} | {package: _version(package) for package in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "run from its source folder"


def today() -> str:
    """The day where this machine is, as in 2026-01-31."""
    return datetime.now().astimezone().date().isoformat()


def data_of(sheet: Path) -> Literal["phantom", "lidc", "own"]:
    """What a sheet's scans are, by its columns: only the phantom cohort's has `seed`, only LIDC-IDRI's `idc_uuid`."""
    columns = columns_of(sheet)
    return "phantom" if "seed" in columns else "lidc" if "idc_uuid" in columns else "own"


def trained_on(
    settings: RunSettings, rows: Sequence[Row], sheet: Path, fold: str | None, start: Path | None
) -> TrainedOn:
    """What weights were trained on that these settings trained on these rows: after what those of `start` were."""
    before = known_or_unknown(start) if start else TrainedOn(())
    steps = getattr(getattr(settings, "train", None), "steps", 0)
    if start and not steps:
        return before
    train = [row for row in rows if row.split == "train"]
    patients = len({patient_key(row.patient) for row in train})
    return before.then(Stage(data_of(sheet), sheet.name, len(train), patients, steps, fold, _drawn(settings)))


def _drawn(settings: RunSettings) -> int:
    """How many phantoms a training draws beside its scans."""
    augment = settings.train.augment if isinstance(settings, LearnedSettings) else NO_AUGMENT
    return augment.phantom_count if augment.phantoms else 0


def columns_of(sheet: Path) -> list[str]:
    """The columns of a sheet."""
    try:
        return sheet.read_text(encoding="utf-8").partition("\n")[0].split("\t")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{sheet}: sheet cannot be read ({error})") from None


def folds_of(sheet: Path) -> list[str]:
    """The folds in use, whose columns the table of the cohort keeps."""
    return [name.removeprefix("split_") for name in columns_of(sheet) if name.startswith("split_")]


def count(sheet: Path, leave_out: Sequence[str], fold: str | None = None) -> list[tuple[str, int, int]]:
    """(split, scans, patients)."""
    rows = read_sheet(sheet, leave_out, fold=fold)
    scans = Counter(row.split for row in rows)
    patients = Counter(split for _, split in {(row.patient, row.split) for row in rows})
    return [(split, scans[split], patients[split]) for split in SPLITS]


def reasons(leave_out: Sequence[str], left_out: Sequence[Path]) -> list[tuple[str, str]]:
    """(scan or path, why it was left out), those without a record last."""
    reasons: dict[str, str] = {}
    for path in left_out:
        if path.suffix == ".tsv":
            table = read_table(path, "delete it and run the workflow again", "\t")
            reasons |= {line.get("path") or line.get("scan") or "?": line.get("reason") or "" for line in table}
        else:
            reasons[path.stem] = _first_line(path)
    reasons |= {scan: "no reason recorded" for scan in leave_out if scan not in reasons}
    return list(reasons.items())


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip().partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: record of a left-out scan cannot be read ({error})") from None
