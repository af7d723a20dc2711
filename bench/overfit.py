"""Can the network hold one real volume? Train it on a single CT, reconstruct the same CT, draw the curve.

    python -m bench.overfit CT WORKDIR [--run dx2ct] [--steps N] [--cores 1] [--out bench/overfit]

The CT is the training scan and, under a second name, the test scan, so that the plain workflow does all of it:
`snakemake results/metrics.csv` in WORKDIR, with what is below over config.yaml. Interrupted, it goes on when run again.
Every run of config.yaml whose method is trained by steps can be asked for.
Writes OUT.csv (the training's log) and OUT.png (its curve with the final score of the mean of the planes).
"""

import argparse
import csv
from pathlib import Path
import shutil
import subprocess
import sys

import matplotlib
import yaml

from bench.run_settings import ROOT
from dx2ct.planning.resolve import resolve

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SIZE, BATCH = 32, 16
SLICES = {"batch": BATCH, "slices_per_patient": BATCH}
ONE_SCAN = {"split": "train", "scans": 1}
TRAIN: dict[str, dict[str, object]] = {
    "dx2ct": {"steps": 3500, "validation": {"every": 175, "split": "train", "slices": 48, "steps": 5}} | SLICES,
    "cnn2d": {"steps": 1500, "batch": 1, "validation": {"every": 75} | ONE_SCAN},
    # Two of the one volume: PyTorch's 3D convolutions of a single small volume take three times as long on a CPU.
    "x2ctgan": {"steps": 1600, "batch": 2, "validation": {"every": 100} | ONE_SCAN},
    "perx2ct": {"steps": 2000, "validation": {"every": 100} | ONE_SCAN} | SLICES,
}


def cohort(ct: Path, sheet: Path) -> None:
    """A sheet of one scan under two names."""
    rows = [("scan", "patient", "path", "series_uid", "split")]
    rows += [(name, name, str(ct.resolve()), "", split) for name, split in (("train", "train"), ("test", "test"))]
    with sheet.open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(rows)


def configuration(sheet: Path, run: str, steps: int) -> dict[str, object]:
    """What differs from config.yaml."""
    method = resolve([ROOT / "config.yaml"], ROOT).row(run).method
    if method not in TRAIN:
        sys.exit(f"{run}: method {method} is not trained by steps; of those that are: {', '.join(TRAIN)}")
    return {
        "base": str(ROOT / "config.yaml"),
        "methods": {method: {"train": TRAIN[method] | ({"steps": steps} if steps else {})}},
        "cohort": {"source": "local", "sheet": str(sheet.resolve())},
        "slices": {"size": SIZE},
        "report": [run],
    }


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def draw(log: list[dict[str, str]], psnr_db: float, title: str, output: Path) -> None:
    """Loss and validation PSNR by step."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    steps = [int(row["step"]) for row in log]
    axes.semilogy(steps, [float(row["loss"]) for row in log], color="tab:gray", label="loss")
    axes.set(xlabel="training step", ylabel="loss")
    right = axes.twinx()
    validated = [(int(row["step"]), float(row["validation_psnr_db"])) for row in log if row["validation_psnr_db"]]
    right.plot(*zip(*validated, strict=True), "o-", color="tab:blue", label="while training")
    right.axhline(psnr_db, color="tab:red", label=f"mean of the planes, 3D: {psnr_db:.2f} dB")
    right.axhline(32, color="black", linestyle=":", label="32 dB")
    right.set_ylabel("PSNR over 2500 HU, dB")
    figure.legend(loc="outside upper center", ncols=2, title=title)
    figure.savefig(output, dpi=110)
    plt.close(figure)


def main() -> None:
    """Run the workflow, then copy and draw its log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ct", type=Path)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--run", default="dx2ct")
    parser.add_argument("--steps", type=int, default=0, help="others than the bench has for the method")
    parser.add_argument("--cores", default="1")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "overfit")
    options = parser.parse_args()
    options.workdir.mkdir(parents=True, exist_ok=True)
    sheet, overlay = options.workdir / "cohort.tsv", options.workdir / "config.yaml"
    cohort(options.ct, sheet)
    overlay.write_text(yaml.safe_dump(configuration(sheet, options.run, options.steps)))
    command = ["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(options.workdir)]
    command += ["--cores", options.cores, "results/metrics.csv", "--configfile", str(overlay)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit("the workflow failed: see above")
    log = options.workdir / "results" / options.run / "training.csv"
    (score,) = read(options.workdir / "results" / "metrics.csv")
    shutil.copy(log, options.out.with_suffix(".csv"))
    title = f"{options.run}: {options.ct.stem}, {SIZE} cubed"
    draw(read(log), float(score["psnr_db"]), title, options.out.with_suffix(".png"))
    print(f"{options.run}: {float(score['psnr_db']):.2f} dB after {read(log)[-1]['seconds']} s of training")


if __name__ == "__main__":
    main()
