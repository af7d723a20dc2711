"""What counts as a file of a series: never less than all of it, and never more than a typed error."""

from io import BytesIO
import random
import resource
import subprocess
import sys
from typing import Any
import zlib

from pydicom import dcmread, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLosslessSV1
import pytest

from dx2ct.data.sources.lidc.errors import PassingError, SourceError
from dx2ct.data.sources.lidc.nbia import read_archive
from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.verify import md5_of, Part, verified
from tests.dx2ct.data.lidc.archive import nbia_zip, Served
from tests.dx2ct.data.lidc.faults import bomb_zip
from tests.dx2ct.data.lidc.harness import real
from tests.dx2ct.data.lidc.kills import ROOT


def listed(series: Served) -> Series:
    return Series(series.uid, len(series.files), series.size, series.uuid)


def check(content: bytes, series: Served, md5: str | None = None) -> Part:
    return verified(content, listed(series), "file.dcm", md5, lambda: content)


def first(series: Served) -> bytes:
    return next(iter(series.files.values()))


def rewritten(content: bytes, syntax: str, **values: Any) -> bytes:
    """The file in another transfer syntax."""
    dataset, buffer = dcmread(BytesIO(content)), BytesIO()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == JPEGLosslessSV1:
        dataset.PixelData = encapsulate([b"\xff\xd8" + b"x" * 100 + b"\xff\xd9"])
        dataset["PixelData"].VR = "OB"
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = dataset.pixel_array.byteswap().tobytes()
        dcmwrite(buffer, dataset, implicit_vr=False, little_endian=False, force_encoding=True)
    else:
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_a_whole_file_is_described(series: Served) -> None:
    content = first(series)
    part = check(content, series, md5_of(content))
    assert (part.size, part.md5, part.read()) == (len(content), md5_of(content), content)
    assert part.md5_stated
    assert part.sop_uid == dcmread(BytesIO(content)).SOPInstanceUID


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEGLosslessSV1])
def test_every_encoding_is_checked_to_the_end_of_its_pixels(syntax: str, series: Served) -> None:
    content = rewritten(first(series), syntax)
    assert check(content, series).size == len(content)
    for end in range(len(content) - 40, len(content)):
        with pytest.raises(PassingError):
            check(content[:end], series)


def test_a_file_cut_anywhere_is_no_file(series: Served) -> None:
    content = first(series)
    for end in range(0, len(content), 3):
        with pytest.raises(SourceError):
            check(content[:end], series)


def test_real_files(real_data: Any) -> None:
    for name in ("LIDC-IDRI-0001", "C3N-00247", "Lung_Dx-A0001", "Lung_Dx-A0002"):
        served = real(real_data, 2, name)
        for content in served.files.values():
            check(content, served)
            with pytest.raises(PassingError, match="cut short"):
                check(content[:-1000], served)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"SeriesInstanceUID": "1.2.3"}, SourceError),
        ({"SOPInstanceUID": "../../evil"}, SourceError),
        ({"Rows": 60000}, PassingError),
        ({"NumberOfFrames": 2}, PassingError),
        ({"InstanceNumber": "99999999999999999999"}, None),
    ],
)
def test_headers(values: dict[str, Any], error: type[Exception] | None, series: Served) -> None:
    dataset, buffer = dcmread(BytesIO(first(series))), BytesIO()
    for keyword, value in values.items():
        if keyword in dataset:
            dataset[keyword]._value = value  # pydicom would not write a UID that is none
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(buffer)
    if error is None:
        check(buffer.getvalue(), series)
        return
    with pytest.raises(error):
        check(buffer.getvalue(), series)


def test_deflated_dicom_is_not_inflated(series: Served) -> None:
    """Two gigabytes of zeros in two megabytes: pydicom alone would inflate them all."""
    dataset, buffer = dcmread(BytesIO(first(series))), BytesIO()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(buffer)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**22)) + packer.flush(zlib.Z_FULL_FLUSH)
    meta = buffer.getvalue()[:330]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PassingError):
        check(meta + block * 512, series)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_flipped_bits_end_in_a_part_or_in_a_typed_error(series: Served) -> None:
    """Without an MD5 a bit of a pixel may flip unseen; nothing else may happen."""
    chance, content = random.Random(0), first(series)
    outcomes = {"part": 0, "error": 0}
    for _ in range(500):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 20])):
            damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        try:
            part = check(bytes(damaged), series)
        except SourceError:
            outcomes["error"] += 1
        else:
            assert part.size == len(content)
            outcomes["part"] += 1
        with pytest.raises(SourceError, match="MD5"):
            check(bytes(damaged), series, md5_of(content))
    assert min(outcomes.values()) > 50


def test_a_zip_cut_or_damaged_anywhere_is_no_series(series: Served, tmp_path: Any) -> None:
    """Damage that no checksum covers (a date, the name of the licence) may pass: then every file is as it was."""
    chance, content, path = random.Random(0), nbia_zip(series.files), tmp_path / "a.zip"
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(SourceError):
            read_archive(path, listed(series))
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        damaged[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            parts = read_archive(path, listed(series))
        except SourceError:
            refused += 1
        else:
            assert {part.md5 for part in parts} == {md5_of(file) for file in series.files.values()}
    assert refused > 130


@pytest.mark.slow
def test_a_bomb_of_ten_gigabytes_costs_neither_time_nor_memory(series: Served, tmp_path: Any) -> None:
    """10 MB that inflate to 10 GB, declared as 4 GB (what fits) or as 1 kB: under a second, under 100 MB."""
    code = (
        "import resource, sys, time; from pathlib import Path\n"
        "from dx2ct.data.sources.lidc.errors import SourceError\n"
        "from dx2ct.data.sources.lidc.nbia import read_archive\n"
        "from dx2ct.data.sources.lidc.series import Series\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "start = time.process_time()\n"
        "try:\n"
        "    read_archive(Path(sys.argv[1]), Series('1.2.3', 6, 10_000_000, ''))\n"
        "except SourceError as error:\n"
        "    print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)\n"
    )
    for declared in (2**32 - 2**16, 1000):
        path = tmp_path / "bomb.zip"
        path.write_bytes(bomb_zip(10 * 2**30, declared))
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        seconds, kilobytes, _ = done.stdout.split(maxsplit=2)
        assert float(seconds) < 1
        assert int(kilobytes) < 100_000
