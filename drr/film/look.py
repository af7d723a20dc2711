"""How a radiograph was taken and what its system made of it: every number of the simulator, as one frozen value."""

from dataclasses import dataclass, field
from typing import Literal

from drr.errors import InputError
from drr.physics.detector import Detector
from drr.physics.scatter import Grid, NO_GRID, Scatter
from drr.physics.tube import Tube


@dataclass(frozen=True)
class Exposure:
    """What falls on the detector. photons_per_mm2: behind the patient, in the mean over all that is no direct beam, as
    automatic exposure control sees to it (30,000 are about 1 uGy, IEC 62220-1).

    focus_mm: blur of the focal spot on the detector, a standard deviation. heel: by how much the beam is weaker at one
    end of the anode's axis than at the other, as a share, and heel_deg where that axis lies in the image.
    """

    tube: Tube = field(default_factory=Tube)
    scatter: Scatter = field(default_factory=Scatter)
    grid: Grid = NO_GRID
    detector: Detector = field(default_factory=Detector)
    photons_per_mm2: float = 7.5e4
    focus_mm: float = 0.1
    heel: float = 0.0
    heel_deg: float = 90.0

    def __post_init__(self) -> None:
        if not (self.photons_per_mm2 > 0 and self.focus_mm >= 0 and 0 <= self.heel < 1):
            raise InputError(
                f"an exposure of {self.photons_per_mm2} photons a mm2, a focus of {self.focus_mm} mm and a heel of "
                f"{self.heel}: above 0, 0 and more, 0 to below 1"
            )


@dataclass(frozen=True)
class Collimation:
    """The rectangle that the beam is cut to. margins: left, top, right, bottom, as shares of the image's sides.

    turn_deg: of the rectangle in the image. penumbra_mm: of its edges. leak: what gets through the blades. shutter: the
    system makes black what lies outside, as far as it finds it.
    """

    margins: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    turn_deg: float = 0.0
    penumbra_mm: float = 2.0
    leak: float = 0.003
    shutter: bool = False

    def __post_init__(self) -> None:
        left, top, right, bottom = self.margins
        if not (min(self.margins) >= 0 and left + right < 0.9 and top + bottom < 0.9):
            raise InputError(f"margins {self.margins}: 0 and more, and a tenth of the image must be left")
        if not (self.penumbra_mm > 0 and 0 < self.leak < 1):
            raise InputError(f"a penumbra of {self.penumbra_mm} mm and a leak of {self.leak}: above 0, and below 1")


@dataclass(frozen=True)
class Processing:
    """From signal to grey. scale: what the system takes of the signal. span: the percentiles that it recognises as
    image.

    detail: the power of the contrast of small details, 1 leaves them (Vuylsteke and Schoeters, Multiscale image
    contrast amplification, SPIE 2167, 551, 1994); smooth: the share of the coarsest that is taken away. centre, slope:
    of the sigmoid from a span of 0 to 1; slope 0: a straight line. bits: of the file.
    """

    scale: Literal["log", "root"] = "log"
    span: tuple[float, float] = (1.0, 99.0)
    detail: float = 1.0
    smooth: float = 0.0
    centre: float = 0.5
    slope: float = 4.0
    bits: int = 12
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2"

    def __post_init__(self) -> None:
        if not 0 <= self.span[0] < self.span[1] <= 100:
            raise InputError(f"a span from percentile {self.span[0]} to {self.span[1]}: rising, from 0 to 100")
        if not (0 < self.detail <= 1 and 0 <= self.smooth < 1 and self.slope >= 0 and 8 <= self.bits <= 16):
            raise InputError(f"{self}: detail above 0 to 1, smooth 0 to below 1, slope 0 and more, 8 to 16 bits")


@dataclass(frozen=True)
class Letter:
    """A marker: its text, its middle as shares of the image's height and width, its height in mm and its grey, 0 to 1.

    mirrored: as on a film that is looked at from behind.
    """

    text: str
    row: float
    column: float
    height_mm: float = 15.0
    grey: float = 1.0
    mirrored: bool = False


@dataclass(frozen=True)
class Look:
    """One film's."""

    exposure: Exposure = field(default_factory=Exposure)
    collimation: Collimation = field(default_factory=Collimation)
    processing: Processing = field(default_factory=Processing)
    letters: tuple[Letter, ...] = ()
