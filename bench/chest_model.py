"""What docs/chest_model.md says of a published model: its scans again, and which X-rays it doubts.

    python -m bench.chest_model MODEL DATA SHEET [--phantoms 40]

MODEL: a finished run, or chest. DATA, SHEET: the data folder and the cohort of its training. Printed are the PSNR (dB,
over 2,500 HU) of every scan at the model's grid, averaged to 48 cubed, and from the PA X-ray alone; then of X-rays
unlike its training how many are doubted. Minutes on one core.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import csv
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
import typer

from bench.film_geometry import drawn, integrals, RANGE_HU
from drr.volume import Volume
from dx2ct import layout
from dx2ct.data.prepare.slices import area_resample
from dx2ct.data.prepare.volume import read_cube
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.data.window import windowed
from dx2ct.predict.model import load, Model
from dx2ct.predict.named import model_folder

AIR_HU, COARSE = -1024, 48
Array = NDArray[Any]
Images = Mapping[str, Array]


def psnr(hu: Array, truth: Array) -> float:
    """Of volumes in the window, dB."""
    return float(10 * np.log10(RANGE_HU**2 / np.mean((hu - truth) ** 2)))


def scores(model: Model, data: Path, scan: str) -> list[float]:
    """PSNR at the model's grid, at 48 cubed, and from the PA X-ray alone."""
    size = model.trained.inputs.views.grid.size
    truth, xrays = windowed(np.array(read_stack(data, scan, "axial", size))), read_xrays(data, scan, model.views)
    both, alone = (windowed(model.reconstruct(seen).array) for seen in (xrays, {"pa": xrays["pa"]}))
    whole = read_cube(layout.volume(data, scan)).array
    coarse = [area_resample(volume.astype(np.float32), COARSE) for volume in (both, whole)]
    return [psnr(both, truth), psnr(coarse[0], windowed(coarse[1])), psnr(alone, truth)]


def is_doubted(model: Model, xrays: Images) -> bool:
    """True where X-rays of the answer differ from those given by more than the model's bound."""
    prepared = model.prepare(xrays, {})
    asked, _ = model.sampling_of(prepared)
    volume, _ = model.answer(prepared, asked)
    assert model.agreement
    return bool(model.agreement.beyond(model.unexplained(volume, prepared)))


def in_field(volume: Volume, diameter_mm: float) -> Volume:
    """Air outside a circle about the middle axis."""
    across = (np.arange(volume.array.shape[1]) - (volume.array.shape[1] - 1) / 2) * volume.spacing_mm[0]
    outside = np.hypot(across[:, None], across) > diameter_mm / 2
    return _changed(volume, np.where(outside, np.int16(AIR_HU), volume.array))


def smaller(volume: Volume, factor: float) -> Volume:
    """The patient at a part of the size, in air."""
    middle = (np.array(volume.array.shape) - 1) / 2
    offset = middle - middle / factor
    matrix = np.full(3, 1 / factor)
    return _changed(volume, ndimage.affine_transform(volume.array, matrix, offset, order=1, cval=AIR_HU))


def higher(volume: Volume, shift_mm: float) -> Volume:
    """The patient further up; the lowest slice goes on below."""
    slices = round(shift_mm / volume.spacing_mm[2])
    below = np.repeat(volume.array[:1], slices, axis=0)
    return _changed(volume, np.concatenate([below, volume.array[: len(volume.array) - slices]]))


def _changed(volume: Volume, hu: Array) -> Volume:
    return Volume(np.ascontiguousarray(hu, np.int16), volume.spacing_mm, volume.origin_mm)


def cases(model: Model, data: Path, scans: list[str], count: int) -> Iterator[tuple[str, Sequence[Images]]]:
    """X-rays by what is wrong with them."""
    seen = [read_xrays(data, scan, model.views) for scan in scans]
    volumes = [read_cube(layout.volume(data, scan)) for scan in scans]
    beam = model.settings.xray.cone_beam  # type: ignore[attr-defined]
    noise = np.random.default_rng(0)
    yield "the scans", seen
    yield "varied phantoms that it never saw", [xrays for _, _, xrays in drawn(model, count)]
    yield "noise", [{view: noise.random(seen[0][view].shape, np.float32) for view in model.views} for _ in range(5)]
    yield "PA and lateral exchanged", [{"pa": one["lateral"], "lateral": one["pa"]} for one in seen]
    yield "both upside down", [{view: image[::-1].copy() for view, image in one.items()} for one in seen]
    yield "lateral facing the other way", [one | {"lateral": one["lateral"][:, ::-1].copy()} for one in map(dict, seen)]
    pairs = [(one, other) for one in seen for other in seen if one is not other]
    yield "PA and lateral of two patients", [{"pa": one["pa"], "lateral": other["lateral"]} for one, other in pairs]
    changes: list[tuple[str, Callable[[Volume, float], Volume], list[float]]] = [
        ("field of view of {:g} mm", in_field, [140, 200, 240]),
        ("patients at {:g} of their size", smaller, [0.5, 0.6, 0.7, 0.8]),
        ("scans shifted by {:g} mm", higher, [60, 120, 180]),
    ]
    for words, change, amounts in changes:
        for amount in amounts:
            yield words.format(amount), [integrals(model, change(volume, amount), beam) for volume in volumes]


def main(
    model: str,
    data: Path,
    sheet: Path,
    phantom_count: Annotated[int, typer.Option("--phantoms", help="That it never saw.")] = 40,
) -> None:
    """Print the two tables."""
    found = load(Path(model) if Path(model).is_dir() else model_folder(model), "cpu", 1)
    with sheet.open() as lines:
        rows = [(row["split"], row["scan"]) for row in csv.DictReader(lines, delimiter="\t")]
    print(f"{model}: PSNR, dB: its grid, 48 cubed, PA alone")
    by_split: dict[str, list[list[float]]] = {}
    for split, scan in rows:
        by_split.setdefault(split, []).append(scores(found, data, scan))
        print(f"{split:6} {scan:24}", *(f"{value:6.2f}" for value in by_split[split][-1]))
    for split, values in by_split.items():
        print(f"{split:6} {'mean':24}", *(f"{value:6.2f}" for value in np.mean(values, axis=0)))
    if found.agreement is None:
        return
    print(f"doubted from {found.agreement.limit} on")
    for name, sets in cases(found, data, [scan for _, scan in rows], phantom_count):
        print(f"{name:36}{sum(is_doubted(found, xrays) for xrays in sets):3} of {len(sets)}", flush=True)


if __name__ == "__main__":
    typer.run(main)
