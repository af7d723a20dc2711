"""Which patients train and which are tested: as a list says it, or drawn."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
import random

from drr.errors import InputError
from dx2ct.data.cohort.patients import Name
from dx2ct.data.cohort.places import LeftOut, Scan

TEST_FRACTION, VAL_FRACTION = 0.2, 0.0


def require_split(test: float | None, val: float | None) -> None:
    """InputError for fractions that make no split; None is the default's place."""
    tested, validated = TEST_FRACTION if test is None else test, VAL_FRACTION if val is None else val
    trains = tested + validated < 1
    if not (tested >= 0 and validated >= 0 and (trains or (tested, validated) == (1, 0))):
        raise InputError(f"--test {tested} and --val {validated} leave nothing to train on or to test")


def contradictions(scans: Sequence[Scan], names: Sequence[Name]) -> dict[int, LeftOut]:
    """Index of a scan to why it is left out: its patient is in two of the splits that are said. Nobody knows which."""
    stated = _stated(scans, names)
    return {
        k: LeftOut(
            scan.path,
            f"{scan.listed.shown_at}patient {name.name} is in two splits ({', '.join(sorted(stated[name.name]))})",
        )
        for k, (scan, name) in enumerate(zip(scans, names, strict=True))
        if scan.listed and len(stated[name.name]) > 1
    }


def _stated(scans: Sequence[Scan], names: Sequence[Name]) -> dict[str, set[str]]:
    stated: dict[str, set[str]] = defaultdict(set)
    for scan, name in zip(scans, names, strict=True):
        if scan.listed and scan.listed.split:
            stated[name.name].add(scan.listed.split)
    return stated


def split_scans(
    scans: Sequence[Scan], names: Sequence[Name], test: float | None, val: float | None, seed: int, folder: Path
) -> dict[str, str]:
    """Patient -> train, val or test: as their list says it, and drawn for all others.

    test: where a fraction is asked for, all are drawn. val: that fraction is also taken of those listed to train.
    Raises InputError without any scan.
    """
    said = {} if test is not None else {name: min(splits) for name, splits in _stated(scans, names).items()}
    tested, validated = TEST_FRACTION if test is None else test, VAL_FRACTION if val is None else val
    training = [name for name, split in said.items() if split == "train"]
    if training and validated:
        said |= split_patients(training, 0.0, validated, seed, folder)
    others = [one.name for one in names if one.name not in said]
    return said if said and not others else said | split_patients(others, tested, validated, seed, folder)


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
