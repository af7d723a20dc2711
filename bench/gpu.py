"""Everything of this project that wants a GPU, in one run of a few minutes: python -m bench.gpu -o bench/gpu.json

Ray-caster's kernels against the reference and beside nanodrr; the published model's answer against the CPU's; training
steps of DX2CT and lift at the paper's size with their share of the rate of matrix products; reconstruction of one
patient at 128 cubed; a short training of lift on scans of noise; what changed copies cost it; what recorded steps gain
every method. Needs CuPy and a torch that sees the GPU; what fails is written down as its error, the rest goes on.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
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
from dx2ct.config import EngineSettings, SamplingOptions
from dx2ct.methods import method_named
from dx2ct.planning.resolve import resolve
from dx2ct.profiling.profile import DTYPES, matmul_rate, profile
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import Training

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {"dx2ct": ("workflow/config/paper.yaml", "dx2ct"), "lift": ("workflow/config/lift128.yaml", "lift")}
STEPS, SHORT = 20, 200
ENGINES = {"as_it_comes": EngineSettings(compile=False), "recorded": EngineSettings(compile="cuda_graphs")}
LOADERS = (1, 4)  # threads that make changed copies
RECORDED = (
    "lift", "lift_any", "dx2ct_lifted", "dx2ct", "concat", "perx2ct", "perx2ct_cone_beam", "perx2ct_global", "x2ctcnn",
    "x2ctgan", "cnn2d",
)  # fmt: skip


def main() -> None:
    """Run every part, each with its time; write what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", "-o", type=Path, default=Path("bench/gpu.json"))
    parser.add_argument("--only", nargs="*", help="parts, by default all")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("error: PyTorch sees no GPU here: bench.gpu measures what wants one")
    device = torch.device("cuda")
    found: dict[str, Any] = {
        "commit": _commit(),
        "device": torch.cuda.get_device_name(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "matmul_tflop_per_s": {name: matmul_rate(device, dtype) / 1e12 for name, dtype in DTYPES.items()},
    }
    parts: dict[str, Callable[[], Any]] = {"ray_caster": ray_caster, "agreement": lambda: agreement(device)}
    for name in CONFIGS:
        parts[f"train_{name}"] = partial(training, name, device)
        parts[f"reconstruct_{name}"] = partial(reconstruction, name, device)
    parts["short_training"] = lambda: short_training(device)
    parts["changed_copies"] = lambda: changed_copies(device)
    parts["recorded"] = lambda: {name: recorded(name, device) for name in RECORDED}
    for name, part in parts.items():
        if options.only and name not in options.only:
            continue
        start = time.perf_counter()
        try:
            result = part()
        except Exception as error:  # one part that fails must not cost the others their time on the machine
            result = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        found[name] = {"seconds": round(time.perf_counter() - start, 1), "result": result}
        print(name, json.dumps(found[name]), flush=True)
        with replacing(options.output) as written:
            written.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def _commit() -> str:
    """Of the working tree, with a mark where it was changed; empty outside a checkout."""
    told = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return told.stdout.strip()


def ray_caster() -> list[str]:
    """What bench/drr_gpu.py prints, in a process of its own."""
    done = subprocess.run([sys.executable, "bench/drr_gpu.py"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return done.stdout.strip().splitlines()


def training(name: str, device: torch.device) -> dict[str, Any]:
    """What `dx2ct profile` finds in bf16 at the paper's size, on scans of noise; steps as they come and recorded.

    utilisation: operations that the network needs, over those of matrix products in the same time. A backward pass is
    two forward ones, and what a checkpoint computes again is not counted.
    """
    config, run = CONFIGS[name]
    torch.cuda.empty_cache()
    settings: Any = run_settings(config, run)
    found = asdict(profile(method_named(settings.run.method), settings, device, "bf16", 0, STEPS))
    if "reconstruction_flop" in found:
        operations = 3 * found["reconstruction_flop"] * found["batch"]
    else:
        operations = sum(found["forward_flop"].values()) + sum(found["backward_flop"].values())
        encoder = replace(settings.model.encoder, pretrained=False)
        settings = replace(settings, model=replace(settings.model, encoder=encoder))
    unwatched = replace(settings.train.validation, every=0, patience=0, keep="last")
    settings = replace(settings, train=replace(settings.train, precision="bf16", validation=unwatched))
    rate = matmul_rate(device, DTYPES["bf16"])
    with tempfile.TemporaryDirectory() as folder:
        scans = _noise(settings, Path(folder))
        for says, engine in ENGINES.items():
            state, learned = _begun(settings, scans, Path(folder), Runtime(device, engine=engine))
            _seconds(state, learned, STEPS // 2)
            found[f"{says}_steps_per_s"] = STEPS / _seconds(state, learned, STEPS)
            found[f"{says}_utilisation"] = operations * found[f"{says}_steps_per_s"] / rate
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


def agreement(device: torch.device) -> dict[str, Any]:
    """The published model's example on the GPU against the CPU, HU, and its seconds there after a first call."""
    import dx2ct

    xrays = {view: ROOT / f"examples/chest_{view}.mha" for view in ("pa", "lateral")}
    model = dx2ct.load("chest", device=device.type)
    model.reconstruct(xrays)
    start = time.perf_counter()
    there = model.reconstruct(xrays)
    seconds = time.perf_counter() - start
    here = dx2ct.load("chest", device="cpu").reconstruct(xrays)
    differences = abs(there.array.astype(float) - here.array.astype(float))
    return {"seconds": seconds, "mean_abs_hu": differences.mean(), "largest_abs_hu": differences.max()}


def short_training(device: torch.device) -> dict[str, Any]:
    """The demo's lift for some steps on scans of noise: does the loss fall, and how fast are the steps?"""
    settings = run_settings("config.yaml", "lift")
    with tempfile.TemporaryDirectory() as folder:
        state, learned = _begun(settings, _noise(settings, Path(folder)), Path(folder), Runtime(device))
        seconds = _seconds(state, learned, SHORT)
    losses = [loss for loss, _ in state.recent]
    return {"steps_per_s": SHORT / seconds, "first_loss": losses[0], "last_loss": losses[-1]}


def changed_copies(device: torch.device) -> dict[str, Any]:
    """Steps a second of the ranking's lift on varied phantoms as they are, and changed with X-rays rendered anew."""
    from bench.augment import prepare
    from dx2ct.config.augment import AugmentSettings

    resolved = resolve([ROOT / "workflow/config/ranking.yaml"], ROOT)
    settings: Any = resolved.settings("lift_600_seed0")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        scans = prepare(resolved.config, Path(folder))
        for loaders in (0, *LOADERS):
            augment = AugmentSettings(share=1.0 if loaders else 0.0)
            changed = replace(settings, train=replace(settings.train, augment=augment))
            engine = replace(Runtime().engine, loaders=max(loaders, 1))
            state, learned = _begun(changed, scans, Path(folder), Runtime(device, engine=engine))
            _seconds(state, learned, STEPS)
            name = f"changed, {loaders} loaders" if loaders else "as they are"
            found[name] = 2 * STEPS / _seconds(state, learned, 2 * STEPS)
    return found


def recorded(name: str, device: torch.device) -> dict[str, Any]:
    """Steps a second of a run of the demo as they come and recorded, and how far apart their losses are at most."""
    settings: Any = run_settings("config.yaml", name)
    settings = replace(settings, train=replace(settings.train, precision="float32"))
    found: dict[str, Any] = {}
    losses = []
    with tempfile.TemporaryDirectory() as folder:
        scans = _noise(settings, Path(folder))
        for says, engine in ENGINES.items():
            state, learned = _begun(settings, scans, Path(folder), Runtime(device, engine=engine))
            try:
                _seconds(state, learned, STEPS // 2)
                found[f"{says}_steps_per_s"] = STEPS / _seconds(state, learned, STEPS)
            except Exception as error:  # the other runs go on
                return found | {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
            losses.append([loss for loss, _ in state.recent])
    return found | {"largest_difference": max(abs(a - b) for a, b in zip(*losses, strict=True)), "loss": losses[0][-1]}


def _noise(settings: Any, data: Path) -> list[str]:
    from dx2ct.profiling.noise_scans import fabricate_scans

    scans = [f"noise-{number}" for number in range(4)]
    fabricate_scans(scans, settings.run.views, settings.slices.size, data)
    return scans


def _begun(settings: Any, scans: list[str], data: Path, runtime: Runtime) -> tuple[Training, Any]:
    implementation: Any = method_named(settings.run.method).implement()
    learned = implementation.build(settings, {"train": scans, "validation": []}, data, runtime)
    return Training(learned.model, settings.train, "bench", discriminator=learned.discriminator), learned


def _seconds(state: Training, learned: Any, steps: int) -> float:
    """Of so many further steps."""
    start = time.perf_counter()
    for _ in range(steps):
        state.update(*learned.losses(state.step))
    state.settle()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
