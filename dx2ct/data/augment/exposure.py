"""Random places of tube and detector around those of a configuration."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from drr.geometry import Vector, View
from dx2ct.config import XraySettings
from dx2ct.config.augment import ExposureSettings
from dx2ct.data.augment.warp import rotation

BEYOND = 1.02  # the detector stays beyond the isocentre


def draw_exposures(
    generator: np.random.Generator, settings: ExposureSettings, xray: XraySettings, names: Sequence[str], pixels: int
) -> dict[str, View]:
    """The named exposures around the origin, each of its own random geometry, detectors of `pixels` a side."""
    return {name: _draw(generator, settings, xray, name, pixels) for name in names}


def _draw(
    generator: np.random.Generator, settings: ExposureSettings, xray: XraySettings, name: str, pixels: int
) -> View:
    beam = xray.cone_beam
    source_mm = beam.source_isocentre_mm * (1 + generator.uniform(-settings.distance, settings.distance))
    magnification = beam.source_detector_mm / beam.source_isocentre_mm
    magnification *= 1 + generator.uniform(-settings.magnification, settings.magnification)
    beam = replace(
        beam, source_isocentre_mm=source_mm, source_detector_mm=source_mm * max(magnification, BEYOND), pixels=pixels
    )
    view = replace(xray, geometry=beam).exposures([name])[name]
    turn = rotation(generator.uniform(-settings.tilt_deg, settings.tilt_deg, 3))
    shift = generator.uniform(-settings.off_centre_mm, settings.off_centre_mm, 3)
    return replace(
        view,
        source_mm=_vector(turn @ view.source_mm + shift),
        corner_mm=_vector(turn @ view.corner_mm + shift),
        column_step_mm=_vector(turn @ view.column_step_mm),
        row_step_mm=_vector(turn @ view.row_step_mm),
    )


def _vector(array: "np.ndarray") -> Vector:
    x, y, z = (float(value) for value in array)
    return x, y, z
