"""Whether a file is DICOM, by its first bytes. Apart from the reader, which needs libraries that load slowly."""

import struct

HEAD_BYTES = 2**11
_MARK_AT, _MARK = 128, b"DICM"
_SHORT_VRS = {b"AE", b"AS", b"CS", b"DA", b"DT", b"IS", b"LO", b"PN", b"SH", b"TM", b"UI", b"UL", b"US"}
_FIRST_GROUPS, _SECOND_GROUPS = (0x0002, 0x0008), (0x0002, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028)
_MAX_FIRST_VALUE = 1024


def dicom_start(head: bytes) -> int | None:
    """Byte at which the first element of a DICOM file begins; None for a file of another kind.

    head: its first HEAD_BYTES. Behind the preamble and its mark (PS3.10 section 7.1), or where an element of the file
    meta information or of group 0008 is followed by another: older writers and some tools leave the mark out.
    """
    if head[_MARK_AT : _MARK_AT + 4] == _MARK:
        return _MARK_AT + 4
    places = (4,) if head.startswith(_MARK) else (0, _MARK_AT, _MARK_AT + 4)
    return next((at for at in places if _two_elements(head, at, "<") or _two_elements(head, at, ">")), None)


def _two_elements(head: bytes, at: int, order: str) -> bool:
    first, at = _element(head, at, order)
    second, _ = _element(head, at, order)
    return first[0] in _FIRST_GROUPS and second[0] in _SECOND_GROUPS and first < second


def _element(head: bytes, at: int, order: str) -> tuple[tuple[int, int], int]:
    """Tag of the element at a byte, and where the next one begins; the tag (0, 0) when there seems to be none."""
    if at + 12 > len(head):
        return (0, 0), at
    group, number = struct.unpack_from(order + "HH", head, at)
    vr, header_bytes = head[at + 4 : at + 6], 8
    if vr in _SHORT_VRS:
        (length,) = struct.unpack_from(order + "H", head, at + 6)
    elif vr in (b"OB", b"SQ", b"UN") and head[at + 6 : at + 8] == bytes(2):
        (length,), header_bytes = struct.unpack_from(order + "L", head, at + 8), 12
    else:
        (length,) = struct.unpack_from(order + "L", head, at + 4)
    return ((group, number), at + header_bytes + length) if length <= _MAX_FIRST_VALUE else ((0, 0), at)
