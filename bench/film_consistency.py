"""What consistency with films is worth: phantoms as films of several grey scales, in the training's beam and a film's.

    python -m bench.film_consistency RUN [PHANTOMS]

RUN: a finished run with one forward pass. PHANTOMS (6): so many phantoms of the varied kind, by seeds that no training
draws. Printed are, for each beam and look, PSNR (dB, over 2,500 HU), MAE (HU) and the share of the films that the
result leaves unexplained, without consistency and with some iterations. A minute a phantom on one core.
"""

from pathlib import Path
import sys

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from drr.attenuation import named
from drr.caster import render
from drr.geometry import ConeBeam, PRESETS
from dx2ct.data.grid import CubeGrid
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.data.window import windowed
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import load, Model
from dx2ct.predict.sampling import sampling
from dx2ct.predict.xray import Xray

FIRST_SEED = 1_000_000  # trainings draw from 0 to train.augment.phantom_count
ITERATIONS = (0, 1, 2, 4)
RANGE_HU = 2500.0
SCATTER, SCATTER_MM = 0.6, 40.0  # to the primary, mean over the film; deviation of its spread
Array = NDArray[np.float32]


def sigmoid(integrals: Array, pixel_mm: float) -> Array:
    """As a display's LUT: steep in the middle."""
    share = integrals / np.percentile(integrals, 99)
    return np.asarray(1 / (1 + np.exp(-7 * (share - 0.5))), np.float32)


def scattered(integrals: Array, pixel_mm: float) -> Array:
    """The same with scatter, which no curve explains: the primary, blurred, is added to it."""
    primary = np.exp(-integrals)
    spread = gaussian_filter(primary, SCATTER_MM / pixel_mm, mode="nearest")
    return sigmoid(np.asarray(-np.log(primary + SCATTER * spread) + np.log(1 + SCATTER), np.float32), pixel_mm)


def enhanced(integrals: Array, pixel_mm: float) -> Array:
    """Scattered, then with its large structures weakened, as systems do (multi-frequency processing)."""
    grey = scattered(integrals, pixel_mm)
    return np.asarray(grey - 0.4 * gaussian_filter(grey, 30 / pixel_mm, mode="nearest"), np.float32)


HEAD = "beam        look        iterations   PSNR dB   MAE HU   unexplained   dB gained (least)"
LOOKS = (sigmoid, scattered, enhanced)


def of_phantom(model: Model, beam: ConeBeam, seed: int) -> list[list[tuple[float, float, float]]]:
    """By look and number of iterations: PSNR, MAE, unexplained."""
    grid = model.trained.inputs.views.grid
    fine = CubeGrid(2 * grid.size, grid.spacing_mm / 2)
    hu = draw(seed, fine.size, fine.spacing_mm)
    truth = windowed(area_resample(hu.astype(np.float32), grid.size))
    views = [beam.view(name, (0.0, 0.0, 0.0)) for name in model.views]
    xray = model.settings.xray  # type: ignore[attr-defined]
    images = render(fine.volume(hu), views, attenuation=named(xray.attenuation), threads=1)
    pixel, odd = beam.pixel_mm[0], beam.source_detector_mm - beam.source_isocentre_mm
    framing = dict.fromkeys(model.views, Framing(spacing_mm=pixel, sid_mm=beam.source_detector_mm, odd_mm=odd))
    found = []
    for look in LOOKS:
        films = {name: Xray(look(image, pixel), "film", name) for name, image in zip(model.views, images, strict=True)}
        prepared = model.prepare(films, framing)
        answer, _ = model.answer(prepared, sampling())
        volumes = [model.agreeing(answer, prepared, sampling(consistency=count)) for count in ITERATIONS]
        off = [windowed(volume.array) - truth for volume in volumes]
        left = [float(np.mean(list(model.unexplained(volume, prepared).values()))) for volume in volumes]
        pairs = zip(off, left, strict=True)
        found.append([(10 * np.log10(RANGE_HU**2 / np.mean(one**2)), np.abs(one).mean(), rest) for one, rest in pairs])
    return found


def main(run: str, phantoms: str = "6") -> None:
    """Print one line for each beam, look and number of iterations."""
    model = load(Path(run), "cpu", 1)
    beams = {"training's": model.settings.xray.cone_beam, "chest_film": PRESETS["chest_film"]}  # type: ignore[attr-defined]
    print(f"{run}, {phantoms} phantoms\n{HEAD}")
    for name, beam in beams.items():
        table = np.array([of_phantom(model, beam, FIRST_SEED + k) for k in range(int(phantoms))])
        for look, rows in zip(LOOKS, np.moveaxis(table, 1, 0), strict=True):
            for k, count in enumerate(ITERATIONS):
                psnr, mae, left = rows[:, k].mean(axis=0)
                more = rows[:, k, 0] - rows[:, 0, 0]
                line = f"{psnr:16.2f} {mae:8.1f} {left:13.3f}   {more.mean():+.2f} ({more.min():+.2f})"
                print(f"{name:12}{look.__name__:12}{count:2}{line}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
