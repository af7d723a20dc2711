"""Collects a ranking into files small enough to keep, and prints and draws what docs/ranking.md shows.

    python -m bench.ranking RANKING

RANKING is the folder in which workflow/config/ranking.yaml ran, finished or not. Trainings that it does not have keep
the rows that they have in the files, so that a ranking may be made in parts. Writes bench/ranking_scores.csv (one row a
training and scan), bench/ranking_nodules.csv and docs/ranking.png; prints the tables as Markdown.
A run's name ends in the seconds that it was given: runs of one name are one curve.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
import re

import matplotlib.pyplot as plt
from matplotlib.ticker import ScalarFormatter
import numpy as np
import pandas as pd

from dx2ct import layout
from dx2ct.benchmark.rows import cpu_seconds, DIGITS, KEY, METRICS, rows_of
from dx2ct.benchmark.statistics import differences, summaries, Summary
from dx2ct.config import DerivedRow
from dx2ct.planning.resolve import resolve
from dx2ct.planning.resolved import Resolved

BENCH = Path(__file__).parent
SCORES, NODULES = BENCH / "ranking_scores.csv", BENCH / "ranking_nodules.csv"
PICTURE = BENCH.parent / "docs/ranking.png"
LARGE_MM = 15
RIVALS = ("perx2ct", "x2ctgan", "x2ctcnn", "dx2ct")
PAIRS = [*(("lift", rival) for rival in RIVALS), ("dx2ct_lifted", "perx2ct")]  # at every point of the curve
OTHER_PAIRS = [
    ("lift_1600", "dx2ct_lifted_1600"),
    ("lift_pa_400", "perx2ct_pa_400"),
    ("lift_any_pa_400", "perx2ct_pa_400"),
    ("cnn2d_200", "lift_pa_400"),
    ("cnn2d_200", "perx2ct_pa_400"),
]
CONFIG = BENCH.parent / "workflow/config/ranking.yaml"


@cache
def ranking() -> Resolved:
    """The configuration of all rows."""
    return resolve([CONFIG], BENCH.parent)


@cache
def alone(name: str) -> str:
    """What is added to the name of a run or a curve that sees the PA X-ray alone."""
    known = ranking()
    runs = [run for run in known.config.report if name in (seedless(run), budget(seedless(run))[0])]
    return ", PA alone" if any(known.views(run) == ("pa",) for run in runs) else ""


def seedless(run: str) -> str:
    """The run's name without its seed."""
    return run.partition("_seed")[0]


def trained(run: str) -> str:
    """The training whose weights a run has: its own, or that of the run whose weights it takes."""
    row = ranking().config.runs.get(run)
    return str(row.weights_of) if isinstance(row, DerivedRow) else run


def collected(results: Path, config: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and nodules of every reported run of a configuration that was scored."""
    reported = resolve([config], BENCH.parent).config.report
    scores, nodules = [], []
    for path in sorted(results.glob("*/scores.csv")):
        name, _, seed = path.parent.name.partition("_seed")
        if path.parent.name not in reported:
            continue
        scores.append(rows_of(path.parent, cpu_seconds(results, trained(path.parent.name))))
        found = pd.read_csv(path.with_name("nodules.csv"), dtype={"scan": str})
        nodules.append(found.assign(run=name, seed=int(seed or 0))[[*KEY, "scan", "nodule", "diameter_mm", "kept"]])
    return pd.concat(scores), pd.concat(nodules)


def merged(new: pd.DataFrame, path: Path) -> pd.DataFrame:
    """New rows, and those of the file whose training is not among them."""
    if not path.is_file():
        return new
    old = pd.read_csv(path, dtype={"scan": str})
    known = set(zip(new["run"], new["seed"], strict=True))
    kept = old[[pair not in known for pair in zip(old["run"], old["seed"], strict=True)]]
    return pd.concat([kept, new]).sort_values([*KEY, "scan"], kind="stable")


def table(scores: pd.DataFrame, nodules: pd.DataFrame) -> Iterator[str]:
    """A row a run: means over scans and trainings; after ± the standard deviation of the trainings' means."""
    heads = ["run", "seeds", "CPU s", "PSNR, dB", "SSIM", "MAE, HU", "lung Dice", "bone Dice", "sharpness"]
    heads += ["PA error", "lateral error", f"nodules from {LARGE_MM} mm kept"]
    yield from (line(heads), line("---" for _ in heads))
    large = nodules[nodules["diameter_mm"] >= LARGE_MM]
    for found in summaries(scores):
        mean = found.mean
        kept = large[large["run"] == found.run]["kept"].mean()
        yield line(
            [
                *(
                    f"`{found.run}`{alone(found.run)}",
                    found.trainings,
                    f"{mean['cpu_s']:,.0f}",
                    psnr(found),
                    f"{mean['ssim']:.3f}",
                    f"{mean['mae_hu']:.0f}",
                ),
                *(f"{mean[name]:.2f}" for name in ("dice_lung", "dice_bone", "sharpness")),
                *(f"{100 * mean[name]:.1f} %" for name in ("reprojection_pa", "reprojection_lateral")),
                f"{kept:.2f}",
            ]
        )


def curves(scores: pd.DataFrame) -> Iterator[str]:
    """A row a method: PSNR in dB after about so many seconds, with the trainings' deviation."""
    found = {budget(one.run): one for one in summaries(scores)}
    points = sorted({seconds for _, seconds in found if seconds})
    yield from (line(["method", *(f"{seconds:,} s" for seconds in points)]), line("---" for _ in (0, *points)))
    best = {name: one.mean["psnr_db"] for (name, seconds), one in found.items() if seconds}  # the last is the best
    for name in sorted(best, key=lambda name: -best[name]):
        yield line([f"`{name}`{alone(name)}", *(psnr(found[name, s]) if (name, s) in found else "" for s in points)])


def psnr(summary: Summary) -> str:
    """The mean, and after ± the deviation of the trainings where there are several."""
    mean = f"{summary.mean['psnr_db']:.2f}"
    return f"{mean} ± {summary.spread['psnr_db']:.2f}" if summary.trainings > 1 else mean


def compared(scores: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """PSNR of one run over another, with the interval over scans and trainings, and on how many scans it is ahead."""
    yield from (line(("difference", "seeds", "dB", "scans ahead")), line(("---",) * 4))
    for one in differences(scores, pairs):
        found = one.paired
        value = f"{found.difference:+.2f} [{found.ci_low:.2f}, {found.ci_high:.2f}]"
        seeds = f"{found.trainings} and {found.other_trainings}"
        yield line((f"`{one.run}` - `{one.other}`{alone(one.run)}", seeds, value, f"{one.ahead} of {found.scans}"))


def line(cells: Iterable[object]) -> str:
    """Of a Markdown table."""
    return f"| {' | '.join(map(str, cells))} |"


def budget(run: str) -> tuple[str, int]:
    """The name without the seconds that a run was given, and these; 0 for a run that was given none."""
    found = re.fullmatch(r"(.+)_(\d+)", run)
    return (found[1], int(found[2])) if found else (run, 0)


def draw(scores: pd.DataFrame, output: Path) -> None:
    """Quality against seconds, one curve a method; bars span trainings, runs without a budget are lines across.

    A method has one colour; what sees the PA X-ray alone has open marks.
    """
    of_seed = scores.groupby(KEY)[["cpu_s", *METRICS]].mean().reset_index()
    of_seed[["method", "budget"]] = [budget(run) for run in of_seed["run"]]
    panels = (("psnr_db", "PSNR, dB"), ("ssim", "SSIM"), ("dice_bone", "Dice of bone"), ("sharpness", "sharpness"))
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 4.4), constrained_layout=True)
    curves = of_seed[of_seed["budget"] > 0]
    names = list(curves["method"].drop_duplicates())
    networks = list(dict.fromkeys(name.removesuffix("_pa") for name in names))
    for axis, (metric, title) in zip(axes, panels, strict=True):
        for name in names:
            points = (
                curves[curves["method"] == name]
                .groupby("budget")
                .agg(x=("cpu_s", "mean"), y=(metric, "mean"), low=(metric, "min"), high=(metric, "max"))
            )
            bars = np.stack([points["y"] - points["low"], points["high"] - points["y"]])
            fill, colour = "white" if alone(name) else None, f"C{networks.index(name.removesuffix('_pa'))}"
            lines = axis.errorbar(points["x"], points["y"], bars, marker="o", capsize=2, color=colour, mfc=fill)
            lines.set_label(name + alone(name))
        for run, style in (("mean", ":"), ("sart_mean", "--")):
            if (rows := of_seed[of_seed["run"] == run]).size:
                axis.axhline(rows[metric].mean(), color="grey", linestyle=style, linewidth=1, label=run)
        axis.set(xscale="log", xlabel="CPU seconds of training", title=title)
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.set_xticks([100, 200, 400, 800, 1600])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.savefig(output, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ranking", type=Path)
    options = parser.parse_args()
    found = collected(options.ranking / layout.RESULTS, CONFIG)
    scores, nodules = (merged(*pair) for pair in zip(found, (SCORES, NODULES), strict=True))
    scores.to_csv(SCORES, index=False, float_format=DIGITS)
    nodules.to_csv(NODULES, index=False, float_format="%.4g")
    draw(scores, PICTURE)
    print("\n".join(curves(scores)), "\n")
    print("\n".join(table(scores, nodules)), "\n")
    points = sorted({seconds for _, seconds in map(budget, scores["run"]) if seconds})
    pairs = [(f"{one}_{seconds}", f"{other}_{seconds}") for one, other in PAIRS for seconds in points]
    print("\n".join(compared(scores, [*pairs, *OTHER_PAIRS])))
