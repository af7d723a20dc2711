"""Sheets as spreadsheets and people write them."""

from pathlib import Path

import pytest

from drr.errors import InputError
from dx2ct.data.cohort.sheet import read_sheet
from dx2ct.data.tables import read_frame, read_table

HEAD = "scan\tpatient\tpath\tseries_uid\tsplit\n"


def sheet(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    (folder / "sheet.tsv").write_bytes(text.encode(encoding))
    return folder / "sheet.tsv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_and_the_lines_of_windows_are_read(tmp_path: Path, encoding: str, ending: str) -> None:
    text = (HEAD + "a\t张三\tx y.nii\t1.2\ttrain\n").replace("\n", ending)
    (row,) = read_sheet(sheet(tmp_path, text, encoding))
    assert (row.scan, row.patient, row.path, row.split) == ("a", "张三", "x y.nii", "train")
    (line,) = read_table(sheet(tmp_path, text, encoding), "mend it", "\t", ("scan",))
    assert line["scan"] == "a"


def test_blanks_around_values_are_dropped_but_for_file_names(tmp_path: Path) -> None:
    (row,) = read_sheet(sheet(tmp_path, HEAD + '"a\n"\t P 1 \tends in a blank \t1.2 \ttrain\t\t\n'))
    assert (row.scan, row.patient, row.series_uid, row.path) == ("a", "P 1", "1.2", "ends in a blank ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + f"a\t{'x' * 200_000}\tx\t1\ttrain\n", r"sheet cannot be read \(field larger"),
        (HEAD + "a\tP\tx\t1\ttrain\tone more\n", "line 2 has more than 5 cells"),
        ("scan\t" + HEAD + "b\ta\tP\tx\t1\ttrain\n", "line 1: column 'scan' appears twice"),
        (HEAD + '"a\nb"\tP\tx\t1\ttrain\n', r"scan: 'a\\nb' is not letters"),
        (HEAD + "a\t \tx\t1\ttrain\n", "patient: '' is not a name"),
        (HEAD + "a\tP\tx\t1\n", "line 2 has no column split"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"sheet\.tsv: .*{message}"):
        read_sheet(sheet(tmp_path, text))


def test_a_table_with_a_long_field_or_a_mark_is_told_or_read(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text("a,b\n" + "x" * 200_000 + ",1\n")
    with pytest.raises(InputError, match=r"long\.csv: cannot be read \(field larger.*\): mend it"):
        read_table(tmp_path / "long.csv", "mend it")
    (tmp_path / "mark.csv").write_text("name,value\na,1.5\n", encoding="utf-8-sig")
    assert read_frame(tmp_path / "mark.csv", "mend it", ("name",), ("name",))["value"].tolist() == [1.5]
