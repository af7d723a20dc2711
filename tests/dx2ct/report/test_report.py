from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
import re

import numpy as np
import pandas as pd
import pytest

from drr.errors import InputError
from drr.geometry import ConeBeam
from dx2ct import layout
from dx2ct.config import ScoreSettings, XraySettings
from dx2ct.figures.comparison import comparison_figure
from dx2ct.figures.curves import scatter_figure, slices_figure
from dx2ct.figures.grid import error_figure, grid_figure
from dx2ct.figures.panels import Case
from dx2ct.metrics import METRICS
from dx2ct.report.page import Inputs, write_report
from dx2ct.report.pictures import write_figures
from dx2ct.report.results import results
from dx2ct.report.tables import tables, write_tables
from dx2ct.scoring.run import score_run
from dx2ct.scoring.statistics import write_comparisons
from dx2ct.scoring.summary import write_metrics
from tests.fabricate import body, COHORT, DX2CT, TESTS, write_data, write_reconstructions, write_sheet

pytestmark = pytest.mark.slow

XRAY = XraySettings(ConeBeam(541.0, 949.0, 160.0, 32))
NASTY = '<script>alert("x")</script> & no slices'


@pytest.fixture(scope="session")  # test_page_in_chromium opens it, too
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    write_data(root / "data")
    write_reconstructions(root / "results/mean", {"method": "mean"}, offset_hu=40)
    write_reconstructions(root / "results/dx2ct", DX2CT, offset_hu=10)
    (root / "results/dx2ct/profile.json").write_text('{"forward_flop": {"U-Net": 2e9}, "batch": 1}')
    lines = [f"{step},{1 / step},0.001,{step}" for step in (25, 50, 75)]
    (root / "results/dx2ct/training.csv").write_text("\n".join(["step,loss,learning_rate,seconds", *lines]) + "\n")
    for run in runs(root):
        score_run(run, TESTS, ScoreSettings(lpips=False), root / "data", run / "scores.csv", XRAY)
    write_metrics(runs(root), root / "results/metrics.csv")
    write_comparisons(runs(root), root / "results/comparisons.csv")
    write_tables(runs(root), root / "results/metrics.csv", root / "benchmarks", root / "results/tables")
    more = ["broken\tqb\t\t\ttest\t7", "silent\tqs\t\t\ttrain\t8"]
    write_sheet(root / "sheet.tsv", COHORT, seeds=True, further=more)
    write_figures(runs(root), root / "sheet.tsv", ["broken", "silent"], root / "data", root / "results/figures")
    (root / "broken.txt").write_text(f"{NASTY}\ndetails\n")
    (root / "left_out.tsv").write_text("path\treason\n/ct/knee.zip\tnot a chest: 3 slices\n")
    return root


def runs(root: Path) -> list[Path]:
    return [root / "results/mean", root / "results/dx2ct"]


def report(root: Path, output: Path, **changes) -> str:
    arguments = {"runs": runs(root), "leave_out": ["broken", "silent"], "output": output}
    arguments["left_out"] = [root / "broken.txt", root / "left_out.tsv"]
    files = {
        "metrics": root / "results/metrics.csv",
        "comparisons": root / "results/comparisons.csv",
        "sheet": root / "sheet.tsv",
        "data": root / "data",
        "tables": root / "results/tables",
        "figures": root / "results/figures",
        "config": '{"score": {"lpips": false}, "note": "</script><b>"}',
    }
    for name, value in changes.items():
        (files if name in files else arguments)[name] = value
    write_report(inputs=Inputs(**files), **arguments)
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="session")  # test_page_in_chromium opens it, too
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


def heads(columns) -> list[str]:
    return [column.label.replace(" ↑", "\u00a0↑").replace(" ↓", "\u00a0↓") for column in columns]


def test_a_figure_holds_no_date(project: Path) -> None:
    pages = sorted((project / "results/figures").glob("*.pdf"))
    assert pages and not any(b"CreationDate" in page.read_bytes() for page in pages)


def test_results_table(page):
    rows = Elements(page).rows
    fused, planes, others = results([])
    head = rows.index(heads(fused.columns))
    row = dict(zip([column.key for column in fused.columns], rows[head + 2], strict=True))
    assert [row[key] for key in ("run", "views", "conditioning", "query_transformer", "prediction", "scans")] == [
        *("dx2ct", "pa+lateral", "spade", "true", "x0", "3")
    ]
    assert (row["psnr_db"], row["lpips"], row["mae_hu"], row["psnr_db_std"]) == ("41.94", "–", "20.0", "0.00")
    for table in (planes, others):
        assert rows[rows.index(heads(table.columns)) + 1][0] == "mean"
    assert all(f"<dt>{metric.label}</dt>" in page for metric in METRICS if metric.headline)
    assert [row[:2] for row in rows].count(["t-1", "dx2ct"]) == 1


def test_comparisons_and_extremes(page):
    rows = Elements(page).rows
    (row,) = [row for row in rows if row[:3] == ["mean", "dx2ct", "mae_hu"]]
    assert row[3:7] == ["3", "1, 1", "60.000", "60.000 to 60.000"]
    assert not [row for row in rows if row[:3] == ["mean", "dx2ct", "lpips"]]
    (worst,) = [row for row in rows if row[0] == "dx2ct" and len(row) == 3]
    assert worst[1].count("(41.94)") == 3 and set(TESTS) == {part.split(" (")[0] for part in worst[2].split(", ")}


def test_says_what_it_is(page):
    assert "Research use only, not a medical device" in page
    assert "phantoms only" in page
    assert re.search(r"the range here:\s+2,?500 HU", page)


def test_a_cohort_without_seeds_is_not_called_phantom(project, tmp_path):
    lines = [line.rpartition("\t")[0] for line in (project / "sheet.tsv").read_text().splitlines()]
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    page = report(project, tmp_path / "report.html", sheet=tmp_path / "sheet.tsv")
    assert "phantom" not in page.replace("phantoms&#34;", "").replace("phantom_count&#34;", ""), (
        "but for keys of settings"
    )


def test_left_out_scans_have_reasons(page):
    rows = Elements(page).rows
    assert ["broken", NASTY] in rows
    assert ["/ct/knee.zip", "not a chest: 3 slices"] in rows
    assert ["silent", "no reason recorded"] in rows
    assert ["train", "2", "2"] in rows and ["test", "3", "3"] in rows


def test_markup_in_a_reason_or_the_configuration_is_escaped(page):
    assert NASTY not in page and "</script><b>" not in page
    assert "&lt;script&gt;alert" in page and "&lt;/script&gt;&lt;b&gt;" in page


def test_page_is_self_contained(project, page):
    tags = Elements(page).tags
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert all(image["alt"] for image in images)
    shown = {b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in images}
    assert shown == {(project / f"results/figures/{name}.png").read_bytes() for name in (*layout.FIGURES, "training")}
    assert not {"link", "iframe", "base"} & {tag for tag, _ in tags}
    assert not [attributes for tag, attributes in tags if tag == "script" and "src" in attributes]
    (policy,) = [attributes["content"] for tag, attributes in tags if "http-equiv" in attributes]
    assert policy.startswith("default-src 'none'") and "http" not in policy
    own = re.sub(
        r'<script type="text/plain" id="niivue">.*?</script>|<details>\n<summary>The viewer.*?</details>',
        "",
        page,
        flags=re.S,
    )
    assert not re.search(r"https?://|url\(|@import", own)
    assert len(page) < 8e6


def test_says_what_was_run(page):
    assert re.search(r"git commit <code>[0-9a-f]{40}\+?</code>|in no git checkout", page)
    rows = Elements(page).rows
    assert [row for row in rows if row[0] == "scikit-image" and re.match(r"\d+\.\d+", row[1])]
    assert "&#34;lpips&#34;: false" in page and "&#34;method&#34;: &#34;mean&#34;" in page
    assert "Copyright (c) 2021, Niivue" in page and "MIT License" in page


def test_tables_of_the_paper_are_in_the_page(page):
    rows = Elements(page).rows
    head = rows.index(heads(tables(())["table1a"].columns))
    assert [row[0] for row in rows[head + 1 : head + 3]] == ["mean", "dx2ct"]
    assert "Table II" in page and "Tissues of the fused volume" in page
    assert "Nodules by diameter" not in page, "a cohort without nodules has no such table"


def test_the_calibration_of_a_run_is_shown_where_it_is(project, tmp_path):
    assert "Calibration of" not in report(project, tmp_path / "report.html")
    picture = project / "results/dx2ct/calibration.png"
    picture.write_bytes((project / "results/figures/scatter.png").read_bytes())
    try:
        page = report(project, tmp_path / "report.html")
        assert page.count("Calibration of dx2ct") == 2 and "One deviation of the samples" not in page
    finally:
        picture.unlink()


def test_the_page_says_what_the_deviation_covers_before_and_after_its_scale(project, tmp_path):
    run = project / "results/dx2ct"
    table, picture = layout.calibration(run), layout.calibration(run, "png")
    picture.write_bytes((project / "results/figures/scatter.png").read_bytes())
    head = "scan,voxels,within_one,within_two,calibrated_one,calibrated_two,scale,floor_hu,learnt_on\n"
    try:
        table.write_text(head + "t-1,300,0.2,0.4,0.6,0.9,2.5,30,v1 v2\nt_2,100,0.4,0.8,0.8,0.9,2.5,30,v1 v2\n")
        page = " ".join(report(project, tmp_path / "report.html").split())
        assert "One deviation of the samples covers 25 % of the errors in the test scans, two cover 50 %" in page
        assert "(a normal error: 68 % and 95 %)" in page
        assert "Calibrated, times 2.50 with a floor of 30 HU, one covers 65 %, two 90 %." in page
        assert "Both numbers were learnt on 2 validation scans (v1, v2), on no test scan." in page
        table.write_text(head + "t-1,300,0.2,0.4,,,,,\n")
        page = report(project, tmp_path / "report.html")
        assert "The deviation is not calibrated: there was no validation scan" in page
        assert "Calibrated, times" not in page
        table.write_text("scan\nt-1\n")
        with pytest.raises(InputError, match=r"calibration\.csv: lacks the columns .*: run the calibration stage"):
            report(project, tmp_path / "report.html")
    finally:
        picture.unlink()
        table.unlink()


def test_no_training_curve_without_training(project, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/training.png").touch()
    write_figures(
        runs(project)[:1], project / "sheet.tsv", ["broken", "silent"], project / "data", tmp_path / "figures"
    )
    assert not (tmp_path / "figures/training.png").exists(), "an older one is gone"
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{name}.{suffix}" for name in layout.FIGURES for suffix in ("png", "pdf")
    }
    page = report(project, tmp_path / "report.html", runs=runs(project)[:1], figures=tmp_path / "figures")
    assert "Training loss" not in page


def test_missing_files_are_named(project, tmp_path):
    with pytest.raises(InputError, match=r"nothing\.csv"):
        report(project, tmp_path / "report.html", metrics=tmp_path / "nothing.csv")
    with pytest.raises(InputError, match=r"nothing\.txt"):
        report(project, tmp_path / "report.html", left_out=[tmp_path / "nothing.txt"])
    with pytest.raises(InputError, match=r"figure3\.png: no figure .* run the figures stage|comparison\.png"):
        report(project, tmp_path / "report.html", figures=tmp_path)
    with pytest.raises(InputError, match=r"table1a\.csv: cannot be read .* run the tables stage"):
        report(project, tmp_path / "report.html", tables=tmp_path)
    with pytest.raises(InputError, match="--config is no JSON"):
        report(project, tmp_path / "report.html", config="{")
    with pytest.raises(InputError, match="nothing to report: none of its scans is scored by all of 2 runs"):
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


def test_pictures_have_room_for_any_number_of_views():
    volume = body(0)
    for views in (["pa"], ["pa", "lateral", "oblique", "back"]):
        case = Case("scan", {view: volume[:, 16] for view in views}, volume, {"run": volume + 200})
        titles = [axes.get_title() for axes in comparison_figure([case]).axes if axes.images]
        assert [title for title in titles if title.startswith("X-ray")] == [f"X-ray, {view}" for view in views]
        assert sum(title.startswith("|error|") for title in titles) == 3


def test_a_run_that_is_missing_is_named(project, tmp_path):
    gone = project / "results/nobody"
    with pytest.raises(InputError, match=r"nobody/settings\.json: no settings of a trained run"):
        write_metrics([gone], tmp_path / "metrics.csv")
    with pytest.raises(InputError, match=r"nobody/nodules\.csv: .* run the score stage"):
        write_tables([gone], project / "results/metrics.csv", tmp_path, tmp_path / "tables")
    with pytest.raises(InputError, match=r"nobody/scores\.csv: .* run the score stage"):
        write_figures([gone], project / "sheet.tsv", [], project / "data", tmp_path / "figures")


def test_figure_3_and_errors_keep_left_and_right():
    volume = body(0)
    image = volume.astype(np.float32)
    image[:, :, 24:] += 300  # too dense at the patient's left
    grid, errors = grid_figure("scan", volume, {"run": image}), error_figure("scan", volume, {"run": image})
    pictures = [axes.images[0].get_array() for axes in grid.axes if axes.images]
    assert len(pictures) == 6 and len([axes for axes in errors.axes if axes.images]) == 3
    np.testing.assert_array_equal(pictures[0], volume[16])
    np.testing.assert_array_equal(pictures[2], volume[::-1, 16])
    for axes in [axes for axes in errors.axes if axes.images][:2]:
        shown = axes.images[0].get_array()
        assert (shown[:, 24:] == 300).all() and (shown[:, :24] == 0).all()


def test_curves_show_every_run_and_leave_out_what_is_infinite():
    table = pd.DataFrame({"scan": "a", "plane": "axial", "slice": [0, 1, 2], "psnr_db": [20.0, np.inf, 30.0]})
    both = pd.concat([table, table.assign(plane="coronal"), table.assign(plane="sagittal")])
    line = slices_figure({"one": both}).axes[0].lines[0]
    assert list(line.get_xdata()) == [0, 2] and list(line.get_ydata()) == [20, 30]
    perfect = slices_figure({"one": both.assign(psnr_db=np.inf), "two": both})
    assert [line.get_label() for line in perfect.axes[0].lines] == ["two"]
    scores = pd.Series({"a": 20.0, "b": 10.0, "c": np.inf})
    axes = scatter_figure({"one": scores, "two": scores + 1}).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["b", "a", "c"], "worst first"
    assert len(axes.lines) == 2
