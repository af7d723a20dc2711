"""Collects the leave-one-patient-out runs of workflow/config/real.yaml: tables for docs/real.md and a picture.

    python -m bench.real REAL [--without SCAN ...]

REAL is the folder in which the workflow ran, finished or not. Writes bench/real_scores.csv (one row a run, training and
scan), and docs/real.png with the CT and reconstructions of every scan but those `--without`. Prints Markdown tables.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
import pandas as pd

from bench.ranking import line
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.benchmark.statistics import differences
from dx2ct.data.scans import read_stack
from dx2ct.metrics.body import body_mask
from dx2ct.metrics.tissue import tissues
from dx2ct.scoring.run import read_fused

BENCH = Path(__file__).parent
SCORES, PICTURE = BENCH / "real_scores.csv", BENCH.parent / "docs/real.png"
METRICS = ("psnr_db", "ssim", "mae_hu", "dice_lung", "dice_bone", "bias_lung_hu", "bias_soft_hu", "bias_bone_hu")
SHOWN = ("mean", "lift_fine_tuned", "dx2ct_lifted_fine_tuned", "perx2ct_fine_tuned")
Volume = NDArray[np.generic]


def heart_side_mm(hu: Volume, spacing_mm: float) -> float:
    """How far what lies between the lungs reaches from their middle, on average; above 0: to the patient's left.

    hu: (z, y, x), x to the left. In rows of the lower half of the lungs, where both are beside each other.
    """
    lung = tissues(hu, body_mask(hu))["lung"]
    slices = np.flatnonzero(lung.any(axis=(1, 2)))
    offsets = []
    for mask in lung[slices[: len(slices) // 2]]:
        for row in mask:
            columns = np.flatnonzero(row)
            if len(columns) < 2:
                continue
            gaps = np.diff(columns)
            widest = int(gaps.argmax())
            if gaps[widest] > 1:
                middle = (columns[widest] + columns[widest + 1]) / 2
                offsets.append(middle - (columns[0] + columns[-1]) / 2)
    return float(np.mean(offsets) * spacing_mm) if offsets else float("nan")


def collected(real: Path) -> pd.DataFrame:
    """A row a run, training and scan."""
    found = []
    for path in sorted((real / layout.RESULTS).glob("*/scores.csv")):
        name, _, seed = path.parent.name.partition("_seed")
        rows = read_fused(path.parent)
        for scan in rows.index:
            truth = read_stack(real / "data", scan, "axial")
            volume = read_volume(layout.reconstruction(path.parent, scan))
            spacing = volume.spacing_mm[0]
            ml = np.count_nonzero(tissues(truth, body_mask(truth))["lung"]) * spacing**3 / 1000
            side = heart_side_mm(volume.array, spacing)
            extra = {"lung_error": rows["lung_volume_error_ml"][scan] / ml, "lung_ml": ml, "heart_mm": side}
            extra["heart_true_mm"] = heart_side_mm(truth, spacing)
            found.append({"run": name, "seed": int(seed or 0), "scan": scan, **rows.loc[scan, list(METRICS)], **extra})
    return pd.DataFrame(found)


def table(scores: pd.DataFrame) -> Iterator[str]:
    """Means over the scans."""
    heads = ("run", "trainings", "PSNR, dB", "SSIM", "MAE, HU", "lung Dice", "bone Dice", "lung volume, mean error")
    yield from (line((*heads, "heart on its side")), line(("---",) * 9))
    for run, rows in sorted(scores.groupby("run"), key=lambda pair: pair[1]["psnr_db"].mean()):
        mean = rows[list(METRICS)].mean()
        right = (np.sign(rows["heart_mm"]) == np.sign(rows["heart_true_mm"])).sum()
        yield line(
            (
                *(f"`{run}`", rows["seed"].nunique(), f"{mean['psnr_db']:.2f}", f"{mean['ssim']:.3f}"),
                *(f"{mean['mae_hu']:.0f}", f"{mean['dice_lung']:.2f}", f"{mean['dice_bone']:.2f}"),
                *(f"{100 * rows['lung_error'].abs().mean():.1f} %", f"{right} of {len(rows)}"),
            )
        )


def by_scan(scores: pd.DataFrame, runs: Sequence[str]) -> Iterator[str]:
    """PSNR of every scan."""
    psnr = scores.pivot_table(index="scan", columns="run", values="psnr_db")
    runs = [run for run in runs if run in psnr]
    yield from (line(("scan", *(f"`{run}`" for run in runs))), line(("---",) * (1 + len(runs))))
    for scan, row in psnr.iterrows():
        yield line((scan, *(f"{row[run]:.2f}" for run in runs)))


def compared(scores: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Of the runs' PSNR, with the interval over scans and trainings."""
    yield from (line(("difference", "dB", "scans ahead")), line(("---",) * 3))
    for one in differences(scores, pairs):
        found = one.paired
        value = f"{found.difference:+.2f} [{found.ci_low:.2f}, {found.ci_high:.2f}]"
        yield line((f"`{one.run}` - `{one.other}`", value, f"{one.ahead} of {found.scans}"))


def draw(real: Path, scores: pd.DataFrame, scans: Sequence[str], output: Path) -> None:
    """Coronal and axial middle slices of the CT and of each run, a row a scan."""
    folders = [real / layout.RESULTS / run for run in SHOWN if run in set(scores["run"])]
    names = ["CT", *(folder.name for folder in folders)]
    figure, axes = plt.subplots(
        len(scans), 2 * len(names), figsize=(2.1 * len(names) * 2, 2.1 * len(scans)), facecolor="black"
    )
    for row, scan in zip(axes, scans, strict=True):
        volumes = [read_stack(real / "data", scan, "axial")]
        volumes += [read_volume(layout.reconstruction(folder, scan)).array for folder in folders]
        for number, (name, hu) in enumerate(zip(names, volumes, strict=True)):
            middle = len(hu) // 2
            for axis, image in zip(row[2 * number :], (hu[::-1, middle], hu[middle]), strict=False):
                axis.imshow(image, cmap="gray", vmin=-1000, vmax=400, interpolation="nearest")
                axis.axis("off")
            row[2 * number].set_title(f"{name}\n{scan}" if number == 0 else name, color="white", fontsize=8)
    figure.tight_layout(pad=0.3)
    figure.savefig(output, dpi=60, facecolor="black")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("--without", action="append", default=[], help="a scan that the picture does not show")
    options = parser.parse_args()
    scores = collected(options.real)
    scores.to_csv(SCORES, index=False, float_format="%.5g")
    print("\n".join(table(scores)), "\n")
    print("\n".join(by_scan(scores, list(scores["run"].drop_duplicates()))), "\n")
    names = sorted(set(scores["run"]))
    ours = [(one, other) for one in ("lift_fine_tuned", "dx2ct_lifted_fine_tuned") for other in names if other != one]
    print("\n".join(compared(scores, ours)))
    draw(options.real, scores, [s for s in scores["scan"].drop_duplicates() if s not in options.without], PICTURE)
