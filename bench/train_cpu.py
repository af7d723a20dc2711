"""One training step on the CPU, plain and with what may make it faster, on the same batch in the same process.

    python -m bench.train_cpu [--config config.yaml] [--rounds 5] [--compile] [--bf16]

Variants take turns, the fastest round of each counts, because machines are shared. `plain` is float32, contiguous,
eager, with attention written out, Adam without a fused kernel, and the X-rays encoded anew for every slice; the loss is
the same. Prints a table; docs/notes/train.md holds one.
"""

import argparse
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
import tempfile
import time
from typing import Any, cast

import torch
from torch.nn.attention import sdpa_kernel, SDPBackend

from bench.run_settings import run_settings
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.profiling.parts import Meter
from dx2ct.profiling.profile import matmul_rate
from dx2ct.profiling.rehearsal import operations, Rehearsal

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Variant:
    """What is switched on."""

    once: bool = False  # X-rays encoded once a patient
    fused: bool = False  # scaled_dot_product_attention's own kernel, and Adam's
    channels_last: bool = False
    bf16: bool = False
    compiled: bool = False


VARIANTS = {
    "plain": Variant(),
    "plain, X-rays once a patient": Variant(once=True),
    "plain, fused attention and Adam": Variant(fused=True),
    "both (eager `dx2ct train`)": Variant(once=True, fused=True),
    "both, channels_last": Variant(once=True, fused=True, channels_last=True),
}
BF16 = {"both, bf16": Variant(once=True, fused=True, bf16=True)}
COMPILED = {"both, torch.compile": Variant(once=True, fused=True, compiled=True)}


def make_step(rehearsal: Rehearsal, variant: Variant) -> Callable[[], float]:
    """A step on batch 0 with a network and an optimizer of its own; it returns the loss."""
    model = deepcopy(rehearsal.model)
    if variant.channels_last:
        for part in (model.conditions.encoder, model.unet):
            cast(Any, part).to(memory_format=torch.channels_last)
    network = torch.compile(model) if variant.compiled else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=variant.fused, foreach=False)
    batch = rehearsal.batch(0)
    if not variant.once:
        slices = batch.coordinates.shape[1]
        coordinates = batch.coordinates.flatten(0, 1)[:, None]
        batch = replace(batch, xrays=batch.xrays.repeat_interleave(slices, 0), coordinates=coordinates)
    inputs, loss_of = rehearsal.examples_of(batch)
    kernels = list(SDPBackend.__members__.values())[1:] if variant.fused else [SDPBackend.MATH]

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with sdpa_kernel(kernels), torch.autocast("cpu", torch.bfloat16, enabled=variant.bf16):
            loss = loss_of(network(*inputs))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return float(loss.detach())

    return step


def measure(rehearsal: Rehearsal, variants: dict[str, Variant], rounds: int) -> dict[str, float]:
    """Fastest seconds of each variant; the losses of the first step must agree."""
    steps = {name: make_step(rehearsal, variant) for name, variant in variants.items()}
    losses = {name: step() for name, step in steps.items()}
    for name, loss in losses.items():
        if abs(loss - losses["plain"]) > (0.05 if variants[name].bf16 else 1e-3) * losses["plain"]:
            raise SystemExit(f"{name}: loss {loss}, plain {losses['plain']}: not the same step")
    best = dict.fromkeys(variants, float("inf"))
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def report(settings: Dx2ctSettings, rehearsal: Rehearsal, best: dict[str, float]) -> str:
    """The tables."""
    lines = ["| step | seconds | times as fast as plain |", "|---|---|---|"]
    lines += [f"| {name} | {seconds:.3f} | {best['plain'] / seconds:.2f} |" for name, seconds in best.items()]
    meter = Meter(time.perf_counter)
    for step in range(3):
        rehearsal.step_by_parts(step, meter)
    flop, rate, total = operations(settings), matmul_rate(CPU, torch.float32), sum(meter.sums.values())
    lines += ["", "| part | pass | share of time, % | GFLOP | % of the matrix rate |", "|---|---|---|---|---|"]
    for (part, way), seconds in sorted(meter.sums.items(), key=lambda item: -item[1]):
        count = 3 * flop.get((part, way), 0)
        cells = f"{count / 3e9:.2f} | {100 * count / seconds / rate:.0f}" if count else " | "
        lines.append(f"| {part} | {way} | {100 * seconds / total:.1f} | {cells} |")
    return "\n".join([*lines, "", f"Matrix rate, float32: {rate / 1e9:.1f} GFLOP/s."])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="config.yaml")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--bf16", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chosen = VARIANTS | (BF16 if options.bf16 else {}) | (COMPILED if options.compile else {})
    parsed = run_settings(options.config)
    with tempfile.TemporaryDirectory() as folder:
        rehearsed = Rehearsal(parsed, Path(folder), CPU, torch.float32)
        print(report(parsed, rehearsed, measure(rehearsed, chosen, options.rounds)))
