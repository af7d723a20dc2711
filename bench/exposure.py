"""What another source distance costs a network, told to it and not told.

    python -m bench.exposure RUN [PHANTOMS]

RUN: a finished run that takes geometry as data (lift, DX2CT with lifted conditions). PHANTOMS (8): so many phantoms of
the varied kind, by seeds that no training draws. Source and detector move together, so that the magnification stays.
Printed is the mean PSNR (dB, over 2,500 HU) at each distance, with the geometry of the X-rays and with the training's.
"""

from dataclasses import replace
from pathlib import Path
import sys

import numpy as np

from drr.attenuation import named
from drr.caster import render
from drr.geometry import View
from dx2ct.config import LearnedSettings, SamplingOptions
from dx2ct.data.grid import CubeGrid
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.data.window import windowed
from dx2ct.geometry import Views
from dx2ct.predict.model import load, Model

FIRST_SEED = 1_000_000  # trainings draw from 0 to train.augment.phantom_count
FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2)
RANGE_HU = 2500.0


def moved(settings: LearnedSettings, names: list[str], factor: float) -> dict[str, View]:
    """The views around the origin with source and detector at `factor` times their distances."""
    beam = settings.xray.cone_beam
    far = replace(
        beam,
        source_isocentre_mm=factor * beam.source_isocentre_mm,
        source_detector_mm=factor * beam.source_detector_mm,
    )
    return replace(settings.xray, geometry=far).exposures(names)


def of_phantom(model: Model, settings: LearnedSettings, seed: int, pairs: list[tuple[float, bool]]) -> list[float]:
    """PSNR at each pair of a factor, and whether the network is told."""
    grid = model.trained.inputs.views.grid
    fine = CubeGrid(2 * grid.size, grid.spacing_mm / 2)
    hu = draw(seed, fine.size, fine.spacing_mm)
    truth = windowed(area_resample(hu.astype(np.float32), grid.size))
    found = []
    for factor, told in pairs:
        exposures = moved(settings, list(model.views), factor)
        images = render(
            fine.volume(hu), list(exposures.values()), attenuation=named(settings.xray.attenuation), threads=1
        )
        geometry = Views(grid, exposures if told else moved(settings, list(model.views), 1.0))
        out = model.trained.reconstruct(
            dict(zip(exposures, images, strict=True)), geometry, SamplingOptions(steps=1)
        ).mean
        found.append(float(10 * np.log10(RANGE_HU**2 / np.mean((windowed(out) - truth) ** 2))))
    return found


def main(run: str, phantoms: str = "8") -> None:
    """Print one line a distance."""
    model = load(Path(run), "cpu", 1)
    settings = model.settings
    assert isinstance(settings, LearnedSettings)
    pairs = [(factor, told) for factor in FACTORS for told in (True, False)]
    means = np.mean([of_phantom(model, settings, FIRST_SEED + k, pairs) for k in range(int(phantoms))], axis=0)
    best = means[pairs.index((1.0, True))]
    print(f"{run}, {phantoms} phantoms\ndistance   told: dB           not told: dB")
    for factor in FACTORS:
        told, untold = (means[pairs.index((factor, known))] for known in (True, False))
        print(f"{factor:8.1f} {told:10.2f} ({told - best:+.2f}) {untold:10.2f} ({untold - best:+.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
