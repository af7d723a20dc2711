"""Random looks. Ranges are of what adult chest radiography uses; held-out ones lie beside those of training."""

from dataclasses import dataclass
import math

import numpy as np

from drr.film.look import Collimation, Exposure, Letter, Look, Processing
from drr.geometry import View
from drr.physics.detector import Detector
from drr.physics.scatter import Grid, NO_GRID, Scatter
from drr.physics.tube import Tube

Generator = np.random.Generator
Span = tuple[float, float]


@dataclass(frozen=True)
class Ranges:
    """From where to where each number is drawn, uniformly, photons in their logarithm; shares are of films.

    kvp: 100 to 125 kV is usual (European guidelines on quality criteria, EUR 16260), portables have less.
    """

    kvp: Span = (80.0, 130.0)
    aluminium_mm: Span = (0.0, 2.0)
    copper_mm: Span = (0.0, 0.2)
    scatter: Span = (0.25, 0.85)
    narrow_mm: Span = (12.0, 30.0)
    wide_mm: Span = (45.0, 100.0)
    wide_share: Span = (0.4, 0.8)
    grids: float = 0.85
    grid_primary: Span = (0.6, 0.75)
    grid_scattered: Span = (0.1, 0.45)
    csi_mm: Span = (0.25, 0.5)
    blur_mm: Span = (0.08, 0.3)
    focus_mm: Span = (0.02, 0.2)
    photons_per_mm2: Span = (3e4, 2e5)
    heel: Span = (0.0, 0.25)
    roots: float = 0.12
    low: Span = (0.0, 2.0)
    high: Span = (97.0, 99.9)
    enhanced: float = 0.9
    detail: Span = (0.6, 1.0)
    smooth: Span = (0.3, 0.85)
    straight: float = 0.15
    centre: Span = (0.4, 0.95)
    slope: Span = (1.0, 4.5)
    twelve_bits: float = 0.8
    monochrome1: float = 0.15
    collimated: float = 0.45
    margin: Span = (0.005, 0.1)
    turn_deg: Span = (-2.0, 2.0)
    penumbra_mm: Span = (0.5, 3.0)
    leak: Span = (0.001, 0.01)
    shuttered: float = 0.5
    lettered: float = 0.7
    letter_mm: Span = (8.0, 18.0)


TRAINING = Ranges()
HELD_OUT = Ranges(
    kvp=(132.0, 148.0),
    copper_mm=(0.25, 0.4),
    scatter=(0.85, 1.0),
    grid_scattered=(0.45, 0.55),
    roots=0.5,
    slope=(4.5, 6.0),
    detail=(0.4, 0.5),
    centre=(0.25, 0.4),
    high=(93.0, 97.0),
)


def draw_look(generator: Generator, ranges: Ranges = TRAINING, view: View | None = None) -> Look:
    """A look with every number drawn. view: whose marker stands on its own side; None: no letters."""

    def within(span: Span) -> float:
        return float(generator.uniform(*span))

    exposure = _exposure(generator, ranges)
    collimation = Collimation()
    if generator.random() < ranges.collimated:
        sides = generator.random(4) < 0.5
        margins = np.where(sides, generator.uniform(*ranges.margin, 4), 0.0).tolist()
        collimation = Collimation(
            (margins[0], margins[1], margins[2], margins[3]),
            within(ranges.turn_deg),
            within(ranges.penumbra_mm),
            within(ranges.leak),
            bool(generator.random() < ranges.shuttered),
        )
    letters = () if view is None or generator.random() >= ranges.lettered else (_letter(generator, ranges, view),)
    return Look(exposure, collimation, _processing(generator, ranges), letters)


def _exposure(generator: Generator, ranges: Ranges) -> Exposure:
    def within(span: Span) -> float:
        return float(generator.uniform(*span))

    scatter = Scatter(
        within(ranges.scatter), within(ranges.narrow_mm), within(ranges.wide_mm), within(ranges.wide_share)
    )
    grid = NO_GRID
    if generator.random() < ranges.grids:
        grid = Grid(within(ranges.grid_primary), within(ranges.grid_scattered))
    return Exposure(
        Tube(within(ranges.kvp), within(ranges.aluminium_mm), within(ranges.copper_mm)),
        scatter,
        grid,
        Detector(within(ranges.csi_mm), within(ranges.blur_mm)),
        math.exp(within((math.log(ranges.photons_per_mm2[0]), math.log(ranges.photons_per_mm2[1])))),
        within(ranges.focus_mm),
        within(ranges.heel),
        float(generator.uniform(0, 360)),
    )


def _processing(generator: Generator, ranges: Ranges) -> Processing:
    def within(span: Span) -> float:
        return float(generator.uniform(*span))

    root, enhanced, straight, twelve, inverted = generator.random(5) < (
        ranges.roots,
        ranges.enhanced,
        ranges.straight,
        ranges.twelve_bits,
        ranges.monochrome1,
    )
    return Processing(
        "root" if root else "log",
        (within(ranges.low), within(ranges.high)),
        within(ranges.detail) if enhanced else 1.0,
        within(ranges.smooth) if enhanced else 0.0,
        within(ranges.centre),
        0.0 if straight else within(ranges.slope),
        12 if twelve else 10,
        "MONOCHROME1" if inverted else "MONOCHROME2",
    )


def _letter(generator: Generator, ranges: Ranges, view: View) -> Letter:
    """L or R where that side of the patient is; of a lateral film either, in an upper corner."""
    towards_left = view.column_step_mm[0] / np.linalg.norm(view.column_step_mm)
    text = str(generator.choice(["L", "R"]))
    at_right = generator.random() < 0.5 if abs(towards_left) < 0.5 else (text == "L") == (towards_left > 0)
    edge = generator.uniform(0.03, 0.12)
    return Letter(
        text,
        float(generator.uniform(0.04, 0.3)),
        float(1 - edge if at_right else edge),
        float(generator.uniform(*ranges.letter_mm)),
        float(generator.uniform(0.85, 1.0)),
    )
