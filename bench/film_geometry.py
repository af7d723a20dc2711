"""What a film's geometry is worth: phantoms through a chest-film beam, told their scale and not.

    python -m bench.film_geometry RUN [DATA SHEET] [--split val] [--phantoms 6] [--only CASE ...]

RUN: a finished run; chest, chest-films and other published models by name. DATA: the data folder of a run on the
phantoms of workflow/config/ranking.yaml, SHEET: theirs; without them varied phantoms are drawn, by seeds that no
training draws. Each becomes 16-bit PNG films in the beam of PRESETS["chest_film"]. Printed are the PSNR (dB, over 2,500
HU) and the MAE (HU) of each way to reconstruct it, and every case's difference to line integrals in the training's
beam. Minutes on one core.
"""

from collections.abc import Iterator, Mapping
import csv
from dataclasses import replace
from pathlib import Path
import tempfile
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
import typer

from bench.film_consistency import FIRST_SEED
from drr.attenuation import named
from drr.caster import render
from drr.geometry import ConeBeam, PRESETS
from drr.volume import Volume
from dx2ct import layout
from dx2ct.data.grid import CubeGrid
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import read_cube
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.data.window import windowed
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import load, Model
from dx2ct.predict.named import model_folder

RANGE_HU = 2500.0
Array = NDArray[np.floating[Any]]
BEAM = PRESETS["chest_film"]
SPACING = BEAM.pixel_mm[0]
GIVEN = Framing(spacing_mm=SPACING)
SMALLER = replace(BEAM, detector_mm=400.0)
# Passes into the training's beam, None: as usual, what is said of the views, and the beam. "squared": films stretched
# into the training's geometry, as if nothing were known of films.
CASES: dict[str, tuple[int | None, Framing | None, ConeBeam]] = {
    "squared": (0, None, BEAM),
    "spacing given, no passes": (0, GIVEN, BEAM),
    "spacing given": (None, GIVEN, BEAM),
    "spacing given, 1 pass": (1, GIVEN, BEAM),
    "spacing given, 8 passes": (8, GIVEN, BEAM),
    "no scale": (None, Framing(), BEAM),
    "no scale, a film of 400 mm": (None, Framing(), SMALLER),
    "spacing 10 % too small": (None, Framing(spacing_mm=0.9 * SPACING), BEAM),
    "spacing 10 % too large": (None, Framing(spacing_mm=1.1 * SPACING), BEAM),
    "patient 50 mm nearer the detector": (None, Framing(spacing_mm=SPACING, odd_mm=150.0), BEAM),
    "detector at 1,500 mm": (None, Framing(spacing_mm=SPACING, sid_mm=1500.0), BEAM),
}


def films_of(model: Model, volume: Volume, beam: ConeBeam, folder: Path) -> dict[str, Path]:
    """16-bit PNG by view, of line integrals between their extremes."""
    files = {name: folder / f"{name}.png" for name in model.views}
    for name, image in integrals(model, volume, beam).items():
        grey = (image - image.min()) / np.ptp(image) * 65535
        cv2.imwrite(str(files[name]), np.rint(grey).astype(np.uint16))
    return files


def integrals(model: Model, volume: Volume, beam: ConeBeam) -> dict[str, Array]:
    """Line integrals by view, (row, column)."""
    xray = model.settings.xray  # type: ignore[attr-defined]
    views = [beam.view(str(xray.views[name]), volume.centre_mm) for name in model.views]
    images = render(volume, views, attenuation=named(xray.attenuation), threads=1)
    return dict(zip(model.views, images, strict=True))


def error(model: Model, xrays: Mapping[str, object], truth: Array, passes: int | None, how: Framing | None) -> Array:
    """PSNR and MAE."""
    framing = dict.fromkeys(model.views, how or Framing())
    geometry = model.trained.inputs.views if how is None else None
    off = windowed(model.reconstruct(xrays, framing=framing, geometry=geometry, passes=passes).array) - truth
    return np.array([10 * np.log10(RANGE_HU**2 / np.mean(off**2)), np.abs(off).mean()])


def listed(model: Model, data: Path, sheet: Path, split: str) -> Iterator[tuple[Volume, Array, Mapping[str, Any]]]:
    """Volume, truth (z, y, x) and the training's X-rays of each phantom of a split."""
    size = model.trained.inputs.views.grid.size
    with sheet.open() as lines:
        scans = [row["scan"] for row in csv.DictReader(lines, delimiter="\t") if row["split"] == split]
    for scan in scans:
        truth = windowed(np.array(read_stack(data, scan, "axial", size)))
        yield read_cube(layout.volume(data, scan)), truth, read_xrays(data, scan, model.views)


def drawn(model: Model, count: int) -> Iterator[tuple[Volume, Array, Mapping[str, Any]]]:
    """The same of varied phantoms, drawn twice as fine as the model's grid."""
    grid = model.trained.inputs.views.grid
    fine = CubeGrid(2 * grid.size, grid.spacing_mm / 2)
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        hu = draw(seed, fine.size, fine.spacing_mm)
        volume, truth = fine.volume(hu), windowed(area_resample(hu.astype(np.float32), grid.size))
        yield volume, truth, integrals(model, volume, model.settings.xray.cone_beam)  # type: ignore[attr-defined]


def main(
    run: str,
    data: Annotated[Path | None, typer.Argument()] = None,
    sheet: Annotated[Path | None, typer.Argument()] = None,
    split: str = "val",
    phantoms: int = 6,
    only: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    """Print one line a case."""
    model = load(Path(run) if Path(run).is_dir() else model_folder(run), "cpu", 1)
    cases = {name: case for name, case in CASES.items() if not only or name in only}
    found: dict[str, list[Array]] = {name: [] for name in ("training's beam", *cases)}
    chosen = listed(model, data, sheet, split) if data and sheet else drawn(model, phantoms)
    for volume, truth, xrays in chosen:
        found["training's beam"].append(error(model, xrays, truth, 0, None))
        with tempfile.TemporaryDirectory() as folder:
            for name, (passes, how, beam) in cases.items():
                films = films_of(model, volume, beam, Path(folder))
                found[name].append(error(model, films, truth, passes, how))
    best = np.array(found["training's beam"])
    print(f"{len(best)} phantoms, {run}\n{'':36}PSNR dB   MAE HU   dB against the training's beam")
    for name, pairs in found.items():
        (psnr, mae), less = np.mean(pairs, axis=0), np.array(pairs)[:, 0] - best[:, 0]
        print(f"{name:36}{psnr:7.2f} {mae:8.1f}   {less.mean():6.2f}  ({less.min():.2f} to {less.max():.2f})")


if __name__ == "__main__":
    typer.run(main)
