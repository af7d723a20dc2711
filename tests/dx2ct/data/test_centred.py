"""A prediction's grid as the workflow's cube: what cannot be one."""

from pathlib import Path

import numpy as np
import pytest

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.data.prepare.centred import cube_of
from dx2ct.scoring.files import score_files
from tests.fabricate import body


def turned(degrees: float) -> Volume:
    """A cube of 4 mm whose axes are turned about the patient's long one."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    coarse = body(0).reshape(16, 2, 16, 2, 16, 2).mean(axis=(1, 3, 5)).astype(np.float32)
    return Volume(coarse, (4.0,) * 3, (-30.0,) * 3, (cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize("degrees", [20, -3, 0.2])
def test_an_oblique_grid_is_refused_with_a_cure(degrees: float, tmp_path: Path):
    """Its voxels alone would score as if they lay along the patient's axes."""
    Volume(body(0), (2.0,) * 3, (-31.0,) * 3).write(tmp_path / "ct.nii.gz")
    turned(degrees).write(tmp_path / "guess.nii.gz")
    with pytest.raises(InputError, match=r"guess\.nii\.gz: its axes are oblique.*or take --resample, which"):
        score_files(tmp_path / "ct.nii.gz", tmp_path / "guess.nii.gz", centred=True)
    score_files(tmp_path / "ct.nii.gz", tmp_path / "guess.nii.gz", resample=True)


def test_what_rounding_leaves_and_quarter_turns_are_not_oblique(tmp_path: Path):
    assert cube_of(turned(0.01)).size == 64
    Volume(body(0), (2.0,) * 3, (-31.0,) * 3).write(tmp_path / "ct.nii.gz")
    turned(90).write(tmp_path / "guess.nii.gz")
    score_files(tmp_path / "ct.nii.gz", tmp_path / "guess.nii.gz", centred=True)
