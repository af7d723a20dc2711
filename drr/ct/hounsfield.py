"""Whether values are Hounsfield units, by where air and tissue lie among them: one place for all formats."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.ct.limits import MAX_HU
from drr.ct.sources import note
from drr.errors import InputError
from drr.volume import AIR_HU

# Any CT of a chest has air well below the first and tissue above the second.
_AIR_BELOW_HU, _TISSUE_ABOVE_HU = -500, -200
LOWEST = -(2**15)
_VALUES = 2**16
# What lies lower is no noise of air; padding is one or two values there, a distribution is another scale.
_PADDING_BELOW_HU, _MAX_BELOW = -1100, 0.05
_AIR_SHARE = 0.05  # of what is no padding: lungs alone are more
# Without air beside the padding, the rest is a body cut out: some fat, and bone and metal are a tenth of it at most.
_LEAST_AIR, _FAT_HU, _LEAST_FAT, _DENSE_HU, _MAX_DENSE, _MAX_MEDIAN_HU = 0.01, -30, 0.01, 700, 0.1, 300
# Airways and the air around are lower than the first; a smooth reconstruction may not be, but is than the second.
_LOWEST_SHARE, _LOWEST_HU, _NO_AIR_HU = 0.01, -780, -600
_LEAST_CORNERS, _LEAST_FILL = 4, 0.01
# In seven scans no value from -900 HU up is 1 % of the voxels, or stands out from its neighbours by 0.1 % of them.
_MASKED, _BESIDE, _TIMES_BESIDE = 0.01, 8, 3
_BLOCK_VOXELS = 2**21


@dataclass(eq=False)
class Histogram:
    """How often every value occurs, before anything is clipped to air: counts (65536,), from -32768 up."""

    counts: NDArray[np.int64]

    @classmethod
    def empty(cls) -> "Histogram":
        """Of no voxels yet."""
        return cls(np.zeros(_VALUES, np.int64))

    @classmethod
    def of(cls, array: NDArray[np.integer[Any]]) -> "Histogram":
        """Of a volume in memory."""
        histogram, flat = cls.empty(), array.reshape(-1)
        for start in range(0, flat.size, _BLOCK_VOXELS):
            histogram.add(np.clip(flat[start : start + _BLOCK_VOXELS], LOWEST, MAX_HU).astype(np.int16))
        return histogram

    def add(self, values: NDArray[np.int16]) -> None:
        """Count more voxels."""
        self.counts += np.bincount(values.astype(np.int64) - LOWEST, minlength=_VALUES)

    def share(self, low: int, high: int) -> float:
        """Of all voxels, those from low up to and without high."""
        part = self.counts[low - LOWEST : high - LOWEST]
        return float(part.sum() / max(int(self.counts.sum()), 1))

    def spike(self, value: int) -> float:
        """The share of the voxels that have this very value, beyond what its neighbours make likely."""
        at, beside = value - LOWEST, np.r_[-_BESIDE:-1, 2 : _BESIDE + 1]
        more = self.counts[at] - _TIMES_BESIDE * self.counts[at + beside].max()
        return float(max(int(more), 0) / max(int(self.counts.sum()), 1))

    def above(self, value: int) -> "Histogram":
        """The part above a value."""
        counts = self.counts.copy()
        counts[: value - LOWEST + 1] = 0
        return Histogram(counts)

    def quantile(self, share: float) -> int:
        """The value below which this share lies."""
        total = np.cumsum(self.counts)
        return int(np.searchsorted(total, share * total[-1])) + LOWEST

    @property
    def ends(self) -> tuple[int, int]:
        """The lowest and the highest value."""
        there = np.flatnonzero(self.counts)
        return int(there[0]) + LOWEST, int(there[-1]) + LOWEST


def require_hu(path: Path, values: Histogram) -> None:
    """InputError, naming the path, for values that are not HU: where padding is masked, air must lie near -1000.

    values: of the whole volume; best before clipping, but -1024 may stand for all that is lower.
    """
    low, high = values.ends
    found = f"{path}: values from {max(low, AIR_HU)} to {high}"
    if low > _AIR_BELOW_HU:
        raise InputError(f"{found} are not HU, no air in it: convert it to Hounsfield units")
    below = np.sort(values.counts[: _PADDING_BELOW_HU - LOWEST])[:-2].sum() / values.counts.sum()
    if below > _MAX_BELOW:
        raise InputError(
            f"{path}: values from {low} to {high} are not HU: {below:.0%} lie between {low} and "
            f"{_PADDING_BELOW_HU}, where no CT has any: was the offset subtracted twice?"
        )
    if high < _TISSUE_ABOVE_HU:
        raise InputError(f"{found} HU are air alone: no patient in it")
    if high == MAX_HU:
        raise InputError(f"{path}: values of {high} HU and more are not HU: convert it, and mark padding as {AIR_HU}")
    _require_air_beside_padding(path, values)
    if (share := values.spike(0)) > _MASKED:
        note(f"{path}: {share:.0%} of its voxels are exactly 0 HU, which is water: fill what was masked with {AIR_HU}")
    lowest = values.above(AIR_HU).quantile(_LOWEST_SHARE)
    if _LOWEST_HU < lowest <= _AIR_BELOW_HU:
        told = f"{path}: the lowest values lie near {lowest}, and air is -1000 HU"
        if lowest > _NO_AIR_HU:
            raise InputError(f"{told}: undo what scaled or shifted them")
        note(f"{told}: were they scaled or shifted?")


def require_air_outside(path: Path, hu: NDArray[np.int16]) -> None:
    """InputError, naming the path, for a scan (z, y, x) that was filled outside with one value that is no air.

    Resampling programs fill with 0 HU, which is water, unless they are told. Noise makes no two corners equal.
    """
    corners = hu[np.ix_((0, -1), (0, -1), (0, -1))].ravel()
    found, counts = np.unique(corners[corners > _AIR_BELOW_HU], return_counts=True)
    for value, count in zip(found.tolist(), counts.tolist(), strict=True):
        if count >= _LEAST_CORNERS and (share := np.count_nonzero(hu == value) / hu.size) >= _LEAST_FILL:
            raise InputError(
                f"{path}: {count} of its 8 corners and {share:.0%} of its voxels are exactly {value} HU, and air is "
                "-1000 HU: fill what lies outside of the scan with -1000"
            )


def _require_air_beside_padding(path: Path, values: Histogram) -> None:
    low, high = values.ends
    air = values.above(AIR_HU).quantile(_AIR_SHARE)
    if air > _AIR_BELOW_HU:
        refused = values.share(LOWEST, _AIR_BELOW_HU) < _LEAST_AIR or not _is_body(values.above(AIR_HU))
    else:  # unless that air is one value, and a padding that looks like it
        inside = values.above(low)
        air = inside.quantile(_AIR_SHARE)
        refused = air > _AIR_BELOW_HU and inside.share(_DENSE_HU, MAX_HU) > 2 * _MAX_DENSE
    if refused:
        raise InputError(
            f"{path}: values from {low} to {high} are not HU: without the padding the lowest lie "
            f"near {air}, and air is -1000 HU: subtract the offset (often 1024), and mark padding as {AIR_HU}"
        )


def _is_body(inside: Histogram) -> bool:
    """May these be the HU of a body that was cut out of its air?"""
    return (
        inside.quantile(_LEAST_FAT) < _FAT_HU
        and inside.quantile(0.5) < _MAX_MEDIAN_HU
        and inside.share(_DENSE_HU, MAX_HU) < _MAX_DENSE
    )
