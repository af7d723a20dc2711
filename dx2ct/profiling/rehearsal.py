"""A training on scans of noise, step by step: what `dx2ct profile` and the benches measure."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn, Tensor
from torch.nn.functional import mse_loss
from torch.utils.flop_counter import FlopCounterMode

from dx2ct.config import EngineSettings
from dx2ct.methods.dx2ct.batches import Batch, TrainingData
from dx2ct.methods.dx2ct.network import DX2CT, schedule_of
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.profiling.noise_scans import fabricate_scans
from dx2ct.profiling.parts import gradients_by_parts, Meter
from dx2ct.samplers import diffusion
from dx2ct.training.engine import on_device
from dx2ct.training.state import Training

MOST_SCANS = 8  # of noise; a patient may come twice in a batch
Inputs = tuple[Tensor, Tensor, Tensor, Tensor]


class Rehearsal:
    """Network, optimizer and batches of a run's settings, on a device, in float32 or under autocast to bfloat16."""

    def __init__(self, settings: Dx2ctSettings, data: Path, device: torch.device, dtype: torch.dtype) -> None:
        train = settings.train
        scans = [f"noise-{i}" for i in range(min(max(train.batch // train.slices_per_patient, 1), MOST_SCANS))]
        fabricate_scans(scans, settings.run.views, settings.slices.size, data)
        self.settings, self.device, self.dtype = settings, device, dtype
        self.examples = TrainingData(settings, scans, data, device)
        self.schedule = schedule_of(settings)
        torch.manual_seed(train.seed)
        self.network: Callable[..., Tensor]
        self.model, self.network = on_device(DX2CT(settings), device, EngineSettings(), train.accumulate)
        self.training = Training(self.model, train, "rehearsal")

    def autocast(self) -> torch.autocast:
        """What the forward pass runs in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def batch(self, step: int) -> Batch:
        """One step's batch on the device."""
        return self.examples.batch(step).to(self.device)

    def examples_of(self, batch: Batch) -> tuple[Inputs, Callable[[Tensor], Tensor]]:
        """The network's inputs and the loss of its output."""
        noisy = diffusion.add_noise(self.schedule, batch.slices, batch.noise, batch.t)
        prediction = self.settings.run.prediction
        target = diffusion.target(self.schedule, prediction, batch.slices, batch.noise, batch.t)
        return (batch.xrays, batch.coordinates, noisy, batch.t), lambda output: mse_loss(output.float(), target)

    def step(self, step: int) -> None:
        """One step as training does it."""
        inputs, loss_of = self.examples_of(self.batch(step))
        with self.autocast():
            loss = loss_of(self.network(*inputs))
        self.training.update([loss])

    def step_by_parts(self, step: int, meter: Meter) -> None:
        """The same with the graph cut between the parts, so that each can be metered; no moving average."""
        meter.enter("loader")
        inputs, loss_of = self.examples_of(self.batch(step))
        self.model.zero_grad(set_to_none=True)
        gradients_by_parts(self.model, inputs, loss_of, meter, self.autocast)
        meter.enter("optimizer")
        if self.settings.train.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.train.clip_norm)
        self.training.optimizer.step()
        meter.leave()


def operations(settings: Dx2ctSettings) -> dict[tuple[str, str], int]:
    """Floating-point operations of one step in each part, forward and backward: matrix products and convolutions, a
    multiplication and an addition counted as two. Computed on the meta device from shapes alone.
    """
    train, size = settings.train, settings.slices.size
    patients = train.batch // train.slices_per_patient
    with torch.device("meta"):
        model = DX2CT(settings).to("meta")
        inputs = (
            torch.empty(patients, len(settings.run.views), size, size),
            torch.empty(patients, train.slices_per_patient, size, size, 3),
            torch.empty(train.batch, 1, size, size),
            torch.empty(train.batch, dtype=torch.long),
        )
        with FlopCounterMode(display=False) as counter:
            meter = Meter(counter.get_total_flops)
            gradients_by_parts(model, inputs, lambda output: output.square().mean(), meter)
    return {phase: int(count) for phase, count in meter.sums.items()}
