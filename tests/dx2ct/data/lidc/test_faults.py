"""Whatever goes wrong: the verified series or nothing, and the exit code says which."""

from pathlib import Path

import pytest

from tests.dx2ct.data.lidc.archive import archive, Served
from tests.dx2ct.data.lidc.fault_table import meet, state
from tests.dx2ct.data.lidc.faults import Case, CASES
from tests.dx2ct.data.lidc.harness import call, holds, manifest, real, source

OUTCOME = {True: "verified series", False: "no file"}
# one of each way to fail: on the wire, in the status, in the content, made to harm
ENDS = ("5/10 of the body, always", "500, always", "bit, always", "../, always", "size, always", "::1, always")
FEW = [case for case in CASES if case.name.endswith(ENDS)]


def name_of(case: Case) -> str:
    return f"{case.kind}, {case.name}"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_fault_leaves_the_verified_series_or_nothing(case: Case, series: Served, tmp_path: Path) -> None:
    outcome, requests = meet(case, series, tmp_path / "here")
    assert state(outcome, series).startswith(OUTCOME[case.verified]), outcome.stderr
    assert case.needs in outcome.error
    assert requests <= 3 * (len(series.files) + 4)
    assert outcome.code == 0 or (outcome.error.startswith("error: ") and outcome.stderr.count("\n") == 2), (
        outcome.stderr
    )
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("case", FEW, ids=name_of)
def test_after_a_fault_the_next_source_is_asked(case: Case, series: Served, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series, fault=case.fault) as bad, archive(series) as good:
        sources = [source(case.kind, bad.url), source("idc", good.url)]
        outcome = call(series, table, tmp_path / "raw/scan.zip", sources)
    assert holds(outcome, series), outcome.stderr
    assert outcome.receipt["source"] == sources[1]


@pytest.mark.parametrize("case", FEW, ids=name_of)
@pytest.mark.slow
def test_the_same_on_a_real_series(case: Case, real_data: Path, tmp_path: Path) -> None:
    served = real(real_data, slices=3)
    outcome, _ = meet(case, served, tmp_path)
    assert state(outcome, served).startswith(OUTCOME[case.verified]), outcome.stderr


def test_a_mirror_goes_on_where_the_bucket_broke_off(series: Served, tmp_path: Path) -> None:
    """Files that the bucket gave are not fetched again from its mirror."""
    from dataclasses import replace

    from tests.dx2ct.data.lidc.archive import Answer, Request

    last = sorted(series.files)[-1]

    def lacks_one(request: Request, answer: Answer) -> Answer:
        return replace(answer, status=503) if request.path.endswith(last) else answer

    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series, fault=lacks_one) as bucket, archive(series) as mirror:
        sources = [source("idc", bucket.url), source("idc", mirror.url)]
        assert holds(call(series, table, tmp_path / "raw/scan.zip", sources), series)
    assert [path for path in mirror.asked if path.endswith(".dcm")] == [f"/bucket/{series.uuid}/{last}"]


def test_what_was_verified_before_a_fault_waits_for_the_next_call(series: Served, tmp_path: Path) -> None:
    from dataclasses import replace

    from tests.dx2ct.data.lidc.archive import Answer, Request

    half = set(sorted(series.files)[3:])
    broken = True

    def breaks(request: Request, answer: Answer) -> Answer:
        return replace(answer, status=500) if broken and request.path.rpartition("/")[2] in half else answer

    table, output = manifest(tmp_path / "manifest.tsv", series), tmp_path / "raw/scan.zip"
    with archive(series, fault=breaks) as server:
        assert call(series, table, output, [source("idc", server.url)]).code == 1
        assert sum(name.suffix == ".dcm" for name in output.parent.rglob("*")) == 3
        broken, before = False, len(server.asked)
        assert holds(call(series, table, output, [source("idc", server.url)]), series)
    fetched = [path.rpartition("/")[2] for path in server.asked[before:] if path.endswith(".dcm")]
    assert sorted(fetched) == sorted(half)
