"""What evaluation costs at the size of the paper: 102 test scans of 128 cubed, six runs.

    python -m bench.evaluation [FOLDER]

Fabricates the scores and the volumes of such a project in FOLDER (a temporary one by default), times what the stages do
with it, and opens the report in Chromium where there is one. Pictures and numbers mean nothing; sizes and times do.
"""

from collections.abc import Callable
from dataclasses import replace
import os
from pathlib import Path
import statistics
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
import SimpleITK as sitk

from drr.caster import render
from drr.volume import Volume
from dx2ct.config import XraySettings
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.metrics import Evaluation, score, Truth
from dx2ct.report.page import Inputs, write_report
from dx2ct.report.pictures import write_figures
from dx2ct.report.tables import write_tables
from dx2ct.scoring.run import score_columns
from dx2ct.scoring.scan import NODULE_COLUMNS, SLICE_COLUMNS
from dx2ct.scoring.statistics import write_comparisons
from dx2ct.scoring.summary import write_metrics
from tests.chromium import browser, PROGRAM
from tests.dx2ct.data.quirks import chest
from tests.fabricate import settings_of

SIZE, SCANS, SPACING_MM = 128, 102, (2.5,) * 3
ORIGIN_MM = (-158.75,) * 3
XRAY = XraySettings()
ROWS: dict[str, dict[str, Any]] = {
    "mean": {"method": "mean"},
    **{
        f"{views[0]}{len(views)}_{conditioning}_{query}": {
            "method": "dx2ct",
            "views": views,
            "conditioning": conditioning,
            "query_transformer": query,
            "prediction": "epsilon",
        }
        for views, conditioning, query in (
            (["pa", "lateral"], "concat", False),
            (["pa", "lateral"], "spade", False),
            (["pa", "lateral"], "concat", True),
            (["pa"], "spade", True),
            (["pa", "lateral"], "spade", True),
        )
    },
}


def with_xrays(ct: np.ndarray) -> Truth:
    """The CT with its line integrals, PA and lateral."""
    volume = Volume(ct, SPACING_MM, ORIGIN_MM)
    views = XRAY.exposures(isocentre_mm=volume.centre_mm)
    images = render(volume, list(views.values()), "cpu")
    return Truth(volume, xrays=dict(zip(views, images, strict=True)), views=views, threads=1)


def truth() -> np.ndarray:
    """A chest with the noise of a CT, int16 HU: it does not compress better than a real one."""
    noise = np.random.default_rng(0).normal(0, 25, (SIZE,) * 3)
    return np.clip(np.rint(chest(SIZE) + noise), -1024, 1476).astype(np.int16)


def write_scores(run: Path, shift: float, scans: list[str]) -> None:
    """scores.csv, slices.csv and nodules.csv of chance."""
    random = np.random.default_rng(int(shift * 10))
    names = score_columns(tuple(XRAY.views))
    table = pd.DataFrame(random.normal(20 + shift, 1, (4 * len(scans), len(names))), columns=names)
    table["scan"] = np.repeat(scans, 4)
    table["plane"] = [*PLANES, "mean"] * len(scans)
    table["data_range_hu"] = 2500.0
    table.to_csv(run / "scores.csv", index=False)
    lines = [(scan, plane, k, random.normal(24)) for scan in scans for plane in PLANES for k in range(SIZE)]
    pd.DataFrame(lines, columns=SLICE_COLUMNS).to_csv(run / "slices.csv", index=False)
    kept = [(scan, 1, 0, 0, 0, random.uniform(3, 35), 400, 200, random.normal(0.5)) for scan in scans]
    pd.DataFrame(kept, columns=NODULE_COLUMNS).to_csv(run / "nodules.csv", index=False)


def fabricate(root: Path, scans: list[str]) -> list[Path]:
    """The project: every scan is the same chest, every run blurs it in its own way."""
    ct = truth()
    for kind in ("slices", "xrays"):
        (root / "data" / kind / "one").mkdir(parents=True)
    for plane in PLANES:
        np.save(root / f"data/slices/one/{plane}.npy", np.ascontiguousarray(to_plane(ct, plane)))
    for name, image in with_xrays(ct).xrays.items():
        sitk.WriteImage(sitk.GetImageFromArray(image), str(root / f"data/xrays/one/{name}.mha"))
    for scan in scans:
        for kind in ("slices", "xrays"):
            (root / "data" / kind / scan).symlink_to("one")
    (root / "sheet.tsv").write_text(
        "scan\tpatient\tpath\tseries_uid\tsplit\n" + "".join(f"{scan}\t{scan}\t\t\ttest\n" for scan in scans)
    )
    for number, (name, row) in enumerate(ROWS.items()):
        run = root / name
        blurred = gaussian_filter(ct.astype(np.float32), 1 + number / 3)
        noisy = blurred + np.random.default_rng(number).normal(0, 25, ct.shape)
        image = np.clip(np.rint(noisy), -1024, 1476).astype(np.int16)
        Volume(image, SPACING_MM, ORIGIN_MM).write(run / f"volumes/{scans[0]}.nii.gz")
        for scan in scans[1:]:
            os.link(run / f"volumes/{scans[0]}.nii.gz", run / f"volumes/{scan}.nii.gz")
        (run / "settings.json").write_text(settings_of(**row))
        write_scores(run, number / 2, scans)
    return [root / name for name in ROWS]


def seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """Median of the CPU seconds of this process: other work on the machine does not count."""
    found = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return statistics.median(found)


def main(root: Path) -> None:
    """Print one line a stage."""
    scans = [f"scan-{number:03d}" for number in range(SCANS)]
    runs = fabricate(root, scans)
    tables, figures, data, sheet = root / "tables", root / "figures", root / "data", root / "sheet.tsv"
    ct = truth()
    image, known = gaussian_filter(ct.astype(np.float32), 2), with_xrays(ct)

    def score_one() -> None:
        """Everything but LPIPS that stage score does with one volume in memory; the CT's own part each time, too."""
        score(Evaluation(replace(known, kept={}), image, "coronal"))

    print(f"score one volume    {seconds(score_one, 5):7.2f} s of one core")

    def aggregate() -> None:
        write_metrics(runs, root / "metrics.csv")
        write_comparisons(runs, root / "comparisons.csv")
        write_tables(runs, root / "metrics.csv", root / "benchmarks", tables)

    print(f"metrics and tables  {seconds(aggregate):7.2f} s of one core")
    print(f"figures             {seconds(lambda: write_figures(runs, sheet, (), data, figures)):7.2f} s of one core")
    inputs = Inputs(root / "metrics.csv", root / "comparisons.csv", sheet, data, tables, figures)
    page = root / "report.html"
    print(f"page                {seconds(lambda: write_report(runs, inputs, (), (), page)):7.2f} s of one core")
    print(f"page                {page.stat().st_size / 1e6:7.1f} MB")
    if not PROGRAM:
        print("Chromium            is not here")
        return
    for _ in range(3):
        with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as tab:
            print(f"opens in            {tab.open(page) / 1000:7.2f} s")
            start = time.perf_counter()
            tab.run("document.getElementById('viewer').scrollIntoView()")
            tab.wait("document.getElementById('viewer').dataset.state === 'ready'")
            print(f"viewer ready after  {time.perf_counter() - start:7.2f} s, drawn by the CPU")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
