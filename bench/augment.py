"""What a training step with changed copies, and with films, costs beside one without, side by side, wall clock and CPU.

python -m bench.augment [METHOD ...]: methods of workflow/config/ranking.yaml, by default lift_600, on varied phantoms
that are drawn for it. One thread for the network and one loader, as on two cores.
"""

from dataclasses import replace
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

import torch

from drr.volume import Volume
from dx2ct import layout
from dx2ct.config.augment import AugmentSettings, FilmSettings
from dx2ct.data.prepare.slices import make_slices
from dx2ct.data.prepare.xrays import make_xrays
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.methods import method_named
from dx2ct.planning.resolve import resolve
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import Training

ROOT = Path(__file__).resolve().parents[1]
SCANS, ROUNDS, STEPS = 3, 2, 5
FILMS = FilmSettings(share=1.0)
# What is timed, and beside which other it is said.
SIDES = {
    "plain": (AugmentSettings(), "plain"),
    "films": (AugmentSettings(film=FILMS), "plain"),
    "copies": (AugmentSettings(share=1.0), "plain"),
    "copies, shapes": (AugmentSettings(share=1.0, between=1.0), "copies"),
    "copies, films": (AugmentSettings(share=1.0, film=FILMS), "copies"),
}


def prepare(config: Any, data: Path) -> list[str]:
    """Varied phantoms as the stages leave scans."""
    scans = [f"phantom-{seed}" for seed in range(SCANS)]
    for seed, scan in enumerate(scans):
        volume = config.volume
        hu = draw(seed, volume.size, volume.spacing_mm)
        path = layout.volume(data, scan)
        Volume(hu, (volume.spacing_mm,) * 3, (0.0, 0.0, 0.0)).write(path)
        make_xrays(path, config.xray, layout.xray(data, scan, "pa").parent)
        make_slices(path, config.slices, layout.stack(data, scan, "axial").parent)
    return scans


def trained(settings: Any, augment: AugmentSettings, scans: list[str], data: Path) -> tuple[Training, Any]:
    """A training with its first steps behind it, and its losses."""
    settings = replace(settings, train=replace(settings.train, augment=augment))
    implementation: Any = method_named(settings.run.method).implement()
    learned = implementation.build(settings, {"train": scans, "validation": []}, data, Runtime())
    training = Training(learned.model, settings.train, "bench", discriminator=learned.discriminator)
    run(training, learned, STEPS)
    return training, learned


def run(training: Training, learned: Any, steps: int) -> tuple[float, float]:
    """Seconds of a step, wall clock and of all threads."""
    began, used = time.perf_counter(), time.process_time()
    for _ in range(steps):
        training.update(*learned.losses(training.step))
        training.settle()
    return (time.perf_counter() - began) / steps, (time.process_time() - used) / steps


def main() -> None:
    """Print a line for each method."""
    torch.set_num_threads(1)
    resolved = resolve([ROOT / "workflow/config/ranking.yaml"], ROOT)
    with TemporaryDirectory() as folder:
        scans = prepare(resolved.config, Path(folder))
        for name in sys.argv[1:] or ["lift_600_seed0"]:
            sides = {
                side: trained(resolved.settings(name), augment, scans, Path(folder))
                for side, (augment, _) in SIDES.items()
            }
            found = [
                {side: run(training, learned, STEPS) for side, (training, learned) in sides.items()}
                for _ in range(ROUNDS)
            ]
            print(name)
            for side, (_, compared) in SIDES.items():
                (wall, cpu), least = ([min(one[s][i] for one in found) for i in (0, 1)] for s in (side, compared))
                times = f"{wall / least[0]:.2f} and {cpu / least[1]:.2f} times {compared}"
                print(f"  {side:12} {wall:.3f} s a step, CPU {cpu:.3f} s: {times}")


if __name__ == "__main__":
    main()
