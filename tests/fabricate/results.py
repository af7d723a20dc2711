"""A finished project: what score, metrics, tables and report read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from drr.volume import Volume
from dx2ct import layout
from dx2ct.config.keys import fields_of
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.methods import methods
from dx2ct.methods.saved import settings_as, to_text
from tests.fabricate.scans import body

TESTS = ("t-1", "t_2", "t3")
COHORT = {"a1": "train", "a2": "train", **dict.fromkeys(TESTS, "test")}
DX2CT = {"method": "dx2ct", "prediction": "x0"}
_SPACING_MM, _ORIGIN_MM = (2.0, 2.0, 2.0), (0.0, 0.0, 0.0)


def write_data(data: Path, scans: Sequence[str] = TESTS) -> None:
    """Slices and X-rays, as if of parallel rays, of a body a scan."""
    for number, scan in enumerate(scans):
        volume = body(number)
        for plane in PLANES:
            path = layout.stack(data, scan, plane)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.ascontiguousarray(to_plane(volume, plane)))
        for view, axis in (("pa", 1), ("lateral", 2)):
            path = layout.xray(data, scan, view)
            path.parent.mkdir(parents=True, exist_ok=True)
            integrals = np.clip(volume.astype(np.float32) + 1000, 0, None).sum(axis)[::-1]
            sitk.WriteImage(sitk.GetImageFromArray(integrals), str(path))


def settings_of(method: str, **row: Any) -> str:
    """settings.json of a run of the method, with the defaults but for its row."""
    kind = methods()[method]
    values: dict[str, Any] = {section: {} for section in fields_of(kind.settings)} | {"run": {"method": method} | row}
    return to_text(settings_as(kind, values, "run"))


def write_reconstructions(run: Path, row: Mapping[str, Any], offset_hu: float, scans: Sequence[str] = TESTS) -> None:
    """A run whose axial volumes are off by offset_hu, its coronal ones by twice, its sagittal ones by thrice that."""
    run.mkdir(parents=True)
    layout.settings(run).write_text(settings_of(**row))
    for number, scan in enumerate(scans):
        for factor, plane in ((1, "axial"), (2, "coronal"), (3, "sagittal"), (2, layout.FUSED)):
            off = body(number) + np.float32(offset_hu * factor)
            Volume(off, _SPACING_MM, _ORIGIN_MM).write(layout.reconstruction(run, scan, plane))
