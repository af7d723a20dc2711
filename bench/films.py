"""The film benchmark with a truth: films simulated of CTs, with looks that no training draws, reconstructed by runs.

    python -m bench.films DATA SHEET RUN ... [--split test] [--style results/style] [--rows rows.csv]

RUN: finished runs on a geometry that DATA has X-rays of; runs of several seeds that share a name up to _seedN are one
line. DATA, SHEET: prepared scans, phantoms or real CTs. --style: films go through the CycleGAN of their view first.
Printed are PSNR (dB, over 2,500 HU), MAE (HU) and the error of the lung volume (per cent of the truth's, its mean
absolute value), means over scans and runs. Minutes a run on one core.
"""

import argparse
from collections.abc import Mapping
import csv
from pathlib import Path
import re
import tempfile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.attenuation import named
from drr.caster import render
from drr.film import develop, draw_look, HELD_OUT, Ranges, TRAINING
from drr.geometry import ConeBeam, View
from drr.physics.materials import path_lengths
from drr.volume import Volume
from dx2ct import layout
from dx2ct.data.prepare.volume import read_cube
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.window import windowed
from dx2ct.metrics import body_mask
from dx2ct.metrics.tissue import tissues
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import load, Model

RANGE_HU, PIXELS = 2500.0, 320
FAR = ConeBeam(1500.0, 1750.0, 430.0, PIXELS)  # a distance that no training has
# Of each case the looks, None: straight from line integrals, and whether films are of the beam FAR.
CASES: dict[str, tuple[Ranges | None, bool]] = {
    "plain DRR as a film": (None, False),
    "films, looks as in training": (TRAINING, False),
    "films, held-out looks": (HELD_OUT, False),
    "plain DRR as a film, held-out beam": (None, True),
    "films, held-out looks and beam": (HELD_OUT, True),
}
Array = NDArray[np.floating[Any]]


def exposures(model: Model, volume: Volume, far: bool) -> dict[str, View]:
    """Of the model's views, the training's own beam or FAR, around the middle of a volume."""
    xray = model.settings.xray  # type: ignore[attr-defined]
    if far:
        return {name: FAR.view(str(xray.views[name]), volume.centre_mm) for name in model.views}
    return dict(xray.exposures(model.views, isocentre_mm=volume.centre_mm, pixels=PIXELS))


def films_of(
    model: Model, volume: Volume, views: Mapping[str, View], looks: Ranges | None, seed: int
) -> dict[str, NDArray[np.uint16]]:
    """16-bit grey with bone bright, by view."""
    shown: list[Array]
    if looks is None:
        law = named(model.settings.xray.attenuation)  # type: ignore[attr-defined]
        images = render(volume, list(views.values()), attenuation=law, threads=1)
        shown = [(image - image.min()) / np.ptp(image) for image in images]
    else:
        generator = np.random.default_rng(seed)
        lengths = path_lengths(volume, list(views.values()), threads=1)
        shown = [
            develop(of_view, view, generator, draw_look(generator, looks, view)).shown
            for of_view, view in zip(lengths, views.values(), strict=True)
        ]
    return {name: np.rint(image * 65535).astype(np.uint16) for name, image in zip(views, shown, strict=True)}


def reconstructed(
    model: Model, films: Mapping[str, NDArray[np.uint16]], views: Mapping[str, View], middle: Any
) -> Array:
    """HU in the training's window, (z, y, x), of films whose scale and distances are given."""
    framing = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.png" for name in films}
        for name, view in views.items():
            cv2.imwrite(str(files[name]), films[name])
            odd_mm = view.source_detector_mm - float(np.linalg.norm(np.array(view.source_mm) - middle))
            framing[name] = Framing(spacing_mm=view.pixel_mm[0], sid_mm=view.source_detector_mm, odd_mm=odd_mm)
        return windowed(model.reconstruct(files, framing=framing).array)


def scored(hu: Array, truth: Array) -> list[float]:
    """PSNR in dB, MAE in HU, error of the lung volume in per cent."""
    off = hu - truth
    lung, true = (np.count_nonzero(tissues(volume, body_mask(volume))["lung"]) for volume in (hu, truth))
    return [10 * np.log10(RANGE_HU**2 / np.mean(off**2)), float(np.abs(off).mean()), 100 * abs(lung / true - 1)]


def of_scan(model: Model, data: Path, scan: str, seed: int) -> dict[str, list[float]]:
    """The scores of one scan by case."""
    size = model.trained.inputs.views.grid.size
    truth = windowed(np.array(read_stack(data, scan, "axial", size)))
    volume = read_cube(layout.volume(data, scan))
    plain = model.reconstruct(read_xrays(data, scan, model.views), geometry=model.trained.inputs.views)
    found = {"line integrals": scored(windowed(plain.array), truth)}
    for name, (looks, far) in CASES.items():
        views = exposures(model, volume, far)
        films = films_of(model, volume, views, looks, seed)
        found[name] = scored(reconstructed(model, films, views, volume.centre_mm), truth)
    return found


def main() -> None:
    """Print a table a name of runs, and write a row a run, case and scan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--split", default="test")
    parser.add_argument("--style", type=Path)
    parser.add_argument("--rows", type=Path)
    options = parser.parse_args()
    with options.sheet.open() as lines:
        scans = [row["scan"] for row in csv.DictReader(lines, delimiter="\t") if row["split"] == options.split]
    rows: list[list[object]] = []
    for run in options.runs:
        model = load(run, "cpu", 1, style=options.style)
        for seed, scan in enumerate(scans):
            for case, scores in of_scan(model, options.data, scan, seed).items():
                rows.append([run.name, case, scan, *(f"{score:.3f}" for score in scores)])
    if options.rows:
        with options.rows.open("w", newline="") as file:
            csv.writer(file).writerows([["run", "case", "scan", "psnr_db", "mae_hu", "lung_error_percent"], *rows])
    for name in dict.fromkeys(_name(str(row[0])) for row in rows):
        mine = [row for row in rows if _name(str(row[0])) == name]
        trainings = len({row[0] for row in mine})
        print(f"{name}: {trainings} trainings, {len(scans)} scans\n{'':36}PSNR dB   MAE HU   lung volume off, %")
        for case in dict.fromkeys(str(row[1]) for row in mine):
            psnr, mae, lung = np.array([row[3:] for row in mine if row[1] == case], float).mean(axis=0)
            print(f"{case:36}{psnr:7.2f} {mae:8.1f} {lung:8.1f}")


def _name(run: str) -> str:
    return re.sub(r"_seed\d+$", "", run)


if __name__ == "__main__":
    main()
