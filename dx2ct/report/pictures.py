"""Stage figures: every picture of the report, as PNG for the page and PDF for a paper."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
import numpy as np
import pandas as pd

from drr.errors import InputError
from drr.files import replacing
from drr.progress import each
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.data.cohort.sheet import read_sheet
from dx2ct.data.scans import averaged, read_stack, read_xrays
from dx2ct.data.tables import read_frame
from dx2ct.figures.comparison import comparison_figure
from dx2ct.figures.curves import loss_figure, scatter_figure, slices_figure
from dx2ct.figures.grid import error_figure, grid_figure
from dx2ct.figures.panels import Case
from dx2ct.metrics import views_in
from dx2ct.scoring.run import AGAIN, read_fused, trainings_of
from dx2ct.scoring.scan import SLICE_COLUMNS

CASES = 2  # the first test scans of the sheet: chosen by order, not by score
XRAY_PIXELS = 256
DPI = {"png": 130, "pdf": 200}
UNDATED = {"png": {}, "pdf": {"CreationDate": None}}  # the same figure again is the same file


def write_figures(runs: Sequence[Path], sheet: Path, leave_out: Sequence[str], data: Path, output: Path) -> None:
    """Write output/NAME.png and .pdf of layout.FIGURES, and of training where a run has a training.csv.

    runs: folders with scores.csv, slices.csv, volumes/. figure3 and errors show the scan of median PSNR (`ranked`).
    Raises InputError for a file that is missing or cannot be read, and when the runs share no test scan.
    """
    tests = test_scans(runs, sheet, leave_out)
    ranking = [scan for scan in ranked(runs) if scan in tests]
    middle = ranking[len(ranking) // 2]
    truth, volumes = volumes_of(middle, runs, data)
    figures = {
        "comparison": comparison_figure([_case(scan, runs, data) for scan in tests[:CASES]]),
        "figure3": grid_figure(middle, truth, volumes),
        "errors": error_figure(middle, truth, volumes),
        "psnr_by_slice": slices_figure({run.name: _slices(run) for run in runs}),
        "scatter": scatter_figure({run.name: fused_psnr(run) for run in runs}),
    }
    curves = {run.name: loss for run in runs if len((loss := _loss(run))[0])}
    if curves:
        figures["training"] = loss_figure(curves)
    for name in each(list(figures), "figures", "figure"):
        save(figures[name], output, name)
    if not curves:  # nothing declares it, so nothing else would take an older one away
        for suffix in DPI:
            (output / f"training.{suffix}").unlink(missing_ok=True)


def test_scans(runs: Sequence[Path], sheet: Path, leave_out: Sequence[str]) -> list[str]:
    """Names of the sheet's scans that all runs were scored on, in its order; InputError when there is none.

    Which part of the split they are in does not matter: on folds a scan is tested by one and trained on by others.
    """
    scored = set(ranked(runs))
    tests = [row.scan for row in read_sheet(sheet, leave_out) if row.scan in scored]
    if not tests:
        raise InputError(f"{sheet}: nothing to report: none of its scans is scored by all of {len(runs)} runs")
    return tests


def fused_psnr(run: Path) -> "pd.Series[float]":
    """psnr_db of the fused volume by scan."""
    return read_fused(run)["psnr_db"]


def ranked(runs: Sequence[Path]) -> list[str]:
    """Scans that every run has scored, worst first by the mean of the runs' PSNR."""
    table = pd.concat([fused_psnr(run) for run in runs], axis=1, join="inner").mean(axis=1)
    return [str(scan) for scan in table.sort_values(kind="stable").index]


def volumes_of(scan: str, runs: Sequence[Path], data: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The CT on the training grid and each run's fused volume, (z, y, x) HU."""
    volumes = {run.name: read_volume(layout.reconstruction(run, scan)).array for run in runs}
    return np.asarray(read_stack(data, scan, "axial")), volumes


def _case(scan: str, runs: Sequence[Path], data: Path) -> Case:
    """The scan with the X-rays that the first run was scored with."""
    xrays = read_xrays(data, scan, views_in(read_fused(runs[0]).columns))
    small = {view: averaged(image, min(XRAY_PIXELS, *image.shape)) for view, image in xrays.items()}
    return Case(scan, small, *volumes_of(scan, runs, data))


def _loss(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps and losses, means over the trainings of a run with folds; empty where nothing was optimised."""
    logs = [log for training in trainings_of(run) if (log := layout.training_log(training)).is_file()]
    found = [read_frame(log, "train the run again", text=(), columns=("step", "loss")) for log in logs]
    if not found:
        return np.empty(0), np.empty(0)
    mean = pd.concat(found).groupby("step")["loss"].mean()
    return np.asarray(mean.index), np.asarray(mean)


def _slices(run: Path) -> pd.DataFrame:
    return read_frame(layout.scores(run, "slices"), AGAIN, text=("scan", "plane"), columns=SLICE_COLUMNS)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write FOLDER/NAME.png and .pdf."""
    for suffix, dpi in DPI.items():
        with replacing(folder / f"{name}.{suffix}") as part:
            figure.savefig(part, dpi=dpi, metadata=UNDATED[suffix])
        figure.set_layout_engine("none")  # laid out once: that takes longer than drawing
