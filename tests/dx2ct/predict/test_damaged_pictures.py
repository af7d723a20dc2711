"""Pictures whose pixels are not whole, or are less or more than one film: refused, without a decoder's own words."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
import pytest
import tifffile

from drr.errors import InputError
from dx2ct.predict.read import read_xray
from tests.fabricate import pa

NOISE = np.random.default_rng(0).integers(0, 9, pa().shape)
GREY = (pa() * 240 + NOISE).astype(np.uint8)
FLAT = np.where(pa() > 0.5, 255, 0).astype(np.uint8)  # ends in black
KINDS = ({}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1})


def jpeg(pixels: np.ndarray, **how: object) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **{"quality": 90} | how)
    return stream.getvalue()


def coded(data: bytes) -> int:
    """Where the last scan's coded data begin."""
    at = data.rindex(b"\xff\xda") + 2
    return at + int.from_bytes(data[at : at + 2])


@pytest.mark.parametrize("how", KINDS)
@pytest.mark.parametrize("quality", [10, 50, 90, 100])
@pytest.mark.parametrize("pixels", [GREY, FLAT, FLAT.max() - FLAT, np.repeat(GREY[..., None], 3, 2), GREY[:65, :71]])
def test_whole_jpegs_are_read_as_they_are(how: dict[str, object], quality: int, pixels: np.ndarray, tmp_path: Path):
    """Also with bytes behind the end mark, and with a thumbnail that has an end mark of its own."""
    exif = Image.Exif()
    exif[0x010E] = "x"
    exif.get_ifd(0x8769)[0x927C] = jpeg(GREY[:70, :70])  # MakerNote
    data = jpeg(pixels, quality=quality, exif=exif, **how)
    decoded = np.asarray(Image.open(BytesIO(data)), np.float32)
    for behind in (b"", b"\0" * 5000, jpeg(FLAT)):
        (tmp_path / "a.jpg").write_bytes(data + behind)
        np.testing.assert_array_equal(
            read_xray(tmp_path / "a.jpg").pixels, decoded.reshape(*pixels.shape[:2], -1)[..., 0]
        )


def _without_parts(data: bytes) -> list[bytes]:
    """Of a scan with restarts the file without its last part, without one in between, without eight of them."""
    marks = [data.find(bytes((0xFF, 0xD0 + number)), coded(data)) for number in range(8)]
    if -1 in marks:
        return []
    last = max(data.rfind(bytes((0xFF, 0xD0 + number))) for number in range(8))
    eight = data.find(b"\xff\xd0", marks[0] + 2)
    return [data[:last] + b"\xff\xd9", data[: marks[2]] + data[marks[3] :], data[: marks[0]] + data[eight:]]


@pytest.mark.parametrize("how", KINDS)
def test_a_jpeg_without_some_of_its_coded_data_is_refused(how: dict[str, object], tmp_path: Path, capfd):
    """A decoder fills it up with grey, or with what it last decoded, another patient's film."""
    data = jpeg(GREY, **how)
    start = coded(data)
    for cut in (
        data[: start + (len(data) - start) // 2] + b"\xff\xd9",
        data[:-40] + b"\xff\xd9",
        data[: start + 20] + data[start + 220 :],
        *_without_parts(data),
    ):
        (tmp_path / "a.jpg").write_bytes(cut)
        with pytest.raises(
            InputError, match=r"a\.jpg: not a readable image: its coded pixels are damaged or cut short"
        ):
            read_xray(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(data[:-2])
    with pytest.raises(InputError, match="its end mark is missing"):
        read_xray(tmp_path / "a.jpg")
    assert capfd.readouterr().err == ""


def test_a_jpeg_with_more_coded_data_than_its_pixels_need_is_refused(tmp_path: Path, capfd):
    """As a byte leaves that was changed: what follows it is decoded as other pixels, and then some are too many."""
    data = jpeg(GREY)
    (tmp_path / "a.jpg").write_bytes(data[:-2] + b"\x12" * 40 + data[-2:])
    with pytest.raises(InputError, match="coded pixels are damaged"):
        read_xray(tmp_path / "a.jpg")
    assert capfd.readouterr().err == ""


def test_a_damaged_png_is_one_line_of_ours(tmp_path: Path, capfd):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    for damaged in (bytes(data[: len(data) // 2]), bytes(data[:3000]) + bytes([data[3000] ^ 4]) + bytes(data[3001:])):
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.png: not a readable image: it is cut short or damaged"):
            read_xray(tmp_path / "a.png")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_fewer_than_8_bits_are_no_film(bits: int, tmp_path: Path):
    image = Image.fromarray(GREY)
    few = image.convert("1") if bits == 1 else image.quantize(2**bits)
    few.save(tmp_path / "a.png", bits=bits)
    with pytest.raises(
        InputError, match=rf"a\.png: grey values of {bits} bits: 8 and 16 bits are read: export it anew"
    ):
        read_xray(tmp_path / "a.png")


def test_a_stack_behind_the_tags_of_one_image_is_refused(tmp_path: Path):
    """As tifffile and ImageJ write large ones."""
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY] * 3), photometric="minisblack", truncate=True)
    tifffile.imwrite(tmp_path / "b.tif", np.stack([GREY] * 2), imagej=True)
    for name, count in (("a", 3), ("b", 2)):
        with pytest.raises(InputError, match=rf"{name}\.tif: {count} images in one file"):
            read_xray(tmp_path / f"{name}.tif")
    tifffile.imwrite(tmp_path / "c.tif", GREY[None], photometric="minisblack", truncate=True)
    np.testing.assert_array_equal(read_xray(tmp_path / "c.tif").pixels, GREY)
