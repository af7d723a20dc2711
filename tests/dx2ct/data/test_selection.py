"""Which scans a cohort takes: laws of filters, splits and limits on the real table of LIDC-IDRI and on small ones."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from drr.errors import InputError
from dx2ct.data.cohort.selection import BOUNDS, filter_reason, fingerprint, leaks, read_rows, Row, select
from tests.workflow.snake import ROOT

LIDC = read_rows(ROOT / "workflow/resources/lidc-idri.tsv")
OPEN: dict[str, Any] = dict.fromkeys(BOUNDS) | {"contrast": None, "exclude_flags": []}
SPLITS = ("patients", "paper", "paper_leak_free", "perx2ct", "perx2ct_leak_free")


def cohort(split: str | None = "patients", limit: int | None = None, **filters: Any) -> dict[str, Any]:
    return {"split": split, "limit": limit, "filters": OPEN | filters}


def scan(name: str, **columns: str) -> Row:
    facts = {"slice_mm": "2.5", "largest_gap_mm": "2.5", "z_mm": "300", "fov_mm": "350", "contrast": "no", "flags": ""}
    return {"scan": name, "patient": name, "path": f"{name}.zip", "split": "train"} | facts | columns


@settings(max_examples=40, deadline=None)
@given(
    split=st.sampled_from(SPLITS),
    limit=st.none() | st.integers(2, 1100),
    max_slice_mm=st.none() | st.floats(0.4, 6),
    min_fov_mm=st.none() | st.floats(200, 400),
    contrast=st.none() | st.booleans(),
)
def test_every_ct_is_either_used_or_left_out_with_a_reason(
    split: str, limit: int | None, max_slice_mm: float | None, min_fov_mm: float | None, contrast: bool | None
) -> None:
    section = cohort(split, limit, max_slice_mm=max_slice_mm, min_fov_mm=min_fov_mm, contrast=contrast)
    kept, left_out = select(LIDC, section)
    names = [row["scan"] for row in kept] + [name for name, _ in left_out]
    assert sorted(names) == sorted(row["scan"] for row in LIDC if row["modality"] == "CT")
    assert all(reason for _, reason in left_out)
    for row in kept:
        assert max_slice_mm is None or float(row["slice_mm"]) <= max_slice_mm
        assert min_fov_mm is None or float(row["fov_mm"]) >= min_fov_mm
        assert contrast is None or row["contrast"] == ("yes" if contrast else "no")
        assert row["split"] == row[f"split_{split}"] != ""
    if limit is not None:
        assert len({row["patient"] for row in kept}) <= limit
        there = {row["split"] for row in select(LIDC, section | {"limit": None})[0]}
        assert {row["split"] for row in kept} >= there & {"train", "test"}


@pytest.mark.parametrize(
    ("name", "bound", "reason"),
    [
        ("max_slice_mm", 2.0, "slice_mm 2.5 is above max_slice_mm 2"),
        ("max_gap_mm", 2.0, "largest_gap_mm 2.5 is above max_gap_mm 2"),
        ("min_z_mm", 320.0, "z_mm 300 is below min_z_mm 320"),
        ("max_z_mm", 299.5, "z_mm 300 is above max_z_mm 299.5"),
        ("min_fov_mm", 351.0, "fov_mm 350 is below min_fov_mm 351"),
        ("max_fov_mm", 349.0, "fov_mm 350 is above max_fov_mm 349"),
    ],
)
def test_a_bound_leaves_out_what_is_beyond_and_says_so(name: str, bound: float, reason: str) -> None:
    fact = BOUNDS[name][0]
    assert filter_reason(scan("a"), OPEN | {name: bound}) == reason
    assert filter_reason(scan("a"), OPEN | {name: float(scan("a")[fact])}) == "", "the bound itself is allowed"
    assert "is not known" in filter_reason(scan("a", **{fact: ""}), OPEN | {name: bound})


def test_contrast_and_flags() -> None:
    assert filter_reason(scan("a"), OPEN | {"contrast": False}) == ""
    assert filter_reason(scan("a"), OPEN | {"contrast": True}) == "contrast is no, asked is yes"
    assert filter_reason(scan("a", contrast=""), OPEN | {"contrast": True}) == "contrast is not known, asked is yes"
    flagged = scan("a", flags="missing-slices,irregular-spacing")
    assert filter_reason(flagged, OPEN | {"exclude_flags": ["missing-slices"]}) == "flagged missing-slices"
    assert filter_reason(flagged, OPEN | {"exclude_flags": ["duplicate-slices"]}) == ""


def test_a_limit_counts_patients_divides_them_as_all_are_and_keeps_all_their_scans() -> None:
    kept, left_out = select(LIDC, cohort("paper", limit=10))
    assert [row["split"] for row in kept].count("test") == 1
    assert len({row["patient"] for row in kept}) == 10
    assert set(dict(left_out).values()) == {"beyond the limit of 10 patients"}
    twice = [scan("a1", patient="a"), scan("a2", patient="a"), scan("b", split="test"), scan("c")]
    assert [row["scan"] for row in select(twice, cohort(None, limit=2))[0]] == ["a1", "a2", "b"]
    assert len(select(twice, cohort(None, limit=99))[0]) == 4


def test_the_filters_come_before_the_limit() -> None:
    kept, _ = select(LIDC, cohort("paper", limit=10, max_slice_mm=1.0))
    assert len({row["patient"] for row in kept}) == 10


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (cohort("nonsense"), "cohort.split needs the column split_nonsense"),
        (cohort(None, min_z_mm=1.0), "cohort.filters.min_z_mm needs the column z_mm"),
        (cohort(None, contrast=True), "cohort.filters.contrast needs the column contrast"),
        (cohort(None, exclude_flags=["split-leak"]), "cohort.filters.exclude_flags needs the column flags"),
    ],
)
def test_a_column_that_is_not_there_is_an_error_not_an_open_filter(section: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        select([{"scan": "a", "patient": "a", "path": "a", "series_uid": "", "split": "train"}], section)


def test_a_patient_in_two_splits_is_refused_unless_every_scan_is_marked() -> None:
    rows = [scan("a", patient="p"), scan("b", patient="p", split="test", flags="split-leak")]
    with pytest.raises(InputError, match="patient p is in two splits"):
        leaks(rows)
    rows[0]["flags"] = "duplicate-slices,split-leak"
    assert leaks(rows) == ["p"]
    assert leaks([scan("a"), scan("b", split="test")]) == []


def test_the_fingerprint_sees_every_change() -> None:
    kept, left_out = select(LIDC, cohort("paper", limit=10))
    prints = {
        fingerprint(kept, left_out),
        fingerprint(kept[1:], left_out),
        fingerprint(kept, left_out[1:]),
        fingerprint([kept[0] | {"split": "val"}, *kept[1:]], left_out),
    }
    assert len(prints) == 4
