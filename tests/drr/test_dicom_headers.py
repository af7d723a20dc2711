"""Files that break the rules of PS3.10 and PS3.5, as scanners, archives and tools write them."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
)
import pytest

from drr.ct.dicom_mark import dicom_start
from drr.ct.read import read_ct
from drr.errors import InputError
from tests.drr.series import body, to_jpeg_lossless, with_values, write_series, zipped

Rewrite = Callable[[bytes], bytes]


def rewritten(folder: Path, change: Rewrite, every: int = 1) -> Path:
    """Change the bytes of every so many files."""
    for file in sorted(folder.iterdir())[::every]:
        file.write_bytes(change(file.read_bytes()))
    return folder


def meta_end(data: bytes) -> int:
    """Where the data set begins."""
    return 144 + int.from_bytes(data[140:144], "little")


def encoded(data: bytes, *, implicit: bool) -> bytes:
    """The same file with its data set in another encoding than its meta information states."""
    writer = DicomIO(BytesIO())
    writer.is_implicit_VR, writer.is_little_endian = implicit, True
    write_dataset(writer, dcmread(BytesIO(data)))
    return data[: meta_end(data)] + writer.parent.getvalue()


def with_syntax(uid: str) -> Rewrite:
    """State this transfer syntax, or none, and change nothing else."""

    def change(data: bytes) -> bytes:
        value = uid.encode() + b"\0" * (len(uid) % 2)
        element = b"\x02\x00\x10\x00UI" + len(value).to_bytes(2, "little") + value if uid else b""
        at = data.index(b"\x02\x00\x10\x00UI")
        end = at + 8 + int.from_bytes(data[at + 6 : at + 8], "little")
        length = meta_end(data) - 144 + len(element) - (end - at)
        return data[:140] + length.to_bytes(4, "little") + data[144:at] + element + data[end:]

    return change


UNMARKED: dict[str, Rewrite] = {
    "data set alone": lambda data: data[meta_end(data) :],
    "meta information first": lambda data: data[132:],
    "mark without preamble": lambda data: data[128:],
    "preamble without mark": lambda data: data[:128] + data[132:],
    "damaged mark": lambda data: data[:128] + b"dicm" + data[132:],
}
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("kind", UNMARKED)
@pytest.mark.parametrize("name", ["{:04}.dcm", "IM{:04}"])
def test_slices_without_the_mark_are_read(tmp_path, syntax, kind, name):
    """All of them, or every third: a scan must not lose a third of its slices in silence."""
    for every in (1, 3):
        folder = rewritten(write_series(tmp_path / f"{every}", syntax=syntax), UNMARKED[kind], every)
        for k, file in enumerate(sorted(folder.iterdir())):
            file.rename(folder / name.format(k))
        np.testing.assert_array_equal(read_ct(folder).array, body())
    np.testing.assert_array_equal(read_ct(zipped(folder, tmp_path / "ct.zip")).array, body())


def test_other_files_have_no_dicom_start():
    texts = [
        b"",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"PK\3\4",
        b"<xml/>",
        b"{}",
        bytes(300),
        b"\xff" * 300,
        b"\x08\x00" * 99,
    ]
    nifti = (348).to_bytes(4, "little") + bytes(400)
    assert [dicom_start(one) for one in (*texts, nifti)] == [None] * (len(texts) + 1)
    rng = np.random.default_rng(0)
    assert all(dicom_start(rng.bytes(2048)) is None for _ in range(2000))


def test_files_that_could_be_slices_and_are_no_dicom_are_named(tmp_path, capsys):
    folder = write_series(tmp_path / "ct")
    for name in ("IM0001", "1.2.840.113", "LICENSE", "069.xml"):
        (folder / name).write_bytes(b"nothing of the kind")
    np.testing.assert_array_equal(read_ct(folder).array, body())
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("passes over 2 files (1.2.840.113, IM0001): no DICOM")


@pytest.mark.parametrize("stated", SYNTAXES[:2])
@pytest.mark.parametrize("implicit", [True, False])
def test_the_elements_own_bytes_tell_their_encoding(tmp_path, stated, implicit):
    """Implicit VR under an explicit transfer syntax, and the other way round: not a pixel may move."""
    folder = write_series(tmp_path / "ct", syntax=stated)
    rewritten(folder, lambda data: encoded(data, implicit=implicit))
    np.testing.assert_array_equal(read_ct(folder).array, body())


@pytest.mark.parametrize("trailing", [b"\0", b"\0" * 7, b"\xfc\xff\xfc\xff\x4f\x42\0\0\4\0\0\0abcd"])
def test_bytes_behind_the_pixels_are_no_pixels(tmp_path, trailing):
    folder = rewritten(write_series(tmp_path / "ct"), lambda data: data + trailing)
    np.testing.assert_array_equal(read_ct(folder).array, body())


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_without_a_transfer_syntax_the_pixels_own_bytes_tell(tmp_path, capsys, syntax):
    folder = rewritten(write_series(tmp_path / "ct", syntax=syntax), with_syntax(""))
    np.testing.assert_array_equal(read_ct(folder).array, body())
    assert f"12 of 12 images name no transfer syntax: read as {syntax.name}" in capsys.readouterr().err


def test_compressed_pixels_without_a_transfer_syntax_are_refused(tmp_path):
    folder = rewritten(write_series(tmp_path / "ct", edit=to_jpeg_lossless), with_syntax(""))
    with pytest.raises(InputError, match=r"0000.dcm: pixels are compressed and no TransferSyntaxUID says how"):
        read_ct(folder)


def test_the_class_of_the_meta_information_counts_where_the_data_set_has_none(tmp_path):
    def edit(header: Any, k: int) -> None:
        del header.SOPClassUID

    np.testing.assert_array_equal(read_ct(write_series(tmp_path / "ct", edit=edit)).array, body())
    bare = rewritten(write_series(tmp_path / "bare", edit=edit), UNMARKED["data set alone"])
    np.testing.assert_array_equal(read_ct(bare).array, body())  # Modality CT is all that is left


def _nameless(header: Any, k: int) -> None:
    del header.SOPClassUID, header.Modality


TRUE_REASONS: dict[str, tuple[dict[str, Any], Rewrite, str]] = {
    "unknown syntax": ({}, with_syntax("1.2.3.4"), r"TransferSyntaxUID 1.2.3.4 is not known"),
    "no syntax": ({}, with_syntax(CTImageStorage), r"TransferSyntaxUID \S+.5.1.4.1.1.2 is not known"),
    "uncompressed": ({}, with_syntax(JPEGLosslessSV1), "uncompressed pixels under the transfer syntax JPEG Lossless"),
    "short length": (
        {},
        lambda data: data.replace(b"\xe0\x7f\x10\x00OW\0\0\x80\x02", b"\xe0\x7f\x10\x00OW\0\0\x7c\x02"),
        "PixelData has 636 bytes, Rows and Columns ask for 640",
    ),
    "no sign": ({"edit": with_values(PixelRepresentation=None)}, bytes, "PixelRepresentation is missing"),
    "no bits": ({"edit": with_values(HighBit=None)}, bytes, "HighBit is missing"),
    "big endian": (
        {"syntax": ExplicitVRBigEndian},
        with_syntax(ExplicitVRLittleEndian),
        "the file is cut short in its header, or in another transfer syntax than it states",
    ),
    "half a header": ({}, lambda data: data[:300], "the file is cut short in its header"),
    "before Rows": ({}, lambda data: data[: data.index(b"(\0\x10\0US")], "the file is cut short before its pixels"),
    "no class": (
        {"edit": _nameless},
        UNMARKED["data set alone"],
        r"neither SOPClassUID nor Modality \(none\) tells",
    ),
    "no number": (
        {},
        lambda data: data.replace(b"-10.000000\\", b"-1x.000000\\"),
        r"ImagePositionPatient is '-1x.000000\\\\-20.000000\\\\-30.000000': no numbers",
    ),
}


@pytest.mark.parametrize("name", TRUE_REASONS)
@pytest.mark.filterwarnings("ignore")
def test_reasons_are_true_and_for_people(tmp_path, name):
    arguments, change, message = TRUE_REASONS[name]
    with pytest.raises(InputError, match=f"0000.dcm: {message}") as caught:
        read_ct(rewritten(write_series(tmp_path / "ct", **arguments), change))
    assert "\n" not in str(caught.value) and "object" not in str(caught.value)
