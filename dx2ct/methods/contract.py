"""The contract of every method, in arrays: X-rays and their geometry in, volumes out.

X-rays are {view name: (row, column)}: line integrals (1/mm times mm) or, of networks that stretch every image to
[0, 1] anyway, radiographs in arbitrary grey units with bone bright. Volumes are (z, y, x) float32 HU.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from dx2ct.config import SamplingOptions, XrayRunSettings
from dx2ct.data.grid import training_grid
from dx2ct.data.planes import PLANES
from dx2ct.geometry import Views
from dx2ct.methods import method_named

Array = NDArray[np.float32]
Xrays = Mapping[str, Any]  # arrays or tensors, (row, column)


@dataclass(frozen=True)
class InputSpec:
    """What a trained method takes: views by name with the geometry that it was trained with.

    pixels: side of the image that it sees, at least; larger ones are averaged down. samples: it starts from noise, so
    that SamplingOptions mean something to it. radiographs: it looks at each image stretched to [0, 1], so that one
    without a unit will do. any_view: one of the views is enough.
    """

    views: Views
    pixels: int
    samples: bool = False
    radiographs: bool = True
    any_view: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the views, in the method's order."""
        return tuple(self.views.exposures)


@dataclass(frozen=True, eq=False)
class Planes:
    """A reconstruction: the volumes made of axial, coronal and sagittal slices, (z, y, x) float32 HU each.

    A method that makes one volume gives it three times. deviation: standard deviation over several samples, HU.
    """

    axial: Array
    coronal: Array
    sagittal: Array
    deviation: Array | None = None

    @classmethod
    def of_one(cls, volume: Array) -> "Planes":
        """One volume for every plane."""
        return cls(volume, volume, volume)

    def by_name(self) -> dict[str, Array]:
        """{plane: volume} in the order of PLANES."""
        return {plane: getattr(self, plane) for plane in PLANES}

    @property
    def mean(self) -> Array:
        """The mean of the three, which is the volume that a run delivers."""
        return np.asarray(np.mean(list(self.by_name().values()), axis=0))


class Trained(ABC):
    """A trained method that holds its network in memory: a second call reads nothing from disk."""

    inputs: InputSpec

    @abstractmethod
    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """The volumes of one patient.

        xrays: {view: (row, column)}, numpy arrays or tensors. geometry: where they were taken and where the grid lies.
        Raises InputError for views, shapes, values or a geometry that the method cannot use.
        """

    def of_scan(self, scan: str) -> "Trained":
        """The same for a scan of a cohort, for a method whose volumes are files by the scans' names."""
        return self

    def __repr__(self) -> str:
        grid, spec = self.inputs.views.grid, self.inputs
        shapes = ", ".join(f"{name!r}: ({spec.pixels}+, {spec.pixels}+)" for name in spec.names)
        return f"{type(self).__name__}(xrays={{{shapes}}}) -> Planes of {(grid.size,) * 3}, {grid.spacing_mm:g} mm, HU"


def training_views(settings: XrayRunSettings) -> Views:
    """Grid and exposures of the training, around the origin."""
    return Views(training_grid(settings.volume, settings.slices), settings.xray.exposures(settings.run.views))


def spec_of(settings: XrayRunSettings, pixels: int, radiographs: bool = True) -> InputSpec:
    """What a method with these settings takes, in the geometry of its training."""
    method = method_named(settings.run.method)
    return InputSpec(training_views(settings), pixels, method.samples, radiographs, method.any_view)


def checked_xrays(xrays: Xrays, spec: InputSpec) -> list[Array]:
    """The images in the method's order, float32 on the host; InputError for other views, shapes or values."""
    require_names(xrays, spec)
    return [_checked(name, xrays[name], spec.pixels) for name in spec.names if name in xrays]


def require_names(given: Collection[str], spec: InputSpec) -> None:
    """InputError for X-rays that are not of the views that a method was trained on."""
    names = set(given)
    if names == set(spec.names) or (spec.any_view and names and names < set(spec.names)):
        return
    known = [name for name in spec.names if name in names]
    was, now = " and ".join(spec.names) or "no view", " and ".join([*known, *sorted(names - set(known))]) or "none"
    demand = "give one of these at least" if spec.any_view else "give exactly these"
    raise InputError(f"X-rays of {now}, the model was trained on {was}: {demand}")


def require_geometry(geometry: Views, spec: InputSpec) -> None:
    """InputError where the X-rays were taken in another geometry than the method was trained for."""
    if what := geometry.difference(spec.views):
        raise InputError(f"geometry: {what} than in training, which this method cannot use: train it for this geometry")
    require_exposures(geometry, spec.names)


def require_grid(geometry: Views, spec: InputSpec) -> None:
    """InputError for another grid than that of the training, wherever it lies."""
    if what := Views(geometry.grid, {}).difference(Views(spec.views.grid, {})):
        raise InputError(f"geometry: {what} as in training: train the model for this grid")


def require_exposures(geometry: Views, names: Iterable[str]) -> None:
    """InputError where the geometry lacks a view."""
    if missing := [name for name in names if name not in geometry.exposures]:
        raise InputError(f"geometry: says nothing of view {missing[0]}: give its exposure")


def _checked(name: str, image: Any, pixels: int) -> Array:
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"X-ray {name}: shape {array.shape} of {array.dtype}: an X-ray is (row, column) of real numbers"
        )
    if min(array.shape) < pixels:
        raise InputError(f"X-ray {name}: {array.shape} pixels, the network sees {pixels} a side: give a larger image")
    array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"X-ray {name}: holds NaN or infinite values: replace them")
    return array
