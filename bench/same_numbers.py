"""What a finished pipeline computed, as digests: does an edit of the code move a number?

    python bench/same_numbers.py digest FOLDER -o FILE.json
    python bench/same_numbers.py compare BEFORE.json AFTER.json

FOLDER is where `snakemake --directory FOLDER` has run, once with each code. Arrays and texts are digested, not files,
so dates and compression do not count. One machine, one thread (`OMP_NUM_THREADS=1`, `--cores 1`): others round
differently.
"""

import argparse
from collections.abc import Callable, Iterable
import csv
import hashlib
import json
from pathlib import Path
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
import SimpleITK as sitk

TRAINING = ("step", "loss", "learning_rate", "gradient_norm", "validation_psnr_db")  # the other columns are times
Part = str | NDArray[Any]


def image(path: Path) -> list[Part]:
    """Values and place of a .mha or .nii.gz file."""
    read = sitk.ReadImage(str(path))
    return [repr((read.GetSpacing(), read.GetOrigin(), read.GetDirection())), sitk.GetArrayFromImage(read)]


def stack(path: Path) -> list[Part]:
    """The array of a .npy file."""
    return [np.load(path, allow_pickle=False)]


def weights(path: Path) -> list[Part]:
    """Tensors in the order of their names."""
    tensors = load_file(path)
    return [part for name in sorted(tensors) for part in (name, tensors[name])]


def table(path: Path, columns: Iterable[str] | None = None) -> list[Part]:
    """Columns of a CSV file in the order of their names, or some of them; rows stay where they are."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows, names = list(reader), reader.fieldnames or []
    return [json.dumps([name, *(row[name] for row in rows)]) for name in sorted(columns or names)]


def training(path: Path) -> list[Part]:
    """The columns of training.csv that are no times."""
    return table(path, TRAINING)


KINDS: dict[str, Callable[[Path], list[Part]]] = {
    "data/volumes/*.mha": image,
    "data/xrays/*/*.mha": image,
    "data/slices/*/*.npy": stack,
    "results/*/weights.safetensors": weights,
    "results/*/training.csv": training,
    "results/*/volumes/*.nii.gz": image,
    "results/*/planes/*/*.nii.gz": image,
    "results/*/deviations/*.nii.gz": image,
    "results/*/scores.csv": table,
    "results/*/nodules.csv": table,
    "results/*/slices.csv": table,
    "results/*/calibration.csv": table,
    "results/metrics.csv": table,
    "results/comparisons.csv": table,
}


def digest(parts: Iterable[Part]) -> str:
    """SHA-256 of texts and of arrays with their types and shapes."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            head, body = f"text {len(part.encode())}", part.encode()
        else:
            head, body = f"{part.dtype.str} {part.shape}", np.ascontiguousarray(part).tobytes()
        total.update(f"{head}\n".encode() + body)
    return total.hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """{path in the folder: digest} of everything in it that must not move."""
    return {
        path.relative_to(folder).as_posix(): digest(kind(path))
        for pattern, kind in KINDS.items()
        for path in folder.glob(pattern)
    }


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """One line for each name that is not in both with the same digest."""
    lines = []
    for name in sorted(before | after):
        if name not in after:
            lines.append(f"{name}: only before")
        elif name not in before:
            lines.append(f"{name}: only after")
        elif before[name] != after[name]:
            lines.append(f"{name}: differs")
    return lines


def main() -> int:
    """Read the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("digest", help="digests of a folder in which the pipeline has run")
    one.add_argument("folder", type=Path)
    one.add_argument("-o", "--output", type=Path, help="JSON file; without it they are printed")
    two = commands.add_parser("compare", help="what differs; exit code 1 if anything does")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    options = parser.parse_args()
    if options.command == "digest":
        return write(digests(options.folder), options.folder, options.output)
    return compare(*(json.loads(path.read_text(encoding="utf-8")) for path in (options.before, options.after)))


def write(found: dict[str, str], folder: Path, output: Path | None) -> int:
    """Digests as sorted JSON, into a file or to be read."""
    if not found:
        print(f"error: {folder}: the pipeline has not run here", file=sys.stderr)
        return 1
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8")
        print(f"{output}: {len(found)} digests")
    return 0


def compare(before: dict[str, str], after: dict[str, str]) -> int:
    """Print what differs and how many are equal."""
    lines = differences(before, after)
    print("\n".join([*lines, f"{len(before | after) - len(lines)} equal, {len(lines)} not"]))
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
