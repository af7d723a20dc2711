from pathlib import Path
import struct
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from drr.ct.read import read_ct
from drr.errors import InputError
from drr.volume import read_volume, Volume
from dx2ct.config import VolumeSettings
from dx2ct.data.prepare.volume import cut_remarks, make_volume, to_cube
from tests.drr.series import AXIAL, body, write_series

BUMP = "numbers changed: raise the version of VolumeSettings in dx2ct/config/data.py, then update this test"


def settings(**changes: Any) -> VolumeSettings:
    values = {"spacing_mm": 1.0, "size": 40, "z_part": "center", "interpolation": "linear"}
    return VolumeSettings(**{**values, **changes})


def cube_of(source: Path, tmp_path: Path, **changes: Any) -> Volume:
    make_volume(source, settings(**changes), tmp_path / "cube.mha", None)
    return read_volume(tmp_path / "cube.mha")


def at(cube: Volume, point_mm: Any) -> Any:
    x, y, z = np.rint((np.array(point_mm) - cube.origin_mm) / cube.spacing_mm).astype(int)
    return cube.array[z, y, x]


def test_cube_is_canonical_int16_of_the_asked_grid(tmp_path):
    cube = cube_of(write_series(tmp_path / "ct"), tmp_path, size=44)
    assert cube.array.shape == (44, 44, 44)
    assert cube.array.dtype == np.int16
    assert cube.spacing_mm == (1, 1, 1)
    assert cube.is_canonical


# head first, feet first (slices stored upwards or downwards), rows or columns flipped, coronal, sagittal, oblique
ORIENTATIONS = [
    AXIAL,
    (-1, 0, 0, 0, -1, 0),
    (-1, 0, 0, 0, 1, 0),
    (1, 0, 0, 0, -1, 0),
    (0, 1, 0, 1, 0, 0),
    (1, 0, 0, 0, 0, -1),
    (0, 1, 0, 0, 0, -1),
    (np.cos(0.4), np.sin(0.4), 0, -np.sin(0.4), np.cos(0.4), 0),
    (1, 0, 0, 0, np.cos(0.3), np.sin(0.3)),
]


def _marked(orientation: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU with one bright block, its LPS place, and the origin that puts the patient's point (5, -7, 11) near it."""
    hu = np.full((16, 16, 20), -1000, np.int16)
    hu[2:-2, 2:-2, 2:-2] = 0
    hu[9:12, 3:6, 12:15] = 1200
    along_row, down_column = np.reshape(orientation, (2, 3)).astype(float)
    normal = np.cross(along_row, down_column)
    origin = np.array([5.0, -7, 11]) - 13 * 1.5 * along_row - 4 * 2.0 * down_column - 10 * 3.0 * normal
    return hu, np.array([5.0, -7, 11]), origin


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_dicom_marker_lands_at_its_patient_position(tmp_path, orientation):
    hu, marker, origin = _marked(orientation)
    cube = cube_of(write_series(tmp_path / "ct", hu, orientation=orientation, origin_mm=origin), tmp_path, size=64)
    assert at(cube, marker) > 1000
    bright = np.argwhere(cube.array > 700)[:, ::-1] + cube.origin_mm
    np.testing.assert_allclose(bright.mean(axis=0), marker, atol=0.6)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_volume_file_marker_lands_at_its_patient_position(tmp_path, orientation, suffix):
    hu, marker, origin = _marked(orientation)
    along_row, down_column = np.reshape(orientation, (2, 3)).astype(float)
    frame = np.stack([along_row, down_column, np.cross(along_row, down_column)], axis=1)
    path = tmp_path / f"ct{suffix}"
    Volume(hu, (6.0, 8.0, 12.0), tuple(4 * origin), tuple(frame.ravel())).write(path)  # a chest's size
    assert at(cube_of(path, tmp_path, spacing_mm=4.0, size=64), 4 * marker) > 1000


def test_patient_direction_z_grows_to_the_head(tmp_path):
    """Feet-first scans list their slices downwards; the patient's head end must still come out last."""
    hu = np.full((20, 16, 16), -1000, np.int16)
    hu[:, 4:12, 4:12] = np.arange(20)[:, None, None] * 10  # grows with the position along z
    falling = np.stack([np.zeros(20), np.zeros(20), np.arange(20) * 2.0], axis=1)
    array = cube_of(write_series(tmp_path / "ct", hu, positions_mm=falling), tmp_path).array
    profile = array[:, 20, 20].astype(int)
    assert (np.diff(profile) >= 0).all()
    assert profile[-1] == 190


def _ladder() -> Volume:
    """100 slices of 1 mm whose value is their number, 30 mm wide."""
    hu = np.full((100, 30, 30), -1000, np.int16)
    hu[:] = np.arange(100)[:, None, None]
    return Volume(hu, (1.0, 1.0, 1.0), (-3.0, 4.0, 500.0))


@pytest.mark.parametrize(("z_part", "first"), [("inferior", 0), ("center", 30), ("superior", 60)])
def test_z_part_of_a_tall_scan(z_part, first):
    cube = to_cube(_ladder(), settings(z_part=z_part))
    np.testing.assert_array_equal(cube.array[:, 20, 20], np.arange(first, first + 40))
    assert cube.origin_mm[2] == pytest.approx(500 + first)


@pytest.mark.parametrize(("z_part", "feet", "head"), [("inferior", 0, 60), ("center", 30, 30), ("superior", 60, 0)])
@pytest.mark.parametrize("upwards", [True, False])
def test_what_a_tall_scan_loses_is_said(tmp_path, capsys, z_part, feet, head, upwards):
    scan = _ladder()
    if not upwards:
        x, y, z = scan.origin_mm
        last = (x, y, z + (scan.array.shape[0] - 1) * scan.spacing_mm[2])
        scan = Volume(scan.array[::-1], scan.spacing_mm, last, (1, 0, 0, 0, 1, 0, 0, 0, -1))
    assert cut_remarks(scan, to_cube(scan, settings(z_part=z_part))) == [
        f"the scan is 100 mm tall, the cube 40 mm: {feet} mm towards the feet and {head} mm towards the head "
        "are cut off (volume.z_part, volume.size)"
    ]
    assert not cut_remarks(scan, to_cube(scan, settings(size=100, z_part=z_part)))
    assert len(cut_remarks(scan, to_cube(scan, settings(size=96, z_part=z_part)), 0.03)) == 1
    assert not cut_remarks(scan, to_cube(scan, settings(size=96, z_part=z_part)), 0.05)
    source = write_series(tmp_path / "ct", body(34))
    make_volume(source, settings(z_part=z_part), tmp_path / "cube.mha", None)
    assert f"note: {source}: the scan is 102 mm tall, the cube 40 mm" in capsys.readouterr().err


@pytest.mark.parametrize("z_part", ["inferior", "center", "superior"])
def test_a_short_scan_lies_in_the_middle_of_air(z_part):
    cube = to_cube(_ladder(), settings(size=120, z_part=z_part))
    inside = np.zeros(cube.array.shape, bool)
    inside[10:110, 45:75, 45:75] = True
    assert (cube.array[~inside] == -1024).all()
    np.testing.assert_array_equal(cube.array[10:110, 60, 60], np.arange(100))
    np.testing.assert_allclose(cube.centre_mm, _ladder().centre_mm)


def test_linear_values_are_rounded_not_cut(tmp_path):
    hu = np.zeros((12, 12, 12), np.int16)
    hu[..., ::2] = -3
    cube = to_cube(Volume(hu, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), settings(size=12, spacing_mm=0.9))
    assert -1.6 < cube.array.mean() < -1.4  # cutting the decimals would give -1.0 or -2.0


def test_bspline_overshoot_is_clipped():
    hu = np.full((16, 16, 16), -1024, np.int16)
    hu[4:12, 4:12, 4:12] = 1000
    cube = to_cube(Volume(hu, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)), settings(interpolation="bspline", spacing_mm=0.7))
    assert cube.array.min() == -1024
    assert cube.array.max() == 1000


def test_golden_values(tmp_path):
    array = cube_of(write_series(tmp_path / "ct"), tmp_path).array.astype(np.int64)
    weights = np.arange(array.size).reshape(array.shape) % 251
    assert (array.sum(), (array * weights).sum()) == GOLDEN, BUMP


GOLDEN = (-50940701, -6368490784)


def test_version_is_checked(tmp_path):
    with pytest.raises(InputError, match="settings of stage volume are of version 99, the code is of 2"):
        make_volume(write_series(tmp_path / "ct"), settings(version=99), tmp_path / "cube.mha", None)


def test_failure_leaves_no_output(tmp_path):
    with pytest.raises(InputError):
        source = write_series(tmp_path / "ct", skip=[5])
        make_volume(source, settings(max_hole_mm=5), tmp_path / "out" / "cube.mha", None)
    assert not (tmp_path / "out").exists()


def _nifti(path: Path, array: np.ndarray | None = None) -> Path:
    Volume(body() if array is None else array, (1.5, 2.0, 3.0), (0.0, 0.0, 0.0)).write(path)
    return path


def _patched(path: Path, offset: int, data: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return path


def _without_line(path: Path, key: bytes) -> Path:
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(key)))
    return path


def _floats(value: float) -> np.ndarray:
    array = body().astype(np.float32)
    array[5, 8, 10] = value
    return array


def _written(path: Path, image: sitk.Image) -> Path:
    sitk.WriteImage(image, str(path))
    return path


BAD_FILES = {
    "no spacing.nii": (lambda p: _patched(_nifti(p), 80, struct.pack("<3f", 0, 0, 0)), "states no voxel spacing"),
    "no orientation.nii": (lambda p: _patched(_nifti(p), 252, bytes(4)), "states no orientation"),
    "bits.nii": (lambda p: _patched(_nifti(p), 72, struct.pack("<h", -16)), "the header is damaged"),
    "offset.nii": (lambda p: _patched(_nifti(p), 108, struct.pack("<f", np.nan)), "the header is damaged"),
    "no spacing.mha": (lambda p: _without_line(_nifti(p), b"ElementSpacing"), "states no voxel spacing"),
    "no spacing.nrrd": (lambda p: _without_line(_nifti(p), b"space directions"), "states no voxel spacing"),
    "nan.nii.gz": (lambda p: _nifti(p, _floats(np.nan)), "holds NaN or infinite values"),
    "inf.mha": (lambda p: _nifti(p, _floats(np.inf)), "holds NaN or infinite values"),
    "bytes.nii.gz": (lambda p: _nifti(p, (body() % 256).astype(np.uint8)), "are not HU, no air in it"),
    "unit.nii.gz": (lambda p: _nifti(p, (body() / 1000 + 1).astype(np.float32)), "are not HU, no air in it"),
    "plus 1024.mha": (lambda p: _nifti(p, (body() + 1024).astype(np.uint16)), "are not HU, no air in it"),
    "padding.mha": (lambda p: _nifti(p, np.where(body() > 500, 62512, body().astype(np.int32))), "mark padding"),
    "flat.nii.gz": (lambda p: _written(p, sitk.GetImageFromArray(body()[5])), "one 3-D scalar|too few|CT volume"),
    "frames.nii.gz": (lambda p: _written(p, sitk.JoinSeries([_nifti_image()] * 3)), "one 3-D scalar image"),
    "colour.mha": (lambda p: _written(p, sitk.Compose([_nifti_image()] * 3)), "holds 3 numbers a voxel"),
    "five slices.nii.gz": (lambda p: _nifti(p, body(5)), "too few along one axis"),
    "cut.nii.gz": (lambda p: _cut(_nifti(p)), "its packed voxels are damaged"),
    "cut.nii": (lambda p: _cut(_nifti(p)), r"the file is cut short, \d+ of 7680 bytes"),
    "cut.nrrd": (lambda p: _cut(_nifti(p)), r"the file is cut short, \d+ of 7680 bytes"),
    "packed and cut.mha": (lambda p: _cut(_packed(p)), "its packed voxels are damaged"),
    "packed and cut.nrrd": (lambda p: _cut(_packed(p)), "its packed voxels are damaged"),
    "inf.nii": (lambda p: _nifti(p, _floats(-np.inf)), "holds NaN or infinite values"),
    "nan.nrrd": (lambda p: _nifti(p, _floats(np.nan)), "holds NaN or infinite values"),
    "cut.mha": (lambda p: _cut(_nifti(p)), r"the file is cut short, \d+ of 7680 bytes"),
    "page.nii.gz": (lambda p: _text(p, "<html>404</html>"), "not a NIfTI file"),
    "page.nii": (lambda p: _text(p, "<html>404</html>" * 40), "not a NIfTI file"),
    "page.nrrd": (lambda p: _text(p, "<html>404</html>"), "not an NRRD file"),
    "empty.mha": (lambda p: _text(p, ""), "not a MetaImage file"),
    "elsewhere.mhd": (
        lambda p: _text(
            p,
            "NDims = 3\nBinaryData = True\nDimSize = 16 16 16\nElementType = MET_UCHAR\nElementSpacing = 1 1 1\n"
            "ElementDataFile = /etc/passwd\n",
        ),
        "its voxels are in '/etc/passwd'",
    ),
}


def _nifti_image() -> sitk.Image:
    return Volume(body(), (1.5, 2.0, 3.0), (0.0, 0.0, 0.0)).to_sitk()


def _packed(path: Path) -> Path:
    sitk.WriteImage(_nifti_image(), str(path), useCompression=True)
    return path


def _cut(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def _text(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_volume_files_are_refused_in_one_line(tmp_path, name):
    make, message = BAD_FILES[name]
    path = make(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        read_ct(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_dicom_in_disguise_is_not_handed_to_another_parser(tmp_path):
    path = (write_series(tmp_path / "ct") / "0000.dcm").rename(tmp_path / "ct.nii")
    with pytest.raises(InputError, match=r"ct.nii: not a NIfTI file"):
        read_ct(path)
    with pytest.raises(InputError, match=r"ct.nii: not a NIfTI file"):
        read_volume(path)


def test_float_file_with_one_frame_is_a_volume(tmp_path):
    image = sitk.JoinSeries([sitk.Cast(_nifti_image(), sitk.sitkFloat32) + 0.4])
    array = read_ct(_written(tmp_path / "ct.nii.gz", image)).array
    np.testing.assert_array_equal(array, body())


def test_detached_file_beside_its_header(tmp_path):
    sitk.WriteImage(_nifti_image(), str(tmp_path / "ct.mhd"))
    np.testing.assert_array_equal(read_ct(tmp_path / "ct.mhd").array, body())


def test_file_that_looks_like_an_x_ray(tmp_path):
    path = tmp_path / "film.png"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((8, 8), np.uint8)), str(path))
    with pytest.raises(InputError, match=r"film.png: X-ray image or another picture, a CT is expected"):
        read_ct(path)


@pytest.mark.parametrize("name", ["Lung_Dx-A0002.zip", "LIDC-IDRI-0002-2mm.nii.gz"])
def test_real_scan(real_data, tmp_path, name):
    cube = cube_of(real_data / "ct" / name, tmp_path, spacing_mm=2.0, size=160)
    middle = cube.array[60:100, 40:120, 40:120]
    assert cube.array.min() == -1024
    assert 0.1 < (middle < -700).mean() < 0.8  # lungs
    assert 0.1 < ((middle > -100) & (middle < 200)).mean() < 0.8  # soft tissue
    bone = np.argwhere(cube.array[60:100] > 300)[:, 1]
    assert bone.mean() > 80  # spine, hence most bone, is posterior
