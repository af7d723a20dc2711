"""The figure of films: a row for each series, its films, then coronal, sagittal and axial middle slices of each run.

As figure 4 of the paper, which has X-rays in a film's style, and no truth either.
"""

from collections.abc import Mapping, Sequence
import json
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.files import replacing
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.figures.panels import CT_WINDOW_HU, middle, PANEL_IN, show
from dx2ct.predict.border import without_border
from dx2ct.predict.film_series import read_films, unpacked
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.pictures import DISCLAIMER
from dx2ct.predict.read import read_xray
from dx2ct.predict.view import turned_for

VIEWS, PLANES = ("pa", "lateral"), ("coronal", "sagittal", "axial")
MOST = 4  # series: the first that all runs have reconstructed, chosen by order, not by looks
Films = Mapping[str, NDArray[np.float32]]


def write_film_figure(runs: Sequence[Path], series: Sequence[str], data: Path, output: Path) -> None:
    """Write the figure of the first MOST series that all runs have reconstructed, as PNG.

    runs: folders with films/. series: their names in the order of the sheet. Raises InputError where there is none.
    """
    shown = [name for name in series if all(_is_reconstructed(run, name) for run in runs)][:MOST]
    if not shown:
        raise InputError(f"no series of films was reconstructed by all of {', '.join(run.name for run in runs)}")
    width = len(VIEWS) + len(PLANES) * len(runs)
    figure = Figure(figsize=(width * PANEL_IN, len(shown) * (PANEL_IN + 0.3) + 0.4), layout="constrained")
    grid = figure.subplots(len(shown), width, squeeze=False)
    for axes, name in zip(grid, shown, strict=True):
        films = _films(data, name)
        for place, view in zip(axes, VIEWS, strict=False):
            place.set_axis_off()
            if view in films:
                show(place, films[view], view, (0, 1), "gray", f"{name}, {view}")
        volumes = {run.name: read_volume(layout.film_volume(run, name)).array for run in runs}
        pairs = [(run, volume, plane) for run, volume in volumes.items() for plane in PLANES]
        for place, (run, volume, plane) in zip(axes[len(VIEWS) :], pairs, strict=True):
            show(place, middle(volume, plane), plane, CT_WINDOW_HU, "gray", f"{run}, {plane}")
    figure.suptitle(f"SYNTHESIZED from films. {DISCLAIMER}", fontsize=9)
    with replacing(output) as part:
        FigureCanvasAgg(figure).print_figure(str(part), dpi=130, format="png")


def _is_reconstructed(run: Path, name: str) -> bool:
    path = layout.film_record(run, name)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}): run the film_predict stage again") from None
    return "left_out" not in record


def _films(data: Path, name: str) -> Films:
    """The films that were taken, as `predict` frames them before it looks at where they lie: grey in [0, 1]."""
    taken = read_films(layout.film_series(data, name)).taken
    with unpacked(layout.raw(data, name)) as files:
        found = {view: path for view, member in taken.items() for path in files if path.name == member}
        return {view: _framed(view, path) for view, path in found.items()}


def _framed(view: str, path: Path) -> NDArray[np.float32]:
    return oriented(without_border(view, turned_for(view, read_xray(path)), Framing()), Framing())
