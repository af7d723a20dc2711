"""Sections about data: cohort, download, volume, xray, slices."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidatorFunctionWrapHandler, WrapValidator
from pydantic.dataclasses import dataclass

from drr.attenuation import named
from drr.ct.restated import Restated
from drr.errors import InputError
from drr.geometry import ConeBeam, PRESETS, Vector, View
from dx2ct.config.keys import (
    BadKeyError,
    key,
    NotNegative,
    PositiveFloat,
    PositiveInt,
    Seed,
    SplitName,
    stage_version,
    STRICT,
    ViewName,
)

Flag = Literal["duplicate-slices", "irregular-spacing", "missing-slices", "split-leak"]
MANIFEST = "workflow/resources/lidc-idri.tsv"


@dataclass(frozen=True, config=STRICT)
class FilterSettings:
    """Which scans of the sheet are used; null sets no bound. What is left out, and why, is in results/left_out.tsv."""

    max_slice_mm: PositiveFloat | None = key(None, "Largest distance between slices", unit="mm")
    max_gap_mm: PositiveFloat | None = key(None, "Largest hole between neighbouring slices", unit="mm")
    min_z_mm: PositiveFloat | None = key(None, "Smallest extent from the lowest to the highest slice", unit="mm")
    max_z_mm: PositiveFloat | None = key(None, "Largest extent from the lowest to the highest slice", unit="mm")
    min_fov_mm: PositiveFloat | None = key(None, "Smallest width of the images", unit="mm")
    max_fov_mm: PositiveFloat | None = key(None, "Largest width of the images", unit="mm")
    contrast: bool | None = key(None, "true: contrast agent only; false: none")
    exclude_flags: tuple[Flag, ...] = key((), "Known defects of a scan that leave it out")


@dataclass(frozen=True, config=STRICT)
class SelectionSettings:
    """What decides which scans of the sheet are used."""

    split: SplitName | None = key(
        "paper", "null: the sheet's column `split`; NAME: its column split_NAME", source="X2CT"
    )
    limit: Annotated[int, Field(ge=2)] | None = key(None, "A pilot of so many patients; null: all of them")
    filters: FilterSettings = key(FilterSettings, "Bounds on the scans", source="X2CT: all 1,018 scans")


@dataclass(frozen=True, config=STRICT)
class CohortSettings(SelectionSettings):
    """The scans: where they come from and which of them are used."""

    source: str = key("lidc", "phantom, lidc (docs/data.md) or local, one's own CTs", source="paper: LIDC-IDRI")
    sheet: Annotated[str, Field(min_length=1)] = key(MANIFEST, "The sample sheet, one row a scan (.tsv)")
    left_out: Annotated[str, Field(min_length=1)] | None = key(
        None, "Table of the scans that `dx2ct cohort` could not use, for the report"
    )

    @property
    def selection(self) -> SelectionSettings:
        """The part that a stage needs which reads the sheet itself."""
        return SelectionSettings(split=self.split, limit=self.limit, filters=self.filters)


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


ARCHIVES = (
    RemoteSource(kind="idc", url="https://idc-open-data.s3.amazonaws.com"),
    RemoteSource(kind="idc", url="https://storage.googleapis.com/idc-open-data"),
    RemoteSource(kind="nbia", url="https://nbia.cancerimagingarchive.net/nbia-api/services/v4"),
)
ArchiveSource = Annotated[RemoteSource | LocalSource, Field(discriminator="kind")]


@dataclass(frozen=True, config=STRICT)
class DownloadSettings:
    """Source lidc: the archives that are asked for a series, one after the other."""

    sources: Annotated[tuple[ArchiveSource, ...], Field(min_length=1)] = key(
        ARCHIVES, "kind idc: bucket; nbia: REST API; local: {kind: local, path: FOLDER}"
    )
    connect_timeout_s: PositiveFloat = key(10.0, "Patience for a connection", unit="s")
    read_timeout_s: PositiveFloat = key(60.0, "Patience for the next bytes", unit="s")
    tries: PositiveInt = key(5, "Tries of each archive")
    backoff_s: NotNegative = key(2.0, "First pause between tries; every further one is twice as long", unit="s")


VARIED_VERSION = 2  # of the varied recipe: a seed's phantom is another one than in 1. 2: denser bone, thinner ribs


@dataclass(frozen=True, config=STRICT)
class PhantomSettings:
    """Source phantom: the recipe of one phantom."""

    seed: Seed
    recipe: Literal["plain", "varied"] = key(
        "plain", "plain: upright builds of one form; varied: as real scans vary", earlier="plain"
    )
    version: int = stage_version(1)


@dataclass(frozen=True, config=STRICT)
class HeaderSettings(Restated):
    """The sheet's column `header`, as JSON: what holds instead of a volume file's own header."""


@dataclass(frozen=True, config=STRICT)
class VolumeSettings:
    """CT to one cube a scan, int16 HU, in patient axes."""

    spacing_mm: PositiveFloat = key(1.0, "Side of a voxel", unit="mm", source="X2CT")
    size: PositiveInt = key(320, "Voxels along each axis", source="X2CT")
    z_part: Literal["inferior", "center", "superior"] = key(
        "inferior", "The part of a scan taller than the cube", source="X2CT: the lower 320 mm"
    )
    interpolation: Literal["linear", "bspline"] = key("bspline", "linear or cubic B-spline", source="X2CT")
    max_hole_mm: NotNegative = key(
        40.0,
        "Missing slices are interpolated, and reported, up to this distance",
        unit="mm",
        source="default: all of LIDC-IDRI, as X2CT; LIDC-IDRI-0514 lacks 38 mm, the others 1.25 mm at most",
    )
    version: int = stage_version(2)

    @property
    def side_mm(self) -> float:
        """Side of the cube."""
        return self.size * self.spacing_mm


@dataclass(frozen=True, config=STRICT)
class Rotation:
    """An exposure by its angles (drr.geometry.ConeBeam.rotated)."""

    gantry: float = key(0.0, "0 source in front, 90 at the patient's left, 180 behind", unit="degrees")
    tilt: Annotated[float, Field(gt=-90, lt=90)] = key(0.0, "Of the source towards the head", unit="degrees")


def _known_attenuation(name: str) -> str:
    try:
        named(name)
    except InputError as error:
        raise ValueError(str(error)) from None
    return name


def _own_check(value: Any, parse: ValidatorFunctionWrapHandler) -> Any:
    """A cone beam checks itself; as a ValueError its complaint is told with the key that it stands at."""
    try:
        return parse(value)
    except InputError as error:
        raise ValueError(str(error)) from None


Geometry = Annotated[Literal["x2ct", "perx2ct", "chest_film"] | ConeBeam, WrapValidator(_own_check)]
Exposure = Literal["pa", "lateral"] | Rotation
PA_AND_LATERAL: dict[str, Exposure] = {"pa": "pa", "lateral": "lateral"}


@dataclass(frozen=True, config=STRICT)
class XraySettings:
    """Line integrals of that cube: tube, detector, exposures, attenuation."""

    geometry: Geometry = key(
        "x2ct",
        "x2ct: source 541 mm from the isocentre; perx2ct: 700 mm; chest_film: 1,600 mm; or all four distances",
        source="X2CT",
    )
    attenuation: Annotated[str, AfterValidator(_known_attenuation)] = key(
        "plastimatch",
        "HU to 1/mm: plastimatch, 0.022 (1 + HU/1000) above -800 HU, else 0; water[:KEV]; mixture[:KEV]",
        source="X2CT: the renderer it uses",
    )
    views: Annotated[dict[ViewName, Exposure], Field(min_length=1)] = key(
        lambda: dict(PA_AND_LATERAL),
        "The exposures by name: pa, lateral, or {gantry: DEGREES, tilt: DEGREES}",
        source="paper",
        earlier=PA_AND_LATERAL,
    )
    version: int = stage_version(1)

    @property
    def cone_beam(self) -> ConeBeam:
        """The geometry, whether named or spelled out."""
        return PRESETS[self.geometry] if isinstance(self.geometry, str) else self.geometry

    def exposures(
        self, names: Iterable[str] | None = None, isocentre_mm: Vector = (0.0, 0.0, 0.0), pixels: int | None = None
    ) -> dict[str, View]:
        """The views by name around an isocentre (LPS mm); pixels: along each side, by default the detector's own."""
        beam = self.cone_beam if pixels is None else self.cone_beam.with_pixels(pixels)
        return {name: self._exposure(beam, name, isocentre_mm) for name in (self.views if names is None else names)}

    def _exposure(self, beam: ConeBeam, name: str, isocentre_mm: Vector) -> View:
        exposure = self.views[name]
        if isinstance(exposure, str):
            return beam.view(exposure, isocentre_mm)
        return beam.rotated(exposure.gantry, exposure.tilt, isocentre_mm)

    def only(self, names: Iterable[str]) -> "XraySettings":
        """The same with these exposures alone, which is all that a run depends on; BadKeyError for an unknown one."""
        if unknown := [name for name in names if name not in self.views]:
            raise BadKeyError("views", f"{unknown[0]} is not a name of xray.views ({', '.join(self.views)})")
        chosen = {name: self.views[name] for name in names}
        return XraySettings(self.geometry, self.attenuation, chosen, self.version)


@dataclass(frozen=True, config=STRICT)
class SlicesSettings:
    """The training grid: the volume's cube averaged down, and its slices in three planes."""

    size: PositiveInt = key(128, "Voxels along each axis", source="digest")
    version: int = stage_version(1)
