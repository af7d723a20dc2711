"""Line integrals in .mha files: whole, and of this file alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from drr.errors import InputError
from dx2ct.predict.read import read_xray

IMAGE = np.random.default_rng(3).random((80, 70)).astype(np.float32)


def write(path: Path, compress: bool = False) -> bytes:
    """What the xray stage writes."""
    sitk.WriteImage(sitk.GetImageFromArray(IMAGE), str(path), compress)
    return path.read_bytes()


@pytest.mark.parametrize("compress", [False, True])
def test_line_integrals_are_read_as_they_are(compress: bool, tmp_path: Path):
    write(tmp_path / "a.mha", compress)
    xray = read_xray(tmp_path / "a.mha")
    np.testing.assert_array_equal(xray.pixels, IMAGE)
    assert xray.kind == "integrals"


@pytest.mark.parametrize(
    "line",
    [
        b"ElementDataFile = /etc/hostname",
        b"ElementDataFile = other.raw",
        b"ElementDataFile : other.raw",
        b"elementdatafile=other.raw",
        b"ElementDataFile = LIST 2D",
        b"Comment = x\rElementDataFile = other.raw\nElementDataFile = LOCAL",
        b"ElementDataFile = other.raw\nElementDataFile = LOCAL",
        b"Comment = " + b"x" * 70_000 + b"\nElementDataFile = other.raw",
        b"ElementDataFile =",
    ],
)
def test_a_header_opens_no_other_file(line: bytes, tmp_path: Path):
    (tmp_path / "other.raw").write_bytes(IMAGE.tobytes())
    whole = write(tmp_path / "a.mha")
    (tmp_path / "a.mha").write_bytes(whole.replace(b"ElementDataFile = LOCAL", line))
    with pytest.raises(
        InputError, match=r"a\.mha: (its voxels are in '.*': a \.mha holds its own|not a MetaImage file)"
    ):
        read_xray(tmp_path / "a.mha")


def test_a_comment_names_no_file(tmp_path: Path):
    whole = write(tmp_path / "a.mha")
    said = b"Comment = ElementDataFile = other.raw\nElementDataFile = LOCAL"
    (tmp_path / "a.mha").write_bytes(whole.replace(b"ElementDataFile = LOCAL", said))
    np.testing.assert_array_equal(read_xray(tmp_path / "a.mha").pixels, IMAGE)


def test_a_header_names_its_pixels_once(tmp_path: Path):
    whole = write(tmp_path / "a.mha")
    twice = whole.replace(b"ElementDataFile = LOCAL", b"ElementDataFile = LOCAL\nElementDataFile = LOCAL")
    for content, reason in (
        (twice, "24 bytes more than its header promises"),
        (b"ObjectType = Image\n", "not a MetaImage file"),
    ):
        (tmp_path / "a.mha").write_bytes(content)
        with pytest.raises(InputError, match=reason):
            read_xray(tmp_path / "a.mha")


def test_damaged_pixels_are_refused(tmp_path: Path):
    """One bit, a byte less, the checksum: MetaIO itself reads them all."""
    whole = write(tmp_path / "a.mha", compress=True)
    start = whole.index(b"LOCAL") + 6
    for at in (start + 500, (start + len(whole)) // 2, len(whole) - 2):
        damaged = bytearray(whole)
        damaged[at] ^= 4
        (tmp_path / "a.mha").write_bytes(damaged)
        with pytest.raises(InputError, match="packed pixels are damaged"):
            read_xray(tmp_path / "a.mha")
    (tmp_path / "a.mha").write_bytes(whole[:-1])
    with pytest.raises(InputError, match="packed pixels are damaged"):
        read_xray(tmp_path / "a.mha")


@pytest.mark.parametrize(
    ("pixels", "vector", "reason"),
    [
        (np.zeros((80, 70, 2), np.float32), True, "holds 2 numbers a voxel"),
        (np.zeros((3, 80, 70), np.float32), False, "not a stack"),
        (np.zeros((80, 70), np.int16), False, "are no line integrals"),
        (np.zeros((8192, 8192), np.float64), False, "more than 256 MiB"),
    ],
)
def test_what_is_no_image_of_line_integrals_is_refused(pixels: np.ndarray, vector: bool, reason: str, tmp_path: Path):
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=vector), str(tmp_path / "a.mha"), True)
    with pytest.raises(InputError, match=reason):
        read_xray(tmp_path / "a.mha")


@pytest.mark.parametrize("made", [lambda one: -6 * one, lambda one: 6 * one - 3, lambda one: 2000 * one - 1000])
def test_negative_values_are_no_line_integrals(made: Callable[[np.ndarray], np.ndarray], tmp_path: Path):
    sitk.WriteImage(sitk.GetImageFromArray(made(IMAGE).astype(np.float32)), str(tmp_path / "a.mha"))
    with pytest.raises(InputError, match=r"a\.mha: values from -.* are no line integrals, .*: negate them, or add"):
        read_xray(tmp_path / "a.mha")


def test_noise_about_zero_is_read(tmp_path: Path):
    """As `drr render` writes it of 30 photons a pixel: air beside the patient has more and fewer."""
    counts = np.random.default_rng(0).poisson(30 * np.exp(-np.where(IMAGE > 0.5, 6 * IMAGE, 0)))
    noisy = -np.log(np.maximum(counts, 0.5) / 30).astype(np.float32)
    assert noisy.min() < -0.4
    sitk.WriteImage(sitk.GetImageFromArray(noisy), str(tmp_path / "a.mha"))
    np.testing.assert_array_equal(read_xray(tmp_path / "a.mha").pixels, noisy)
