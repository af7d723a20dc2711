"""The training scan whose X-rays are most alike: the simplest method that looks at an X-ray."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from safetensors.numpy import load_file, save

from dx2ct.config import SamplingOptions, XrayRow, XrayRunSettings
from dx2ct.config.keys import key, PositiveInt, STRICT
from dx2ct.data.cohort.sheet import Row
from dx2ct.data.scans import as_seen, read_stack, read_xrays
from dx2ct.geometry import Views
from dx2ct.methods.base import Implementation, Method, training_scans
from dx2ct.methods.contract import checked_xrays, Planes, spec_of, Trained, Xrays
from dx2ct.methods.saved import require_weights, write_run
from dx2ct.training.runtime import Runtime


@dataclass(frozen=True, config=STRICT)
class NearestRow(XrayRow):
    """A row of the nearest scan."""

    method: Literal["nearest"]
    pixels: PositiveInt = key(16, "Side of the images that are compared")


@dataclass(frozen=True, config=STRICT)
class NearestSettings(XrayRunSettings):
    """Everything that decides its weights."""

    run: NearestRow


class TrainedNearest(Trained):
    """The training scans in memory."""

    def __init__(self, settings: NearestSettings, scans: dict[str, NDArray[np.float32]]) -> None:
        self.scans = scans
        self.inputs = spec_of(settings, settings.run.pixels)

    def reconstruct(self, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
        """The volume of the scan with the smallest difference of X-rays."""
        names = self.inputs.names
        images = dict(zip(names, checked_xrays(xrays, self.inputs), strict=True))
        seen = as_seen(images, names, self.inputs.pixels)
        differences = ((self.scans["xrays"] - seen) ** 2).sum(axis=(1, 2, 3))
        return Planes.of_one(self.scans["volumes"][differences.argmin()].copy())


class Nearest(Implementation[NearestSettings]):
    """Keeps the training scans."""

    def train(self, settings: NearestSettings, rows: Sequence[Row], data: Path, output: Path, runtime: Runtime) -> None:
        """Keep their volumes and their X-rays as they are compared."""
        scans, views = training_scans(rows), settings.run.views
        kept: dict[str, NDArray[Any]] = {
            "volumes": np.stack([read_stack(data, scan, "axial", settings.slices.size) for scan in scans]),
            "xrays": np.stack([as_seen(read_xrays(data, scan, views), views, settings.run.pixels) for scan in scans]),
        }
        write_run(save({name: array.astype(np.float32) for name, array in kept.items()}), settings, output)

    def load(self, settings: NearestSettings, run: Path, runtime: Runtime) -> TrainedNearest:
        """Read what was kept."""
        return TrainedNearest(settings, load_file(require_weights(run)))


METHOD = Method(
    name="nearest",
    title="nearest training scan",
    source="a test",
    card="The training scan whose X-rays are most alike.",
    settings=NearestSettings,
    implementation=Nearest(),
)
