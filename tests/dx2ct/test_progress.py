"""Commands that may take long say how far they are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drr.geometry import ConeBeam
from drr.volume import Volume
from dx2ct import layout
from dx2ct.config import ScoreSettings
from dx2ct.methods.classical.solvers import sart
from dx2ct.report.pictures import write_figures
from dx2ct.report.viewer import viewer_of
from dx2ct.scoring.calibration import write_calibration
from dx2ct.scoring.run import score_run
from tests.fabricate import COHORT, TESTS, write_data, write_reconstructions, write_sheet
from tests.terminal import on_a_terminal

Drawn = Callable[[], object]


def drawn(work: Drawn) -> str:
    """What a terminal saw of it."""
    with on_a_terminal() as terminal:
        work()
    return terminal.getvalue()


def test_sart_counts_its_iterations() -> None:
    grid = Volume(np.zeros((8, 8, 8), np.float32), (30.0, 30.0, 30.0), (0.0, 0.0, 0.0))
    view = ConeBeam(541.0, 949.0, 160.0, 8).view("pa", grid.centre_mm)
    images = np.ones((1, 8, 8), np.float32)
    assert "SART: 100%" in drawn(lambda: sart(images, [view], grid, 2, 0.5, grid.array))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    write_data(root / "data")
    write_reconstructions(root / "results/mean", {"method": "mean"}, offset_hu=40)
    write_sheet(root / "sheet.tsv", COHORT, seeds=True)
    return root


@pytest.mark.slow
def test_scores_calibration_figures_and_report_count(project: Path) -> None:
    run, data = project / "results/mean", project / "data"
    scores = drawn(lambda: score_run(run, TESTS, ScoreSettings(lpips=False), data, run / "scores.csv"))
    assert "score: 100%|" in scores and f"{len(TESTS)}/{len(TESTS)}" in scores
    for scan in TESTS:
        volume = layout.reconstruction(run, scan)
        layout.deviation(run, scan).parent.mkdir(exist_ok=True)
        layout.deviation(run, scan).write_bytes(volume.read_bytes())
    assert "calibration: 100%" in drawn(lambda: write_calibration(run, TESTS, data, project / "calibration.csv"))
    assert "figures: 100%" in drawn(lambda: write_figures([run], project / "sheet.tsv", [], data, project / "figures"))
    assert "viewer, " in drawn(lambda: viewer_of([run], TESTS, data))
