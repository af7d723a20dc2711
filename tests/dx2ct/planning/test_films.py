"""Films of patients whose CTs are tested, as they are planned."""

from pathlib import Path
from typing import Any

import pytest

from drr.errors import InputError
from dx2ct.planning import Plan
from tests.conftest import ROOT

LIDC = ROOT / "workflow/config/lidc_films.yaml"
HEAD = "scan\tpatient\tmodality\tseries_uid\timages\tbytes\tidc_uuid\tsplit_own"
ROWS = ["a CT train", "a-DX DX", "b CT test", "b-2 CT test", "b-CR CR", "c CT test"]
RUNS: dict[str, Any] = {
    "runs": {"mean": {"method": "mean"}, "sart": {"method": "sart"}, "lift": {"method": "lift"}},
    "report": ["mean", "sart", "lift"],
}


def plan(folder: Path, rows: list[str], **over: Any) -> Plan:
    sheet = folder / "sheet.tsv"
    lines = [HEAD]
    for number, row in enumerate(rows, start=1):
        scan, modality, *split = row.split()
        lines.append(f"{scan}\t{scan[0]}\t{modality}\t1.2.{number}\t1\t\t\t{''.join(split)}")
    sheet.write_text("\n".join(lines) + "\n")
    cohort = {"source": "lidc", "sheet": str(sheet), "split": "own"}
    return Plan([ROOT / "config.yaml"], {"cohort": cohort} | RUNS | over, ROOT)


def test_all_of_lidc_idri_s_patients_with_films_are_held_out():
    found = Plan([LIDC], {}, ROOT)
    assert len(found.films) == 290 and found.film_runs() == ["lift", "dx2ct_lifted"]
    assert found.films["LIDC-IDRI-0004-CR"] == "LIDC-IDRI-0004"
    tested = {row["patient"] for row in found.film_rows.values()}
    learnt = {found.cohort[scan]["patient"] for scan in found.usable("train", "val")}
    assert len(tested) == 290 and not tested & learnt
    assert {found.cohort[scan]["patient"] for scan in found.usable("test")} == tested


def test_films_of_tested_patients_alone_each_with_the_first_ct(tmp_path: Path):
    found = plan(tmp_path, ROWS)
    assert found.films == {"b-CR": "b"}
    assert found.film_runs() == ["sart", "lift"]  # the mean looks at no X-ray
    assert found.film_records("lift") == ["results/lift/films/b-CR.run.json"]
    assert found.film_scores() == ["results/sart/films.csv", "results/lift/films.csv"]
    assert found.fetched("b-CR") == '{"series_uid": "1.2.5"}' and found.film_names() == "b-CR"


def test_without_films_or_runs_for_them_it_is_said_in_one_line(tmp_path: Path):
    without = plan(tmp_path, ["a CT train", "a-DX DX", "b CT test"])
    sheet = tmp_path / "sheet.tsv"
    with pytest.raises(
        InputError, match=rf"^{sheet}: no films \(modality DX or CR\) of a patient whose CT is in split"
    ):
        without.film_scores()
    with pytest.raises(InputError, match=r"^report: no run that looks at X-rays and has weights of its own: none can"):
        plan(tmp_path, ROWS, report=["mean"]).film_scores()
    phantoms = Plan([ROOT / "config.yaml"], {}, ROOT)
    assert phantoms.films == {}
