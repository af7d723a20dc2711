"""What a film's geometry is worth: phantoms through a chest-film beam, told their scale and not.

    python -m bench.film_geometry RUN DATA SHEET [SPLIT]

RUN: a finished run on the phantoms of workflow/config/ranking.yaml, DATA: its data folder, SHEET: the phantoms'. Each
phantom of the split (`val` by default) becomes 16-bit PNG films in the beam of PRESETS["chest_film"]. Printed are the
PSNR (dB, over 2,500 HU) and the MAE (HU) of each way to reconstruct it, and every case's difference to line integrals
in the training's beam. Minutes on one core.
"""

from collections.abc import Mapping
import csv
from pathlib import Path
import sys
import tempfile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.attenuation import named
from drr.caster import render
from drr.geometry import PRESETS
from dx2ct import layout
from dx2ct.data.prepare.volume import read_cube
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.window import windowed
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import load, Model

RANGE_HU = 2500.0
Array = NDArray[np.floating[Any]]
BEAM = PRESETS["chest_film"]
SPACING = BEAM.pixel_mm[0]
GIVEN = Framing(spacing_mm=SPACING)
# Passes into the training's beam, None: as usual, and what is said of the views. "squared": films stretched into the
# training's geometry, as if nothing were known of films.
CASES: dict[str, tuple[int | None, Framing | None]] = {
    "squared": (0, None),
    "spacing given, no passes": (0, GIVEN),
    "spacing given": (None, GIVEN),
    "spacing given, 1 pass": (1, GIVEN),
    "spacing given, 8 passes": (8, GIVEN),
    "no scale": (None, Framing()),
    "spacing 10 % too small": (None, Framing(spacing_mm=0.9 * SPACING)),
    "spacing 10 % too large": (None, Framing(spacing_mm=1.1 * SPACING)),
    "patient 50 mm nearer the detector": (None, Framing(spacing_mm=SPACING, odd_mm=150.0)),
    "detector at 1,500 mm": (None, Framing(spacing_mm=SPACING, sid_mm=1500.0)),
}


def films_of(model: Model, data: Path, scan: str, folder: Path) -> dict[str, Path]:
    """16-bit PNG by view, of line integrals between their extremes."""
    volume = read_cube(layout.volume(data, scan))
    xray = model.settings.xray  # type: ignore[attr-defined]
    views = [BEAM.view(str(xray.views[name]), volume.centre_mm) for name in model.views]
    images = render(volume, views, attenuation=named(xray.attenuation), threads=1)
    files = {name: folder / f"{scan}-{name}.png" for name in model.views}
    for path, image in zip(files.values(), images, strict=True):
        grey = (image - image.min()) / np.ptp(image) * 65535
        cv2.imwrite(str(path), np.rint(grey).astype(np.uint16))
    return files


def error(model: Model, xrays: Mapping[str, object], truth: Array, passes: int | None, how: Framing | None) -> Array:
    """PSNR and MAE."""
    framing = dict.fromkeys(model.views, how or Framing())
    geometry = model.trained.inputs.views if how is None else None
    off = windowed(model.reconstruct(xrays, framing=framing, geometry=geometry, passes=passes).array) - truth
    return np.array([10 * np.log10(RANGE_HU**2 / np.mean(off**2)), np.abs(off).mean()])


def main(run: str, data: str, sheet: str, split: str = "val") -> None:
    """Print one line a case."""
    model = load(Path(run), "cpu", 1)
    with Path(sheet).open() as lines:
        scans = [row["scan"] for row in csv.DictReader(lines, delimiter="\t") if row["split"] == split]
    found: dict[str, list[Array]] = {name: [] for name in ("training's beam", *CASES)}
    for scan in scans:
        size = model.trained.inputs.views.grid.size
        truth = windowed(np.array(read_stack(Path(data), scan, "axial", size)))
        found["training's beam"].append(error(model, read_xrays(Path(data), scan, model.views), truth, 0, None))
        with tempfile.TemporaryDirectory() as folder:
            films = films_of(model, Path(data), scan, Path(folder))
            for name, case in CASES.items():
                found[name].append(error(model, films, truth, *case))
    print(f"{len(scans)} phantoms of split {split}, {run}\n{'':36}PSNR dB   MAE HU   dB against the training's beam")
    best = np.array(found["training's beam"])
    for name, pairs in found.items():
        (psnr, mae), less = np.mean(pairs, axis=0), np.array(pairs)[:, 0] - best[:, 0]
        print(f"{name:36}{psnr:7.2f} {mae:8.1f}   {less.mean():6.2f}  ({less.min():.2f} to {less.max():.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
