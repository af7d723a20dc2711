"""What a metric looks at: one reconstruction and its CT. What several metrics need is computed once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from drr.geometry import View
from drr.volume import Volume
from dx2ct.data.planes import to_plane
from dx2ct.data.window import WIDTH_HU
from dx2ct.metrics.body import body_mask
from dx2ct.metrics.scale import Array, Distance

T = TypeVar("T")


@dataclass(frozen=True, eq=False, kw_only=True)
class _Shared:
    """Keeps what is computed of it, by the function that computed it."""

    kept: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    def once(self, compute: Callable[[Self], T]) -> T:
        """compute(self), computed at the first call only."""
        if compute not in self.kept:
            self.kept[compute] = compute(self)
        found: T = self.kept[compute]
        return found


@dataclass(frozen=True, eq=False)
class Truth(_Shared):
    """The CT of a scan, and all that does not depend on the reconstruction.

    volume: HU on the grid of the reconstructions. data_range_hu: peak of the strict PSNR.
    lpips: distance of two stacks in HU by definition ("alex", "vgg", "perx2ct"); what is not there is not measured.
    xrays: line integrals (row, column) by view; without them no reprojection is measured. views: where each was taken.
    threads: of the ray-caster, 0 = all.
    """

    volume: Volume
    data_range_hu: float = WIDTH_HU
    lpips: Mapping[str, Distance] = field(default_factory=dict)
    xrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    views: Mapping[str, View] = field(default_factory=dict)
    threads: int = 0

    @property
    def body(self) -> NDArray[np.bool_]:
        """The patient, (z, y, x); InputError when there is none."""
        return self.once(_body)


@dataclass(frozen=True, eq=False)
class Evaluation(_Shared):
    """One reconstruction against its CT.

    image: (z, y, x) HU, voxel for voxel on the CT's grid.
    plane: whose slices the slice-wise metrics see; axial for a volume that was not made slice by slice.
    part: the tissue or the view that is asked for, of a metric with one column for each.
    """

    ct: Truth
    image: Array
    plane: str = "axial"
    part: str = ""

    @property
    def truth(self) -> Array:
        """The CT, (z, y, x) HU."""
        return self.ct.volume.array

    @property
    def stacks(self) -> tuple[Array, Array]:
        """CT and reconstruction as slices of the plane, (slice, row, column) HU."""
        return to_plane(self.truth, self.plane), to_plane(self.image, self.plane)

    @property
    def body(self) -> NDArray[np.bool_]:
        """The patient in the CT, (z, y, x); InputError when there is none."""
        return self.ct.body

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.ct.volume.spacing_mm)) / 1000

    def of(self, part: str) -> "Evaluation":
        """The same evaluation for one tissue or view; what is computed once stays so, and must not depend on it."""
        return replace(self, part=part)


def _body(ct: Truth) -> NDArray[np.bool_]:
    return body_mask(ct.volume.array)
