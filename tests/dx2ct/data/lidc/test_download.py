"""The command as a whole: sources, receipt, resume, refusals."""

import errno
import hashlib
from io import StringIO
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from dx2ct.data.sources.lidc import staging
from tests.dx2ct.data.lidc.archive import archive, Served
from tests.dx2ct.data.lidc.harness import arguments, call, holds, manifest, source, synthetic
from tests.dx2ct.data.lidc.kills import ROOT

pytestmark = pytest.mark.slow


def test_every_kind_of_source_gives_the_same_bytes(series: Served, series_folder: Path, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series) as server:
        outcomes = [
            call(series, table, tmp_path / kind / "scan.zip", [source(kind, address)])
            for kind, address in [("idc", server.url), ("nbia", server.url), ("local", str(series_folder))]
        ]
    assert len({outcome.output.read_bytes() for outcome in outcomes}) == 1
    assert holds(outcomes[0], series)
    assert holds(outcomes[1], series)
    assert [outcome.receipt["md5_stated_by_source"] for outcome in outcomes] == [True, True, False]
    assert [outcome.receipt["source"]["kind"] for outcome in outcomes] == ["idc", "nbia", "local"]


def test_the_receipt_says_what_is_in_the_zip(series: Served, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series) as server:
        outcome = call(series, table, tmp_path / "raw/scan.zip", [source("idc", server.url)])
    receipt = outcome.receipt
    assert (receipt["series_uid"], receipt["files"], receipt["bytes"]) == (series.uid, len(series.files), series.size)
    assert receipt["zip"]["sha256"] == hashlib.sha256(outcome.output.read_bytes()).hexdigest()
    assert {one["from"]: one["md5"] for one in receipt["content"]} == {
        f"{series.uuid}/{name}": hashlib.md5(content).hexdigest() for name, content in series.files.items()
    }


def test_a_workflow_without_a_terminal_hears_nothing(series: Served, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series) as server:
        assert call(series, table, tmp_path / "raw/scan.zip", [source("idc", server.url)]).stderr == ""


def test_a_terminal_sees_bytes_and_the_time_left(
    series: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.dx2ct.data.lidc import harness

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(harness, "StringIO", Terminal)
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series, pace_s=0.15) as server:
        stderr = call(series, table, tmp_path / "raw/scan.zip", [source("idc", server.url)]).stderr
    assert "B/s]" in stderr
    assert f"/{series.size / 1000:.2f}k" in stderr
    assert "100%" in stderr


def test_what_is_there_is_not_fetched_again(series: Served, tmp_path: Path) -> None:
    table, output = manifest(tmp_path / "manifest.tsv", series), tmp_path / "raw/scan.zip"
    with archive(series) as server:
        sources = [source("idc", server.url)]
        assert call(series, table, output, sources).code == 0
        asked = len(server.asked)
        again = call(series, table, output, sources)
        assert holds(again, series)
        assert "nothing to fetch" in again.stderr
        assert len(server.asked) == asked


@pytest.mark.parametrize("harm", ["zip", "receipt", "no receipt", "another receipt"])
def test_a_damaged_result_is_fetched_anew(harm: str, series: Served, tmp_path: Path) -> None:
    table, output = manifest(tmp_path / "manifest.tsv", series), tmp_path / "raw/scan.zip"
    receipt = output.with_name("scan.receipt.json")
    with archive(series) as server:
        sources = [source("idc", server.url)]
        call(series, table, output, sources)
        if harm == "zip":
            content = bytearray(output.read_bytes())
            content[len(content) // 2] ^= 1
            output.write_bytes(content)
        elif harm == "receipt":
            receipt.write_text("{")
        elif harm == "no receipt":
            receipt.unlink()
        else:
            receipt.write_text(receipt.read_text().replace(series.uid, "1.2.3.4"))
        assert holds(call(series, table, output, sources), series)


def test_staged_files_of_another_series_are_thrown_away(series: Served, tmp_path: Path) -> None:
    other = synthetic(tmp_path / "others", name="b")
    table, output = manifest(tmp_path / "manifest.tsv", series, other), tmp_path / "raw/scan.zip"
    folder = output.parent / ".scan.download"
    with archive(other, fault=None) as server:
        call(other, table, output, [source("idc", server.url)])
        folder.mkdir()
        (folder / "series.json").write_text('{"series_uid": "1.2.3"}')
        (folder / f"{'0' * 32}-{'0' * 32}.dcm").write_bytes(b"x")
        (folder / "file.part").write_bytes(b"x")
        (folder / "sub").mkdir()
    with archive(series) as server:
        outcome = call(series, table, output, [source("idc", server.url)])
    assert holds(outcome, series), outcome.stderr


def test_a_staged_file_that_has_changed_is_fetched_again(series: Served, tmp_path: Path) -> None:
    """After a crash of the machine a file may have its size and no content."""
    table, output = manifest(tmp_path / "manifest.tsv", series), tmp_path / "raw/scan.zip"
    kill = sorted(series.files)[-1]
    from dataclasses import replace

    with archive(series, fault=lambda r, a: replace(a, status=500) if r.path.endswith(kill) else a) as server:
        call(series, table, output, [source("idc", server.url)])
    staged = sorted(output.parent.glob(".scan.download/*.dcm"))
    staged[0].write_bytes(bytes(staged[0].stat().st_size))
    with archive(series) as server:
        assert holds(call(series, table, output, [source("idc", server.url)]), series)
    assert sum(path.endswith(".dcm") for path in server.asked) == 2


def test_no_room_no_request(series: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=series.size)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series) as server:
        outcome = call(series, table, tmp_path / "raw/scan.zip", [source("idc", server.url)])
    assert (outcome.code, outcome.files, server.asked) == (1, [], [])
    assert "MB free" in outcome.error


def test_a_disk_that_fills_up_is_one_line(series: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, key: str, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(staging.Staging, "keep", full)
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series) as server:
        outcome = call(series, table, tmp_path / "raw/scan.zip", [source("idc", server.url)])
    assert outcome.code == 1
    assert outcome.error.endswith("cannot be written (No space left on device)")
    assert not outcome.output.exists()


@pytest.mark.parametrize(
    ("columns", "needs"),
    [
        ({"images": "7"}, "manifest has 7"),
        ({"images": "0"}, "images"),
        ({"images": "many"}, "images"),
        ({"bytes": "8267"}, "manifest has 8267"),
        ({"bytes": "big"}, "big"),
        ({"bytes": "-1"}, "-1"),
        ({"idc_uuid": "../../secret"}, "secret"),
        ({"idc_uuid": ""}, "no idc_uuid"),
    ],
)
def test_the_manifest_decides(columns: dict[str, str], needs: str, series: Served, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series, **columns)
    with archive(series) as server:
        outcome = call(series, table, tmp_path / "raw/scan.zip", [source("idc", server.url)])
    assert (outcome.code, outcome.output.exists()) == (1, False)
    assert needs in outcome.error


def test_sizes_are_exact_in_idc_and_leave_room_for_headers_elsewhere(series: Served, tmp_path: Path) -> None:
    longer, other = str(series.size + 6 * len(series.files)), str(series.size + 9000 * len(series.files))
    expected = {("idc", ""): 0, ("idc", longer): 1, ("nbia", longer): 0, ("nbia", other): 1, ("nbia", ""): 0}
    with archive(series) as server:
        for (kind, size), code in expected.items():
            folder = tmp_path / f"{kind}{size}"
            table = manifest(folder / "manifest.tsv", series, bytes=size)
            outcome = call(series, table, folder / "raw/scan.zip", [source(kind, server.url)])
            assert outcome.code == code, (kind, size, outcome.stderr)


@pytest.mark.parametrize("uid", ["", "../1.2", "1.2/3", "1..2", "01.2", "1.2\0", "1" * 65, "١.٢", "1.2.3.4"])
def test_a_uid_that_is_none_or_unknown_is_refused(uid: str, series: Served, tmp_path: Path) -> None:
    from dataclasses import replace

    table = manifest(tmp_path / "manifest.tsv", series)
    outcome = call(replace(series, uid=uid), table, tmp_path / "raw/scan.zip", [source("local", str(tmp_path))])
    assert outcome.code == 1
    assert outcome.stderr.count("\n") == 1
    assert not outcome.output.parent.exists()


@pytest.mark.parametrize("text", [None, "", "no\ttable\n", "\xff"])
def test_a_bad_manifest_is_one_line(text: str | None, series: Served, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "manifest.tsv").write_bytes(text.encode("latin-1"))
    outcome = call(series, tmp_path / "manifest.tsv", tmp_path / "raw/scan.zip", [source("local", str(tmp_path))])
    assert (outcome.code, outcome.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("url", ["http://example.com", "ftp://127.0.0.1", "file:///etc", "https://"])
def test_plain_http_is_for_this_machine_only(url: str, series: Served, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series)
    outcome = call(series, table, tmp_path / "raw/scan.zip", [{"kind": "idc", "url": url}])
    assert outcome.code == 1
    assert "sources" in outcome.error


def test_the_command_line_itself(series: Served, tmp_path: Path) -> None:
    """Exit codes of a process: 0 with the series, 1 without."""
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series) as server:
        for kind, code in (("nbia", 0), ("local", 1)):
            words = arguments(series, table, tmp_path / kind / "scan.zip", [source(kind, server.url)])
            done = subprocess.run([sys.executable, "-m", "dx2ct", *words], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == code, done.stderr
            assert "Traceback" not in done.stderr


def test_the_archive_of_these_tests_stops_by_itself(series: Served, tmp_path: Path) -> None:
    table = manifest(tmp_path / "manifest.tsv", series)
    with archive(series, most_requests=3) as server:
        outcome = call(series, table, tmp_path / "raw/scan.zip", [source("idc", server.url)], read_timeout_s=0.4)
        assert outcome.code == 1
        assert server.stopping.is_set()
    with archive(series, most_seconds=0.05) as server:
        assert server.stopping.wait(5)
