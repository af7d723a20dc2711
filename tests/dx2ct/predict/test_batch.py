"""`dx2ct predict --sheet`: many films, one CT each."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from drr.errors import InputError
from drr.volume import read_volume
from dx2ct.cli import app
from dx2ct.predict.batch import predict_all, read_films
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from tests.fabricate import BOTH, pa


def write(folder: Path, *lines: str) -> Path:
    """A sheet of these lines, with spaces for tabs."""
    sheet = folder / "films.tsv"
    sheet.write_text("\n".join("\t".join(line.split(" ")) for line in lines) + "\n")
    return sheet


def test_one_bad_film_does_not_stop_the_others(
    model: Model, films: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "in/bad.png").write_text("no picture")
    sheet = write(tmp_path / "in", "name pa lateral flip", "one pa.png lateral.dcm ", "two bad.png lateral.dcm ",
                  "three pa.png none.dcm ", "four pa.png lateral.dcm lateral")  # fmt: skip
    with pytest.raises(InputError, match="2 of 4 films failed: two, three"):
        predict_all(model, read_films(sheet, BOTH, {}), tmp_path / "out", {"steps": 1})
    written = [f"{name}{suffix}" for name in ("four", "one") for suffix in (".nii.gz", ".preview.png", ".run.json")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == written
    said = capsys.readouterr().err
    for text in ("1/4 one: ", "2/4 two: failed: ", "bad.png: not a readable image", "none.dcm: cannot be read", "4/4"):
        assert text in said
    assert said.count("domain shift") == 1 and said.count("Not a medical device") == 1
    record = json.loads((tmp_path / "out/four.run.json").read_text())
    assert record["inputs"]["lateral"]["framing"]["flip"] and "domain shift" in " ".join(record["notes"])
    alone = model.reconstruct(films, steps=1)
    np.testing.assert_array_equal(read_volume(tmp_path / "out/one.nii.gz").array, alone.array)
    assert not np.array_equal(read_volume(tmp_path / "out/four.nii.gz").array, alone.array)


def test_names_that_are_uids_keep_their_records_apart(model: Model, films: dict[str, Path], tmp_path: Path):
    sheet = write(tmp_path / "in", "name pa lateral flip", "1.2.840.1 pa.png lateral.dcm ",
                  "1.2.840.2 pa.png lateral.dcm lateral")  # fmt: skip
    predict_all(model, read_films(sheet, BOTH, {}), tmp_path / "out", {"steps": 1})
    flips = [
        json.loads((tmp_path / f"out/1.2.840.{n}.run.json").read_text())["inputs"]["lateral"]["framing"]["flip"]
        for n in (1, 2)
    ]
    assert flips == [False, True] and len(list((tmp_path / "out").iterdir())) == 6


def test_a_sheet_is_read_from_its_own_folder_with_words_for_all(tmp_path: Path):
    sheet = write(tmp_path, "name pa crop rotate", "a x.png pa:1,2,3,4 ", "", "b y.png  pa:90")
    a, b = read_films(sheet, BOTH, {"flip": ["pa"]})
    assert (a.name, b.name) == ("a", "b") and a.files == {"pa": tmp_path / "x.png"}
    assert a.framing == {"pa": Framing(crop=(1, 2, 3, 4), flip=True)}
    assert b.framing == {"pa": Framing(rotate=90, flip=True)}


def test_a_row_s_own_words_go_before_those_for_all(tmp_path: Path):
    sheet = write(tmp_path, "name pa rotate spacing_mm", "a x.png pa:90 0.5", "b y.png  pa:0.7", "c z.png  ")
    rows = read_films(sheet, BOTH, {"rotate": ["pa:180"], "spacing_mm": ["0.9"]})
    assert [row.framing["pa"].rotate for row in rows] == [90, 180, 180]
    assert [row.framing["pa"].spacing_mm for row in rows] == [0.5, 0.7, 0.9]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "its first line is ''"),
        (["name pa"], "no films"),
        (["pa lateral", "a.png b.png"], "its first line is"),
        (["name front", "a a.png"], "its first line is"),
        (["name pa pa", "a a.png b.png"], "its first line is"),
        (["name pa", "../a a.png"], "line 2: '../a' is no name"),
        (["name pa", "a a.png", " b.png"], "line 3: '' is no name"),
        (["name pa", "a a.png", "A b.png"], "is the name of two rows"),
        (["name pa rotate", "a a.png pa:45"], "line 2: rotate 45: a multiple of 90"),
        (["name pa flip", "a a.png lateral"], "line 2: --flip lateral: say VIEW"),
    ],
)
def test_a_sheet_that_cannot_be_meant_is_one_line(lines: list[str], reason: str, tmp_path: Path):
    with pytest.raises(InputError, match=reason) as caught:
        read_films(write(tmp_path, *lines), BOTH, {})
    assert "films.tsv" in str(caught.value) and "\n" not in str(caught.value)


def test_a_sheet_that_is_no_text_is_one_line(tmp_path: Path):
    for content in (b"\xff\xfe\x00", b"name\tpa\na\t" + b"x" * 200_000):
        (tmp_path / "films.tsv").write_bytes(content)
        with pytest.raises(InputError, match=r"films\.tsv: cannot be read"):
            read_films(tmp_path / "films.tsv", BOTH, {})
    with pytest.raises(InputError, match=r"none\.tsv: cannot be read"):
        read_films(tmp_path / "none.tsv", BOTH, {})


def test_the_command_line(model: Model, tmp_path: Path):
    cv2.imwrite(str(tmp_path / "pa.png"), (pa() * 255).astype(np.uint8))
    sheet = write(tmp_path, "name pa lateral", "a pa.png pa.png")
    asked = ["predict", "--model", str(model.folder), "--sheet", str(sheet), "--steps", "1", "--device", "cpu"]
    assert CliRunner().invoke(app, [*asked, "-o", str(tmp_path / "out")], catch_exceptions=False).exit_code == 0
    assert read_volume(tmp_path / "out/a.nii.gz").array.shape == (32,) * 3
    for more, reason in (((), "give -o FOLDER"), (("-o", sheet), "give -o FOLDER"),
                         (("-o", tmp_path, "--pa", tmp_path / "pa.png"), "--sheet names the films"),
                         (("-o", tmp_path, "--preview", tmp_path / "p.png"), "--sheet names the films")):  # fmt: skip
        failed = CliRunner().invoke(app, [*asked, *map(str, more)])
        assert isinstance(failed.exception, InputError) and reason in str(failed.exception)


def test_without_a_model_films_go_to_the_one_that_has_learnt_films(films: dict[str, Path], tmp_path: Path):
    said = "the model is chest-films, because films are given: --model chest is for rendered X-rays"
    sheet = write(tmp_path / "in", "name pa lateral", "one pa.png lateral.dcm")
    one = ["--pa", films["pa"], "--preview", tmp_path / "seen.png"]
    for words in (one, ["--sheet", sheet, "-o", tmp_path / "out"]):
        line = ["predict", "--device", "cpu", "--threads", "1", *map(str, words)]
        assert said in CliRunner().invoke(app, line).stderr
        assert said not in CliRunner().invoke(app, [*line, "--model", "chest"]).stderr
