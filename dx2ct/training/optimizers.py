"""The optimizers that a training may use: Adam, AdamW, and Muon for the matrices of a network."""

from collections.abc import Callable, Iterable, Sequence
import math
from typing import Any, cast

import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.config import TrainSettings

MOMENTUM = 0.95  # Muon's (Jordan et al. 2024), and the coefficients and number of its Newton-Schulz iterations
COEFFICIENTS, ITERATIONS, SMALLEST = (3.4445, -4.7750, 2.0315), 5, 1e-7
TOGETHER_ROWS = 64  # matrices of one shape are taken together up to here: of more rows each fills a CPU core alone


class MatrixMuon(torch.optim.Optimizer):
    """Muon for weights of any shape, seen as (outputs, everything else), with AdamW for all other values.

    What torch.optim.Muon does, but small matrices of one shape together, which makes a step a fifth shorter. The update
    has the size that AdamW's would have (match_rms_adamw, Liu et al. 2025), so that one learning rate serves both.
    Raises InputError for a network without a weight of two axes or more.
    """

    def __init__(self, parameters: Iterable[Tensor], train: TrainSettings) -> None:
        chosen = list(parameters)
        self.weights = [p for p in chosen if p.ndim >= 2 and min(p.shape[0], p[0].numel()) > 1]
        if not self.weights:
            raise InputError("train.optimizer: muon needs weights of two axes or more: use adam or adamw")
        known = {id(p) for p in self.weights}
        others = [p for p in chosen if id(p) not in known]
        self.momenta = [torch.zeros_like(p).flatten(1) for p in self.weights]
        self.weight_decay = train.weight_decay
        rest: Any = others or [nn.Parameter(torch.zeros(1))]
        self.adamw = torch.optim.AdamW(
            rest, train.learning_rate, train.betas, weight_decay=train.weight_decay, fused=True
        )
        self.recorded: RecordedUpdate | None = None
        super().__init__(chosen, {"lr": train.learning_rate})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of both, at the learning rate of this optimizer's own group."""
        rate = self.param_groups[0]["lr"]
        for group in self.adamw.param_groups:
            group["lr"] = rate
        self.adamw.step()
        learning = [i for i, weight in enumerate(self.weights) if weight.grad is not None]
        if self.weights[0].is_cuda:
            self.recorded = self.recorded or RecordedUpdate(self)
            self.recorded(learning, rate)
        else:
            self.update(learning, [cast(Tensor, self.weights[i].grad) for i in learning], rate)

    def update(self, learning: Sequence[int], gradients: Sequence[Tensor], rate: float | Tensor) -> None:
        """Move the weights of these numbers along their gradients' orthogonal directions."""
        of_shape: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        for i, whole in zip(learning, gradients, strict=True):
            momentum, gradient = self.momenta[i], whole.flatten(1)
            momentum.lerp_(gradient, 1 - MOMENTUM)
            of_shape.setdefault(tuple(momentum.shape), []).append((self.weights[i], gradient.lerp(momentum, MOMENTUM)))
        for shape, pairs in of_shape.items():
            updates = orthogonal([update for _, update in pairs])
            for (weight, _), update in zip(pairs, updates, strict=True):
                weight.mul_(1 - rate * self.weight_decay)
                step = -rate * 0.2 * math.sqrt(max(shape))
                if isinstance(step, Tensor):  # on the device, where it can change between replays
                    weight.add_(update.view(weight.shape).float() * step)
                else:
                    weight.add_(update.view(weight.shape), alpha=step)

    def state_dict(self) -> dict[str, Any]:
        """The states of both, for a training that is resumed."""
        return {"momenta": self.momenta, "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What `state_dict` gave."""
        for momentum, saved in zip(self.momenta, state_dict["momenta"], strict=True):
            momentum.copy_(saved)
        self.adamw.load_state_dict(state_dict["adamw"])


class RecordedUpdate:
    """The matrices' update on a GPU, recorded once and replayed: it is a thousand kernels that wait for the CPU.

    The first call is computed as it comes, which prepares what a recording may not ask for. A call with other weights
    than the recorded ones is recorded anew.
    """

    def __init__(self, optimizer: MatrixMuon) -> None:
        self.optimizer = optimizer
        self.learning: Sequence[int] = ()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.gradients: list[Tensor] = []
        self.rate = torch.zeros((), device=optimizer.weights[0].device)

    def __call__(self, learning: Sequence[int], rate: float) -> None:
        """As MatrixMuon.update."""
        optimizer = self.optimizer
        found = [cast(Tensor, optimizer.weights[i].grad) for i in learning]
        self.rate.fill_(rate)
        if learning != self.learning:
            self.learning, self.graph, self.gradients = learning, None, [torch.zeros_like(one) for one in found]
            optimizer.update(learning, found, self.rate)
            return
        torch._foreach_copy_(self.gradients, found)
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):  # loaders go on
                optimizer.update(learning, self.gradients, self.rate)
        self.graph.replay()


def orthogonal(matrices: Sequence[Tensor]) -> Sequence[Tensor]:
    """Matrices of one shape with all singular values brought near 1, in bfloat16, by Newton-Schulz iterations."""
    rows = min(matrices[0].shape)
    if len(matrices) > 1 and (rows <= TOGETHER_ROWS or matrices[0].is_cuda):
        return list(_orthogonal(torch.stack(list(matrices)), torch.baddbmm))
    return [_orthogonal(matrix, torch.addmm) for matrix in matrices]


def _orthogonal(matrices: Tensor, add_product: Callable[..., Tensor]) -> Tensor:
    """(rows, columns) with addmm or (n, rows, columns) with baddbmm."""
    is_tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.bfloat16()
    x = x.mT if is_tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=SMALLEST)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = add_product(x, add_product(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


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
