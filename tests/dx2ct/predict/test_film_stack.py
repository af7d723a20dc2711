"""Films as a style learns from them: read as predict reads them, and what cannot be used is listed with its reason."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from drr.errors import InputError
from dx2ct import layout
from dx2ct.data.tables import read_table
from dx2ct.predict.film_stack import part_of, write_films
from dx2ct.style.examples import read_films
from tests.conftest import ROOT
from tests.fabricate.films import films_settings, padchest, write_film
from tests.fabricate.xray_files import pa


def table_of(data: Path, view: str = "pa") -> dict[str, dict[str, str]]:
    return {row["film"]: row for row in read_table(layout.films_table(data, view), "", "\t")}


def test_padchest_without_its_broken_films(tmp_path: Path):
    padchest(tmp_path / "chest")
    settings = films_settings([{"kind": "padchest", "path": str(tmp_path / "chest")}])
    write_films(settings, tmp_path / "data", threads=2)
    table = table_of(tmp_path / "data")
    used = {name: row for name, row in table.items() if row["part"]}
    assert list(used) == ["a_pa.png", "b_pa.png", "c_pa.png", "d_pa.png"]
    reasons = {name: row["note"] for name, row in table.items() if not row["part"]}
    assert reasons["gone.png"].endswith("0/gone.png: cannot be read (No such file or directory)")
    assert "7/cut.png: not a readable image" in reasons["cut.png"]
    assert "all pixels have the one value 0" in reasons["flat.png"]
    assert reasons["f_pa.png"] == "a child" and len(reasons) == 7


def test_grey_values_of_any_range_are_one_film(tmp_path: Path):
    for name, top in (("a", 1023), ("b", 4095), ("c", 65535)):
        write_film(tmp_path / f"films/{name}.png", pa(), top)
    source = {"kind": "folder", "path": str(tmp_path / "films"), "view": "pa"}
    write_films(films_settings([source]), tmp_path)
    films = read_films(tmp_path, "pa", 32)
    images = [films.get(row) for row in films.parts["train"]]
    assert images[0].min() == 0 and images[0].max() == 1
    np.testing.assert_allclose(images[0], images[2], atol=2e-3)
    np.testing.assert_allclose(images[1], images[2], atol=2e-3)


def test_what_predict_would_doubt_is_left_out_and_a_lateral_film_the_other_way_round_is_mirrored(tmp_path: Path):
    write_film(tmp_path / "films/good.png", pa())
    write_film(tmp_path / "films/negative.png", 1 - pa())
    chest = sitk.GetArrayFromImage(sitk.ReadImage(str(ROOT / "examples/chest_lateral.mha")))
    chest = (chest - chest.min()) / np.ptp(chest)
    write_film(tmp_path / "films/left.png", chest)
    write_film(tmp_path / "films/right.png", chest[:, ::-1])
    folder = {"kind": "folder", "path": str(tmp_path / "films")}
    of_pa = [folder | {"view": "pa", "files": files} for files in ("*e.png", "g*")]
    write_films(films_settings(of_pa), tmp_path)
    table = table_of(tmp_path)
    assert table["good.png"]["part"] == "train" and "bone looks dark" in table["negative.png"]["note"]
    write_films(films_settings([folder | {"view": "lateral", "files": "*t.png"}], "lateral"), tmp_path)
    notes = {name: row["note"] for name, row in table_of(tmp_path, "lateral").items()}
    assert notes == {"left.png": "", "right.png": "mirrored: its front seemed to be at the right"}
    films = read_films(tmp_path, "lateral", 32)
    np.testing.assert_allclose(films.get(0), films.get(1), atol=1e-4)


def test_patients_are_held_out_as_a_whole_and_a_limit_draws_the_same_films_again(tmp_path: Path):
    settings = films_settings([], held_out=0.25)
    parts = [part_of(f"patient {number}", settings) for number in range(1000)]
    assert 200 < parts.count("held_out") < 300 and parts[7] == part_of("patient 7", settings)
    for number in range(6):
        write_film(tmp_path / f"films/{number}.png", pa())
    source = {"kind": "folder", "path": str(tmp_path / "films"), "view": "pa"}
    write_films(films_settings([source], limit=3), tmp_path / "one")
    write_films(films_settings([source], limit=3), tmp_path / "two")
    assert list(table_of(tmp_path / "one")) == list(table_of(tmp_path / "two")) and len(table_of(tmp_path / "one")) == 3


def test_no_film_is_one_line(tmp_path: Path):
    write_film(tmp_path / "films/flat.png", np.zeros((80, 80)))
    source = {"kind": "folder", "path": str(tmp_path / "films"), "view": "pa"}
    with pytest.raises(InputError) as error:
        write_films(films_settings([source]), tmp_path / "data")
    why = f"flat.png: {tmp_path}/films/flat.png: all pixels have the one value 0: there is no image in it"
    assert str(error.value) == f"style.films: no pa film to train on, {why}: name other sources or views"
    assert not list((tmp_path / "data").rglob("*.npy")), "nothing half-written"
    with pytest.raises(InputError, match=r"pa.npy: no films .*: run dx2ct style-films again"):
        read_films(tmp_path / "data", "pa", 32)
