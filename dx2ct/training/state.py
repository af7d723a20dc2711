"""Everything that changes while a network trains: weights, their moving average, optimizers, log, the best so far."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.config import TrainSettings
from dx2ct.training.distributed import say
from dx2ct.training.log import write_log
from dx2ct.training.optimizers import learning_rate, optimizer_of
from dx2ct.training.resume import load_state, save_state


@dataclass
class Training:
    """Everything that changes while a network trains; saved and loaded as one file.

    There is no random state in it: every random number is drawn from (seed, step, process), see `Batches` and `seeded`.
    discriminator: a GAN's, with an optimizer of its own; slices: how many an example of the batch has.
    """

    model: nn.Module
    settings: TrainSettings
    identity: str  # JSON of what the state belongs to
    step: int = 0
    seconds: float = 0.0
    log: list[list[float]] = field(default_factory=list)
    recent: list[list[float]] = field(default_factory=list)  # loss and gradient norm since the last line of the log
    best_psnr_db: float = -math.inf
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)  # the weights of best_step, where they are kept
    stopped: bool = False
    pending: list[Tensor] = field(default_factory=list)  # not yet read from the device
    discriminator: nn.Module | None = None
    slices: int = 1

    def __post_init__(self) -> None:
        self.optimizer = optimizer_of(self.model, self.settings)
        self.discriminator_optimizer = optimizer_of(self.discriminator, self.settings) if self.discriminator else None
        state = self.model.state_dict()
        self.average = {name: value.detach().clone() for name, value in state.items()}
        self.averaged = [name for name, value in state.items() if value.is_floating_point()]
        self.counted = [name for name in state if name not in self.averaged]

    def update(self, losses: Iterable[Tensor], discriminator_losses: Iterable[Tensor] = ()) -> None:
        """Back-propagate the loss terms one by one and step the optimizer; then the discriminator's; then the average.

        The terms are made one after the other, so that each graph is freed before the next; the discriminator's are
        not made before the network has made its step.
        """
        total, norm = self._descend(self.model, self.optimizer, losses)
        if self.discriminator and self.discriminator_optimizer:
            self._descend(self.discriminator, self.discriminator_optimizer, discriminator_losses)
        self.step += 1
        self.pending.append(torch.stack([torch.as_tensor(total), norm]).float())
        self._average_weights()

    def _descend(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, losses: Iterable[Tensor]
    ) -> tuple[Tensor | float, Tensor]:
        """One step of one optimizer: the loss and its gradient's norm."""
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(self.settings, self.step)
        optimizer.zero_grad(set_to_none=True)
        total: Tensor | float = 0.0
        for loss in losses:
            loss.backward()  # type: ignore[no-untyped-call]
            total = total + loss.detach()
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.settings.clip_norm or math.inf)
        optimizer.step()
        return total, norm

    def _average_weights(self) -> None:
        # While the average is young its decay is lower, or it would remember the random start.
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        averages, values = ([source[name] for name in self.averaged] for source in (self.average, state))
        torch._foreach_lerp_(averages, values, 1 - decay)
        for name in self.counted:  # batch norm's number of batches
            self.average[name].copy_(state[name])

    def settle(self) -> None:
        """Read losses and gradient norms from the device; InputError for one that is not a number."""
        if not self.pending:
            return
        first = self.step - len(self.pending)
        values = torch.stack(self.pending).tolist()
        self.pending.clear()
        for step, (loss, norm) in enumerate(values, start=first + 1):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise InputError(
                    f"the loss is {loss}, its gradient's norm {norm} at step {step}: lower train.learning_rate"
                )
        self.recent.extend(values)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """The network with its moving average and without dropout, for as long as this lasts."""
        trained = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        self.model.eval()
        try:
            yield
        finally:
            self.model.load_state_dict(trained)
            self.model.train()

    def judge(self, psnr_db: float) -> None:
        """Remember the best validation and its weights, and whether to stop."""
        validation = self.settings.validation
        if psnr_db > self.best_psnr_db:
            self.best_psnr_db, self.best_step = psnr_db, self.step
            if validation.keep == "best":
                self.best = {name: value.detach().clone() for name, value in self.average.items()}
        waited = self.step - self.best_step
        self.stopped = bool(validation.patience) and waited >= validation.patience * validation.every

    def save(self, output: Path) -> None:
        """Write the state, whole or not at all, and the log."""
        names = (
            "identity",
            "step",
            "seconds",
            "log",
            "recent",
            "best_psnr_db",
            "best_step",
            "best",
            "stopped",
            "average",
        )
        state = {name: getattr(self, name) for name in names}
        state |= {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.discriminator and self.discriminator_optimizer:
            state |= {
                "discriminator": self.discriminator.state_dict(),
                "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
            }
        save_state(state, output)
        write_log(self.log, output)

    def load(self, output: Path) -> None:
        """Go on from the last state of the same settings and scans, if there is one."""
        state: dict[str, Any] | None = load_state(output, self.identity)
        if state is None:
            return
        for name in ("step", "seconds", "log", "recent", "best_psnr_db", "best_step", "stopped"):
            setattr(self, name, state[name])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.discriminator and self.discriminator_optimizer:
            self.discriminator.load_state_dict(state["discriminator"])
            self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
        for name, value in state["average"].items():
            self.average[name].copy_(value)
        self.best = {name: value.to(self.average[name].device) for name, value in state["best"].items()}
        say(f"{state['path']}: resumed at step {self.step}")
