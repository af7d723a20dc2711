"""Borders of the DICOM reader at their numbers: a step that is a hole, a compressed size that is another."""

import struct

import numpy as np
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless, UID
import pytest

from drr.ct.dicom_codestream import require_size
from drr.ct.read import read_ct
from drr.errors import InputError
from tests.drr.series import body, write_series


@pytest.mark.parametrize(("step", "is_hole"), [(1.45, False), (1.55, True), (1.85, True)])
def test_a_step_of_one_and_a_half_usual_ones_is_a_hole(step: float, is_hole: bool, tmp_path) -> None:
    """Something was there: where no hole may be, the series is refused; a smaller step is a rounding of the table."""
    z = 3.0 * np.arange(12) + np.where(np.arange(12) > 5, 3.0 * (step - 1), 0.0)
    positions = np.stack([np.full(12, -10.0), np.full(12, -20.0), z], axis=1)
    folder = write_series(tmp_path / "ct", body(12), positions_mm=positions)
    if not is_hole:
        assert read_ct(folder, max_hole_mm=3.5).array.shape[0] >= 12
        return
    with pytest.raises(InputError, match=rf"slices are missing .*{3 * step:.3g}"):
        read_ct(folder, max_hole_mm=3.5)


def jpeg_2000(rows: int, columns: int, components: int = 1, offset: int = 0) -> bytes:
    """The start of a codestream (ITU-T T.800 A.5.1), one tile, its image `offset` from the reference grid's origin."""
    size = (columns + offset, rows + offset, offset, offset, columns, rows, 0, 0)
    return struct.pack(">HHHH8LH", 0xFF4F, 0xFF51, 41, 0, *size, components) + bytes(3 * components) + bytes(40)


def jpeg(rows: int, columns: int, components: int = 1) -> bytes:
    """The start of a lossless JPEG: a frame header (ITU-T T.81 B.2.2), then the scan."""
    header = struct.pack(">HBHHB", 8 + 3 * components, 16, rows, columns, components) + bytes(3 * components)
    return b"\xff\xd8\xff\xc3" + header + b"\xff\xda" + bytes(8)


STREAMS = [(JPEG2000Lossless, jpeg_2000), (JPEGLosslessSV1, jpeg), (JPEGLSLossless, jpeg)]


@pytest.mark.parametrize(("syntax", "stream"), STREAMS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_compressed_image_has_the_size_that_the_header_states(syntax: UID, stream) -> None:
    """Before a decoder sees it, which would allocate what the stream asks for."""
    require_size(stream(64, 48), syntax, 64, 48)
    for rows, columns, components in ((48, 64, 1), (65, 48, 1), (64, 60000, 1), (64, 48, 3)):
        with pytest.raises(InputError, match=rf"\({rows}, {columns}, {components}\) .*, not \(64, 48, 1\)"):
            require_size(stream(rows, columns, components), syntax, 64, 48)


def test_the_size_of_a_jpeg_2000_image_is_counted_from_its_offset() -> None:
    require_size(jpeg_2000(64, 48, offset=16), JPEG2000Lossless, 64, 48)
    with pytest.raises(InputError, match=r"not \(80, 64, 1\)"):
        require_size(jpeg_2000(64, 48, offset=16), JPEG2000Lossless, 80, 64)


def test_an_rle_image_unpacks_to_no_more_than_its_pixels() -> None:
    """Two segments; a run of 257 - n copies."""

    def rle(runs: int) -> bytes:
        segment = bytes([129, 0]) * runs  # each of 128 bytes
        return struct.pack("<16L", 2, 64, 64 + len(segment), *[0] * 13) + segment * 2

    require_size(rle(24), RLELossless, 64, 48)
    with pytest.raises(InputError, match="unpacks to more than 3072 pixels"):
        require_size(rle(26), RLELossless, 64, 48)
