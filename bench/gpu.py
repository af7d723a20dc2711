"""Everything of this project that wants a GPU, in one run of a few minutes: python -m bench.gpu -o bench/gpu.json

Ray-caster's kernels against the reference and beside nanodrr; training steps of DX2CT and lift at the paper's size with
their share of the rate of matrix products; reconstruction of one patient at 128 cubed; a short training of lift on
phantoms of noise. Needs CuPy and a torch that sees the GPU; what fails is written down as its error, the rest goes on.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict
import json
from pathlib import Path
import platform
import subprocess
import sys
import tempfile
import time
from typing import Any

import torch

from bench.run_settings import run_settings
from drr.files import replacing
from dx2ct.config import SamplingOptions
from dx2ct.methods import method_named
from dx2ct.profiling.profile import DTYPES, matmul_rate, profile
from dx2ct.training.runtime import Runtime

CONFIGS = {"dx2ct": ("workflow/config/paper.yaml", "dx2ct"), "lift": ("workflow/config/lift128.yaml", "lift")}
STEPS, SHORT = 20, 200


def main() -> None:
    """Run every part, each with its time; write what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", "-o", type=Path, default=Path("bench/gpu.json"))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("error: PyTorch sees no GPU here: bench.gpu measures what wants one")
    device = torch.device("cuda")
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "matmul_tflop_per_s": {name: matmul_rate(device, dtype) / 1e12 for name, dtype in DTYPES.items()},
    }
    parts: dict[str, Callable[[], Any]] = {"ray_caster": ray_caster}
    for name in CONFIGS:
        parts[f"train_{name}"] = lambda name=name: training(name, device)
        parts[f"reconstruct_{name}"] = lambda name=name: reconstruction(name, device)
    parts["short_training"] = lambda: short_training(device)
    for name, part in parts.items():
        start = time.perf_counter()
        try:
            result = part()
        except Exception as error:  # one part that fails must not cost the others their time on the machine
            result = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        found[name] = {"seconds": round(time.perf_counter() - start, 1), "result": result}
        print(name, json.dumps(found[name]), flush=True)
        with replacing(options.output) as written:
            written.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def ray_caster() -> list[str]:
    """What bench/drr_gpu.py prints, in a process of its own."""
    done = subprocess.run([sys.executable, "bench/drr_gpu.py"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return done.stdout.strip().splitlines()


def training(name: str, device: torch.device) -> dict[str, Any]:
    """Steps a second in bf16 at the paper's size, on scans of noise."""
    config, run = CONFIGS[name]
    torch.cuda.empty_cache()
    settings = run_settings(config, run)
    found = asdict(profile(method_named(settings.run.method), settings, device, "bf16", 0, STEPS))
    if "reconstruction_flop" in found:  # of one forward pass; a backward pass is two of them
        done = 3 * found["reconstruction_flop"] * found["batch"] * found["steps_per_s"]
        found["utilisation"] = done / matmul_rate(device, DTYPES["bf16"])
    return found


def reconstruction(name: str, device: torch.device) -> dict[str, Any]:
    """Seconds of one patient at 128 cubed with random weights; DX2CT with five steps."""
    from safetensors.torch import save

    from dx2ct.methods.saved import write_run

    config, run = CONFIGS[name]
    settings = run_settings(config, run)
    implementation: Any = method_named(settings.run.method).implement()
    network = implementation.network(settings) if name == "lift" else _dx2ct(settings)
    with tempfile.TemporaryDirectory() as folder:
        state = {key: value.contiguous() for key, value in network.state_dict().items()}
        write_run(save(state), settings, Path(folder))
        trained = implementation.load(settings, Path(folder), Runtime(device))
    spec = trained.inputs
    xrays = {view: torch.rand(spec.pixels, spec.pixels) for view in spec.names}
    took = []
    for _ in range(3):
        torch.cuda.synchronize()
        start = time.perf_counter()
        trained.reconstruct(xrays, spec.views, SamplingOptions(steps=5))
        torch.cuda.synchronize()
        took.append(time.perf_counter() - start)
    return {"seconds": took, "peak_mb": torch.cuda.max_memory_allocated() / 2**20}


def _dx2ct(settings: Any) -> torch.nn.Module:
    from dx2ct.methods.dx2ct.network import DX2CT

    return DX2CT(settings)


def short_training(device: torch.device) -> dict[str, Any]:
    """The demo's lift for some steps on scans of noise: does the loss fall, and how fast are the steps?"""
    from dx2ct.profiling.noise_scans import fabricate_scans
    from dx2ct.training.state import Training

    settings = run_settings("config.yaml", "lift")
    implementation: Any = method_named("lift").implement()
    with tempfile.TemporaryDirectory() as folder:
        scans = [f"noise-{number}" for number in range(4)]
        fabricate_scans(scans, settings.run.views, settings.slices.size, Path(folder))
        learned = implementation.build(settings, {"train": scans, "validation": []}, Path(folder), Runtime(device))
        state = Training(learned.model, settings.train, "bench")
        start = time.perf_counter()
        for step in range(SHORT):
            state.update(*learned.losses(step))
        state.settle()
        seconds = time.perf_counter() - start
    losses = [loss for loss, _ in state.recent]
    return {"steps_per_s": SHORT / seconds, "first_loss": losses[0], "last_loss": losses[-1]}


if __name__ == "__main__":
    main()
