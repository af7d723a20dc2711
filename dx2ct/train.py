"""The training loop: optimizer, exponential moving average, resume."""

from collections.abc import Callable
from dataclasses import dataclass, field
import math
import os
from pathlib import Path
import time
from typing import Any

import torch
from torch import nn, Tensor
from tqdm import tqdm

from drr.errors import InputError
from drr.files import replacing
from dx2ct.settings import OptimizerSettings

STATE, LOG = "resume.pt", "training.csv"
SAVE_EVERY_S = 120.0  # what a killed training loses at most
LOG_LINES = 100  # of a whole training, more where that would be less than one every LOG_STEPS
LOG_STEPS = 100


def set_up_torch(device: str, threads: int) -> torch.device:
    """Choose the device (auto takes a GPU where there is one) and the number of CPU threads (0 = all)."""
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device {device!r}; known: auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but PyTorch sees no GPU here: use --device cpu")
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(min(threads or here, here))  # more threads than cores wait for each other
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


@dataclass
class Training:
    """Everything that changes while a network trains; saved and loaded as one file."""

    model: nn.Module
    settings: OptimizerSettings
    identity: str
    step: int = 0
    seconds: float = 0.0
    log: list[list[float]] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)  # losses since the last line of the log

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), self.settings.learning_rate, (0.9, self.settings.beta2), fused=True
        )
        state = self.model.state_dict()
        self.average = {name: value.detach().clone() for name, value in state.items()}
        self.averaged = [name for name, value in state.items() if value.is_floating_point()]
        self.counted = [name for name in state if name not in self.averaged]

    def update(self, loss: Tensor) -> None:
        """One optimizer step, then the moving average."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        self.step += 1
        # While the average is young its decay is lower, or it would remember the random start.
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        averages, values = ([source[name] for name in self.averaged] for source in (self.average, state))
        torch._foreach_lerp_(averages, values, 1 - decay)
        for name in self.counted:  # batch norm's number of batches
            self.average[name].copy_(state[name])

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all."""
        state = {
            "identity": self.identity,
            "step": self.step,
            "seconds": self.seconds,
            "log": self.log,
            "recent": self.recent,
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }
        with replacing(path) as part:
            torch.save(state, part)

    def load(self, path: Path) -> None:
        """Go on from a saved state of the same settings and scans; a state of others is passed over, with a word."""
        if not path.is_file():
            return
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        if state["identity"] != self.identity:
            tqdm.write(f"{path}: written for other settings or scans, training starts anew")
            return
        self.step, self.seconds, self.log, self.recent = (state[k] for k in ("step", "seconds", "log", "recent"))
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, value in state["average"].items():
            self.average[name].copy_(value)
        tqdm.write(f"{path}: resumed at step {self.step}")


def learning_rate(settings: OptimizerSettings, step: int) -> float:
    """Linear warm-up, then constant or half a cosine down to 0."""
    rate = settings.learning_rate * min((step + 1) / max(settings.warmup_steps, 1), 1.0)
    if settings.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return rate


def fit(training: Training, loss_of_step: Callable[[int], Tensor], output: Path) -> None:
    """Run the remaining steps, saving the state every SAVE_EVERY_S and at the end; output/training.csv holds the log.

    `loss_of_step` must depend on the step and the network alone, so that a resumed run repeats an undisturbed one; the
    random generator that dropout uses is seeded by the step for that reason.
    """
    settings, recent = training.settings, training.recent
    every = min(LOG_STEPS, max(settings.steps // LOG_LINES, 1))
    start = time.monotonic() - training.seconds
    saved = time.monotonic()
    with tqdm(total=settings.steps, initial=training.step, desc="train", unit="step", disable=None) as bar:
        while training.step < settings.steps:
            torch.manual_seed((settings.seed << 32) + training.step)
            loss = loss_of_step(training.step)
            training.update(loss)
            recent.append(float(loss.detach()))
            bar.update()
            if not math.isfinite(recent[-1]):
                raise InputError(f"the loss is {recent[-1]} at step {training.step}: lower train.learning_rate")
            training.seconds = time.monotonic() - start
            if training.step % every == 0:
                rate = learning_rate(settings, training.step - 1)
                training.log.append([training.step, sum(recent) / len(recent), rate, training.seconds])
                bar.set_postfix(loss=f"{training.log[-1][1]:.4f}")
                recent.clear()
            if time.monotonic() - saved >= SAVE_EVERY_S or training.step == settings.steps:
                training.save(output / STATE)
                saved = time.monotonic()
    with replacing(output / LOG) as part:
        lines = [f"{int(step)},{loss:.6g},{rate:.6g},{seconds:.1f}" for step, loss, rate, seconds in training.log]
        part.write_text("\n".join(["step,loss,learning_rate,seconds", *lines]) + "\n")
