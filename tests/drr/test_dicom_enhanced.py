"""Multi-frame CT: every frame is a slice with a place of its own."""

import numpy as np
import pytest

from drr.ct.read import read_ct
from drr.errors import InputError
from tests.drr.enhanced import enhanced, item, write_enhanced
from tests.drr.series import body, zipped


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_frames_are_slices(tmp_path, shared, compressed, signed):
    path = write_enhanced(tmp_path / "ct" / "1.dcm", body(), shared=shared, compressed=compressed, signed=signed)
    zipped(path.parent, tmp_path / "ct.zip")
    for source in (path, path.parent, tmp_path / "ct.zip"):
        volume = read_ct(source)
        np.testing.assert_array_equal(volume.array, body())
        np.testing.assert_allclose(volume.spacing_mm, (1.5, 2.0, 3.0))
        np.testing.assert_allclose(volume.origin_mm, (-10, -20, -30))


def test_order_of_frames_is_by_place(tmp_path):
    order = np.random.default_rng(0).permutation(12)
    positions = np.array([-10.0, -20, -30]) + order[:, None] * [0, 0, 3.0]
    path = write_enhanced(tmp_path / "ct.dcm", body()[order], positions_mm=positions)
    np.testing.assert_array_equal(read_ct(path).array, body())


def test_a_series_in_several_multi_frame_files_is_one_volume(tmp_path):
    hu = body(24)
    for k, first in enumerate((0, 12)):
        write_enhanced(tmp_path / "ct" / f"{k}.dcm", hu[first : first + 12], origin_mm=(-10, -20, 3.0 * first))
    np.testing.assert_array_equal(read_ct(tmp_path / "ct").array, hu)


def test_localizer_frames_are_passed_over(tmp_path):
    header = enhanced(body())
    scout = item(FrameType=["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"])
    header.PerFrameFunctionalGroupsSequence[0].CTImageFrameTypeSequence = scout
    header.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct.dcm").array, body()[1:])


def test_more_than_the_first_window_of_header_is_read(tmp_path):
    header = enhanced(body())
    header.add_new(0x00091001, "OB", bytes(200_000))
    header.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_ct(tmp_path / "ct.dcm").array, body())


def _two_phases(header):
    frames = header.PerFrameFunctionalGroupsSequence
    frames[5].PlanePositionSequence = frames[4].PlanePositionSequence


def _one_group_less(header):
    del header.PerFrameFunctionalGroupsSequence[-1]


def _no_rescale(header):
    del header.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence


def _cut(header):
    header.PixelData = header.PixelData[:-640]


BAD = {
    _two_phases: r"two frames at z = -18 mm: several phases or energies",
    _one_group_less: r"11 functional groups for 12 frames: the header is damaged",
    _no_rescale: r"RescaleSlope is missing",
    _cut: r"the file is cut short, 7040 of 7680 bytes of pixels",
}


@pytest.mark.parametrize("damage", BAD)
def test_bad_multi_frame_files_are_refused_in_one_line(tmp_path, damage):
    header = enhanced(body())
    damage(header)
    header.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=rf"ct.dcm: ct.dcm: {BAD[damage]}") as caught:
        read_ct(tmp_path / "ct.dcm")
    assert "\n" not in str(caught.value)
