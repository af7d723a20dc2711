"""A small encoder of JPEG lossless, selection value 1 (ITU-T T.81 annex H), so that its decoder can be tested."""

import struct

import numpy as np
from numpy.typing import NDArray

_CATEGORIES = 17  # of differences modulo 2^16; each gets a Huffman code of 5 bits, its own number


def encode(image: NDArray[np.uint16]) -> bytes:
    """One 16-bit grey image, (row, column), as a JPEG lossless bit stream."""
    rows, columns = image.shape
    frame = struct.pack(">BHHBBBB", 16, rows, columns, 1, 1, 0x11, 0)
    table = bytes([0, 0, 0, 0, 0, _CATEGORIES, *[0] * 11, *range(_CATEGORIES)])
    scan = bytes([1, 1, 0, 1, 0, 0])
    segments = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body
        for marker, body in ((0xC3, frame), (0xC4, table), (0xDA, scan))
    )
    return b"\xff\xd8" + segments + _entropy_coded(_differences(image)) + b"\xff\xd9"


def _differences(image: NDArray[np.uint16]) -> list[int]:
    """To the left neighbour; in the first column to the one above; the very first to half the range."""
    values = image.astype(np.int64)
    predicted = np.roll(values, 1, axis=1)
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = 1 << 15
    return [int(one) for one in ((values - predicted + 0x8000) % 0x10000 - 0x8000).ravel()]


def _entropy_coded(differences: list[int]) -> bytes:
    bits = []
    for difference in differences:
        size = abs(difference).bit_length()
        bits.append(f"{size:05b}")
        if 0 < size < 16:
            bits.append(f"{difference if difference > 0 else difference + (1 << size) - 1:0{size}b}")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\x00")
