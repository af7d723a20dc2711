"""Two volume files of any method, scored: what is refused, and what is written."""

from collections.abc import Mapping
import csv
import io
import json
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.data.hu import read_hu, resampled
from dx2ct.data.prepare.centred import cube_of, on_grid
from dx2ct.data.window import WIDTH_HU
from dx2ct.metrics import body_mask, Distance, Evaluation, score, Truth
from dx2ct.metrics.fast import SMALLEST

SAME_MM = 1e-3
LITTLE = 0.7  # of the truth's space


def score_files(
    truth: Path, prediction: Path, resample: bool = False, lpips: bool = False, centred: bool = False
) -> dict[str, str | float | None]:
    """Score a volume file against another: names, shape, and every metric that needs no X-rays, LPIPS on request.

    Both are turned to patient axes first, slices are axial, the range of psnr_db is 2500 HU. resample: put the
    prediction on the truth's grid (linear, air outside). Without it voxels are compared by their index, and a
    difference of origins is a warning. centred: put the truth on the prediction's grid, their middles in one place, as
    the workflow does with the CTs that it scores: for X-rays that were rendered around the middle of the truth. Raises
    InputError, naming the file, for what cannot be compared.
    """
    ct, volume = _read(truth), _read(prediction)
    if resample and centred:
        raise InputError("--resample and --centred: give one of them")
    if centred:
        ct = _centred(ct, volume, prediction)
    elif resample:
        if (share := _covered(ct, volume)) < LITTLE:
            logging.getLogger(__name__).warning(
                "%s: covers %.0f %% of the space of %s, the rest is taken for air: do both lie in one place? "
                "volumes of `dx2ct predict` lie around the origin",
                *(prediction, 100 * share, truth),
            )
        volume = resampled(volume, ct)
    else:
        _check_grids(ct, volume, truth, prediction)
    for one, path in ((ct, truth), (volume, prediction)):
        _require_body(one, path)
    return {
        "truth": str(truth),
        "prediction": str(prediction),
        "shape": "x".join(map(str, ct.array.shape)),
        "resampled": "centred" if centred else str(resample).lower(),
        **score(Evaluation(Truth(ct, WIDTH_HU, _lpips() if lpips else {}), volume.array)),
    }


def to_text(scores: dict[str, str | float | None], as_csv: bool) -> str:
    """One line of JSON, or a header and a row of CSV. JSON knows neither infinity
    nor NaN: they are written as the string "inf" and as null (CSV: an empty cell)."""
    cells = {name: _cell(value) for name, value in scores.items()}
    if as_csv:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([cells.keys(), cells.values()])
        return text.getvalue().strip()
    return json.dumps({name: "inf" if value == float("inf") else value for name, value in cells.items()})


def _cell(value: str | float | None) -> str | float | None:
    if not isinstance(value, float):
        return value
    return None if np.isnan(value) else round(value, 6)


def _read(path: Path) -> Volume:
    """The volume in patient axes, float32 HU."""
    volume = read_hu(path)
    if min(volume.array.shape) < SMALLEST:
        raise InputError(f"{path}: shape {volume.array.shape}: SSIM needs {SMALLEST} voxels along each axis")
    return volume


def _centred(ct: Volume, grid: Volume, prediction: Path) -> Volume:
    try:
        settings = cube_of(grid)
    except InputError as error:
        raise InputError(f"{prediction}: {error}") from None
    return on_grid(ct, grid, settings)


def _require_body(volume: Volume, path: Path) -> None:
    try:
        body_mask(volume.array)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _covered(one: Volume, other: Volume) -> float:
    """The share of the box of `one` that the box of `other` covers; both in patient axes."""
    (low, high), (from_, to) = (_box(volume) for volume in (one, other))
    common = np.clip(np.minimum(high, to) - np.maximum(low, from_), 0, None)
    return float(np.prod(common / (high - low)))


def _box(volume: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Its lowest and highest corner, x y z in mm."""
    spacing = np.array(volume.spacing_mm)
    low = np.array(volume.origin_mm) - spacing / 2
    return low, low + spacing * volume.array.shape[::-1]


def _check_grids(one: Volume, other: Volume, truth: Path, prediction: Path) -> None:
    offer = "--resample puts the prediction on the truth's grid"
    if one.array.shape != other.array.shape:
        raise InputError(f"{prediction}: shape {other.array.shape} is not {one.array.shape} of {truth}: {offer}")
    for name, unit in (("spacing_mm", " mm"), ("direction", "")):
        found, expected = getattr(other, name), getattr(one, name)
        if not np.allclose(found, expected, atol=SAME_MM):
            label = name.removesuffix("_mm")
            raise InputError(
                f"{prediction}: {label} {_short(found)}{unit} is not {_short(expected)}{unit} of {truth}: {offer}"
            )
    if not np.allclose(other.origin_mm, one.origin_mm, atol=min(one.spacing_mm) / 2):
        logging.getLogger(__name__).warning(
            "%s: origin %s mm is not %s mm of the truth: voxels are compared by index; %s",
            *(prediction, _short(other.origin_mm), _short(one.origin_mm), offer),
        )


def _lpips() -> Mapping[str, Distance]:
    from dx2ct.metrics.lpips import load_lpips  # torch

    return load_lpips()


def _short(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
