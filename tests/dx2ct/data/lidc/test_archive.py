"""The real archives. Off by default, because tests ask nobody but this machine.

`pytest -m archive` fetches one series of 34 MB from every archive that is asked by default, 100 MB in all.
"""

import csv
import json
from pathlib import Path

import pytest

from dx2ct.cli import main
from dx2ct.config import plain
from dx2ct.config.data import ARCHIVES, RemoteSource
from tests.dx2ct.data.lidc.harness import Outcome
from tests.dx2ct.data.lidc.kills import ROOT

MANIFEST = ROOT / "workflow/resources/lidc-idri.tsv"


@pytest.mark.archive
@pytest.mark.parametrize("source", ARCHIVES, ids=lambda source: source.url)
def test_the_smallest_ct_series(source: RemoteSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not MANIFEST.exists():
        pytest.skip(f"no manifest at {MANIFEST}")
    monkeypatch.undo()  # of the proxy settings: these requests leave the machine
    with MANIFEST.open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["modality"] == "CT"]
    row = min(rows, key=lambda row: int(row["images"]))
    output = tmp_path / "scan.zip"
    words = ["download", "--series", row["series_uid"], "--manifest", str(MANIFEST), "--output", str(output)]
    monkeypatch.setattr("sys.argv", ["dx2ct", *words, "--settings", json.dumps({"sources": [plain(source)]})])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert Outcome(0, "", output).receipt["files"] == int(row["images"])
