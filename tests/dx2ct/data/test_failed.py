"""Which failures of a scan are remembered: those of its file, and none of the machine's."""

from pathlib import Path

import pytest

from drr.errors import InputError
from dx2ct.data.prepare.failed import reason_of, recorded, what_is_tried


@pytest.mark.parametrize(
    ("cause", "is_remembered"),
    [
        (None, True),
        (ValueError("no number"), True),
        (RuntimeError("unexpected end of file"), True),
        (PermissionError(13, "Permission denied"), False),
        (OSError(5, "Input/output error"), False),
        (MemoryError(), False),
        (RuntimeError("Exception thrown in SimpleITK ImageFileReader_Execute: std::bad_alloc"), False),
    ],
    ids=str,
)
@pytest.mark.parametrize("between", [False, True])
def test_a_scan_is_left_out_for_its_own_faults_alone(
    cause: Exception | None, is_remembered: bool, between: bool, tmp_path: Path
) -> None:
    """A network disk that is away, or a machine without memory, would else leave a good scan out for ever."""
    source, record = tmp_path / "scan.zip", tmp_path / "failed/scan.txt"
    source.write_bytes(b"x")
    with pytest.raises(InputError, match="cannot be read"), recorded(record, source, "{}", "1.2"):
        fail(cause, between)
    assert record.exists() == is_remembered
    tried = {"settings": {}, "series_uid": "1.2"}
    assert reason_of(record, source, tried) == ("scan.zip: cannot be read" if is_remembered else None)


def test_a_scan_is_tried_again_under_another_header(tmp_path: Path) -> None:
    source, record = tmp_path / "ct.nii", tmp_path / "failed/scan.txt"
    source.write_bytes(b"x")
    with pytest.raises(InputError), recorded(record, source, "{}", "", '{"slope": 2}'):
        raise InputError("ct.nii: are not HU")
    reasons = [reason_of(record, source, what_is_tried("{}", "", header)) for header in ('{"slope": 2}', "", "{}")]
    assert reasons == ["ct.nii: are not HU", None, None]


def fail(cause: Exception | None, between: bool) -> None:
    try:
        try:
            if cause:
                raise cause
        except Exception as error:
            if between:
                raise KeyError("of a library") from error
            raise
    except Exception:
        raise InputError("scan.zip: cannot be read") from None
    raise InputError("scan.zip: cannot be read")
