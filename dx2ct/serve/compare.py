"""In the worker: a result against the CT that somebody has of the same patient."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from drr.errors import InputError
from drr.volume import read_volume, Volume
from dx2ct.config import XrayRunSettings
from dx2ct.data.hu import read_hu
from dx2ct.data.prepare.centred import on_grid
from dx2ct.data.window import WIDTH_HU
from dx2ct.metrics import body_mask, Evaluation, score, Truth
from dx2ct.predict.model import Model

_SAME_MM = 1e-3


def compare(model: Model, truth: Path, folder: Path) -> dict[str, Any]:
    """Score FOLDER/ct.nii.gz, and write truth.nii.gz on its grid; InputError for what is no CT.

    A truth with the voxels of the result is taken as it is; any other is put on the result's grid as the workflow puts
    the CTs that it scores: centred on the scan (stages volume and slices).
    """
    result = read_volume(folder / "ct.nii.gz")
    try:
        found = read_hu(truth)
        there, how = _on_grid(found, result, model)
        body_mask(there.array)
    except InputError as error:
        raise InputError(str(error).replace(str(truth), "truth")) from None
    Volume(np.rint(there.array).astype(np.int16), there.spacing_mm, there.origin_mm).write(folder / "truth.nii.gz")
    scores = score(Evaluation(Truth(there, WIDTH_HU), result.array.astype(np.float32)))
    return {"how": how, "scores": {name: _json(value) for name, value in scores.items()}}


def _on_grid(found: Volume, result: Volume, model: Model) -> tuple[Volume, str]:
    same = found.is_canonical and found.array.shape == result.array.shape
    if same and np.allclose(found.spacing_mm, result.spacing_mm, atol=_SAME_MM):
        return replace(found, origin_mm=result.origin_mm), "its voxels are the result's"
    if not isinstance(model.settings, XrayRunSettings):
        raise InputError(f"truth: {found.array.shape} voxels, the result has {result.array.shape}: resample it")
    return on_grid(found, result, model.settings.volume), "centred on the scan and averaged to the result's voxels"


def _json(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return round(number, 4) if np.isfinite(number) else None
