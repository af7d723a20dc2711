"""Where scans come from: what each source needs of a sheet, and the one command that fetches."""

import json
from pathlib import Path
import zipfile

import pytest
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct.cli import app
from dx2ct.data.cohort.selection import read_rows
from dx2ct.data.sources import sources
from dx2ct.planning.tree import Config
from tests.conftest import ROOT

SMOKE = ROOT / "workflow/resources/smoke.tsv"
FIRST = read_rows(SMOKE)[0]


def fetch(*words: str | Path) -> str:
    """What the command prints; raises what it raises."""
    done = CliRunner().invoke(app, ["fetch", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_every_source_answers_by_its_name_and_names_what_exists() -> None:
    assert {"phantom", "lidc", "local"} <= set(sources())
    for name, source in sources().items():
        assert source.name == name and source.title
        assert not source.section or hasattr(Config(), source.section), "a section of the configuration"
        assert not source.nodules or (ROOT / source.nodules).is_file()
        assert source.fetch or "path" in source.columns, "scans are fetched, or the sheet says where they lie"


@pytest.mark.slow
def test_a_phantom_is_fetched_by_its_row(tmp_path: Path) -> None:
    fetch(FIRST["scan"], "--source", "phantom", "--sheet", SMOKE, "-o", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert sum(name.endswith(".dcm") for name in archive.namelist()) > 50


def test_what_decides_a_zip_is_its_seed_or_its_series_alone() -> None:
    assert sources()["phantom"].tracked(FIRST | {"nodules": "moved"}) == sources()["phantom"].tracked(FIRST)
    assert sources()["phantom"].tracked(FIRST | {"seed": "99"}) != sources()["phantom"].tracked(FIRST)
    assert sources()["lidc"].tracked({"series_uid": "1.2", "bytes": "3"}) == {"series_uid": "1.2"}


@pytest.mark.parametrize(
    ("scan", "source", "problem"),
    [
        (FIRST["scan"], "nowhere", "--source nowhere: scans are fetched from phantom, lidc"),
        (FIRST["scan"], "local", "--source local: scans are fetched from"),
        ("nobody", "phantom", "smoke.tsv: no scan nobody"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(scan: str, source: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        fetch(scan, "--source", source, "--sheet", SMOKE, "-o", tmp_path / "a.zip")
    assert problem in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_series_of_lidc_that_no_archive_has_is_one_line(tmp_path: Path) -> None:
    """Its section goes to the source as JSON: here an archive that is an empty folder."""
    (tmp_path / "empty").mkdir()
    sheet = ROOT / "workflow/resources/lidc-idri.tsv"
    row = read_rows(sheet)[0]
    settings = json.dumps({"sources": [{"kind": "local", "path": str(tmp_path / "empty")}]})
    for _ in range(2):
        with pytest.raises(InputError) as error:
            fetch(row["scan"], "--source", "lidc", "--sheet", sheet, "--settings", settings, "-o", tmp_path / "a.zip")
        assert row["series_uid"] in str(error.value) and "\n" not in str(error.value)
