"""Several acquisitions in one DICOM series: phases, repeated scans, a bolus watched. They are never mixed.

Scanners that move the table in parts number those parts (GE), and such successive ranges are one scan. Ranges that
cross are not: what lies between two slices of one acquisition is a slice of another time, with the anatomy moved.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drr.ct.dicom_image import CtSlice, place
from drr.ct.limits import MIN_SLICES
from drr.errors import InputError

# A step of 1.5 times the usual one cannot be a rounding of the table position: something was there.
HOLE = 1.5
SAME_PLACE_MM = 0.01
# Unlike images at one place are strays in a series (LIDC-IDRI: 5 of 231 at most); more of them are two series in one.
MAX_STRAYS = 1 / 20
# A number that changes from slice to slice is a counter and no acquisition.
_LEAST_MEAN_SLICES, _MOST_GROUPS = 3, 100


@dataclass(frozen=True, eq=False)
class _Part:
    """Slices of one acquisition, or of several whose ranges follow each other.

    slices and z_mm: in the order of their places along the normal.
    """

    names: tuple[str, ...]
    slices: list[CtSlice]
    z_mm: NDArray[np.float64]

    def covers(self, z_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
        """True for places between two neighbours of this part that lack nothing between them."""
        steps = np.diff(self.z_mm)
        if not (steps > SAME_PLACE_MM).any():
            return np.zeros(len(z_mm), bool)
        above = np.clip(np.searchsorted(self.z_mm, z_mm), 1, len(self.z_mm) - 1)
        inside = (z_mm > self.z_mm[0] + SAME_PLACE_MM) & (z_mm < self.z_mm[-1] - SAME_PLACE_MM)
        usual = np.median(steps[steps > SAME_PLACE_MM])
        return np.asarray(inside & (steps[above - 1] <= HOLE * usual + SAME_PLACE_MM))

    def crosses(self, other: "_Part") -> bool:
        """More slices of one lie among those of the other than strays may."""
        shared = max(self.covers(other.z_mm).sum(), other.covers(self.z_mm).sum())
        return bool(shared > MAX_STRAYS * (len(self.slices) + len(other.slices)))

    def with_part(self, other: "_Part") -> "_Part":
        """Both, without the slices of the other that lie between slices of this one."""
        above = np.searchsorted(self.z_mm, other.z_mm)
        near = [np.clip(above + k, 0, len(self.z_mm) - 1) for k in (-1, 0)]
        apart = np.min([np.abs(self.z_mm[k] - other.z_mm) for k in near], axis=0) > SAME_PLACE_MM
        kept = ~(apart & self.covers(other.z_mm))
        slices = self.slices + [one for one, stays in zip(other.slices, kept, strict=True) if stays]
        z_mm = np.concatenate([self.z_mm, other.z_mm[kept]])
        order = np.argsort(z_mm, kind="stable")
        return _Part(self.names + other.names, [slices[k] for k in order], z_mm[order])

    def __str__(self) -> str:
        names = self.names[0] if len(self.names) == 1 else f"{self.names[0]} and {len(self.names) - 1} more"
        return f"{names} ({len(self.slices)} slices from {place(self.slices[0])} to {place(self.slices[-1])})"


def one_acquisition(slices: Sequence[CtSlice], normal: NDArray[np.float64]) -> tuple[list[CtSlice], list[str]]:
    """The slices of the acquisition that covers the scan, and a remark when there are others in the series.

    Acquisitions are told apart by TemporalPositionIdentifier, by AcquisitionNumber, by sweeps along the normal in the
    order of time or of InstanceNumber, and by InstanceNumbers that come again. Successive ranges are one acquisition;
    of those that cross, the one with the most slices is taken among those that reach from end to end.

    Raises InputError, naming them, when acquisitions cross and none covers the whole.
    """
    kept, remarks = list(slices), []
    for groups in (_by_temporal_position, _by_number, _by_time, _by_repeat, _by_instance):
        z_mm = np.array([np.dot(one.position_mm, normal) for one in kept])
        parts = _chains([_part(name, indices, kept, z_mm) for name, indices in groups(kept, z_mm)])
        lost = len(kept) - sum(len(part.slices) for part in parts)
        if parts and lost:
            remarks.append(f"{lost} slices lie between those of another acquisition in the series: they are left out")
        if len(parts) == 1:
            kept = parts[0].slices
        elif parts:
            best, *others = _best_first(parts, z_mm)
            passed = ", ".join(map(str, others))
            remarks.append(f"several acquisitions in one series: takes {best} and passes over {passed}")
            kept = best.slices
    return kept, remarks


def _part(name: str, indices: Sequence[int], slices: Sequence[CtSlice], z_mm: NDArray[np.float64]) -> _Part:
    order = sorted(indices, key=lambda k: (z_mm[k], slices[k].instance, slices[k].member.name))
    return _Part((name,), [slices[k] for k in order], z_mm[order])


def _chains(parts: list[_Part]) -> list[_Part]:
    """Parts that do not cross, joined, in the order they come in; none when there are too many to be acquisitions."""
    if len(parts) > max(1, min(_MOST_GROUPS, sum(len(one.slices) for one in parts) // _LEAST_MEAN_SLICES)):
        return []
    chains: list[_Part] = []
    for part in parts:
        for k, chain in enumerate(chains):
            if not chain.crosses(part):
                chains[k] = chain.with_part(part)
                break
        else:
            chains.append(part)
    return chains


def _best_first(parts: list[_Part], z_mm: NDArray[np.float64]) -> list[_Part]:
    """The whole one with the most slices first; InputError when all of them lack an end."""
    low, high = z_mm.min(), z_mm.max()

    def is_whole(part: _Part) -> bool:
        missing = (part.z_mm[0] - low) + (high - part.z_mm[-1])
        return bool(missing <= max(MAX_STRAYS * (high - low), HOLE * np.median(np.diff(part.z_mm))))

    whole = [part for part in parts if len(part.slices) >= MIN_SLICES and is_whole(part)]
    if not whole:
        named = ", ".join(map(str, parts))
        raise InputError(f"several acquisitions in one series, that overlap along z: {named}: give one of them alone")
    best = max(whole, key=lambda part: len(part.slices))
    return [best, *(part for part in parts if part is not best)]


Groups = Iterator[tuple[str, Sequence[int]]]


def _by_temporal_position(slices: Sequence[CtSlice], z_mm: NDArray[np.float64]) -> Groups:
    return _by_value("TemporalPositionIdentifier", [one.temporal for one in slices])


def _by_number(slices: Sequence[CtSlice], z_mm: NDArray[np.float64]) -> Groups:
    return _by_value("AcquisitionNumber", [one.acquisition for one in slices])


def _by_value(keyword: str, values: Sequence[str]) -> Groups:
    found: dict[str, list[int]] = defaultdict(list)
    for k, value in enumerate(values):
        found[value].append(k)
    for value in sorted(found, key=lambda value: (len(value), value)):
        yield f"{keyword} {value or 'none'}", found[value]


def _by_time(slices: Sequence[CtSlice], z_mm: NDArray[np.float64]) -> Groups:
    order = sorted(range(len(slices)), key=lambda k: (slices[k].acquired, slices[k].instance, slices[k].member.name))
    names = [f"AcquisitionTime from {one.acquired or 'none'}" for one in slices]
    return _sweeps(names, order if len(set(names)) > 1 else [], z_mm)


def _by_repeat(slices: Sequence[CtSlice], z_mm: NDArray[np.float64]) -> Groups:
    """Acquisitions that are each numbered from 1: images of one number lie at the places of different ones."""
    places: dict[int, list[int]] = defaultdict(list)
    for k in sorted(range(len(slices)), key=lambda k: float(z_mm[k])):
        same = places[slices[k].instance]
        if not same or z_mm[k] - z_mm[same[-1]] > SAME_PLACE_MM:  # at one place they are twins or strays
            same.append(k)
    turns = max(map(len, places.values()), default=0)
    if not 2 <= turns <= _MOST_GROUPS:
        return
    told = {k for same in places.values() for k in same}
    rest = [k for k in range(len(slices)) if k not in told]
    found = _followed(places, turns, z_mm)
    if not all(_goes_one_way(z_mm[group]) for group in found):  # the numbers have no order to follow
        found = [[same[turn] for same in places.values() if len(same) > turn] for turn in range(turns)]
    for turn, group in enumerate(found, start=1):
        yield f"turn {turn} of the InstanceNumbers", [*group, *(rest if turn == 1 else ())]


def _followed(places: dict[int, list[int]], turns: int, z_mm: NDArray[np.float64]) -> list[list[int]]:
    """Of each number the image nearest to where a table comes that went on as before: one list for every turn.

    Tables that move towards each other pass, and then the lower image is the other one's.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and few series need it

    groups: list[list[int]] = [[] for _ in range(turns)]
    numbers: list[list[int]] = [[] for _ in range(turns)]
    unused_mm = float(np.ptp(z_mm)) + 1.0  # a turn begins where nothing else fits
    for number in sorted(places):
        same = places[number]
        expected = [_expected_mm(z_mm[group], before, number) for group, before in zip(groups, numbers, strict=True)]
        off_mm = np.array([[unused_mm if mm is None else z_mm[k] - mm for mm in expected] for k in same])
        for at, turn in zip(*linear_sum_assignment(off_mm**2), strict=True):
            groups[turn].append(same[at])
            numbers[turn].append(number)
    return groups


def _expected_mm(z_mm: NDArray[np.float64], numbers: list[int], number: int) -> float | None:
    """Where the image of this number lies, by the last two; None without any."""
    if len(numbers) < 2:
        return float(z_mm[-1]) if numbers else None
    return float(z_mm[-1] + (z_mm[-1] - z_mm[-2]) / (numbers[-1] - numbers[-2]) * (number - numbers[-1]))


def _goes_one_way(z_mm: NDArray[np.float64]) -> bool:
    steps = np.diff(z_mm)
    return bool((steps > 0).all() or (steps < 0).all())


def _by_instance(slices: Sequence[CtSlice], z_mm: NDArray[np.float64]) -> Groups:
    order = sorted(range(len(slices)), key=lambda k: (slices[k].instance, slices[k].member.name))
    return _sweeps([f"InstanceNumber from {one.instance} ({one.member.name})" for one in slices], order, z_mm)


def _sweeps(names: Sequence[str], order: Sequence[int], z_mm: NDArray[np.float64]) -> Groups:
    """The parts of an order in which the table moves one way; the whole order when they are too short to be scans."""
    if not order:
        return
    ends, way = [0], 0.0
    for at, step in enumerate(np.diff(z_mm[order]), start=1):
        if way * step < 0:
            ends.append(at)
            way = 0.0
        elif step:
            way = float(np.sign(step))
    if len(ends) > 1 and len(order) < MIN_SLICES * len(ends):
        ends = [0]
    for first, last in zip(ends, [*ends[1:], len(order)], strict=True):
        yield names[order[first]], order[first:last]
