"""The classical methods: HU = slope mu + offset, fitted by least squares to the training scans, for a solver's mu.

That is the line in the solvers' favour, so these are honest floors for the trained methods. SART may begin with the
mean training volume: the line is then one of what it changes, and the mean's HU are added.

The X-rays are line integrals (1/mm times mm), not stretched to [0, 1] as the networks' are.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from drr.attenuation import named
from drr.geometry import View
from drr.progress import each
from dx2ct.config import SamplingOptions, XrayRunSettings, XraySettings
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.grid import CubeGrid
from dx2ct.data.scans import averaged, read_stack, read_xrays
from dx2ct.data.window import windowed
from dx2ct.geometry import Views
from dx2ct.methods.base import Implementation, training_scans
from dx2ct.methods.classical.settings import BackprojectionSettings, SartSettings
from dx2ct.methods.classical.solvers import backprojected, sart
from dx2ct.methods.contract import checked_xrays, Planes, require_geometry, spec_of, Trained, training_views, Xrays
from dx2ct.methods.saved import read_arrays, write_run
from dx2ct.training.runtime import Runtime

Array = NDArray[np.float32]
S = TypeVar("S", bound=XrayRunSettings)


class Classical(Implementation[S]):
    """A solver with the line from its attenuation to HU."""

    @abstractmethod
    def solve(self, settings: S, images: Array, views: Sequence[View], grid: CubeGrid, start: Array) -> Array:
        """Attenuation in 1/mm, (z, y, x), of line integrals (view, row, column)."""

    def starts_at_mean(self, settings: S) -> bool:
        """True where the solver begins with the mean training volume."""
        return False

    def pixels(self, settings: S) -> int:
        """Side of the images that the solver sees."""
        return int(settings.run.pixels)  # type: ignore[attr-defined]  # of both rows

    def train(self, settings: S, rows: Sequence[Row], data: Path, output: Path, runtime: Runtime) -> None:
        """Fit the line from attenuation to HU, clipped to the window, over all voxels of the training scans."""
        scans, size = training_scans(rows), settings.slices.size
        start = mean_volume(settings.xray, scans, data, size) if self.starts_at_mean(settings) else empty(size)
        moments = np.zeros(4)
        for scan in each(scans, "train", "scan"):
            images = read_xrays(data, scan, settings.run.views)
            mu = self.attenuation(settings, images, training_views(settings), start["mean_mu"])
            x = (mu - start["mean_mu"]).astype(np.float64)
            y = windowed(read_stack(data, scan, "axial", size)) - start["mean_hu"]
            moments += [x.mean(), y.mean(), (x * x).mean(), (x * y).mean()]
        x1, y1, x2, xy = moments / len(scans)
        slope = (xy - x1 * y1) / max(x2 - x1**2, 1e-12)
        line = np.array([slope, y1 - slope * x1], np.float32)
        write_run(save(start | {"line": line}), settings, output)

    def attenuation(self, settings: S, images: Mapping[str, Array], geometry: Views, start: Array) -> Array:
        """(z, y, x) in 1/mm on the training grid from images of any size at least `pixels`."""
        pixels = self.pixels(settings)
        small = np.stack([averaged(images[name], pixels) for name in settings.run.views])
        views = [geometry.exposures[name].resized(pixels) for name in settings.run.views]
        return self.solve(settings, small, views, geometry.grid, start)

    def load(self, settings: S, run: Path, runtime: Runtime) -> "TrainedClassical":
        """The fitted line and the volume to start from."""
        cube = (settings.slices.size,) * 3
        fitted = read_arrays(run, {"mean_hu": cube, "mean_mu": cube, "line": (2,)})
        return TrainedClassical(self, settings, fitted["mean_hu"], fitted["mean_mu"], fitted["line"])


class TrainedClassical(Trained):
    """A solver with its fitted line; it takes any geometry, but the line belongs to the one that it was fitted with."""

    def __init__(self, solver: Classical[Any], settings: Any, mean_hu: Array, mean_mu: Array, line: Array) -> None:
        self.solver, self.settings, self.mean_hu, self.mean_mu = solver, settings, mean_hu, mean_mu
        self.slope, self.offset = line
        self.inputs = spec_of(settings, solver.pixels(settings), radiographs=False)

    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """One volume."""
        images = dict(zip(self.inputs.names, checked_xrays(xrays, self.inputs), strict=True))
        require_geometry(geometry, self.inputs)
        geometry = geometry.around_origin()
        change = self.solver.attenuation(self.settings, images, geometry, self.mean_mu) - self.mean_mu
        hu = self.mean_hu + self.slope * change + self.offset
        return Planes.of_one(windowed(hu).astype(np.float32))


def empty(size: int) -> dict[str, Array]:
    """A start at nothing, in HU and in attenuation."""
    return {name: np.zeros((size,) * 3, np.float32) for name in ("mean_hu", "mean_mu")}


def mean_volume(xray: XraySettings, scans: Sequence[str], data: Path, size: int) -> dict[str, Array]:
    """Mean HU and mean attenuation of the scans."""
    model = named(xray.attenuation)
    hu, mu = (np.zeros((size,) * 3) for _ in range(2))
    for scan in scans:
        one = windowed(read_stack(data, scan, "axial", size))
        hu += one / len(scans)
        mu += model(one) / len(scans)
    return {"mean_hu": hu.astype(np.float32), "mean_mu": mu.astype(np.float32)}


class Backprojection(Classical[BackprojectionSettings]):
    """Plain or filtered."""

    def solve(
        self, settings: BackprojectionSettings, images: Array, views: Sequence[View], grid: CubeGrid, start: Array
    ) -> Array:
        """See solvers.backprojected."""
        return backprojected(images, views, grid.volume(), settings.run.filter)


class Sart(Classical[SartSettings]):
    """From an empty volume or the mean."""

    def starts_at_mean(self, settings: SartSettings) -> bool:
        """As the row says."""
        return settings.run.start == "mean"

    def solve(
        self, settings: SartSettings, images: Array, views: Sequence[View], grid: CubeGrid, start: Array
    ) -> Array:
        """See solvers.sart."""
        run = settings.run
        return sart(images, views, grid.volume(), run.iterations, run.relaxation, start)


BACKPROJECTION, SART = Backprojection(), Sart()
