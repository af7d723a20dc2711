"""The section train.augment: how examples are changed while a network is trained, X-rays rendered anew from them."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from dx2ct.config.data import VARIED_VERSION
from dx2ct.config.keys import BadKeyError, Fraction, key, NotNegative, PositiveInt, stage_version, STRICT

OURS = "ours"
# Of the points' distance: a cubic B-spline in 3D cannot fold a volume whose points it moves by less (Choi and Lee,
# Injectivity conditions of 2D and 3D uniform cubic B-spline functions, 2000).
FOLDS_FROM = 1 / 2.48
Part = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=STRICT)
class ExposureSettings:
    """How far tube and detector of each view leave the geometry of the section xray, either way, uniformly."""

    distance: Part = key(0.0, "Of the source to the isocentre, as a share of it", source=OURS)
    magnification: Part = key(0.0, "Of the detector's distance over the source's, as a share of it", source=OURS)
    tilt_deg: Annotated[float, Field(ge=0, le=45)] = key(
        0.0, "About each of the patient's axes", unit="degrees", source=OURS
    )
    off_centre_mm: NotNegative = key(0.0, "Of the isocentre along each axis", unit="mm", source=OURS)

    @property
    def moves(self) -> bool:
        """False where every exposure is the training's own."""
        return any((self.distance, self.magnification, self.tilt_deg, self.off_centre_mm))


@dataclass(frozen=True, config=STRICT)
class FilmSettings:
    """X-rays as simulated films: spectrum, scatter, noise, processing, collimation and markers drawn for each."""

    share: Fraction = key(0.0, "Share of all examples, scans and copies, whose X-rays are films; 0: none", source=OURS)
    border_found: Fraction = key(
        0.8, "Share of films whose collimated border is known, and becomes air as in predict", source=OURS
    )


FIRST_PHANTOMS = 1  # version of the varied recipe in trainings that do not say it
NO_FILMS = {"share": 0.0, "border_found": 0.8}  # what trainings mean that are older than the section


@dataclass(frozen=True, config=STRICT)
class AugmentSettings:
    """Warped copies of the training scans, and of phantoms, with X-rays of their own.

    Lengths and angles are drawn uniformly, either way. Nothing is mirrored: the heart stays on its side.
    """

    share: Fraction = key(0.0, "Share of the examples of scans that are changed copies; 0: none", source=OURS)
    phantoms: Fraction = key(
        0.0, "Share of the examples that are phantoms of the varied kind, drawn while training", source=OURS
    )
    phantom_count: PositiveInt = key(400, "So many of them, by seeds from 0", source=OURS)
    voxels: PositiveInt | None = key(
        None,
        "Side of the volume that is warped and rendered; null: twice slices.size, where volumes have so many",
        source=OURS,
    )
    rotation_deg: Annotated[float, Field(ge=0, le=45)] = key(6.0, "About each axis", unit="degrees", source=OURS)
    scale: Part = key(0.1, "Of the whole patient, as a share", source=OURS)
    stretch: Part = key(0.08, "Of each axis by itself, as a share", source=OURS)
    shear: Part = key(0.05, "Of one axis along another", source=OURS)
    shift_mm: NotNegative = key(12.0, "Along each axis", unit="mm", source=OURS)
    elastic_mm: NotNegative = key(8.0, "Largest move of a point of the elastic field", unit="mm", source=OURS)
    elastic_points: Annotated[int, Field(ge=2)] = key(5, "Points of the elastic field along each axis", source=OURS)
    breath: Part = key(0.15, "Stretch of the middle of the chest along z, as a share", source=OURS)
    between: Fraction = key(
        0.0,
        "Share of the changed copies of scans that go towards the shape of another training scan, a part of the way",
        source=OURS,
        earlier=0.0,
    )
    tissue: NotNegative = key(1.0, "Strength of the random curve from HU to HU; 1: lung 40, bone 150 HU", source=OURS)
    noise: Part = key(0.01, "Of a line integral, as a share of the X-ray's largest", source=OURS)
    couch: Fraction = key(
        0.3, "Share whose couch and arms beside the body go; half of them get a made-up couch", source=OURS
    )
    arms: Fraction = key(0.1, "Share with made-up arms beside the body", source=OURS)
    field_of_view: Fraction = key(
        0.15, "Share with air outside a circle, and share with air above and below", source=OURS
    )
    exposure: ExposureSettings = key(ExposureSettings, "The X-rays' geometry, for methods that take it as data")
    film: FilmSettings = key(FilmSettings, "X-rays that look like radiographs", earlier=NO_FILMS)
    version: int = stage_version(VARIED_VERSION, earlier=FIRST_PHANTOMS)

    @property
    def changes(self) -> bool:
        """True where examples are made while training."""
        return self.copies or self.film.share > 0

    @property
    def copies(self) -> bool:
        """True where volumes are, and not their X-rays alone."""
        return self.share > 0 or self.phantoms > 0

    def require_inside(self, side_mm: float) -> None:
        """BadKeyError where the cube's centre could leave the cube, or the elastic field could fold it."""
        if self.shift_mm >= side_mm / 4:
            raise BadKeyError(
                "shift_mm",
                f"{self.shift_mm:g}: patients would leave the cube of {side_mm:g} mm: use less than a quarter",
            )
        limit = FOLDS_FROM * side_mm / self.elastic_points * (1 - self.breath)
        if self.elastic_mm > limit:
            raise BadKeyError(
                "elastic_mm",
                f"{self.elastic_mm:g}: {self.elastic_points} points on {side_mm:g} mm fold the volume from "
                f"{limit:.3g} mm on: use less, or fewer elastic_points",
            )


NO_AUGMENT = AugmentSettings()
