"""Films in the style of rendered X-rays, which a network has learnt from: dx2ct predict --style."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import torch

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import RunSettings, XrayRunSettings
from dx2ct.config.style import StyleRunSettings
from dx2ct.data.scans import stretched
from dx2ct.methods.contract import InputSpec
from dx2ct.predict.xray import Xray
from dx2ct.style.run import load_style, Style


def load_styles(folder: Path, settings: RunSettings, spec: InputSpec, device: torch.device) -> dict[str, Style]:
    """The styles of a run's views that there are; InputError for none, and for one that makes other X-rays than its."""
    if not isinstance(settings, XrayRunSettings) or not spec.radiographs:
        raise InputError(f"--style {folder}: the run needs line integrals, which no film becomes: leave it out")
    found = {view: load_style(folder / view, device) for view in spec.names if (folder / view).is_dir()}
    if not found:
        raise InputError(f"--style {folder}: has no folder of a view ({', '.join(spec.names)}): name results/style")
    for view, style in found.items():
        path = layout.settings(style.folder)
        if style.settings.pixels < spec.pixels:
            raise InputError(
                f"{path}: of {style.settings.pixels} pixels a side, the run sees {spec.pixels}: train one with more"
            )
        if _rendered(style.settings, view) != _rendered(settings, view):
            raise InputError(
                f"{path}: of X-rays in another geometry, attenuation or cube than the run's: train its own"
            )
    return found


def style_of(styles: Mapping[str, Style], view: str, xray: Xray) -> Style | None:
    """The style that an X-ray goes through: none for line integrals; InputError for a film of a view without one."""
    if not styles or xray.kind != "film":
        return None
    if view not in styles:
        raise InputError(
            f"{xray.name}: no style of view {view} there ({', '.join(styles)}): train one, or leave --style out"
        )
    return styles[view]


def restyled(image: NDArray[np.float32], style: Style) -> NDArray[np.float32]:
    """A placed film in the style of rendered X-rays, in [0, 1], as many pixels a side as the style has."""
    return style.to_synthetic(stretched(image, style.settings.pixels))


def in_words(style: Style) -> str:
    """For people."""
    return (
        f"translated into the style of rendered X-rays by {style.folder}, which has seen {style.films.trained} films: "
        "it may hide what a film shows, and show what it does not"
    )


def _rendered(settings: StyleRunSettings | XrayRunSettings, view: str) -> object:
    """What decides how an X-ray is rendered, whatever pixels the detector has."""
    xray = settings.xray
    beam, cube = xray.cone_beam.with_pixels(1), (settings.volume.side_mm, settings.volume.z_part)
    return beam, xray.views[view], xray.attenuation, cube
