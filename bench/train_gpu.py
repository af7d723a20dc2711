"""The paper's training on a GPU: speed, utilisation, hours; batch 16 and the largest that fits.

    python -m bench.train_gpu [--config workflow/config/paper.yaml] [--steps 20]

Needs a CUDA GPU and no data. Matrix rate: bf16 products of 8192 squared on the same GPU.
"""

import argparse

import torch

from bench.run_settings import run_settings
from dx2ct.methods import method_named
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.profiling.profile import Profile, profile, to_text

LARGEST = 4096


def fitting(settings: Dx2ctSettings, device: torch.device, steps: int, first: int) -> list[Profile]:
    """Profiles of batch `first` and of its doubles for as long as they fit, the last one the largest."""
    found: list[Profile] = []
    batch = first
    while batch <= LARGEST:
        try:
            one = profile(method_named("dx2ct"), settings, device, "bf16", batch, steps)
            assert isinstance(one, Profile)
            found.append(one)
        except torch.cuda.OutOfMemoryError:
            break
        finally:
            torch.cuda.empty_cache()
        batch *= 2
    return found


def report(profiles: list[Profile], samples: int) -> str:
    """One row a batch; the hours are those of the samples that the settings' steps see."""
    lines = ["| batch | steps/s | slices/s | utilisation, % | memory, MB | hours |", "|---|---|---|---|---|---|"]
    for p in profiles:
        per_s = p.steps_per_s * p.batch
        used = "" if p.utilisation is None else f"{100 * p.utilisation:.1f}"
        hours = samples / per_s / 3600
        lines.append(
            f"| {p.batch} | {p.steps_per_s:.2f} | {per_s:.1f} | {used} | {p.peak_memory_mb:.0f} | {hours:.1f} |"
        )
    return "\n".join([*lines, "", "```", to_text(profiles[0]), "```"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="workflow/config/paper.yaml")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("error: PyTorch sees no GPU here: bench.train_gpu needs one; bench.train_cpu does not")
    settings = run_settings(options.config)
    train = settings.train
    profiles = fitting(settings, torch.device("cuda"), options.steps, train.batch)
    if not profiles:
        raise SystemExit(f"error: a batch of {train.batch} does not fit into this GPU's memory")
    print(report(profiles, train.steps * train.batch))
