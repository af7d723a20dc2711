"""Stage tables: the paper's Tables I and II, what becomes of nodules, and what every run costs."""

from collections.abc import Mapping, Sequence
import csv
from dataclasses import replace
from pathlib import Path

import pandas as pd

from drr.errors import InputError
from dx2ct.report.cost import cost_of
from dx2ct.report.table import Cell, Column, Table
from dx2ct.scoring.scan import NODULE_COLUMNS

RUN, METHOD, VIEWS = Column("run", "run"), Column("method", "method"), Column("views", "X-rays")
ABLATIONS = (
    Column("query_transformer", "3DPQT"),
    Column("conditioning", "conditioning"),
    Column("prediction", "prediction"),
)
QUALITY = (
    Column("perx2ct_psnr_db_planes", "PSNR, dB", 2, +1),
    Column("perx2ct_ssim_planes", "SSIM", 3, +1),
    Column("lpips_planes", "LPIPS", 3, -1),
    Column("psnr_db", "strict PSNR, dB", 2, +1),
    Column("ssim", "strict SSIM", 3, +1),
    Column("mae_hu", "MAE, HU", 1, -1),
)
RULES = (
    "PSNR and SSIM by PerX2CT's rule and LPIPS (AlexNet) of the three plane volumes, averaged as DX2CT does; strict: "
    "3D, range 2500 HU, fused volume."
)
CLINICAL = (
    Column("dice_lung", "Dice, lung", 3, +1),
    Column("dice_soft", "Dice, soft tissue", 3, +1),
    Column("dice_bone", "Dice, bone", 3, +1),
    Column("lung_volume_error_ml", "lung volume error, ml", 0),
    Column("bias_lung_hu", "bias, lung, HU", 1),
    Column("bias_soft_hu", "bias, soft, HU", 1),
    Column("bias_bone_hu", "bias, bone, HU", 1),
)
REPROJECTION = (
    Column("reprojection_pa", "PA", 4, -1),
    Column("reprojection_floor_pa", "floor, PA", 4),
    Column("reprojection_lateral", "lateral", 4, -1),
    Column("reprojection_floor_lateral", "floor, lateral", 4),
)
SIZES_MM = (0, 6, 8, 15, 30)  # where Lung-RADS 2022 draws its lines; from 30 mm on it is called a mass
NODULES = (
    Column("size_mm", "diameter, mm"),
    Column("nodules", "nodules", 0),
    Column("visible", "seen on this grid", 0),
    Column("mean", "mean kept", 2),
    Column("median", "median kept", 2),
    Column("lower", "lower quartile", 2),
    Column("upper", "upper quartile", 2),
)
COST = (
    Column("parameters", "parameters", 0),
    Column("gflop", "GFLOP a slice", 2),
    Column("train_h", "training, h", 2),
    Column("train_mb", "training, MB", 0),
    Column("reconstruct_s", "one scan, s (median)", 1),
    Column("reconstruct_mb", "one scan, MB", 0),
)
_TISSUES = (
    "Tissues of the fused volume by fixed thresholds (lung below -500 HU inside the body, soft -200 to 200, bone from "
    "200): rules, not segmentations."
)
_REPROJECTION = (
    "Reprojection: relative error of the X-rays that the fused volume would give, at one pixel a voxel. Floor: that of "
    "the CT itself on the same grid, what a perfect reconstruction would have."
)
_NODULES = (
    "Nodules by diameter: fraction of the contrast to the lung around that the reconstruction keeps (1 all, 0 none), "
    "over nodules whose contrast on this grid is 50 HU or more."
)
_COST = (
    "Cost on the machine where this was run. Parameters: numbers in the weights file; GFLOP: one forward pass of the "
    "network for one slice; memory is the host's at its largest."
)
TABLES = {
    "table1a": Table("table1a", f"Table I (a): from two X-rays. {RULES}", (RUN, METHOD, *QUALITY)),
    "table1b": Table("table1b", f"Table I (b): from one X-ray. {RULES}", (RUN, METHOD, VIEWS, *QUALITY)),
    "table2": Table("table2", f"Table II: ablations of DX2CT. {RULES}", (RUN, VIEWS, *ABLATIONS, *QUALITY)),
    "clinical": Table("clinical", _TISSUES, (RUN, *CLINICAL)),
    "reprojection": Table("reprojection", _REPROJECTION, (RUN, *REPROJECTION)),
    "nodules": Table("nodules", _NODULES, (RUN, *NODULES)),
    "cost": Table("cost", _COST, (RUN, *COST)),
}


def write_tables(runs: Sequence[Path], metrics: Path, benchmarks: Path, output: Path) -> None:
    """Write every table of TABLES as output/NAME.csv, .md and .tex; one without rows has its header.

    runs: folders with settings.json, weights.safetensors and nodules.csv. benchmarks: the workflow's folder; what it
    does not hold stays empty. Raises InputError for a file that is missing or cannot be read.
    """
    lines = _read(metrics)
    rows: dict[str, Sequence[Mapping[str, Cell]]] = {
        "table1a": _of_views(lines, ("pa+lateral", "lateral+pa")),
        "table1b": _of_views(lines, ("pa", "lateral")),
        "table2": [line for line in lines if line["method"] == "dx2ct"],
        "clinical": lines,
        "reprojection": lines,
        "nodules": [row for run in runs for row in nodules_by_size(run)],
        "cost": [cost_of(run, benchmarks) for run in runs],
    }
    for name, table in TABLES.items():
        replace(table, rows=rows[name]).write(output)


def nodules_by_size(run: Path) -> list[dict[str, Cell]]:
    """One row a class of SIZES_MM that has a nodule."""
    path = run / "nodules.csv"
    try:
        found = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no nodules of a run ({error}): run the score stage") from None
    if missing := set(NODULE_COLUMNS) - set(found.columns):
        raise InputError(f"{path}: lacks the columns {', '.join(sorted(missing))}: run the score stage again")
    rows: list[dict[str, Cell]] = []
    for low, high in zip(SIZES_MM, (*SIZES_MM[1:], float("inf")), strict=True):
        some = found[(found["diameter_mm"] >= low) & (found["diameter_mm"] < high)]
        kept = some["kept"].dropna()
        size = f"≥ {low}" if high == float("inf") else f"{low} to {high}"
        lower, median, upper = map(float, kept.quantile([0.25, 0.5, 0.75]))
        numbers = {"mean": float(kept.mean()), "median": median, "lower": lower, "upper": upper}
        if len(some):
            rows.append({"run": run.name, "size_mm": size, "nodules": len(some), "visible": len(kept), **numbers})
    return rows


def _of_views(lines: Sequence[Mapping[str, str]], views: Sequence[str]) -> Sequence[Mapping[str, str]]:
    """A part of Table I: the methods that see these X-rays, with those that see none as their floor."""
    found = [line for line in lines if _is_main(line) and line["views"] in ("", *views)]
    return found if any(line["views"] for line in found) else []


def _is_main(line: Mapping[str, str]) -> bool:
    """Not an ablation of Table II."""
    return line["method"] != "dx2ct" or (line["query_transformer"] == "true" and line["conditioning"] == "spade")


def _read(metrics: Path) -> list[dict[str, str]]:
    try:
        with metrics.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{metrics}: no metrics of runs ({error}): run the metrics stage") from None
