"""Small files that ask for much time or memory: refused before they get it."""

import os
from pathlib import Path
import resource
import struct
import subprocess
import sys
import threading
import time
from typing import Any
import zipfile

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless
import pytest

from drr.ct import dicom_volume, sources
from drr.ct.dicom_codestream import require_size
from drr.ct.read import read_ct
from drr.ct.sources import kind_of
from drr.errors import InputError
from tests.conftest import ROOT
from tests.drr.enhanced import enhanced
from tests.drr.series import body, with_values, write_series

MAX_SECONDS, MAX_BYTES = 5.0, 2**30


def rle(high: bytes, low: bytes) -> bytes:
    """Two segments, PS3.5 annex G."""
    return struct.pack("<16L", 2, 64, 64 + len(high), *[0] * 13) + high + low


HOSTILE_RLE = {
    "no-ops": b"\x80" * (2 * 4096**2),
    "no-ops among pixels": b"\x80\x80\x80\x00\x05" * (4096**2 // 3),
    "runs of one": b"\x00\x05" * 4096**2,
}


@pytest.mark.parametrize("name", HOSTILE_RLE)
def test_rle_of_more_runs_than_an_encoder_writes_is_refused_soon(name):
    """A zip holds millions of them in 65 kB."""
    data = rle(HOSTILE_RLE[name][: 2 * 4096**2], b"")
    start = time.process_time()
    with pytest.raises(InputError, match="more runs than any encoder writes"):
        require_size(data, RLELossless, 4096, 4096)
    assert time.process_time() - start < MAX_SECONDS / 2


def test_rle_that_unpacks_to_more_than_the_image_is_refused():
    with pytest.raises(InputError, match="unpacks to more than 256 pixels"):
        require_size(rle(b"\x81\x05" * 3, b"\x81\x05" * 2), RLELossless, 16, 16)


def test_rle_of_one_byte_a_pixel_has_one_segment():
    one = struct.pack("<16L", 1, 64, *[0] * 14)
    require_size(one + b"\x81\x05" * 2, RLELossless, 16, 16, pixel_bytes=1)
    with pytest.raises(InputError, match="more than 256 pixels"):
        require_size(one + b"\x81\x05" * 3, RLELossless, 16, 16, pixel_bytes=1)
    with pytest.raises(InputError, match="does not have 2 segments"):
        require_size(one + b"\x81\x05" * 2, RLELossless, 16, 16)


@pytest.mark.parametrize("padding", [b"", b"\x80", b"\x00"])
def test_rle_with_padding_is_read(tmp_path, padding):
    """A segment is made even by a byte at its end; a no-op among the runs is allowed."""

    def edit(header: Any, k: int) -> None:
        stored = np.frombuffer(header.PixelData, np.uint8).reshape(-1, 2)
        high, low = (b"".join(b"\x00" + bytes([one]) for one in stored[:, place]) for place in (1, 0))
        header.PixelData = encapsulate([rle(high + padding, low + padding)])
        header["PixelData"].VR = "OB"
        header.file_meta.TransferSyntaxUID = RLELossless

    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=edit)).array, body())


def test_a_huge_zip_directory_is_refused_unread(tmp_path):
    """49 MB of entries made a million objects before anybody could count them."""
    path = tmp_path / "ct.zip"
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0) + b"a.d"
    directory = entry * 10**6
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 10**6 & 0xFFFF, 10**6 & 0xFFFF, len(directory), 0, 0)
    path.write_bytes(directory + end)
    start = time.process_time()
    with pytest.raises(InputError, match=r"ct.zip: the directory of the zip has 49000000 bytes"):
        read_ct(path)
    assert time.process_time() - start < 0.5


@pytest.mark.slow
def test_the_directory_of_the_most_files_is_read(tmp_path):
    path = tmp_path / "ct.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(sources.MAX_FILES):
            archive.writestr(f"patient/study/1.2.840.113619.2.55.3.604688119/IM{k:06}.txt", b"")
    with pytest.raises(InputError, match="no DICOM CT series in it"):
        read_ct(path)


def _constant_frames(path: Path, frames: int) -> Path:
    """A multi-frame CT of 4096 x 4096 pixels a frame in half a megabyte each."""
    header = enhanced(np.zeros((frames, 2, 2), np.int16))
    header.Rows = header.Columns = 4096
    runs = b"\x81\x04" * (4096**2 // 128)
    header.PixelData = encapsulate([rle(runs, runs)] * frames)
    header["PixelData"].VR = "OB"
    header.file_meta.TransferSyntaxUID = RLELossless
    header.save_as(path, enforce_file_format=True)
    return path


def test_a_small_compressed_file_asks_for_no_large_volume(tmp_path):
    """60 frames are two gigabytes of HU."""
    path = _constant_frames(tmp_path / "ct.dcm", 60)
    assert path.stat().st_size < 50e6
    code = "import sys; from drr.ct.read import read_ct; read_ct(sys.argv[1])"
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES)),
    )
    assert "60 x 4096 x 4096 voxels are too many for a CT of its size that is compressed" in done.stderr
    assert time.monotonic() - start < MAX_SECONDS


def test_frames_by_the_million_are_refused_before_one_is_made(tmp_path):
    header = enhanced(np.zeros((2, 2, 2), np.int16))
    header.NumberOfFrames, header.PixelData = 6_000_000, bytes(48_000_000)
    header.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    start = time.process_time()
    with pytest.raises(InputError, match="6000000 frames of 2 x 2 pixels are no CT"):
        read_ct(tmp_path / "ct.dcm")
    assert time.process_time() - start < 0.5


GROWN = {
    "straightened": {"positions_mm": np.arange(12)[:, None] * [0, 2.9, 3.0], "spacing_mm": (0.01, 1.5)},
    "put at even steps": {"positions_mm": np.append(np.arange(10), [45.0, 84.0])[:, None] * [0, 0, 1.0]},
}


@pytest.mark.parametrize("how", GROWN)
def test_a_small_stack_grows_to_no_large_volume(tmp_path, monkeypatch, how):
    folder = write_series(tmp_path / "ct", **GROWN[how])
    monkeypatch.setattr(dicom_volume, "_FREE_VOXELS", 0)
    with pytest.raises(InputError, match=f"voxels are too many for a CT of its size that is {how}"):
        read_ct(folder)


def test_a_pipe_is_no_ct_and_nobody_waits_for_it(tmp_path):
    folder = write_series(tmp_path / "ct")
    for pipe in (tmp_path / "pipe", folder / "pipe.dcm"):
        os.mkfifo(pipe)
    found: list[Any] = []
    reader = threading.Thread(
        target=lambda: found.extend([kind_of(tmp_path / "pipe"), kind_of(folder / "pipe.dcm"), read_ct(folder)]),
        daemon=True,
    )
    reader.start()
    reader.join(10)
    assert found[:2] == ["other", "other"]
    np.testing.assert_array_equal(found[2].array, body())


def test_notes_show_what_cannot_be_printed(tmp_path, capsys):
    sources.note("a\x1b[2Jb\nc\udcff é 张")
    assert capsys.readouterr().err == "note: a\\x1b[2Jb\\nc\\udcff é 张\n"


@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "ContrastBolusAgent", "TemporalPositionIdentifier"])
@pytest.mark.parametrize(("vr", "value"), [(b"ZZ", b"abcd"), (b"FD", b"abcd"), (b"US", b"abc\0"), (b"SQ", b"abcd")])
def test_elements_of_a_wrong_vr_end_no_scan(tmp_path, keyword, vr, value):
    folder = write_series(tmp_path / "ct", edit=with_values(**{keyword: "77"}))
    written = {"AcquisitionNumber": b"IS", "ContrastBolusAgent": b"LO", "TemporalPositionIdentifier": b"IS"}[keyword]
    before = written + b"\x02\0" + b"77"
    length = len(value).to_bytes(2, "little") if vr != b"SQ" else b"\0\0" + len(value).to_bytes(4, "little")
    for file in folder.iterdir():
        data = file.read_bytes()
        assert data.count(before) == 1
        file.write_bytes(data.replace(before, vr + length + value))
    np.testing.assert_array_equal(read_ct(folder).array, body())
