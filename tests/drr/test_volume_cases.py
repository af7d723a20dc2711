"""Volume files that other programs got wrong: read right, or refused with the true reason, case by case."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drr.ct.read import read_chest, read_ct
from drr.errors import InputError

MAX_ERROR_HU = 8
READ = {
    "34c-nii-scl-zero.nii.gz": "",
    "58-nrrd-space-units-cm.nrrd": "lengths in cm are converted to mm",
    "65-mha-distance-units.mha": "lengths in cm are converted to mm",
    "128-near-orthonormal-0.0001.nii.gz": "axes are 1.0e-04 from right angles: made orthonormal",
}
REFUSED = {
    "31-nii-qform-differs.nii.gz": "sform and qform differ by 55.0 voxels",
    "33-nii-shear.nii.gz": "sheared, its y and z axes are 15.0 degrees from a right angle",
    "37-nii-pixdim-vs-sform.nii.gz": "pixdim states a voxel of 1 x 1 x 1, sform of 6 x 6 x 6 mm",
    "38-raw-with-padding.nii.gz": "are not HU: without the padding the lowest lie near",
    "57-nrrd-scanner-xyz.nrrd": "space is 'scanner-xyz', not the patient's axes",
    "74-mha-anatomical-orientation.mha": "AnatomicalOrientation LAI without TransformMatrix has two readings",
    "79-corrupt.mha": "its packed voxels are damaged .*incorrect data check",
    "79-truncated-size-adapted.mha": "its packed voxels are damaged .the stream ends early",
    "121-dcm2niix-1018.nii.gz": "pixdim states a voxel of 6 x 6 x 6, sform of 6 x 6 x 8 mm",
    "125-zlib-corrupt.mha": "its packed voxels are damaged .*incorrect data check",
    "126-nrrd-gz-corrupt.nrrd": "its packed voxels are damaged .*incorrect data check",
    "128-near-orthonormal-0.01.nii.gz": "sheared, its y and z axes are 0.6 degrees from a right angle",
    "129-shear-2deg-both.nii.gz": "sheared, its y and z axes are 2.0 degrees from a right angle",
}


def truth_hu(cases: Path, place: Any) -> Any:
    spec = importlib.util.spec_from_file_location("truth", cases / "truth.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.truth(*place)


@pytest.mark.parametrize("name", READ)
def test_a_case_is_read_right(cases, capfd, name):
    volume = read_chest(cases / "ct" / name)
    index = np.indices(volume.array.shape)[::-1].reshape(3, -1) * np.array(volume.spacing_mm)[:, None]
    place = np.reshape(volume.direction, (3, 3)) @ index + np.array(volume.origin_mm)[:, None]
    expected = truth_hu(cases, place)
    inside = expected > -900
    assert inside.sum() > 10_000
    assert np.abs(volume.array.ravel() - expected)[inside].mean() < MAX_ERROR_HU
    told = capfd.readouterr().err
    assert READ[name] in told and bool(READ[name]) == bool(told)


@pytest.mark.parametrize("name", REFUSED)
def test_a_case_is_refused_with_the_true_reason(cases, capfd, name):
    with pytest.raises(InputError, match=REFUSED[name]) as caught:
        read_ct(cases / "ct" / name)
    assert "\n" not in str(caught.value) and capfd.readouterr() == ("", "")


def test_no_case_is_forgotten(cases):
    there = {path.name for path in (cases / "ct").iterdir() if path.suffix != ".zip"}
    assert there <= READ.keys() | REFUSED.keys()
