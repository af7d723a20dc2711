"""Every path under data/ and results/, said once: for the rules, for the stages and for people's own scripts.

ROOT is the workflow's folder. Nothing but the standard library is imported. Arguments may be wildcards, as in
`xray(DATA, "{scan}", "pa")`.
"""

from collections.abc import Iterable
from pathlib import Path
import re

_PACKAGE = Path(__file__).resolve().parent
# The workflow with its configurations, tables and examples: the clone, or what an installed wheel carries (setup.py).
ROOT = _PACKAGE / "project" if (_PACKAGE / "project").is_dir() else _PACKAGE.parent
DATA, RESULTS, LOGS, BENCHMARKS = Path("data"), Path("results"), Path("logs"), Path("benchmarks")
PLANES = ("axial", "coronal", "sagittal")
STYLE = "style"  # below results/: a folder of each view, which no run may be called
FUSED = "mean"  # the mean of the three plane volumes, the volume that a run delivers
TABLES = ("table1a", "table1b", "table2", "clinical", "reprojection", "nodules", "cost")
STATES = ("resume.pt", "resume.older.pt")  # of a training: the newest and the one before it
FIGURES = ("comparison", "figure3", "errors", "psnr_by_slice", "scatter")


def raw(data: Path, scan: str) -> Path:
    """A scan that was fetched, a zip of its DICOM series."""
    return data / "raw" / f"{scan}.zip"


def volume(data: Path, scan: str) -> Path:
    """The scan's cube."""
    return data / "volumes" / f"{scan}.mha"


def xray(data: Path, scan: str, view: str) -> Path:
    """Line integrals of one view."""
    return data / "xrays" / scan / f"{view}.mha"


def stack(data: Path, scan: str, plane: str) -> Path:
    """The slices of one plane."""
    return data / "slices" / scan / f"{plane}.npy"


def films(data: Path, view: str) -> Path:
    """Films of a view as networks see them, one after the other."""
    return data / "films" / f"{view}.npy"


def films_table(data: Path, view: str) -> Path:
    """Which films they are, and why others are left out."""
    return data / "films" / f"{view}.tsv"


def quality(data: Path, scan: str) -> Path:
    """What the quality page says of a scan."""
    return data / "qc" / f"{scan}.json"


def film_series(data: Path, films: str) -> Path:
    """Which image of a series of films is the PA, which the lateral."""
    return data / "film_series" / f"{films}.json"


def failure(data: Path, scan: str) -> Path:
    """The record of a scan that could not be read."""
    return data / "failed" / f"{scan}.txt"


def run(results: Path, name: str) -> Path:
    """The folder of a run."""
    return results / name


def style(results: Path, view: str) -> Path:
    """The folder of a view's style, which is a run but for its name."""
    return results / STYLE / view


def styled(folder: Path, scan: str) -> Path:
    """A scan's X-ray in the style of films; folder: of the view's style."""
    return folder / "xrays" / f"{scan}.mha"


def domain_gap(folder: Path) -> Path:
    """How well a classifier tells X-rays from films, before and after a view's style."""
    return folder / "domain_gap.json"


def seeded(name: str, seed: int) -> str:
    """The name of a run that is trained once with each of several seeds."""
    return f"{name}_seed{seed}"


def folded(name: str, fold: str) -> str:
    """The name of the training of a run on one of several folds."""
    return f"{name}_{fold}"


def by_seed(runs: Iterable[Path]) -> dict[str, list[Path]]:
    """Runs under the name that they share but for the seed; one without a sibling has its own."""
    found: dict[str, list[Path]] = {}
    for folder in runs:
        found.setdefault(re.sub(r"_seed\d+$", "", folder.name), []).append(folder)
    return {name if len(group) > 1 else group[0].name: group for name, group in found.items()}


def weights(folder: Path) -> Path:
    """A run's weights."""
    return folder / "weights.safetensors"


def settings(folder: Path) -> Path:
    """A run's settings."""
    return folder / "settings.json"


def folds(folder: Path) -> Path:
    """Of a run with folds, which has no weights of its own: the names of its trainings by fold."""
    return folder / "folds.json"


def states(folder: Path) -> list[Path]:
    """What an interrupted training goes on from, the newest first."""
    return [folder / name for name in STATES]


def training_log(folder: Path) -> Path:
    """Loss and speed while a run was trained."""
    return folder / "training.csv"


def model_card(folder: Path) -> Path:
    """What a run's weights are."""
    return folder / "model_card.md"


def profile(folder: Path) -> Path:
    """What a run costs."""
    return folder / "profile.json"


def examples(folder: Path) -> Path:
    """Examples of a run's training, drawn."""
    return folder / "examples.png"


def reconstruction(folder: Path, scan: str, plane: str = FUSED) -> Path:
    """A run's volume of a scan: of the slices of one plane, or their mean."""
    if plane == FUSED:
        return folder / "volumes" / f"{scan}.nii.gz"
    return folder / "planes" / scan / f"{plane}.nii.gz"


def reconstructions(folder: Path, scan: str) -> list[Path]:
    """The mean volume and those of the three planes."""
    return [reconstruction(folder, scan, plane) for plane in (FUSED, *PLANES)]


def film_record(folder: Path, films: str) -> Path:
    """How a run reconstructed a series of films, or why it could not; the volume lies beside it."""
    return folder / "films" / f"{films}.run.json"


def film_volume(folder: Path, films: str) -> Path:
    """A run's volume of a series of films."""
    return folder / "films" / f"{films}.nii.gz"


def deviation(folder: Path, scan: str) -> Path:
    """The standard deviation of a scan's samples."""
    return folder / "deviations" / f"{scan}.nii.gz"


def agreement(folder: Path) -> Path:
    """How far X-rays of a run's reconstructions usually differ from those that they were made of."""
    return folder / "agreement.json"


def deviation_scale(folder: Path) -> Path:
    """What calibrates the deviation of a run's samples."""
    return folder / "deviation_scale.json"


def sampling(folder: Path) -> Path:
    """How a run sampled when it was last reconstructed; a run that does not sample has none."""
    return folder / "sampling.json"


def scores(folder: Path, name: str = "scores") -> Path:
    """A run's scores, nodules or slices, one row each."""
    return folder / f"{name}.csv"


def calibration(folder: Path, suffix: str = "csv") -> Path:
    """How a run's deviations agree with its errors: a table, and a figure (png)."""
    return folder / f"calibration.{suffix}"
