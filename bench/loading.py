"""Slices a second that loading delivers alone, and that training on the same machine consumes.

    python -m bench.loading [--config config.yaml] [--batches 50] [--steps 2] [--device auto]

Scans of noise in the files that training reads; they lie in the page cache, as a cohort's do once they were read.
"""

import argparse
from pathlib import Path
import tempfile
import time

import torch

from bench.run_settings import run_settings
from dx2ct.profiling.profile import chosen_precision, DTYPES
from dx2ct.profiling.rehearsal import Rehearsal
from dx2ct.profiling.stopwatch import step_seconds
from dx2ct.training.device import set_up_torch


def loaded_per_s(rehearsal: Rehearsal, batches: int) -> float:
    """Slices a second of `batches` batches after one to warm up."""
    rehearsal.examples.batch(0)
    start = time.perf_counter()
    for step in range(batches):
        rehearsal.examples.batch(step)
    return batches * rehearsal.settings.train.batch / (time.perf_counter() - start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="config.yaml")
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    device = set_up_torch(options.device, options.threads)
    settings = run_settings(options.config)
    with tempfile.TemporaryDirectory() as folder:
        dtype: torch.dtype = DTYPES[chosen_precision("auto", device)]
        rehearsal = Rehearsal(settings, Path(folder), device, dtype)
        loaded = loaded_per_s(rehearsal, options.batches)
        consumed = settings.train.batch / step_seconds(rehearsal.step, device, options.steps)
    print(
        f"{options.config}, {device}: loading {loaded:.0f} slices/s, training consumes {consumed:.1f}: "
        f"{loaded / consumed:.0f} times as many (target: at least 5)"
    )
