"""Settings of the stages that prepare data."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from drr.geometry import ConeBeam, PRESETS
from dx2ct.config.base import NotNegative, PositiveFloat, PositiveInt, Seed, STRICT


@dataclass(frozen=True, config=STRICT)
class PhantomSettings:
    """Stage phantom: `seed` is the row's own seed in the cohort table."""

    version: int
    seed: Seed


@dataclass(frozen=True, config=STRICT)
class RemoteSource:
    """An archive: `idc`, a public bucket with one folder a series, or `nbia`, the NBIA REST API (version 4).

    Plain http is for servers on this machine only.
    """

    kind: Literal["idc", "nbia"]
    url: Annotated[str, Field(pattern=r"^(https://[^/\s]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?)(/\S*)?$")]


@dataclass(frozen=True, config=STRICT)
class LocalSource:
    """A folder that holds the collection already, in any layout."""

    kind: Literal["local"]
    path: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, config=STRICT)
class DownloadSettings:
    """Stage download: the sources in the order they are asked, and how patient to be with each.

    A request is tried `tries` times; the n-th pause is `backoff_s` times 2 to the n-1, with jitter. No result depends
    on these values: a series is what the manifest says, wherever it comes from.
    """

    sources: Annotated[tuple[RemoteSource | LocalSource, ...], Field(min_length=1)]
    connect_timeout_s: PositiveFloat
    read_timeout_s: PositiveFloat
    tries: PositiveInt
    backoff_s: Annotated[float, Field(ge=0)]


@dataclass(frozen=True, config=STRICT)
class FilterSettings:
    """Which scans a cohort takes, by what the sheet says of them; None sets no bound (see selection.py)."""

    max_slice_mm: PositiveFloat | None
    max_gap_mm: PositiveFloat | None
    min_z_mm: PositiveFloat | None
    max_z_mm: PositiveFloat | None
    min_fov_mm: PositiveFloat | None
    max_fov_mm: PositiveFloat | None
    contrast: bool | None
    exclude_flags: tuple[Literal["duplicate-slices", "irregular-spacing", "missing-slices", "split-leak"], ...]


@dataclass(frozen=True, config=STRICT)
class SelectionSettings:
    """Stage cohort: split, size and filters."""

    split: Annotated[str, Field(pattern="^[a-z0-9_]+$")] | None
    limit: Annotated[int, Field(ge=2)] | None
    filters: FilterSettings


@dataclass(frozen=True, config=STRICT)
class VolumeSettings:
    """Stage volume: the resampled cube."""

    version: int
    spacing_mm: PositiveFloat
    size: PositiveInt
    z_part: Literal["inferior", "center", "superior"]
    interpolation: Literal["linear", "bspline"]
    max_hole_mm: NotNegative


@dataclass(frozen=True, config=STRICT)
class XraySettings:
    """Stage xray: tube, detector and HU-to-attenuation rule."""

    version: int
    geometry: Literal["x2ct", "perx2ct"] | ConeBeam
    attenuation: Literal["plastimatch"]

    @property
    def cone_beam(self) -> ConeBeam:
        """The geometry, whether named or spelled out."""
        return PRESETS[self.geometry] if isinstance(self.geometry, str) else self.geometry


@dataclass(frozen=True, config=STRICT)
class SlicesSettings:
    """Stage slices: the training grid, `size` voxels along each axis of the volume's cube."""

    version: int
    size: PositiveInt
