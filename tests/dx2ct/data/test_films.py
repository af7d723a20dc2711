"""Films as their sources list them: PadChest, Open-i, a folder."""

import csv
import gzip
from pathlib import Path

import pytest

from drr.errors import InputError
from dx2ct.config.parse import checked
from dx2ct.config.style import StyleSettings
from dx2ct.data.films import Listed, listed
from tests.fabricate.films import padchest, PADCHEST_COLUMNS, write_film
from tests.fabricate.xray_files import pa


def found(view: str, *films: dict[str, object]) -> Listed:
    return listed(checked(StyleSettings, {"films": list(films)}).films, view)


def test_padchest_by_projection_without_children_and_what_its_readers_excluded(tmp_path: Path):
    padchest(tmp_path)
    assert len(PADCHEST_COLUMNS) == 36
    films = found("pa", {"kind": "padchest", "path": str(tmp_path)})
    names = ["a_pa.png", "b_pa.png", "c_pa.png", "d_pa.png", "gone.png", "cut.png", "flat.png"]
    assert [film.name for film in films.films] == names
    assert films.left_out == [
        ("f_pa.png", "a child"),
        ("g_pa.png", "labelled exclude"),
        ("h_pa.png", "labelled suboptimal study"),
        ("../x.png", "ImageDir and ImageID name no file"),
    ]
    assert [film.spacing_mm for film in films.films[:3]] == [None, 0.9, None], "2.0 mm is of no detector"
    assert films.films[1].path == tmp_path / "7/b_pa.png" and films.films[2].patient == films.films[3].patient
    assert [film.name for film in found("lateral", {"kind": "padchest", "path": str(tmp_path)}).films] == [
        "a_l.png",
        "b_l.png",
    ]
    assert not found("oblique", {"kind": "padchest", "path": str(tmp_path)}).films


def test_children_where_they_are_asked_for_and_a_table_that_is_packed(tmp_path: Path):
    table = padchest(tmp_path)
    packed = tmp_path / "elsewhere.csv.gz"
    packed.write_bytes(gzip.compress(table.read_bytes()))
    source = {"kind": "padchest", "path": str(tmp_path), "table": str(packed), "children": True}
    assert "f_pa.png" in [film.name for film in found("pa", source).films]
    packed.write_bytes(packed.read_bytes()[:200])
    with pytest.raises(InputError, match=r"elsewhere.csv.gz: cannot be read \(Compressed file ended"):
        found("pa", source)


def test_a_table_that_is_not_padchest_s_is_refused(tmp_path: Path):
    source = {"kind": "padchest", "path": str(tmp_path)}
    remedy = "give PadChest's own table, PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv, as style.films[].table"
    with pytest.raises(InputError) as error:
        found("pa", source)
    assert str(error.value) == f"{tmp_path}: no PADCHEST_*.csv there: {remedy}"
    (tmp_path / "PADCHEST_1.csv").write_text("ImageID,Projection\na,PA\n")
    with pytest.raises(InputError) as error:
        found("pa", source)
    lacks = "ImageDir, Labels, PatientID, Pediatric, SpatialResolution_DICOM"
    assert str(error.value) == f"{tmp_path}/PADCHEST_1.csv: lacks the columns {lacks}: {remedy}"


def test_openi_by_its_projections(tmp_path: Path):
    for name in ("1_IM-0001-4001.dcm.png", "1_IM-0001-3001.dcm.png", "2_IM-0652-1001.dcm.png"):
        write_film(tmp_path / "images_normalized" / name, pa())
    with (tmp_path / "indiana_projections.csv").open("w", newline="") as file:
        csv.writer(file).writerows([
            ("uid", "filename", "projection"), ("1", "1_IM-0001-4001.dcm.png", "Frontal"),
            ("1", "1_IM-0001-3001.dcm.png", "Lateral"), ("2", "2_IM-0652-1001.dcm.png", "Frontal"),
            ("3", "3_IM-1384-1001.dcm.png", "Frontal"),
        ])  # fmt: skip
    source = {"kind": "openi", "path": str(tmp_path)}
    films = found("pa", source)
    assert [film.patient for film in films.films] == ["openi 1", "openi 2"]
    assert films.left_out == [("3_IM-1384-1001.dcm.png", "no such file")]
    assert [film.name for film in found("lateral", source).films] == ["1_IM-0001-3001.dcm.png"]
    with pytest.raises(InputError, match=r"nowhere: no indiana_projections.csv below it: give"):
        found("pa", source | {"path": "nowhere"})


def test_a_folder_of_one_view_by_its_pattern_and_sources_one_after_the_other(tmp_path: Path):
    for name in ("pa_2.png", "deep/pa_1.png", "lateral_1.png", ".pa_3.png"):
        write_film(tmp_path / name, pa())
    source = {"kind": "folder", "path": str(tmp_path), "view": "pa", "files": "pa_*.png"}
    assert [film.name for film in found("pa", source).films] == ["deep/pa_1.png", "pa_2.png"]
    assert not found("lateral", source).films
    padchest(tmp_path / "chest")
    both = found("pa", source, {"kind": "padchest", "path": str(tmp_path / "chest")})
    assert [film.name for film in both.films][-1] == "flat.png" and len(both.left_out) == 4
    with pytest.raises(InputError) as error:
        found("pa", source | {"files": "*.tif"})
    assert str(error.value) == f"{tmp_path}: no film *.tif there: mend style.films[].path or files"
