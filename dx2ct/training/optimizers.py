"""The optimizers that a training may use: Adam, AdamW, and Muon for the matrices of a network."""

from collections.abc import Iterable
import math
from typing import Any

import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.config import TrainSettings

MOMENTUM = 0.95  # Muon's (Jordan et al. 2024)


class MatrixMuon(torch.optim.Optimizer):
    """torch.optim.Muon for weights of any shape, seen as (outputs, everything else), with AdamW for all other values.

    Muon's update has the size that AdamW's would have (match_rms_adamw, Liu et al. 2025), so that one learning rate
    serves both. Raises InputError for a network without a weight of two axes or more.
    """

    def __init__(self, parameters: Iterable[Tensor], train: TrainSettings) -> None:
        chosen = list(parameters)
        self.weights = [p for p in chosen if p.ndim >= 2 and min(p.shape[0], p[0].numel()) > 1]
        if not self.weights:
            raise InputError("train.optimizer: muon needs weights of two axes or more: use adam or adamw")
        known = {id(p) for p in self.weights}
        others = [p for p in chosen if id(p) not in known]
        # Views of the weights' own memory, or copies of those that lie channels last, which `step` writes back.
        self.matrices = [nn.Parameter(p.detach().reshape(p.shape[0], -1)) for p in self.weights]
        self.muon = torch.optim.Muon(
            self.matrices,
            train.learning_rate,
            train.weight_decay,
            MOMENTUM,
            adjust_lr_fn="match_rms_adamw",
        )
        rest: Any = others or [nn.Parameter(torch.zeros(1))]
        self.adamw = torch.optim.AdamW(
            rest, train.learning_rate, train.betas, weight_decay=train.weight_decay, fused=True
        )
        super().__init__(chosen, {"lr": train.learning_rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of both, at the learning rate of this optimizer's own group."""
        for weight, matrix in zip(self.weights, self.matrices, strict=True):
            matrix.grad = None if weight.grad is None else weight.grad.reshape(matrix.shape)
        for optimizer in (self.muon, self.adamw):
            for group in optimizer.param_groups:
                group["lr"] = self.param_groups[0]["lr"]
            optimizer.step()  # type: ignore[no-untyped-call]
        for weight, matrix in zip(self.weights, self.matrices, strict=True):
            if weight.data_ptr() != matrix.data_ptr():
                weight.copy_(matrix.view(weight.shape))

    def state_dict(self) -> dict[str, Any]:
        """The states of both, for a training that is resumed."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What `state_dict` gave."""
        self.muon.load_state_dict(state_dict["muon"])
        self.adamw.load_state_dict(state_dict["adamw"])


def optimizer_of(network: nn.Module, train: TrainSettings) -> torch.optim.Optimizer:
    """The optimizer of the settings for what is learnt of a network."""
    learned = [p for p in network.parameters() if p.requires_grad]
    if train.optimizer == "muon":
        return MatrixMuon(learned, train)
    kind: type[torch.optim.Adam] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[train.optimizer]
    return kind(learned, train.learning_rate, train.betas, weight_decay=train.weight_decay, fused=True)


def learning_rate(train: TrainSettings, step: int) -> float:
    """Linear warm-up, then constant, half a cosine down to 0, or (linear) a straight line to 0 in the second half."""
    rate = train.learning_rate * min((step + 1) / max(train.warmup_steps, 1), 1.0)
    if train.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / train.steps))
    if train.schedule == "linear":
        rate *= min(2 * (1 - step / train.steps), 1.0)
    return rate
