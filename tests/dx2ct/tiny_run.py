"""A fabricated run with its data: what score, metrics and report read, small enough for a test."""

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from drr.volume import Volume
from dx2ct.config.keys import fields_of
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.methods import methods
from dx2ct.methods.saved import settings_as, to_text

SIZE = 32
TESTS = ("t-1", "t_2", "t3")
DX2CT = {
    "method": "dx2ct",
    "views": ["pa", "lateral"],
    "conditioning": "spade",
    "query_transformer": True,
    "prediction": "x0",
}


def body(seed: int) -> np.ndarray:
    """An ellipse of soft tissue with an off-centre lung, (z, y, x) int16 HU; its place depends on the seed."""
    z, y, x = np.mgrid[:SIZE, :SIZE, :SIZE] - SIZE / 2
    volume = np.full((SIZE,) * 3, -1024, dtype=np.int16)
    volume[(x / 14) ** 2 + (y / 10) ** 2 < 1] = 40
    volume[((x - 5) / 5) ** 2 + ((y + seed) / 6) ** 2 + (z / 12) ** 2 < 1] = -850
    return volume


def write_data(data: Path) -> None:
    for number, scan in enumerate(TESTS):
        volume = body(number)
        (data / "slices" / scan).mkdir(parents=True)
        for plane in PLANES:
            np.save(data / "slices" / scan / f"{plane}.npy", np.ascontiguousarray(to_plane(volume, plane)))
        (data / "xrays" / scan).mkdir(parents=True)
        for view, axis in (("pa", 1), ("lateral", 2)):
            film = np.clip(volume.astype(np.float32) + 1000, 0, None).sum(axis)[::-1]
            sitk.WriteImage(sitk.GetImageFromArray(film), str(data / "xrays" / scan / f"{view}.mha"))


def settings_of(method: str, **row: Any) -> str:
    """Settings of a run of the method, as they are kept, with the defaults but for its row."""
    kind = methods()[method]
    values = {section: {} for section in fields_of(kind.settings)} | {"run": {"method": method} | row}
    return to_text(settings_as(kind, values, "run"))


def write_run(run: Path, settings: dict[str, Any], offset_hu: float, scans: tuple[str, ...] = TESTS) -> None:
    """Reconstructions off by offset_hu in the axial, twice that in the coronal, thrice in the sagittal volume."""
    run.mkdir(parents=True)
    (run / "settings.json").write_text(settings_of(**settings))
    for number, scan in enumerate(scans):
        for factor, plane in enumerate(PLANES, start=1):
            volume = Volume(body(number) + np.float32(offset_hu * factor), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
            volume.write(run / "planes" / scan / f"{plane}.nii.gz")
        mean = Volume(body(number) + np.float32(offset_hu * 2), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
        mean.write(run / "volumes" / f"{scan}.nii.gz")


def write_sheet(path: Path, further: str = "") -> None:
    """A phantom's sheet (it has a column seed): two training scans, the test scans, and one more line."""
    lines = ["scan\tpatient\tpath\tseries_uid\tsplit\tseed"]
    lines += [f"a{number}\tp{number}\t\t\ttrain\t{number}" for number in (1, 2)]
    lines += [f"{scan}\tq{scan}\t\t\ttest\t9" for scan in TESTS]
    path.write_text("\n".join(lines) + "\n" + further)
