"""Stage xray: line integrals of a scan's cube."""

from pathlib import Path

from drr.attenuation import named
from drr.caster import render
from drr.image import write_image
from dx2ct.config import XraySettings
from dx2ct.config.keys import require_version
from dx2ct.data.prepare.volume import read_cube


def make_xrays(source: Path, settings: XraySettings, output: Path, backend: str = "auto", threads: int = 0) -> None:
    """Render every view of the settings around the cube's centre: output/{view}.mha, float32 line integrals.

    The image is (row, column) with the detector's pixel spacing in mm; its frame is the one of drr/geometry.py.
    """
    require_version(settings)
    volume = read_cube(source)
    exposures = settings.exposures(isocentre_mm=volume.centre_mm)
    images = render(volume, list(exposures.values()), backend, attenuation=named(settings.attenuation), threads=threads)
    for name, pixels in zip(exposures, images, strict=True):
        write_image(pixels, settings.cone_beam.pixel_mm, output / f"{name}.mha")
