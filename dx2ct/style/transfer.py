"""Stage `style-transfer`: the rendered X-ray of a scan in the style of films, scored because its CT is known."""

from pathlib import Path

from drr.image import write_image
from dx2ct import layout
from dx2ct.data.scans import read_xrays, stretched
from dx2ct.style.run import Style


def transfer(style: Style, scan: str, data: Path) -> None:
    """Write STYLE/xrays/SCAN.mha, (row, column) float32 in [0, 1]: grey without a unit, bone bright."""
    view, pixels = style.settings.view, style.settings.pixels
    image = style.to_film(stretched(read_xrays(data, scan, (view,))[view], pixels))
    beam = style.settings.xray.cone_beam.with_pixels(pixels)
    write_image(image, beam.pixel_mm, layout.styled(style.folder, scan))
