"""What one deviation covers on scans that its scale was not learnt on: python -m bench.calibration RUN SHEET DATA STEPS

Only scans of the validation split are looked at: half of them teach the scale, the other half try it, and back.
"""

from itertools import combinations
from pathlib import Path
import sys

import numpy as np
from numpy.typing import NDArray

from dx2ct.config import SamplingOptions
from dx2ct.data.cohort.sheet import read_sheet
from dx2ct.data.scans import read_stack, read_xrays
from dx2ct.methods.saved import read_run
from dx2ct.metrics import body_mask
from dx2ct.scoring.deviation import coverage, DeviationScale, learn
from dx2ct.training.runtime import Runtime

SAMPLES = 4
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def reconstructed(run: Path, sheet: Path, data: Path, options: SamplingOptions) -> dict[str, Pair]:
    """Deviation and error of the body's voxels, (voxel,) HU each, by validation scan."""
    method, settings = read_run(run)
    trained = method.implement().load(settings, run, Runtime())
    found = {}
    for row in read_sheet(sheet):
        if row.split == "val":
            xrays = read_xrays(data, row.scan, trained.inputs.names)
            planes = trained.reconstruct(xrays, trained.inputs.views, options)
            truth = np.asarray(read_stack(data, row.scan, "axial"))
            body = body_mask(truth)
            assert planes.deviation is not None, "the run does not sample"
            error = np.rint(planes.mean).astype(np.float32)[body] - truth[body]
            found[row.scan] = (planes.deviation.astype(np.float32)[body], error)
    return found


def tried(scale: DeviationScale, pairs: dict[str, Pair]) -> list[float]:
    """Shares within one calibrated deviation, a scan each."""
    return [coverage(scale.applied(stated), error).one for stated, error in pairs.values()]


def main(run: str, sheet: str, data: str, steps: str) -> None:
    """Print coverage of each scan by the scale of one half, and the spread over all halves."""
    options = SamplingOptions(steps=int(steps), samples=SAMPLES)
    found = reconstructed(Path(run), Path(sheet), Path(data), options)
    means: list[float] = []
    for chosen in combinations(found, len(found) // 2):
        scale = learn({scan: found[scan] for scan in chosen}, options)
        others = {scan: pair for scan, pair in found.items() if scan not in chosen}
        covered = tried(scale, others)
        if not means:
            print(f"scale {scale.scale:.2f} floor {scale.floor_hu:.1f} HU of {chosen}: {np.round(covered, 3)}")
            stated, error = (np.concatenate(parts) for parts in zip(*others.values(), strict=True))
            deciles = np.array_split(np.argsort(stated, kind="stable"), 10)
            print(
                "by deviation:", *(f"{coverage(scale.applied(stated[part]), error[part]).one:.2f}" for part in deciles)
            )
        means.append(float(np.mean(covered)))
    print(f"{len(means)} halves: {np.mean(means):.3f} ({min(means):.3f} to {max(means):.3f})")
    print(learn(found, options))


if __name__ == "__main__":
    main(*sys.argv[1:])
