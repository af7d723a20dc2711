"""Anybody's volumes as a run: reconstructions that were made elsewhere, checked, scored and shown like any other.

A row names them by a path with `{scan}` in it and, where there is one file a plane, `{plane}`:

    theirs: {method: volumes, path: /results/theirs/{scan}.nii.gz}
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TYPE_CHECKING

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from dx2ct.config import Row, RunSettings
from dx2ct.config.keys import key, STRICT
from dx2ct.layout import PLANES
from dx2ct.methods.base import Implementation, Method

if TYPE_CHECKING:
    from dx2ct.data.cohort.sheet import Row as SheetRow
    from dx2ct.methods.contract import Trained
    from dx2ct.training.runtime import Runtime


def _template(path: str) -> str:
    try:
        path.format(scan="scan", plane="axial")
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"only {{scan}} and {{plane}} stand for something ({error})") from None
    if "{scan}" not in path:
        raise ValueError("names no {scan}: every scan would have the same volume")
    return path


@dataclass(frozen=True, config=STRICT)
class VolumesRow(Row):
    """A row of volumes that were made elsewhere."""

    method: Literal["volumes"]
    path: Annotated[str, AfterValidator(_template)]
    resample: bool = key(False, "true: put volumes of another grid on the training grid (linear, air outside)")
    trained_on: str = key("", "What their method was trained on, for the report", source="said by who made them")


@dataclass(frozen=True, config=STRICT)
class VolumesSettings(RunSettings):
    """Everything that decides the run's files beside the volumes themselves."""

    run: VolumesRow


class Volumes(Implementation[VolumesSettings]):
    """Learns nothing; the volumes are read when a scan is reconstructed."""

    def train(
        self, settings: VolumesSettings, rows: "Sequence[SheetRow]", data: Path, output: Path, runtime: "Runtime"
    ) -> None:
        """Check that every test scan has its volumes, and leave a run without weights of its own."""
        from safetensors.numpy import save

        from dx2ct.methods.foreign import require_files
        from dx2ct.methods.saved import write_run

        require_files(settings.run, [row.scan for row in rows if row.split == "test"])
        write_run(save({}), settings, output)

    def load(self, settings: VolumesSettings, run: Path, runtime: "Runtime") -> "Trained":
        """A reader of the volumes."""
        from dx2ct.methods.foreign import ForeignVolumes

        return ForeignVolumes(settings)


def files_of(row: VolumesRow, scan: str) -> list[str]:
    """The files of a scan: one, or one a plane in the order of PLANES."""
    planes = PLANES if "{plane}" in row.path else ("",)
    return [row.path.format(scan=scan, plane=plane) for plane in planes]


METHOD = Method(
    name="volumes",
    title="volumes made elsewhere",
    source="the row's own",
    card="""\
Volumes that were made elsewhere, read from `{{ path }}`. This project has trained nothing here and knows their method
by name alone.
{{ "It was trained on: " ~ trained_on if trained_on else "What it was trained on was not said." }}""",
    settings=VolumesSettings,
    implementation=Volumes(),
    files=files_of,
)
