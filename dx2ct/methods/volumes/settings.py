"""The configuration of volumes that were made elsewhere."""

from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from dx2ct.config import Row, RunSettings
from dx2ct.config.keys import key, needed, STRICT
from dx2ct.layout import PLANES


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
    path: Annotated[str, AfterValidator(_template)] = needed(
        "Where they lie, with {scan} and, where there is one file a plane, {plane} in it"
    )
    resample: bool = key(False, "true: put volumes of another grid on the training grid (linear, air outside)")
    trained_on: str = key("", "What their method was trained on, for the report", source="said by who made them")


@dataclass(frozen=True, config=STRICT)
class VolumesSettings(RunSettings):
    """Everything that decides the run's files beside the volumes themselves."""

    run: VolumesRow


def files_of(row: VolumesRow, scan: str) -> list[str]:
    """The files of a scan: one, or one a plane in the order of PLANES."""
    planes = PLANES if "{plane}" in row.path else ("",)
    return [row.path.format(scan=scan, plane=plane) for plane in planes]
