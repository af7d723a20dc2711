"""The mean training volume: what a method that never looks at the X-rays can do. The floor of every comparison."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TYPE_CHECKING

import numpy as np
from pydantic.dataclasses import dataclass

from dx2ct.config import Row, RunSettings
from dx2ct.config.keys import STRICT
from dx2ct.methods.base import Implementation, Method, training_scans

if TYPE_CHECKING:
    from dx2ct.data.cohort.sheet import Row as SheetRow
    from dx2ct.methods.contract import Trained
    from dx2ct.training.runtime import Runtime


@dataclass(frozen=True, config=STRICT)
class MeanRow(Row):
    """A row of the mean volume."""

    method: Literal["mean"]


@dataclass(frozen=True, config=STRICT)
class MeanSettings(RunSettings):
    """Everything that decides the mean volume."""

    run: MeanRow


class Mean(Implementation[MeanSettings]):
    """Averages the training volumes."""

    def train(
        self, settings: MeanSettings, rows: "Sequence[SheetRow]", data: Path, output: Path, runtime: "Runtime"
    ) -> None:
        """Average the training volumes, clipped to the HU window, on the training grid."""
        from safetensors.numpy import save

        from dx2ct.data.scans import mean_hu
        from dx2ct.methods.saved import write_run

        mean = mean_hu(data, training_scans(rows), settings.slices.size)
        write_run(save({"mean_hu": mean.astype(np.float32)}), settings, output)

    def load(self, settings: MeanSettings, run: Path, runtime: "Runtime") -> "Trained":
        """The volume."""
        from dx2ct.methods.fixed import load_fixed

        return load_fixed(settings, run, "mean_hu")


METHOD = Method(
    name="mean",
    title="mean training volume",
    source="no paper",
    card="The mean of the training volumes. It looks at no X-ray: it is the floor that every method must pass.",
    settings=MeanSettings,
    implementation=Mean(),
)
