"""A mirrored volume is seen by its CT; one that is merely bad is not taken for one."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from drr.errors import InputError
from dx2ct.data.planes import PLANES
from dx2ct.scoring.mirrored import AXES, require_upright
from tests.fabricate.scans import body

CT = body(4).astype(np.float32)
CT[: len(CT) // 4] = np.maximum(CT[: len(CT) // 4], -200)  # no lung at the feet
FILES = [f"{plane}.nii.gz" for plane in PLANES]


def check(array: np.ndarray, files: list[str] = FILES) -> None:
    require_upright("scan-1", files, CT, dict.fromkeys(PLANES, array))


@pytest.mark.parametrize(
    "image",
    [CT, gaussian_filter(CT, 3), np.full_like(CT, -500), CT + 200, np.random.default_rng(0).normal(0, 300, CT.shape)],
    ids=["right", "blurred", "constant", "shifted", "noise"],
)
def test_a_volume_that_lies_right_passes_however_bad_it_is(image: np.ndarray) -> None:
    check(image)


@pytest.mark.parametrize("axis", range(3))
def test_a_mirrored_one_is_one_line_that_names_scan_file_and_axis(axis: int) -> None:
    for image in (CT, gaussian_filter(CT, 1)):
        with pytest.raises(InputError) as error:
            check(np.flip(image, axis))
        assert str(error.value).startswith(f"axial.nii.gz: scan scan-1: mirrored {AXES[axis]}, ")
        assert "\n" not in str(error.value)


def test_every_file_is_looked_at_and_runs_of_this_project_have_none() -> None:
    planes = dict.fromkeys(PLANES, CT) | {"sagittal": np.flip(CT, 2)}
    with pytest.raises(InputError, match=r"^sagittal\.nii\.gz"):
        require_upright("scan-1", FILES, CT, planes)
    require_upright("scan-1", FILES[:1], CT, planes)
    check(np.flip(CT, 2), [])
