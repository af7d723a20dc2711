"""A series whose slices lie in several places: copies of it, or parts that are one scan together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
import os
from pathlib import Path

from drr.ct.sources import note
from dx2ct.data.cohort.names import shown
from dx2ct.data.cohort.places import Found, LeftOut, Scan, series_below


def whole_series(found: Sequence[Found]) -> Iterator[Found]:
    """Every series once, in the order of its first place; what has no series passes.

    A place whose slices another one has, too, is a copy. Parts are read as one scan from the folder around them, where
    nothing else lies in it; they are refused otherwise, because half of a scan is none.
    """
    places: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        if one.series_uid:
            places[one.series_uid].append(one)
    for one in found:
        if not one.series_uid:
            yield one
        elif one is places[one.series_uid][0]:
            yield from _once(places[one.series_uid], found)


def _once(places: Sequence[Found], everything: Sequence[Found]) -> Iterator[Found]:
    first, *others = sorted(places, key=lambda one: (-len(one.positions), isinstance(one, LeftOut)))
    parts = [first, *(one for one in others if not one.positions <= first.positions)]
    if len(parts) == 1:
        yield from _without_copies([first, *others])
        return
    whole = _together(parts, everything)
    if isinstance(whole, Scan):
        ids = tuple(dict.fromkeys(name for one in [whole, *places] if isinstance(one, Scan) for name in one.ids))
        yield replace(whole, ids=ids)
        yield from (_copy(one, whole) for one in places if one not in parts)
        return
    for one in places:
        others_at = ", ".join(shown(other.path) for other in places if other is not one)
        yield LeftOut(one.path, f"the other slices of its series are in {others_at}: {whole.reason}")


def _without_copies(places: Sequence[Found]) -> Iterator[Found]:
    """The first that can be used; a copy may have been given another PatientID, which is then the same patient."""
    kept = next((one for one in places if isinstance(one, Scan)), None)
    for one in places:
        if one is kept:
            yield replace(one, ids=tuple(dict.fromkeys(name for copy in places for name in getattr(copy, "ids", ()))))
        else:
            yield _copy(one, kept) if kept and isinstance(one, Scan) else one


def _copy(one: Found, kept: Scan) -> LeftOut:
    return LeftOut(one.path, f"the same series as {kept.path}")


def _together(parts: Sequence[Found], everything: Sequence[Found]) -> Found:
    """The scan in the folder around the parts: LeftOut where it can not be told from others, or is none."""
    around = Path(os.path.commonpath([one.path for one in parts]))
    uid = parts[0].series_uid
    is_alone = all(one.series_uid == uid or not one.path.is_relative_to(around) for one in everything if one.series_uid)
    if around in [one.path for one in parts] or not all(one.path.is_dir() for one in parts) or not is_alone:
        return LeftOut(around, "put them into one folder")
    whole = series_below(around, uid)
    if isinstance(whole, Scan):
        note(shown(f"{around}: the slices of its series lie in {len(parts)} folders, and are read as one scan"))
    return whole
