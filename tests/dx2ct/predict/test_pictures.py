"""Pictures: tags are honoured, bits are kept, what would fill memory is refused before it is decoded."""

from itertools import product
from pathlib import Path
import struct
import subprocess
import sys
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
import pytest
import tifffile

from drr.errors import InputError
from dx2ct.predict.read import read_xray
from tests.fabricate import pa

DEEP = (pa() * 60000 + np.arange(160) % 7).astype(np.uint16)
PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels


def write_png(path: Path, pixels: NDArray[np.generic]) -> None:
    """A PNG of any number of channels and 8 or 16 bits; Pillow writes no 16 bits but in grey."""
    rows, columns, channels = (*pixels.shape, 1)[:3]
    lines = b"".join(b"\0" + line.astype(pixels.dtype.newbyteorder(">")).tobytes() for line in pixels)
    pack_png(path, (rows, columns), channels, 8 * pixels.dtype.itemsize, zlib.compress(lines))


def pack_png(path: Path, shape: tuple[int, int], channels: int, bits: int, packed: bytes) -> None:
    """The file around compressed lines."""
    header = struct.pack(">2I5B", shape[1], shape[0], bits, PNG_COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize("white", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("bits", [8, 16])
def test_every_tiff_of_one_film_is_the_same_film(white: str, bits: int, tmp_path: Path):
    """Strips or tiles, packed or not, either byte order, turned or not: the pixels are those that were meant."""
    film = DEEP if bits == 16 else (DEEP >> 8).astype(np.uint8)
    stored = film if white == "minisblack" else np.iinfo(film.dtype).max - film
    path = tmp_path / "film.tif"
    for tiled, packing, order, orientation in product((False, True), (None, "zlib"), "<>", (1, 2, 6, 8)):
        turned = {1: stored, 2: stored[:, ::-1], 6: np.rot90(stored), 8: np.rot90(stored, -1)}[orientation]
        how = {"tile": (64, 64)} if tiled else {"rowsperstrip": 30}
        extra = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(path, turned, photometric=white, compression=packing, byteorder=order, extratags=extra, **how)
        xray = read_xray(path)
        np.testing.assert_array_equal(xray.pixels, film, err_msg=f"{tiled} {packing} {order} {orientation}")
        assert ("MINISWHITE inverted" in xray.facts["steps"]) == (white == "miniswhite")
        assert any("orientation tag" in note for note in xray.notes) == (orientation != 1)


@pytest.mark.parametrize("packing", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_tiffs_of_other_packings(packing: str, tmp_path: Path):
    for film in (DEEP, (DEEP >> 8).astype(np.uint8)):
        Image.fromarray(film).save(tmp_path / "a.tif", compression=packing)
        np.testing.assert_array_equal(read_xray(tmp_path / "a.tif").pixels, film)


def test_tiffs_that_are_no_single_grey_film_are_refused(tmp_path: Path):
    three = np.repeat(DEEP[None], 3, axis=0)
    for number, (pixels, how, reason) in enumerate((
        (three, {"photometric": "minisblack"}, "3 images in one file"),
        (three, {"photometric": "rgb", "planarconfig": "separate"}, "apart by channel"),
        (DEEP.astype(np.float32), {}, "32 bits .ieeefp.: whole numbers"),
        (DEEP.astype(np.int16), {}, "16 bits .int."),
        (np.stack([DEEP, DEEP], 2), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}, "2 values a pixel"),
        (np.stack([DEEP, DEEP // 2, DEEP // 3], 2), {"photometric": "rgb"}, "a colour picture"),
    )):  # fmt: skip
        path = tmp_path / f"{number}.tif"
        tifffile.imwrite(path, pixels, **how)
        with pytest.raises(InputError, match=rf"{number}\.tif: .*{reason}"):
            read_xray(path)
    grey = np.repeat(DEEP[..., None], 3, axis=2)
    tifffile.imwrite(tmp_path / "grey.tif", grey, photometric="rgb")
    np.testing.assert_array_equal(read_xray(tmp_path / "grey.tif").pixels, DEEP)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(suffix: str, orientation: int, tmp_path: Path):
    path = tmp_path / f"film.{suffix}"
    image = Image.fromarray((DEEP >> 8).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)), np.float32)
    xray = read_xray(path)
    np.testing.assert_allclose(xray.pixels, expected, atol=2 if suffix == "jpg" else 0)
    assert bool(xray.facts["steps"]) == (orientation != 1) == bool(xray.notes)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_keeps_its_bits_in_any_number_of_channels(bits: int, channels: int, tmp_path: Path):
    film = DEEP if bits == 16 else (DEEP >> 8).astype(np.uint8)
    stored = np.repeat(film[..., None], channels, axis=2)
    if channels in (2, 4):
        stored[..., -1] = np.iinfo(film.dtype).max
    write_png(tmp_path / "film.png", stored if channels > 1 else film)
    xray = read_xray(tmp_path / "film.png")
    np.testing.assert_allclose(xray.pixels, film, rtol=1e-6)
    assert xray.facts["bits"] == bits
    if channels in (2, 4):
        stored[0, 0, -1] = 0
        write_png(tmp_path / "clear.png", stored)
        with pytest.raises(InputError, match="transparent pixels"):
            read_xray(tmp_path / "clear.png")


def test_pixels_that_an_inch_holds_more_of_one_way_are_noted(tmp_path: Path):
    Image.fromarray((DEEP >> 8).astype(np.uint8)).save(tmp_path / "a.png", dpi=(100, 200))
    assert "not square" in read_xray(tmp_path / "a.png").notes[0]
    Image.fromarray((DEEP >> 8).astype(np.uint8)).save(tmp_path / "a.png", dpi=(100, 100))
    assert not read_xray(tmp_path / "a.png").notes


def test_a_small_file_of_many_bytes_is_refused_before_it_fills_memory(tmp_path: Path):
    """8192 x 8192 pixels of four channels of 16 bits: half a GiB, in a file of some hundred kB."""
    side = 8192
    squeeze = zlib.compressobj(9)
    line = b"\0" + b"\x12\x34" * 4 * side
    packed = b"".join(squeeze.compress(line) for _ in range(side)) + squeeze.flush()
    path = tmp_path / "bomb.png"
    pack_png(path, (side, side), 4, 16, packed)
    assert path.stat().st_size < 2_000_000
    code = (
        "import sys; from dx2ct.predict.read import read_xray\n"
        "try: read_xray(sys.argv[1])\n"
        "except Exception as error: print(error)\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    message, peak_kb = done.stdout.splitlines()
    assert "8192 x 8192 pixels of 8 bytes are more than 256 MiB" in message
    assert int(peak_kb) < 700_000


def test_pictures_of_one_name_and_another_content_are_refused(tmp_path: Path):
    Image.fromarray((DEEP >> 8).astype(np.uint8)).save(tmp_path / "a.jpg")
    for suffix in ("png", "tif"):
        path = tmp_path / f"b.{suffix}"
        path.write_bytes((tmp_path / "a.jpg").read_bytes())
        with pytest.raises(InputError, match="not a readable image"):
            read_xray(path)
