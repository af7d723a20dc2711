"""How near phantoms are to real CTs, without training a network: python -m bench.phantoms [--phantoms 120]

Of each kind of phantoms, on a grid of 48 cubed over 320 mm, PSNR (dB, over 2500 HU) of the real CTs of a folder:
mean    by the mean phantom
span    by their projection onto the phantoms' first principal components
ridge   by a ridge regression from both X-rays of 24 x 24 pixels to these components, and by one with a Gaussian kernel
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drr.attenuation import PLASTIMATCH
from drr.ct.read import read_chest
from drr.projector import Projector
from dx2ct.config import VolumeSettings, XraySettings
from dx2ct.data.grid import CubeGrid
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import to_cube
from dx2ct.data.sources.phantom.anatomy import Anatomy, draw_anatomy, draw_varied
from dx2ct.data.sources.phantom.anatomy.shape import Abdomen, Couch, Disease, Trunk
from dx2ct.data.sources.phantom.direct import on_grid, scan_field

Array = NDArray[np.float32]
SIZE, SIDE_MM, PIXELS, COMPONENTS, RIDGE, FIRST = 48, 320.0, 24, 100, 0.1, 5000
PREPARED = VolumeSettings(spacing_mm=2.0, size=160, z_part="center", interpolation="linear")


def changed(**variety: object) -> Callable[[int], Anatomy]:
    """Varied patients with this part of them as it is in plain ones."""

    def draw(seed: int) -> Anatomy:
        anatomy = draw_varied(seed)
        return replace(anatomy, variety=replace(anatomy.variety, **variety))  # type: ignore[arg-type]

    return draw


def lain_as_plain(seed: int) -> Anatomy:
    """A varied patient where a plain one would lie."""
    return replace(draw_varied(seed), shift_mm=draw_anatomy(seed).shift_mm)


KINDS: dict[str, Callable[[int], Anatomy]] = {
    "plain": draw_anatomy,
    "varied": draw_varied,
    "plain trunk": changed(trunk=Trunk()),
    "no shoulders, arms, neck": changed(limbs=None),
    "no bending": changed(warp=None),
    "plain position": lain_as_plain,
    "plain couch, no clothes": changed(couch=Couch(), cloth=0.0),
    "plain abdomen": changed(abdomen=Abdomen()),
    "no disease": changed(disease=Disease()),
}


def windowed(volumes: NDArray[np.generic]) -> Array:
    """One row a volume, in the metric's window."""
    rows: Array = np.clip(volumes, -1024, 1476).astype(np.float32).reshape(len(volumes), -1)
    return rows


def psnr_db(one: Array, other: Array) -> float:
    """Mean over rows."""
    return float(np.mean(10 * np.log10(2500**2 / np.mean((one - other) ** 2, axis=1))))


def xrays(volumes: NDArray[np.generic]) -> Array:
    """One row a volume: the pixels of both line integrals."""
    grid = CubeGrid(SIZE, SIDE_MM / SIZE).volume()
    project = Projector(grid, list(XraySettings().exposures().values()), pixels=PIXELS, rays=2, threads=1)
    return np.stack([np.ravel(project(PLASTIMATCH(volume.astype(np.float32)))) for volume in volumes])


def scores(phantoms: NDArray[np.int16], real: Array) -> list[float]:
    """Of the mean, the span, and the two regressions."""
    train, truth = windowed(phantoms), windowed(real)
    mean = train.mean(0)
    values, vectors = np.linalg.eigh((train - mean) @ (train - mean).T)
    values, vectors = values[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS]
    basis, weights = (vectors / np.sqrt(values)).T @ (train - mean), vectors * np.sqrt(values)
    seen, asked = xrays(phantoms), xrays(real)
    middle, scale = seen.mean(0), seen.std()
    seen, asked = (seen - middle) / scale, (asked - middle) / scale
    square = (seen**2).sum(1)
    apart, far = square[:, None] + square - 2 * seen @ seen.T, (asked**2).sum(1)[:, None] + square - 2 * asked @ seen.T
    width = 2 * np.median(apart)
    found = [psnr_db(mean[None], truth), psnr_db(mean + (truth - mean) @ basis.T @ basis, truth)]
    for kernel, of_real in ((seen @ seen.T, asked @ seen.T), (np.exp(-apart / width), np.exp(-far / width))):
        firm = RIDGE * np.trace(kernel) / len(kernel) * np.eye(len(kernel))
        found.append(psnr_db(mean + of_real @ np.linalg.solve(kernel + firm, weights) @ basis, truth))
    return found


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--phantoms", type=int, default=120)
    options.add_argument("--folder", default=os.environ.get("DX2CT_REAL_DATA", "../shared/data") + "/ct")
    options.add_argument("--kinds", nargs="*", default=list(KINDS))
    given = options.parse_args()
    real = np.stack([prepared(path) for path in sorted(Path(given.folder).iterdir())])
    print("| phantoms | mean | span | ridge | Gaussian kernel |\n|---|---|---|---|---|")
    for kind in given.kinds:
        found = scores(np.stack([drawn(kind, FIRST + i) for i in range(given.phantoms)]), real)
        print(f"| {kind} | " + " | ".join(f"{db:.2f}" for db in found) + " |", flush=True)


def prepared(path: Path) -> Array:
    """A real CT as the ranking prepares it."""
    return area_resample(to_cube(read_chest(path, None, 40.0), PREPARED).array, SIZE)


def drawn(kind: str, seed: int) -> NDArray[np.int16]:
    """A phantom of a kind; all kinds are scanned alike."""
    anatomy = KINDS[kind](seed)
    return on_grid(anatomy, scan_field(seed, anatomy), SIZE, SIDE_MM / SIZE)


if __name__ == "__main__":
    main()
