"""A page of simulated films of CTs beside real films: do they look alike?"""

from collections.abc import Sequence
from pathlib import Path

import cv2
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
from numpy.typing import NDArray

from drr.ct.read import read_chest
from drr.errors import InputError
from drr.files import replacing
from drr.film import develop
from drr.geometry import PRESETS, PROTOCOL_VIEWS
from drr.physics.materials import path_lengths
from drr.progress import each
from drr.volume import AIR_HU, Volume
from dx2ct.config import VolumeSettings
from dx2ct.data.augment.surroundings import body
from dx2ct.data.film import standardised
from dx2ct.data.prepare.volume import to_cube
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.read import read_xray

COLUMNS, PANEL_IN, PIXELS = 6, 2.0, 256
MIDDLE = 0.72  # of the longer side of a film of 430 mm: the part that a CT of a chest fills
CUBE = VolumeSettings(size=240, spacing_mm=1.5)
Image = NDArray[np.float32]


def write_page(cts: Sequence[Path], films: Path, seed: int, output: Path) -> None:
    """A PNG: of each view a row of real films, drawn by the seed, above one of simulated films of the CTs.

    films: a folder of pictures whose names begin with their view, pa or lateral. Of all the middle is shown, with the
    couch taken out of the CTs. Raises InputError where a view has no film.
    """
    real = {view: real_films(films, view, seed) for view in PROTOCOL_VIEWS}
    made = simulated_films(cts, seed)
    figure = Figure(figsize=(COLUMNS * PANEL_IN, 4 * PANEL_IN + 1.0))
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.93, 0.03, 0.12)
    grid = figure.subplots(2 * len(PROTOCOL_VIEWS), COLUMNS, squeeze=False)
    rows = [
        (f"{kind}, {view}", images[view])
        for view in PROTOCOL_VIEWS
        for kind, images in (("real", real), ("simulated", made))
    ]
    for axes, (title, images) in zip(grid, rows, strict=True):
        for panel in axes:
            panel.set_axis_off()
        for panel, image in zip(axes, images, strict=False):
            panel.imshow(image, cmap="gray", vmin=0, vmax=1)
        axes[0].set_title(title, loc="left", fontsize=8)
    figure.suptitle("Research use only. Simulated films are no patient's films.", fontsize=9)
    with replacing(output) as part:
        FigureCanvasAgg(figure).print_figure(str(part), dpi=110, format="png", metadata={})


def real_films(folder: Path, view: str, seed: int) -> list[Image]:
    """Some films of a view, (row, column) in [0, 1]."""
    files = sorted(path for path in folder.glob(f"{view}*") if path.is_file())
    if not files:
        raise InputError(f"{folder}: no film's name begins with {view}: name them so, as pa_1.png and lateral_1.png")
    chosen = np.random.default_rng(seed).permutation(len(files))[:COLUMNS]
    return [middle(oriented(read_xray(files[number]), Framing())) for number in chosen]


def simulated_films(cts: Sequence[Path], seed: int) -> dict[str, list[Image]]:
    """By view a film of each CT, every one with a look of its own."""
    made: dict[str, list[Image]] = {view: [] for view in PROTOCOL_VIEWS}
    for number, path in enumerate(each(list(cts)[:COLUMNS], "films", "CT")):
        patient = without_couch(path)
        views = [PRESETS["chest_film"].view(name, patient.centre_mm) for name in PROTOCOL_VIEWS]
        lengths = path_lengths(patient, views)
        for name, view, of_view in zip(PROTOCOL_VIEWS, views, lengths, strict=True):
            film = develop(of_view, view, np.random.default_rng((seed, number, PROTOCOL_VIEWS.index(name))))
            made[name].append(middle(standardised(film.shown, ~film.field)))
    return made


def without_couch(path: Path) -> Volume:
    """A CT on 1.5 mm, air outside the patient."""
    cube = to_cube(read_chest(path, None, CUBE.max_hole_mm, None), CUBE)
    hu = np.where(body(cube.array, CUBE.spacing_mm), cube.array, np.int16(AIR_HU))
    return Volume(hu, cube.spacing_mm, cube.origin_mm)


def middle(film: Image) -> Image:
    """The MIDDLE of a film, standardised anew."""
    side = min(round(MIDDLE * max(film.shape)), *film.shape)
    top, left = ((length - side) // 2 for length in film.shape)
    part = film[top : top + side, left : left + side]
    return standardised(np.asarray(cv2.resize(part, (PIXELS, PIXELS), interpolation=cv2.INTER_AREA)))
