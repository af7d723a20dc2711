"""LUNA16: 888 scans of LIDC-IDRI in the folders subset0 to subset9, named by their SeriesInstanceUIDs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
import re

from dx2ct.data.cohort.datasets import DataSet, Taken
from dx2ct.data.cohort.lidc import ct_series
from dx2ct.data.cohort.listed import Listed
from dx2ct.data.cohort.places import LeftOut
from dx2ct.data.cohort.walk import Tree

ORIGIN = "LUNA16"
_SUBSET = re.compile(r"subset[0-9]")
_MASKS = "seg-lungs-LUNA16"
_VOXELS = (".raw", ".zraw")


def find(tree: Tree, is_said: bool) -> Taken:
    """Its scans; patients and names are those of LIDC-IDRI, the subsets are folds."""
    found: list[tuple[str, Listed]] = []
    left_out, files = [], set()
    for path in tree.files:
        if path.suffix.lower() != ".mhd" or not _SUBSET.fullmatch(path.parent.name):
            continue
        if row := ct_series(path.stem):
            one = Listed(path, row["patient"], ORIGIN, series_uid=path.stem, name=row["scan"])
            found.append((path.parent.name, one))
            files |= {path, *(path.with_suffix(suffix) for suffix in _VOXELS)}
        elif is_said:
            left_out.append(LeftOut(path, "its name is the SeriesInstanceUID of no CT of LIDC-IDRI"))
    if not found:
        return Taken(left_out=left_out)
    files |= {path for path in tree.files if _MASKS in path.parts}
    remark = f"{len(found)} scans in {', '.join(sorted({subset for subset, _ in found}))}"
    return Taken(with_folds(found), left_out, files=frozenset(files), remark=remark)


def with_folds(scans: Sequence[tuple[str, Listed]]) -> list[Listed]:
    """The scans, each given with its subset, with a column split_SUBSET for each: it is tested, the others train.

    A scan outside of a subset whose patient has another scan in it is in no part.
    """
    tested: dict[str, set[str]] = defaultdict(set)
    for subset, one in scans:
        tested[subset].add(one.patient)

    def part(one: Listed, subset: str, fold: str) -> str:
        return "test" if subset == fold else "" if one.patient in tested[fold] else "train"

    return [
        replace(one, folds={f"split_{fold}": part(one, subset, fold) for fold in sorted(tested)})
        for subset, one in scans
    ]


DATASET = DataSet("LUNA16", "subset0/UID.mhd to subset9/UID.mhd, with UID.raw beside them", find)
