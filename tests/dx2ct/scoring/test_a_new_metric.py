"""A metric is one function and one line: in a copy of the project it is added so, and everything else follows."""

import csv
import json
from pathlib import Path
import shutil

import numpy as np
import pytest

from tests.copies import Copy, ROOT
from tests.fabricate import COHORT, TESTS, write_data, write_reconstructions, write_sheet

pytestmark = pytest.mark.slow
FUNCTION = '''

def largest_error_hu(evaluation: Evaluation) -> float:
    """Largest error in the body."""
    return float(np.abs(evaluation.truth - evaluation.image)[evaluation.body].max())
'''
LINE = '    Metric("largest_error_hu", "largest error", "HU", -1, BODY, strict.largest_error_hu, "a test", digits=1),'


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    copy = Copy(tmp_path_factory.mktemp("copy"))
    copy.append("dx2ct/metrics/strict.py", FUNCTION)
    copy.insert("dx2ct/metrics/registry.py", '    Metric("lpips_vgg"', LINE)
    return copy


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_stands_in_every_table_of_scores(copy: Copy, tmp_path: Path):
    data, run, results = tmp_path / "data", tmp_path / "results/mean", tmp_path / "results"
    write_data(data)
    write_reconstructions(run, {"method": "mean"}, offset_hu=10)
    write_sheet(tmp_path / "sheet.tsv", COHORT, seeds=True)
    options = ["--settings", json.dumps({"lpips": False}), "--sheet", tmp_path / "sheet.tsv", "--data", data]
    copy.run("dx2ct", "score-run", "--run", run, *options, "-o", run / "scores.csv")
    assert [row["largest_error_hu"] for row in table(run / "scores.csv")][:4] == [
        *("10.0000", "20.0000", "30.0000", "20.0000")
    ]
    copy.run("dx2ct", "metrics", run, run, "-o", results / "metrics.csv", "--comparisons", results / "comparisons.csv")
    row = table(results / "metrics.csv")[0]
    assert (row["largest_error_hu"], row["largest_error_hu_planes"]) == ("20.0000", "20.0000")


def test_it_is_printed_for_two_files(copy: Copy, tmp_path: Path):
    write_reconstructions(tmp_path / "one", {"method": "mean"}, offset_hu=0)
    write_reconstructions(tmp_path / "two", {"method": "mean"}, offset_hu=10)
    files = [tmp_path / name / f"volumes/{TESTS[0]}.nii.gz" for name in ("one", "two")]
    found = json.loads(copy.run("dx2ct", "score", *files).stdout)
    assert found["largest_error_hu"] == 20 and np.isfinite(found["psnr_db"])


def test_its_definition_stands_on_the_page(copy: Copy):
    shutil.copytree(ROOT / "docs", copy.root / "docs")
    copy.run("dx2ct.planning.docs")
    line = "| `largest_error_hu` | Largest error in the body. | HU | lower | body | empties a mean | a test |"
    assert line in (copy.root / "docs/metrics.md").read_text().splitlines()
