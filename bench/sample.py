"""Samplers side by side, with one training's weights on the same scans.

    python -m bench.sample quality --run RUN --data DATA --scans phantom-021 ... [--variants NAME ...] --cache FILE
    python -m bench.sample speed --run RUN --data DATA --scans phantom-021

quality prints one line a variant, means over scans and the paired difference to the variant it is measured against;
what was computed is kept in the cache. speed times a whole volume by what is kept from step to step.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
import json
from pathlib import Path
import time
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
import torch
from tqdm import tqdm

from drr.projector import Projector
from drr.volume import Volume
from dx2ct.config import ConsistencySettings, SamplingOptions
from dx2ct.data.scans import as_seen, averaged, read_stack, read_xrays
from dx2ct.methods.dx2ct.sampling import TrainedDx2ct
from dx2ct.methods.dx2ct.slices import Keep
from dx2ct.methods.saved import read_run
from dx2ct.metrics import body_mask, Evaluation, Truth
from dx2ct.metrics.strict import psnr_db, ssim
from dx2ct.samplers.consistency import RAYS, residual
from dx2ct.training.runtime import Runtime

Array = NDArray[np.float32]
PAPER = SamplingOptions(steps=5)
IMAGE = replace(PAPER, planes="together")
VOLUME = replace(IMAGE, noise="volume")
END, STEPS = (ConsistencySettings(iterations=6, when=when) for when in ("end", "steps"))

# name: settings, the variant it is paired with
VARIANTS = {
    "alone-5": (PAPER, None),
    "image-5": (IMAGE, "alone-5"),
    "volume-5": (VOLUME, "alone-5"),
    "alone-5-end": (replace(PAPER, consistency=END), "alone-5"),
    "image-5-end": (replace(IMAGE, consistency=END), "alone-5-end"),
    "volume-5-end": (replace(VOLUME, consistency=END), "alone-5-end"),
    "image-5-steps": (replace(IMAGE, consistency=STEPS), "alone-5-end"),
    "volume-5-steps": (replace(VOLUME, consistency=STEPS), "alone-5-end"),
    "alone-dpm-10": (replace(PAPER, solver="dpm", steps=10), "alone-50"),
    "alone-10": (replace(PAPER, steps=10), "alone-50"),
    "image-10": (replace(IMAGE, steps=10), "alone-10"),
    "volume-10": (replace(VOLUME, steps=10), "alone-10"),
    "alone-8-samples": (replace(PAPER, samples=8), "alone-5"),
    "volume-8-samples": (replace(VOLUME, samples=8), "volume-5"),
    "volume-8-samples-steps": (replace(VOLUME, samples=8, consistency=STEPS), "volume-5-steps"),
    "alone-50": (replace(PAPER, steps=50), "alone-10"),
}


def jumps(hu: Array, body: NDArray[np.bool_]) -> list[float]:
    """Mean absolute difference between neighbouring slices along z, y, x, where both voxels lie in the body."""
    found = []
    for axis in range(3):
        both = np.logical_and(*(np.take(body, np.arange(i, hu.shape[axis] - 1 + i), axis) for i in (0, 1)))
        found.append(float(np.abs(np.diff(hu, axis=axis))[both].mean()))
    return found


def trained(run: Path) -> TrainedDx2ct:
    """The run's network on the CPU."""
    method, settings = read_run(run)
    loaded = method.implement().load(settings, run, Runtime())
    assert isinstance(loaded, TrainedDx2ct)
    return loaded


def measure(model: TrainedDx2ct, options: SamplingOptions, scan: str, data: Path) -> dict[str, Any]:
    """Scores of one scan, and the seconds it took."""
    truth = np.asarray(read_stack(data, scan, "axial"), np.float32)
    body = body_mask(truth)
    began = time.perf_counter()
    xrays, views = read_xrays(data, scan, model.inputs.names), model.inputs.views
    planes = model.reconstruct(xrays, views, options)
    seconds = time.perf_counter() - began
    deviation, hu = planes.deviation, np.rint(planes.mean).astype(np.float32)
    pixels = model.inputs.pixels
    projector = Projector(views.grid.volume(), list(views.exposures.values()), pixels, RAYS)
    integrals = np.stack([averaged(xrays[name], pixels) for name in model.inputs.names])
    evaluation = Evaluation(Truth(Volume(truth, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))), hu)
    row: dict[str, Any] = {
        "psnr_db": psnr_db(evaluation),
        "ssim": ssim(evaluation),
        "jumps": [a / b for a, b in zip(jumps(hu, body), jumps(truth, body), strict=True)],
        "reprojection": residual(projector, hu, integrals),
        "floor": residual(projector, truth, integrals),
        "seconds": seconds,
    }
    if deviation is not None:
        row["spearman"] = float(spearmanr(deviation[body], np.abs(hu - truth)[body]).statistic)
    return row


def quality(args: argparse.Namespace) -> None:
    """The table of variants."""
    cache = json.loads(args.cache.read_text()) if args.cache.exists() else {}
    model = trained(args.run)
    for name in tqdm(args.variants or VARIANTS):
        options, against = VARIANTS[name]
        for scan in args.scans:
            key = f"{name} {scan} {json.dumps(asdict(options), sort_keys=True)}"
            if key not in cache:
                cache[key] = measure(model, options, scan, args.data)
                args.cache.write_text(json.dumps(cache, indent=1))
    rows = {
        name: [cache.get(f"{name} {scan} {json.dumps(asdict(options), sort_keys=True)}") for scan in args.scans]
        for name, (options, _) in VARIANTS.items()
    }
    print("| variant | PSNR, dB | SSIM | jumps z y x | reprojection (floor) | rank corr. | against | dB | SSIM |")
    print("|---|---|---|---|---|---|---|---|---|")
    complete = {name: [row for row in found if row] for name, found in rows.items() if None not in found}
    for name, found in complete.items():
        mean = {key: float(np.mean([row[key] for row in found])) for key in found[0] if key != "jumps"}
        along = " ".join(f"{v:.2f}" for v in np.mean([row["jumps"] for row in found], axis=0))
        rank = f"{mean['spearman']:.2f}" if "spearman" in mean else ""
        line = f"| {name} | {mean['psnr_db']:.2f} | {mean['ssim']:.3f} | {along} | {mean['reprojection']:.4f}"
        line += f" ({mean['floor']:.4f}) | {rank} |"
        against = VARIANTS[name][1]
        if against in complete:
            gains = {
                key: [a[key] - b[key] for a, b in zip(found, complete[against], strict=True)]
                for key in ("psnr_db", "ssim")
            }
            better = sum(gain > 0 for gain in gains["psnr_db"])
            line += f" {against} | {np.mean(gains['psnr_db']):+.2f} ({better}/{len(found)})"
            line += f" | {np.mean(gains['ssim']):+.3f} |"
        print(line)


@torch.inference_mode()
def plainly(model: TrainedDx2ct, xrays: Mapping[str, Array], options: SamplingOptions) -> None:
    """As many forward passes of the whole network, X-ray encoder and all, as sampling has."""
    seen = torch.from_numpy(as_seen(xrays, model.inputs.names, model.inputs.pixels))[None]
    for _ in range(options.steps):
        for plane in model.coordinates:
            for chunk in plane.split(options.batch):
                x = torch.zeros(len(chunk), 1, *chunk.shape[1:3])
                model.model(seen, chunk[None], x, torch.zeros(len(chunk), dtype=torch.long))


def speed(args: argparse.Namespace) -> None:
    """Seconds of a whole volume by what is kept from step to step."""
    model = trained(args.run)
    options = replace(PAPER, steps=args.steps)
    xrays = read_xrays(args.data, args.scans[0], model.inputs.names)
    ways: dict[str, Callable[[], object]] = {
        keep: partial(model.reconstruct, xrays, model.inputs.views, options, keep=keep) for keep in get_args(Keep)
    }
    ways["the plain forward pass"] = partial(plainly, model, xrays, options)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            began = time.process_time()
            way()
            took[name].append(time.process_time() - began)
    for name, seconds in took.items():
        ratio = np.median([other / one for other, one in zip(seconds, took["modulation"], strict=True)])
        print(f"{name}: CPU seconds {', '.join(f'{s:.1f}' for s in seconds)}, {ratio:.2f} times the first")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["quality", "speed"])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scans", nargs="+", required=True)
    parser.add_argument("--variants", nargs="*")
    parser.add_argument("--cache", type=Path, default=Path("sample.json"))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    {"quality": quality, "speed": speed}[args.what](args)


if __name__ == "__main__":
    main()
