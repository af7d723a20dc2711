from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
import re

import pytest

from drr.errors import InputError
from dx2ct.figures import Case, comparison_figure
from dx2ct.report import write_report
from dx2ct.score import score_run, VERSION, write_metrics
from dx2ct.settings import ScoreSettings
from dx2ct.statistics import write_comparisons
from tests.dx2ct.tiny_run import body, DX2CT, TESTS, write_data, write_run, write_sheet

NASTY = '<script>alert("x")</script> & no slices'


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    write_data(root / "data")
    write_run(root / "results/mean", {"method": "mean"}, offset_hu=40)
    write_run(root / "results/dx2ct", DX2CT, offset_hu=10)
    lines = [f"{step},{1 / step},0.001,{step}" for step in (25, 50, 75)]
    (root / "results/dx2ct/training.csv").write_text("\n".join(["step,loss,learning_rate,seconds", *lines]) + "\n")
    settings = ScoreSettings(version=VERSION, data_range_hu=2500, lpips=False)
    for run in runs(root):
        score_run(run, TESTS, settings, root / "data", run / "scores.csv")
    write_metrics(runs(root), root / "results/metrics.csv")
    write_comparisons(runs(root), root / "results/comparisons.csv")
    write_sheet(root / "sheet.tsv", further="broken\tqb\t\t\ttest\t7\nsilent\tqs\t\t\ttrain\t8\n")
    (root / "broken.txt").write_text(f"{NASTY}\ndetails\n")
    (root / "left_out.tsv").write_text("path\treason\n/ct/knee.zip\tnot a chest: 3 slices\n")
    return root


def runs(root: Path) -> list[Path]:
    return [root / "results/mean", root / "results/dx2ct"]


def report(root: Path, output: Path, **changes) -> str:
    arguments = {
        "runs": runs(root),
        "metrics": root / "results/metrics.csv",
        "comparisons": root / "results/comparisons.csv",
        "sheet": root / "sheet.tsv",
        "leave_out": ["broken", "silent"],
        "left_out": [root / "broken.txt", root / "left_out.tsv"],
        "data": root / "data",
        "output": output,
    }
    write_report(**(arguments | changes))
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(project) -> str:
    return report(project, project / "results/report.html")


class Elements(HTMLParser):
    """All tags with their attributes, and the text of every table row."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.cell = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        self.cell = tag in ("td", "th")
        if self.cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.cell = self.cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data


def test_results_table(page):
    rows = Elements(page).rows
    (row,) = [row for row in rows if row[:2] == ["dx2ct", "dx2ct"]]
    assert row[2:7] == ["pa+lateral", "spade", "true", "x0", "3"]
    assert (row[7], row[9], row[10]) == ("41.94 ± 0.00", "–", "20.0")
    assert [row[:2] for row in rows].count(["t-1", "dx2ct"]) == 1


def test_comparisons_and_extremes(page):
    rows = Elements(page).rows
    (row,) = [row for row in rows if row[:3] == ["mean", "dx2ct", "mae_hu"]]
    assert row[3:6] == ["3", "60.000", "60.000 to 60.000"]
    assert not [row for row in rows if row[:3] == ["mean", "dx2ct", "lpips"]]
    (worst,) = [row for row in rows if row[0] == "dx2ct" and len(row) == 3]
    assert worst[1].count("(41.94)") == 3 and set(TESTS) == {part.split(" (")[0] for part in worst[2].split(", ")}


def test_says_what_it_is(page):
    assert "Research use only, not a medical device" in page
    assert "phantoms only" in page
    assert re.search(r"with a range of\s+2500 HU", page)


def test_a_cohort_without_seeds_is_not_called_phantom(project, tmp_path):
    lines = [line.rpartition("\t")[0] for line in (project / "sheet.tsv").read_text().splitlines()]
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    assert "phantom" not in report(project, tmp_path / "report.html", sheet=tmp_path / "sheet.tsv")


def test_left_out_scans_have_reasons(page):
    rows = Elements(page).rows
    assert ["broken", NASTY] in rows
    assert ["/ct/knee.zip", "not a chest: 3 slices"] in rows
    assert ["silent", "no reason recorded"] in rows
    assert ["train", "2", "2"] in rows and ["test", "3", "3"] in rows


def test_markup_in_a_reason_is_escaped(page):
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_page_is_self_contained(project, page):
    tags = Elements(page).tags
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert len(images) == 2 and all(image["alt"] for image in images)
    for image, name in zip(images, ("comparison", "training"), strict=True):
        png = b64decode(image["src"].removeprefix("data:image/png;base64,"))
        assert png == (project / f"results/figures/{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags}
    assert not re.search(r"https?://|url\(|@import", page)
    assert len(page) < 5e6


def test_no_training_curve_without_training(project, tmp_path):
    page = report(project, tmp_path / "report.html", runs=runs(project)[:1])
    assert "Training loss" not in page
    assert not (tmp_path / "figures/training.png").exists()


def test_missing_files_are_named(project, tmp_path):
    with pytest.raises(InputError, match=r"nothing\.csv"):
        report(project, tmp_path / "report.html", metrics=tmp_path / "nothing.csv")
    with pytest.raises(InputError, match=r"nothing\.txt"):
        report(project, tmp_path / "report.html", left_out=[tmp_path / "nothing.txt"])
    with pytest.raises(InputError, match="no scan with split test"):
        report(project, tmp_path / "report.html", leave_out=["broken", *TESTS])


def test_pictures_keep_left_and_right():
    volume = body(0)  # its lung lies at the patient's left (+x), so at the right of axial and coronal pictures
    case = Case("scan", {"pa": volume[:, 16], "lateral": volume[:, :, 16]}, volume, {"run": volume + 200})
    figure = comparison_figure([case])
    panels = {axes.get_title(): axes.images[0].get_array() for axes in figure.axes if axes.images}
    for plane in ("axial", "coronal"):
        left, right = panels[plane][:, :16], panels[plane][:, 16:]
        assert (right == -850).sum() > 2 * (left == -850).sum()
    assert set(panels["|error|, axial"].ravel()) == {200}
