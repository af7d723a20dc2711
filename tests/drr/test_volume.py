from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from drr.errors import InputError
from drr.files import replacing
from drr.volume import read_volume, Volume


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii.gz"])
def test_files_keep_voxels_and_place(tmp_path: Path, suffix):
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    volume = Volume(array, (0.5, 1.5, 2.5), (-10.0, 20.0, -30.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    volume.write(tmp_path / f"ct{suffix}")
    again = read_volume(tmp_path / f"ct{suffix}")
    np.testing.assert_array_equal(again.array, array)
    np.testing.assert_allclose(again.spacing_mm, volume.spacing_mm)
    np.testing.assert_allclose(again.origin_mm, volume.origin_mm, atol=1e-5)
    np.testing.assert_allclose(again.direction, volume.direction, atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"ct{suffix}"]


def test_centre_is_itk_s_centre():
    volume = Volume(
        np.zeros((4, 6, 8), np.int16), (2.0, 3.0, 4.0), (1.0, 2.0, 3.0), (0.6, -0.8, 0.0, 0.8, 0.6, 0.0, 0, 0, 1)
    )
    expected = volume.to_sitk().TransformContinuousIndexToPhysicalPoint((3.5, 2.5, 1.5))
    np.testing.assert_allclose(volume.centre_mm, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"spacing_mm": (1.0, 0.0, 1.0)}, "spacing must be positive"),
        ({"spacing_mm": (1.0, float("nan"), 1.0)}, "spacing must be positive"),
        ({"direction": (1.0, 0.1, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}, "not orthonormal"),
        ({"array": np.zeros((3, 3))}, "three non-empty axes"),
    ],
)
def test_contradictory_volumes_are_refused(change, message):
    fields = {"array": np.zeros((2, 2, 2)), "spacing_mm": (1.0, 1.0, 1.0), "origin_mm": (0.0, 0.0, 0.0)}
    with pytest.raises(InputError, match=message):
        Volume(**(fields | change))


def test_unreadable_files_are_one_line(tmp_path: Path):
    text = tmp_path / "ct.mha"
    text.write_text("this is no image")
    with pytest.raises(InputError, match=r"ct\.mha: not a MetaImage file") as caught:
        read_volume(text)
    assert "\n" not in str(caught.value)
    sitk.WriteImage(sitk.Image(8, 8, sitk.sitkInt16), tmp_path / "flat.mha")
    with pytest.raises(InputError, match="3-D scalar image"):
        read_volume(tmp_path / "flat.mha")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(target) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


_FULL = """
import resource, sys
import numpy as np
from drr.errors import InputError
from drr.volume import Volume
array = np.random.default_rng(0).integers(-1000, 1000, (64, 64, 64)).astype(np.int16)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # the disk is full from here on
try:
    Volume(array, (1.0,) * 3, (0.0,) * 3).write(sys.argv[1])
except (InputError, RuntimeError, OSError) as error:
    print(error)
else:
    sys.exit("written")
"""


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".mha", ".nrrd"])
def test_a_full_disk_is_noticed_and_nothing_is_left(tmp_path, suffix):
    """ITK's NIfTI writer returns as if all were well."""
    command = [sys.executable, "-c", _FULL, str(tmp_path / f"ct{suffix}")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
    if suffix.startswith(".nii"):
        assert f"ct{suffix}: did not arrive whole, is the disk full?" in done.stdout
