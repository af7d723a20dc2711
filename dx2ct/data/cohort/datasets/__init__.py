"""Data sets whose folders say what their files are, by the name of `--preset`. A new one is a module here and its name.

`auto` takes what is unmistakable; of a folder that was said to hold one data set nothing else is read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path

from drr.errors import InputError
from dx2ct.data.cohort.listed import Listed
from dx2ct.data.cohort.listing import Listing
from dx2ct.data.cohort.places import LeftOut
from dx2ct.data.cohort.walk import Tree, walked

BUILT_IN = {"luna16": "luna16", "ct-rate": "ct_rate"}
ANY, NONE = "auto", "none"


@dataclass(frozen=True)
class Taken:
    """What a data set finds of its own in a folder.

    files: all that nobody else need look at. unwanted: scans left out as by a filter. remark: one line about it.
    """

    listed: Sequence[Listed] = ()
    left_out: Sequence[LeftOut] = ()
    unwanted: Sequence[LeftOut] = ()
    files: frozenset[Path] = frozenset()
    remark: str = ""


@dataclass(frozen=True)
class DataSet:
    """title: its name. looks: what its folder looks like, for those who said that theirs is one.

    find: its scans below a folder; True where the user says that it is this data set, False where only what no other
    could be named like is taken.
    """

    title: str
    looks: str
    find: Callable[[Tree, bool], Taken]


@cache
def datasets() -> dict[str, DataSet]:
    """{name of --preset: data set}."""
    return {name: import_module(f"{__name__}.{module}").DATASET for name, module in BUILT_IN.items()}


def listing_of(folder: Path, output: Path, preset: str) -> Listing:
    """What a survey of a folder looks at, of which `output` is no part.

    Raises InputError for a preset that is none, and where the folder does not hold the data set that it is said to.
    """
    if preset not in (ANY, NONE, *datasets()):
        raise InputError(f"--preset {preset}: {', '.join((ANY, *datasets()))} or {NONE}")
    tree = walked(folder, output)
    if preset in datasets():
        return _of_one(datasets()[preset], tree)
    found = Listing(folder)
    for one in datasets().values() if preset == ANY else ():
        taken = one.find(tree, False)
        tree = tree.without(taken.files)
        found = _with(found, taken, f"read as {one.title} (--preset {NONE} reads them as any other files)")
    return replace(found, places=tree.candidates())


def _of_one(dataset: DataSet, tree: Tree) -> Listing:
    taken = dataset.find(tree, True)
    if not (taken.listed or taken.left_out):
        raise InputError(f"{tree.folder}: no scan of {dataset.title} in it: it looks like {dataset.looks}")
    return _with(Listing(tree.folder), taken, f"read as {dataset.title}")


def _with(listing: Listing, taken: Taken, how: str) -> Listing:
    remark = [f"{listing.folder}: {taken.remark}: {how}"] if taken.remark else []
    return replace(
        listing,
        listed=[*listing.listed, *taken.listed],
        left_out=[*listing.left_out, *taken.left_out],
        unwanted=[*listing.unwanted, *taken.unwanted],
        remarks=[*listing.remarks, *remark],
    )
