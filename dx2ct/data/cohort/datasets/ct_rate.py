"""CT-RATE: train/train_1/train_1_a/train_1_a_1.nii.gz are patient, scan and reconstruction; valid is its test.

Volumes of the trees `train_fixed` and `valid_fixed` are HU with a whole header. Those of `train` and `valid` are as the
scanner stored them, under a blank header, and the data set's table of metadata says what they mean.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import re

from drr.errors import InputError
from dx2ct.data.cohort.datasets import DataSet, Taken
from dx2ct.data.cohort.datasets.ct_rate_metadata import headers, METADATA
from dx2ct.data.cohort.listed import Listed
from dx2ct.data.cohort.places import LeftOut
from dx2ct.data.cohort.walk import Tree

ORIGIN = "CT-RATE"
_NAME = re.compile(r"((train|valid)_[0-9]+)_([a-z]+)_([0-9]+)\.nii\.gz")
_MASKS = "ts_seg"  # TotalSegmentator's, in a tree of the same names
_PART = {"train": "train", "valid": "test"}
NO_CHEST = {"train": "no_chest_train.txt", "valid": "no_chest_valid.txt"}


@dataclass(frozen=True)
class _Volume:
    path: Path
    patient: str
    tree: str
    scan: str
    number: int
    is_fixed: bool


def find(tree: Tree, is_said: bool) -> Taken:
    """Its scans, one reconstruction each: with a chest in it, from a fixed tree rather, of the lowest number.

    Raises InputError for a volume that is not fixed where the metadata is not there.
    """
    every = [one for path in tree.files if (one := _volume(path, is_said))]
    if not every:
        return Taken()
    without_chest = _names_in(path for path in tree.files if path.name in NO_CHEST.values())
    scans: dict[str, list[_Volume]] = defaultdict(list)
    for one in every:
        scans[one.scan].append(one)

    def is_chest(one: _Volume) -> bool:
        return _plain(one.path.name) not in without_chest

    chosen = [min(some, key=lambda one: (not is_chest(one), not one.is_fixed, one.number)) for some in scans.values()]
    none = [one for one in chosen if not is_chest(one)]
    unwanted = [LeftOut(one.path, f"no chest in it, says {NO_CHEST[one.tree]} of CT-RATE") for one in none]
    listed, left_out = _listed(tree, list(filter(is_chest, chosen)))
    others = len({one.path.name for one in every}) - len(chosen)
    remark = (
        f"{len(chosen)} scans, of each the reconstruction of the lowest number; {others} others are passed over, "
        f"valid is in split {_PART['valid']}"
    )
    tables = (*METADATA.values(), *NO_CHEST.values())
    files = {one.path for one in every} | {path for path in tree.files if _MASKS in path.parts or path.name in tables}
    return Taken(listed, left_out, unwanted, frozenset(files), remark)


def _volume(path: Path, is_said: bool) -> _Volume | None:
    """A volume by its name; unless it is said to be one, by those of its three folders too."""
    match = _NAME.fullmatch(path.name)
    if not match or _MASKS in path.parts:
        return None
    patient, tree, scan, number = match[1], match[2], f"{match[1]}_{match[3]}", int(match[4])
    is_fixed = f"{tree}_fixed" in path.parts
    around = path.parts[-4:-1]
    if not is_said and around not in ((tree, patient, scan), (f"{tree}_fixed", patient, scan)):
        return None
    return _Volume(path, patient, tree, scan, number, is_fixed)


def _listed(tree: Tree, volumes: Sequence[_Volume]) -> tuple[list[Listed], list[LeftOut]]:
    """The volumes, those that are not fixed with what the metadata says of them."""
    found, left_out = [], []
    raw = {one.path.name: one.tree for one in volumes if not one.is_fixed}
    stated = headers(tree, raw) if raw else {}
    for one in volumes:
        listed = Listed(one.path, one.patient, ORIGIN, _PART[one.tree])
        header = stated.get(one.path.name) if not one.is_fixed else None
        if isinstance(header, InputError):
            left_out.append(LeftOut(one.path, str(header)))
        elif header or one.is_fixed:
            found.append(replace(listed, restated=header))
        else:
            left_out.append(LeftOut(one.path, f"not in {METADATA[one.tree]}, which says what its values mean"))
    return found, left_out


def _names_in(lists: Iterable[Path]) -> frozenset[str]:
    """Volumes that CT-RATE lists, a name or a path a line."""
    names = set()
    for path in lists:
        try:
            names |= {_plain(line.strip().rpartition("/")[2]) for line in path.read_text(encoding="utf-8").splitlines()}
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read ({error}): fetch it again") from None
    return frozenset(names - {""})


def _plain(name: str) -> str:
    return name.removesuffix(".nii.gz")


DATASET = DataSet(
    "CT-RATE", "train_fixed/train_1/train_1_a/train_1_a_1.nii.gz, and so with train, valid or valid_fixed", find
)
