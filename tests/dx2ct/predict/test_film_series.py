"""Films of an archive, from its bucket to a table: a made-up LIDC-IDRI of phantoms, headers as various as real ones."""

from collections.abc import Iterable
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any
import zipfile

import cv2
import pandas as pd
import pytest

from drr.errors import InputError
from drr.volume import Volume
import dx2ct
from dx2ct import layout
from dx2ct.config import check, DownloadSettings, plain, SlicesSettings, to_json
from dx2ct.data.cohort.selection import read_rows
from dx2ct.data.grid import CubeGrid
from dx2ct.data.prepare.slices import make_slices
from dx2ct.data.sources.lidc import fetch_series
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.predict.film_figure import write_film_figure
from dx2ct.predict.film_series import look, predict_films, read_films, write_films
from dx2ct.predict.model import Model
from dx2ct.predict.named import model_folder
from dx2ct.scoring.films import score_films, write_film_table
from tests.dx2ct.data.lidc.archive import archive, Served
from tests.dx2ct.data.lidc.harness import serve, SETTINGS, source
from tests.fabricate.film_series import Shot, SPACING, write_shots

GRID = CubeGrid(64, 5.0)  # that of examples/chest_model
PATIENTS: dict[str, list[Shot]] = {
    "whole": [
        Shot("lateral", {"ViewPosition": "LL", "PatientOrientation": ["P", "F"], **SPACING}),
        Shot("pa", {"ViewPosition": "PA", "PatientOrientation": ["L", "F"]}),
        Shot("pa", {"ViewPosition": "PA", "PatientOrientation": ["L", "F"], **SPACING}),
    ],
    "negative": [
        Shot("pa", {"PatientOrientation": ["L", "F"], **SPACING}, negative=True),
        Shot("lateral", {"SeriesDescription": "CHEST LAT", **SPACING}, border=12),
    ],
    "alone": [Shot("pa", {"ViewPosition": "", "SeriesDescription": "CHEST PA"})],
    "untold": [Shot("pa", SPACING | {"ViewPosition": "LAO"})],
    "silent": [Shot("lateral", SPACING), Shot("pa", SPACING)],
}


@dataclass(frozen=True)
class Archived:
    """A folder in which the stages ran: data/, a run, the rows of results/RUN/films.csv and of results/films.csv."""

    folder: Path
    run: Path
    scores: pd.DataFrame
    table: pd.DataFrame

    def record(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(layout.film_record(self.run, name).read_text())
        return found


def serve_films(folder: Path, patients: Iterable[str] = PATIENTS) -> list[Served]:
    """A series for each patient, whose CT is prepared in data/ as well."""
    found = []
    for number, name in enumerate(patients):
        hu = draw(2_000_000 + number, GRID.size, GRID.spacing_mm)
        place = layout.volume(folder / "data", name)
        Volume(hu, (GRID.spacing_mm,) * 3, (-150.0, -160.0, 900.0)).write(place)  # a table's coordinates
        make_slices(place, SlicesSettings(GRID.size), layout.stack(folder / "data", name, "axial").parent)
        uid = f"1.2.840.99.{number + 1}"
        found.append(serve(uid, write_shots(folder / "shots" / name, uid, GRID.volume(hu), PATIENTS[name])))
    return found


def sheet_of(folder: Path, series: list[Served]) -> Path:
    heads = ["scan", "patient", "modality", "series_uid", "images", "bytes", "idc_uuid"]
    lines = [
        [f"{name}-DX", name, "DX", one.uid, str(len(one.files)), str(one.size), one.uuid]
        for name, one in zip(PATIENTS, series, strict=True)
    ]
    path = folder / "sheet.tsv"
    path.write_text("\n".join("\t".join(line) for line in [heads, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return dx2ct.load(model_folder("chest"), "cpu", 1)


@pytest.fixture(scope="module")
def archived(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Archived:
    folder = tmp_path_factory.mktemp("films")
    series, run = serve_films(folder), folder / "results/chest"
    sheet = sheet_of(folder, series)
    with archive(*series) as server:
        settings = to_json(plain(check(DownloadSettings, **SETTINGS, sources=[source("idc", server.url)])))
        for row in read_rows(sheet):
            fetch_series(row, sheet, settings, layout.raw(folder / "data", row["scan"]))
    for name in PATIENTS:
        films, packed = f"{name}-DX", layout.raw(folder / "data", f"{name}-DX")
        write_films(packed, layout.film_series(folder / "data", films))
        table = read_films(layout.film_series(folder / "data", films))
        predict_films(model, packed, table, layout.film_record(run, films))
    score_films(run, [(f"{name}-DX", name) for name in PATIENTS], folder / "data", run / "films.csv")
    write_film_table([run], folder / "results/films.csv")
    scores = pd.read_csv(run / "films.csv", keep_default_na=False).set_index("films")
    return Archived(folder, run, scores, pd.read_csv(folder / "results/films.csv").set_index("metric"))


def test_of_several_images_the_one_with_a_scale_is_taken_and_each_view_told(archived: Archived):
    films = {name: read_films(layout.film_series(archived.folder / "data", f"{name}-DX")) for name in PATIENTS}
    assert films["whole"].taken == {"lateral": "000001.dcm", "pa": "000003.dcm"}
    assert [one.left for one in films["whole"].images] == [None, "000003.dcm is of the same view", None]
    assert [one.by for one in films["negative"].images] == ["PatientOrientation L\\F", "SeriesDescription CHEST LAT"]
    assert films["alone"].taken == {"pa": "000001.dcm"}
    assert films["untold"].taken == {}
    assert films["silent"].taken == {"lateral": "000001.dcm", "pa": "000002.dcm"}
    assert all("a small network" in one.by for one in films["silent"].images)


def test_a_series_that_cannot_be_used_is_a_row_with_its_reason(archived: Archived):
    row = archived.scores.loc["untold-DX"]
    why = "ViewPosition LAO: LAO is neither PA nor lateral"
    assert row["left_out"] == f"no pa and no lateral among 1 images (000001.dcm: {why})"
    assert row["lung_volume_error_ml"] == ""
    assert not layout.film_volume(archived.run, "untold-DX").exists()
    assert set(archived.record("untold-DX")) == {"left_out", "disclaimer"}


def test_films_with_a_scale_give_a_chest_of_about_the_right_size(archived: Archived):
    for name in ("whole", "negative"):
        row = archived.scores.loc[f"{name}-DX"]
        assert row["views"] == "pa lateral" and not row["guessed_scale"] and not row["left_out"]
        assert abs(float(row["lung_volume_error_percent"])) < 40
        assert float(row["dice_lung_registered"]) > 0.7
        assert 0.2 < float(row["ctr_ct"]) < 0.6
        assert float(row["unexplained_pa"]) < 0.2
    assert archived.record("whole-DX")["inputs"]["pa"]["place"]["spacing_from"] == "ImagerPixelSpacing"


def test_a_film_without_a_scale_is_marked_and_no_length_of_it_is_averaged(archived: Archived):
    assert archived.scores.loc["alone-DX", ["views", "guessed_scale"]].tolist() == ["pa", "pa"]
    table = archived.table
    assert table.loc["lung_volume_error_ml", "series"] == table.loc["dice_lung_registered", "series"] == 3
    assert table.loc["unexplained_pa", "series"] == 4 and table.loc["unexplained_lateral", "series"] == 3
    assert (table["left_out"] == 1).all()
    errors = archived.scores.loc[["whole-DX", "negative-DX", "silent-DX"], "lung_volume_error_ml"].astype(float)
    assert table.loc["lung_volume_error_ml", "mean_absolute"] == pytest.approx(errors.abs().mean(), abs=1e-3)


def test_the_figure_shows_what_all_runs_have(archived: Archived, tmp_path: Path):
    series = [f"{name}-DX" for name in PATIENTS]
    write_film_figure([archived.run], series, archived.folder / "data", tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))
    write_film_figure([archived.run], series[:2], archived.folder / "data", tmp_path / "b.png")
    assert picture.std() > 20 and len(picture) > 1.3 * len(cv2.imread(str(tmp_path / "b.png")))
    with pytest.raises(InputError, match=r"^no series of films was reconstructed by all of chest$"):
        write_film_figure([archived.run], ["untold-DX"], archived.folder / "data", tmp_path / "c.png")
    with pytest.raises(InputError, match=r"other-DX\.run\.json: cannot be read .*: run the film_predict stage again$"):
        write_film_figure([archived.run], ["other-DX"], archived.folder / "data", tmp_path / "c.png")


def test_bad_files_are_left_with_their_reason(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("../../1.dcm", b"no film")
    (one,) = look(tmp_path / "a.zip").images
    assert (one.view, one.left) == (None, "1.dcm: not a DICOM file (no DICM mark): fetch it again")
    (tmp_path / "b.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"b\.zip: not a readable zip .*: fetch it again$"):
        look(tmp_path / "b.zip")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(InputError, match=r"c\.json: .*: run the film_views stage again$"):
        read_films(tmp_path / "c.json")
