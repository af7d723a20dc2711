"""NIfTI, MetaImage and NRRD headers: read as they mean it, or refused with the true reason."""

import gzip
import os
from pathlib import Path
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from drr.ct.read import read_chest, read_ct
from drr.errors import InputError
from drr.volume import read_volume
from tests.drr.headers import (
    AXES,
    body,
    CORNER_MM,
    error_hu,
    metaimage,
    nifti,
    nrrd,
    packed_metaimage,
    packed_nrrd,
    ras,
    SHAPE,
    written,
)

HALF_TURN = (0, 0, 1)  # the quaternion that takes LPS axes to RAS
ROTATION = [
    [1, 0, 0, 0, 1, 0, 0, 0, 1],
    [0, -1, 0, 1, 0, 0, 0, 0, 1],
    [0.6, 0, 0.8, 0, 1, 0, -0.8, 0, 0.6],
    [0, 0, -1, 0, -1, 0, -1, 0, 0],
]


@pytest.mark.parametrize("direction", ROTATION)
@pytest.mark.parametrize(
    ("name", "packed"),
    [
        *((name, packed) for name in ("a.mha", "a.mhd", "a.nrrd", "a.nhdr") for packed in (False, True)),
        *(("a.nii", False), ("a.nii.gz", True), ("a.hdr", False)),
    ],
)
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32, np.float64, np.uint8, np.int32])
def test_what_itk_writes_is_read_as_itk_reads_it(tmp_path: Path, direction, name, packed, dtype):
    image = sitk.GetImageFromArray(np.arange(24 * 7).reshape(4, 6, 7).astype(dtype))
    image.SetSpacing((0.7, 1.25, 2.5))
    image.SetOrigin((-12.5, 30.25, 101.0))
    image.SetDirection(direction)
    sitk.WriteImage(image, str(tmp_path / name), useCompression=packed)
    volume = read_volume(tmp_path / name)
    np.testing.assert_array_equal(volume.array, sitk.GetArrayFromImage(image))
    assert volume.array.dtype == dtype
    np.testing.assert_allclose(volume.spacing_mm, image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(volume.origin_mm, image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(volume.direction, direction, atol=1e-6)


@pytest.mark.parametrize("direction", ROTATION)
@pytest.mark.parametrize("code_at", [252, 254])
@pytest.mark.parametrize("flipped", [False, True])
def test_each_form_of_a_nifti_alone_says_the_same(tmp_path: Path, direction, code_at, flipped):
    """ITK writes both; the other one's code is set to 0. A mirrored frame is qform's qfac of -1."""
    image = sitk.GetImageFromArray(body())
    image.SetSpacing((0.7, 1.25, 2.5))
    image.SetOrigin((-12.5, 30.25, 101.0))
    image.SetDirection((np.reshape(direction, (3, 3)) @ np.diag([1, 1, -1 if flipped else 1])).ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / "a.nii"))
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[code_at : code_at + 2] = bytes(2)
    volume = read_ct(written(tmp_path / "a.nii", bytes(content)))
    np.testing.assert_allclose(volume.spacing_mm, image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(volume.origin_mm, image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(volume.direction, image.GetDirection(), atol=1e-6)


def test_a_quaternion_without_qfac_is_of_a_right_handed_frame(tmp_path: Path):
    image = sitk.GetImageFromArray(body())
    sitk.WriteImage(image, str(tmp_path / "a.nii"))
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[76:80] = bytes(4)  # pixdim[0]
    content[254:256] = bytes(2)  # no sform
    volume = read_ct(written(tmp_path / "a.nii", bytes(content)))
    np.testing.assert_allclose(volume.direction, image.GetDirection(), atol=1e-6)


def sheared(tangent: float, row: int = 1, column: int = 2) -> np.ndarray:
    axes = np.reshape(AXES, (3, 3)).astype(float)
    axes[row, column] = 10 * tangent
    return ras(axes)


def mirrored() -> np.ndarray:
    return ras(np.reshape(AXES, (3, 3)) @ np.diag([-1, 1, 1]), (95, *CORNER_MM[1:]))


GOOD = {
    "plain.nii": nifti(),
    "swapped.nii": nifti(order=">"),
    "plain.nii.gz": gzip.compress(nifti()),
    "members.nii.gz": b"".join(gzip.compress(nifti()[at : at + 99]) for at in range(0, 8032, 99)) + bytes(70_000),
    "both forms agree.nii": nifti(codes=(1, 1)),
    "qform alone.nii": nifti(codes=(1, 0), sform=sheared(1.0)),
    "slope 0.nii": nifti(patches={112: struct.pack("<2f", 0, -1024)}),
    "slope nan.nii": nifti(patches={112: struct.pack("<2f", np.nan, np.nan)}),
    "scaled.nii": nifti(((body() + 1024.0) * 2).astype(np.int16), patches={112: struct.pack("<2f", 0.5, -1024)}),
    "metres.nii": nifti(
        sform=np.vstack([ras()[:3] / 1000, ras()[3:]]), pixdim=(1, 0.01, 0.01, 0.01), patches={123: b"\1"}
    ),
    "almost right.nii": nifti(sform=sheared(1e-3)),
    "floats.nii": nifti(body().astype(np.float32) + 0.3),
    "plain.mha": metaimage(),
    "no matrix.mha": metaimage({"TransformMatrix": None}),
    "itk's default.mha": metaimage({"TransformMatrix": None, "AnatomicalOrientation": "RAI"}),
    "unknown orientation.mha": metaimage({"TransformMatrix": None, "AnatomicalOrientation": "???"}),
    "cm.mha": metaimage({"DistanceUnits": "cm", "ElementSpacing": "1 1 1", "Offset": "-9.5 -7.5 -6"}),
    "um.mha": metaimage({"DistanceUnits": "um", "ElementSpacing": "1e4 1e4 1e4", "Offset": "-95e3 -75e3 -6e4"}),
    "four axes.mha": metaimage(
        {
            "NDims": 4,
            "DimSize": "20 16 12 1",
            "ElementSpacing": "10 10 10 1",
            "Offset": "-95 -75 -60 0",
            "TransformMatrix": "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
        }
    ),
    "msb.mha": metaimage({"BinaryDataByteOrderMSB": True}, body().astype(">i2").tobytes()),
    "offset.mha": metaimage({"ElementToIntensityFunctionOffset": -1024}, (body() + 1024).tobytes()),
    "colon.mha": metaimage().replace(b"NDims = ", b"NDims:"),
    "crlf.mha": metaimage(data=b"").replace(b"\n", b"\r\n") + body().tobytes(),
    "packed.mha": packed_metaimage(),
    "packed without size.mha": packed_metaimage({"CompressedDataSize": None}),
    "plain.nrrd": nrrd(),
    "ras.nrrd": nrrd(
        {
            "space": "RAS",
            "space directions": "(-10,0,0) (0,-10,0) (0,0,10)",
            "space origin": "(95,75,-60)",
        }
    ),
    "las.nrrd": nrrd(
        {
            "space": "left-anterior-superior",
            "space directions": "(10,0,0) (0,-10,0) (0,0,10)",
            "space origin": "(-95,75,-60)",
        }
    ),
    "cm.nrrd": nrrd(
        {
            "space units": '"cm" "cm" "cm"',
            "space directions": "(1,0,0) (0,1,0) (0,0,1)",
            "space origin": "(-9.5,-7.5,-6)",
        }
    ),
    "packed.nrrd": packed_nrrd(),
    "skip.nrrd": nrrd({"byte skip": 7}, bytes(7) + body().tobytes()),
    "from the end.nrrd": nrrd({"byte skip": -1}, bytes(9) + body().tobytes()),
    "in capitals.nrrd": nrrd().replace(b"space origin", b"SpaceOrigin").replace(b"encoding: raw", b"ENCODING: Raw"),
    "keys of one's own.nrrd": nrrd({"a:=b": 1, "# data file": "/etc/passwd"}),
    "an axis of one.nrrd": nrrd(
        {"dimension": 4, "sizes": "1 20 16 12", "space directions": "none (10,0,0) (0,10,0) (0,0,10)"}
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_header_is_read_as_its_format_means_it(tmp_path: Path, name):
    volume = read_chest(written(tmp_path / name, GOOD[name]))
    assert volume.array.shape == SHAPE[::-1] and volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.spacing_mm, (10, 10, 10), rtol=1e-5)
    assert error_hu(volume) < 0.6


SAID = {
    "almost right.nii": "axes are 1.0e-03 from right angles",
    "metres.nii": "lengths in metres are converted to mm",
    "cm.mha": "lengths in cm are converted to mm",
    "cm.nrrd": "lengths in cm are converted to mm",
}


@pytest.mark.parametrize("name", GOOD)
def test_what_was_chosen_is_said_and_nothing_else(tmp_path: Path, capfd, name):
    path = written(tmp_path / name, GOOD[name])
    read_ct(path)
    told = capfd.readouterr().err
    if name in SAID:
        assert told.startswith(f"note: {path}: {SAID[name]}") and told.count("\n") == 1
    elif name != "um.mha":
        assert told == ""


def test_a_matrix_is_followed_where_the_orientation_contradicts_it(tmp_path: Path, capfd):
    path = written(tmp_path / "a.mha", metaimage({"AnatomicalOrientation": "LAI"}))
    assert error_hu(read_ct(path)) < 0.6
    assert "AnatomicalOrientation LAI contradicts TransformMatrix, which is RAI" in capfd.readouterr().err


def test_axes_made_orthonormal_stay_where_the_middle_was(tmp_path: Path):
    volume = read_ct(written(tmp_path / "a.nii", nifti(sform=sheared(1e-3))))
    half = (np.array(SHAPE) - 1) / 2
    expected = (np.diag([-1.0, -1, 1, 1]) @ sheared(1e-3) @ [*half, 1])[:3]
    np.testing.assert_allclose(volume.centre_mm, expected, atol=1e-4)


PACKED = gzip.compress(nifti())
FLIPPED_CRC = PACKED[:-6] + bytes([PACKED[-6] ^ 1]) + PACKED[-5:]
ZLIB = zlib.compress(body().tobytes())
BAD_SUM = ZLIB[:-1] + bytes([ZLIB[-1] ^ 1])
GZIP = gzip.compress(body().tobytes())
CONTRADICTS = "contradicts itself"
DAMAGED = "its packed voxels are damaged"
BAD = {
    "mirror.nii": (nifti(sform=mirrored(), codes=(1, 1)), "sform and qform differ by 19.0 voxels"),
    "shifted.nii": (nifti(sform=ras(corner=(-95, -75, -54)), codes=(1, 1)), "sform and qform differ by 0.6 voxels"),
    "pixdim.nii": (nifti(pixdim=(1, 1, 1, 1)), "pixdim states a voxel of 1 x 1 x 1, sform of 10 x 10 x 10 mm"),
    "pixdim of slices.nii": (nifti(pixdim=(1, 10, 10, 8), codes=(1, 1)), "pixdim states a voxel of 10 x 10 x 8"),
    "tilted.nii": (nifti(sform=sheared(0.27)), "sheared, its y and z axes are 15.1 degrees from a right angle"),
    "tilted little.nii": (nifti(sform=sheared(0.01), codes=(1, 1)), "sheared, its y and z axes are 0.6 degrees"),
    "rows lean.nii": (nifti(sform=sheared(0.1, 0, 1)), "sheared, its x and y axes are 5.7 degrees"),
    "flat.nii": (nifti(sform=ras((1, 0, 0, 0, 1, 0, 0, 0, 0))), "states a place without extent"),
    "nan.nii": (nifti(sform=ras(corner=(np.nan, 0, 0))), "states a place without extent"),
    "quaternion.nii": (nifti(qform=(2, 0, 1, 0, 0, 0), codes=(1, 0)), "states no rotation by its qform"),
    "no codes.nii": (nifti(codes=(0, 0)), "states no orientation"),
    "unit 5.nii": (nifti(patches={123: b"\5"}), "unknown unit"),
    "colour.nii": (nifti(patches={70: struct.pack("<2h", 128, 24)}), "holds 3 numbers a voxel .colour"),
    "complex.nii": (nifti(patches={70: struct.pack("<2h", 32, 64)}), "holds 2 numbers a voxel .complex"),
    "unknown.nii": (nifti(patches={70: struct.pack("<2h", 77, 16)}), "unknown type .datatype 77"),
    "bits.nii": (nifti(patches={72: struct.pack("<h", 32)}), "bitpix 32 of int16"),
    "dim.nii": (nifti(patches={40: struct.pack("<h", 9)}), "the header is damaged .dim"),
    "negative.nii": (nifti(patches={42: struct.pack("<h", -20)}), "the header is damaged .dim"),
    "analyze.hdr": (nifti(patches={344: bytes(4)})[:348], "an Analyze file states no orientation"),
    "alone.hdr": (nifti(patches={344: b"ni1\0"})[:348], "its voxels are in 'alone.img', which is missing"),
    "flipped.nii.gz": (FLIPPED_CRC, DAMAGED),
    "cut.nii.gz": (PACKED[:-3], DAMAGED),
    "short.nii.gz": (gzip.compress(nifti()[:-2]), "cut short, 2 of 7680 bytes"),
    "tail.nii.gz": (PACKED + b"tail", DAMAGED),
    "thin spacing.mha": (metaimage({"ElementSpacing": "1e-30 1e-30 1e-30"}), "states voxels of 1e-30"),
    "wide spacing.mha": (metaimage({"ElementSpacing": "1e4 1e4 1e4"}), "states voxels of 1e.04"),
    "LAI.mha": (metaimage({"TransformMatrix": None, "AnatomicalOrientation": "LAI"}), "AnatomicalOrientation LAI wi"),
    "unit.mha": (metaimage({"DistanceUnits": "inch"}), "unknown unit"),
    "long rows.mha": (metaimage({"TransformMatrix": "2 0 0 0 1 0 0 0 1"}), "no directions of length 1"),
    "origins.mha": (metaimage({"Position": "0 0 0"}), "Offset and Position differ"),
    "twice.mha": (metaimage().replace(b"NDims", b"NDims = 3\nNDims"), "two lines NDims"),
    "negative dims.mha": (metaimage({"NDims": -3}), "the header is damaged .NDims"),
    "many dims.mha": (metaimage({"NDims": 10**9}), "the header is damaged .NDims"),
    "huge.mha": (metaimage({"DimSize": "99999 99999 99999"}), "too many for a CT"),
    "colour.mha": (metaimage({"ElementNumberOfChannels": 3}), "holds 3 numbers a voxel"),
    "text.mha": (metaimage({"BinaryData": False}), "written as text"),
    "type.mha": (metaimage({"ElementType": "MET_STRING"}), "values of type 'MET_STRING'"),
    "sum.mha": (packed_metaimage(data=BAD_SUM), DAMAGED),
    "cut.mha": (packed_metaimage(data=ZLIB[: len(ZLIB) // 2]), DAMAGED),
    "size.mha": (packed_metaimage({"CompressedDataSize": len(ZLIB) + 9}, ZLIB + bytes(9)), DAMAGED),
    "far size.mha": (packed_metaimage({"CompressedDataSize": len(ZLIB) + 2**17}, ZLIB + bytes(2**17)), DAMAGED),
    "surplus.nii.gz": (gzip.compress(nifti() + bytes(2**24 + 1), 1), "holds more voxels than its header promises"),
    "small size.mha": (packed_metaimage({"CompressedDataSize": len(ZLIB) - 1}), DAMAGED),
    "short.mha": (packed_metaimage(data=zlib.compress(body().tobytes()[:-2])), "cut short, 2 of 7680 bytes"),
    "bomb.mha": (packed_metaimage({"DimSize": "512 512 2000", "ElementType": "MET_DOUBLE"}), "too smooth for a CT"),
    "bomb.nii.gz": (
        gzip.compress(nifti(patches={42: struct.pack("<3h", 1024, 1024, 800)})),
        "unpack to 1677721600 bytes of voxels, too smooth",
    ),
    "elsewhere.mha": (metaimage({"ElementDataFile": "other.raw"}), "a .mha holds its own"),
    "before.mha": (metaimage().replace(b"NDims", b"ElementDataFile : /etc/passwd\nNDims"), "DimSize|NDims"),
    "return.mha": (metaimage({"Comment": "a\rElementDataFile = /etc/passwd"}), "stray line ends"),
    "scanner.nrrd": (nrrd({"space": "scanner-xyz"}), "not the patient's axes"),
    "unit.nrrd": (nrrd({"space units": '"inch" "inch" "inch"'}), "unknown unit"),
    "units.nrrd": (nrrd({"units": '"cm" "cm" "cm"'}), "states lengths in units"),
    "spacings.nrrd": (nrrd({"spacings": "1 1 1"}), "spacings are 1 1 1, by space directions 10 10 10"),
    "twice.nrrd": (nrrd({"Space": "RAS"}), "two fields 'Space'"),
    "colour.nrrd": (
        nrrd({"dimension": 4, "sizes": "3 20 16 12", "space directions": "none (10,0,0) (0,10,0) (0,0,10)"}),
        "holds 3 numbers a voxel",
    ),
    "sum.nrrd": (packed_nrrd(data=GZIP[:-6] + bytes([GZIP[-6] ^ 1]) + GZIP[-5:]), DAMAGED),
    "members.nii.gz": (gzip.compress(b"") * 70_000 + PACKED, "more than 65536 gzip members"),
    "text.nrrd": (nrrd({"encoding": "ascii"}), "voxels of encoding 'ascii' are not read"),
    "passwd.nrrd": (nrrd({"Data File": "/etc/passwd"}), "its voxels are in '/etc/passwd'"),
    "capitals.nrrd": (nrrd({"DATAFILE": "../../etc/passwd"}), r"its voxels are in '../../etc/passwd'"),
    "list.nrrd": (nrrd({"datafile": "LIST"}), "its voxels are in 'LIST'"),
    "sheared.nrrd": (nrrd({"space directions": "(10,0,0) (0,10,0) (0,2,10)"}), "is sheared"),
    "nowhere.nrrd": (nrrd({"space directions": "(10,0,0) (0,10,0) (0,0,0)"}), "states a place without extent"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_header_is_refused_with_the_true_reason(tmp_path: Path, capfd, name):
    content, message = BAD[name]
    path = written(tmp_path / name, content)
    for read in (read_ct, read_volume):
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", ""), "the library's own lines"


def test_every_flipped_bit_of_a_packed_stream_is_seen(tmp_path: Path):
    """Law: what cannot be told from the original is read as it, everything else is refused."""
    right = body()
    for name, whole in (("a.nii.gz", PACKED), ("a.mha", packed_metaimage()), ("a.nrrd", packed_nrrd())):
        head = len(whole) - 700
        for at in range(head, len(whole), 7):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << at % 8
            try:
                found = read_volume(written(tmp_path / name, bytes(damaged))).array
            except InputError:
                continue
            np.testing.assert_array_equal(found, right)


def test_a_header_opens_no_file_outside_its_folder(tmp_path: Path):
    secret = written(tmp_path / "secret.raw", body().tobytes())
    folder = tmp_path / "ct"
    folder.mkdir()
    (folder / "link.raw").symlink_to(secret)
    written(folder / "beside.raw", body().tobytes())
    pair = nifti(patches={344: b"ni1\0", 108: bytes(4)})[:348]
    (folder / "link.img").symlink_to(secret)
    for name in ("../secret.raw", str(secret), "link.raw", "", ".", "LIST", "a%02d.raw 1 3 1", "a\0b"):
        for file, content in (
            ("a.mhd", metaimage({"ElementDataFile": name}, b"")),
            ("a.nhdr", nrrd({"data file": name}, b"")),
            ("link.hdr", pair),
        ):
            with pytest.raises(InputError, match=r"its voxels are in|stray|damaged"):
                read_ct(written(folder / file, content))
    assert error_hu(read_ct(written(folder / "a.mhd", metaimage({"ElementDataFile": "beside.raw"}, b"")))) < 0.6
    assert error_hu(read_ct(written(folder / "a.nhdr", nrrd({"data file": "beside.raw"}, b"")))) < 0.6
    (folder / "beside.img").symlink_to("beside.raw")  # a link inside the folder harms nobody
    assert error_hu(read_ct(written(folder / "beside.hdr", pair))) < 0.6


@pytest.mark.parametrize("name", ["a.mha", "a.nii", "a.nii.gz", "a.nrrd", "a.mhd", "a.zip", "a.dcm", "no suffix"])
def test_a_pipe_does_not_hang(tmp_path: Path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=r"not a file|no CT"):
        read_ct(tmp_path / name)


def test_a_pipe_beside_a_header_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "a.raw")
    with pytest.raises(InputError, match=r"cut short|not a file"):
        read_ct(written(tmp_path / "a.mhd", metaimage({"ElementDataFile": "a.raw"}, b"")))


def test_a_name_that_is_not_utf8_is_read_and_not_written(tmp_path: Path):
    for suffix, content in ((b".mha", metaimage()), (b".nii", nifti()), (b".nrrd", nrrd())):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff" + suffix))
        volume = read_ct(written(path, content))
        assert error_hu(volume) < 0.6
        with pytest.raises(InputError, match="not UTF-8"):
            volume.write(path.with_name(f"other-{path.name}"))


def test_a_chest_has_a_chest_s_size_and_a_test_object_need_not(tmp_path: Path):
    """The same voxels in cm, with no word of it, are a chest of 20 mm."""
    small = written(tmp_path / "a.mha", metaimage({"ElementSpacing": "1 1 1"}))
    wide = {"sizes": "40 16 12", "space directions": "(90,0,0) (0,10,0) (0,0,10)"}
    large = written(tmp_path / "b.nrrd", nrrd(wide, np.repeat(body(), 2, axis=2).tobytes()))
    assert read_ct(small).spacing_mm == (1, 1, 1)
    for path, box in ((small, "20 x 16 x 12"), (large, "3600 x 160 x 120")):
        with pytest.raises(InputError, match=rf"{path.name}: its box is {box} mm, a chest's sides are 100 to 2500 mm"):
            read_chest(path)
