"""The ray-caster beside its peers: speed, accuracy, cost per voxel crossing, and the whole command. All in one run.

    python bench/drr.py --peers ENV/bin/python [--part speed accuracy scaling command] [--ct CT] [--rounds 7]

Prints Markdown tables; docs/notes/drr.md keeps what was measured. The peers live in an environment of their own:

    python3 -m venv ENV
    ENV/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    ENV/bin/pip install plastimatch itk-rtk itk-twoprojectionregistration nanodrr numpy
    ENV/bin/pip install diffdrr --no-deps          # its torchvision would bring torch for CUDA, several GB

A peer that is not there is left out, with a line that says so.
"""

import argparse
from pathlib import Path
import sys
import tempfile

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # the folder of this file would hide the package drr behind this file

from bench.raycaster import accuracy, command, scaling, speed  # noqa: E402
from bench.raycaster.common import Bench, canonical_ct, machine  # noqa: E402
from drr.errors import InputError  # noqa: E402

PARTS = {"speed": speed.run, "accuracy": accuracy.run, "scaling": scaling.run, "command": command.run}


def main() -> None:
    options = parser().parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        volume, what = canonical_ct(options.ct, folder)
        print(f"Volume: {what}, {volume.array.shape[::-1]} voxels of {volume.spacing_mm} mm, {volume.array.dtype}.")
        print(f"Machine: {machine()}. {options.threads} threads.")
        bench = Bench(
            volume, folder, options.peers, tuple(options.only), options.rounds, options.slow_rounds, options.threads
        )
        for part in options.part:
            print(f"\n### {part}\n", flush=True)
            PARTS[part](bench)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    result.add_argument("--peers", type=Path, help="Python of the environment that holds the peers")
    result.add_argument("--only", nargs="+", choices=speed.PEERS, default=list(speed.PEERS), help="these peers")
    result.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    result.add_argument("--ct", type=Path, help="a CT in patient axes (default: LIDC-IDRI-0001 at 320 cubed, 1 mm)")
    result.add_argument("--rounds", type=int, default=7)
    result.add_argument("--slow-rounds", type=int, default=7, help="of nanodrr and diffdrr: seconds a view")
    result.add_argument("--threads", type=int, default=2)
    return result


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
