"""The training loop: optimizer, exponential moving average, validation, resume."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from dx2ct.distributed import all_at_the_same_step, local_rank, rank, say, sum_over_ranks
from dx2ct.plan import Plan
from dx2ct.resume import load_state, save_state
from dx2ct.training_log import Board, NONE, write_log
from dx2ct.validation import Validation

Turns = Sequence[Iterable[Tensor]]  # of a step: the parts of the network's loss and, of a GAN, of its opponent's
SAVE_EVERY_S = 120.0  # what a killed training loses at most
LOG_LINES = 100  # of a whole training, more where that would be less than one every LOG_STEPS
LOG_STEPS = 100
SETTLE_STEPS = 10  # on a GPU: reading the loss waits for the device, and every step would be too often


def set_up_torch(device: str, threads: int) -> torch.device:
    """Choose the device (auto takes a GPU where there is one) and the number of CPU threads (0 = all).

    Of several processes that torchrun has started each takes the GPU of its own number, and its part of the threads.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"unknown device {device!r}; known: auto, cpu, cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but PyTorch sees no GPU here: use --device cpu")
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    torch.set_num_threads(max(min(threads or here, here) // beside, 1))  # more threads than cores wait for each other
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if local_rank() >= torch.cuda.device_count():
        raise InputError(f"process {local_rank()} has no GPU: torchrun was asked for more than the machine's")
    torch.cuda.set_device(local_rank())
    return torch.device("cuda", local_rank())


@dataclass
class Training:
    """Everything that changes while a network trains; saved and loaded as one file.

    There is no random state in it: every random number is drawn from (seed, step, process), see `Batches` and `seeded`.
    opponent: a GAN's discriminator, with an optimizer of its own; slices: how many an example of the batch has.
    """

    model: nn.Module
    settings: Plan
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
    opponent: nn.Module | None = None
    slices: int = 1

    def __post_init__(self) -> None:
        self.optimizer = _adam(self.model, self.settings)
        self.opposing = _adam(self.opponent, self.settings) if self.opponent else None
        state = self.model.state_dict()
        self.average = {name: value.detach().clone() for name, value in state.items()}
        self.averaged = [name for name, value in state.items() if value.is_floating_point()]
        self.counted = [name for name in state if name not in self.averaged]

    def update(self, losses: Iterable[Tensor], opposing: Iterable[Tensor] = ()) -> None:
        """One optimizer step on the sum of the losses, each freed before the next is made; one of the opponent on its
        own, which are not made before; then the moving average."""
        total, norm = self._descend(self.model, self.optimizer, losses)
        if self.opponent and self.opposing:
            self._descend(self.opponent, self.opposing, opposing)
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
        if self.opponent and self.opposing:
            state |= {"opponent": self.opponent.state_dict(), "opposing": self.opposing.state_dict()}
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
        if self.opponent and self.opposing:
            self.opponent.load_state_dict(state["opponent"])
            self.opposing.load_state_dict(state["opposing"])
        for name, value in state["average"].items():
            self.average[name].copy_(value)
        self.best = {name: value.to(self.average[name].device) for name, value in state["best"].items()}
        say(f"{state['path']}: resumed at step {self.step}")


def _adam(network: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    learned = [p for p in network.parameters() if p.requires_grad]
    return torch.optim.Adam(learned, plan.learning_rate, plan.betas, weight_decay=plan.weight_decay, fused=True)


def learning_rate(settings: Plan, step: int) -> float:
    """Linear warm-up, then constant, half a cosine down to 0, or (linear) a straight line to 0 in the second half."""
    rate = settings.learning_rate * min((step + 1) / max(settings.warmup_steps, 1), 1.0)
    if settings.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    if settings.schedule == "linear":
        rate *= min(2 * (1 - step / settings.steps), 1.0)
    return rate


def fit(
    training: Training,
    turns_of_step: Callable[[int], Turns],
    output: Path,
    device: torch.device,
    validate: Callable[[], Validation] | None = None,
    tensorboard: bool = False,
) -> None:
    """Run the remaining steps, saving the state every SAVE_EVERY_S and at the end; output/training.csv holds the log.

    `turns_of_step` must depend on the step and the network alone, so that a resumed run repeats an undisturbed one.
    Every process calls this; only rank 0 writes.
    """
    all_at_the_same_step(training.step, device)
    settings, main = training.settings, rank() == 0
    every = min(LOG_STEPS, max(settings.steps // LOG_LINES, 1))
    start = time.monotonic() - training.seconds
    saved = time.monotonic()
    board = Board(output, tensorboard and main, training.step)
    with tqdm(
        total=settings.steps, initial=training.step, desc="train", unit="step", disable=None if main else True
    ) as bar:
        while training.step < settings.steps and not training.stopped:
            training.update(*turns_of_step(training.step))
            bar.update()
            last = training.step == settings.steps
            validating = validate and (training.step % settings.validation.every == 0 or last)
            logging = training.step % every == 0 or validating or last
            saving = main and (last or time.monotonic() - saved >= SAVE_EVERY_S)
            if logging or saving or device.type == "cpu" or training.step % SETTLE_STEPS == 0:
                training.settle()
            training.seconds = time.monotonic() - start
            if logging:
                psnr_db = _validate(training, validate, board) if validate and validating else NONE
                _log(training, psnr_db, device, bar, board)
            if saving or (main and training.stopped):
                training.save(output)
                saved = time.monotonic()
    board.close()
    if main:
        write_log(training.log, output)


def _log(training: Training, psnr_db: float, device: torch.device, bar: "tqdm[Any]", board: Board) -> None:
    """One line of the log, the mean over all steps since the last and over all processes."""
    settings = training.settings
    count = len(training.recent)
    loss, norm, ranks = sum_over_ranks(
        [*(sum(column) / count for column in zip(*training.recent, strict=True)), 1], device
    )
    before = training.log[-1] if training.log else [0.0] * 7
    slices = (training.step - before[0]) * settings.batch * training.slices
    speed = slices / max(training.seconds - before[-1], 1e-9)
    rate = learning_rate(settings, training.step - 1)
    row = [float(training.step), loss / ranks, rate, norm / ranks, psnr_db, speed, training.seconds]
    training.log.append(row)
    training.recent.clear()
    board.scalars(row)
    shown = {"loss": f"{row[1]:.4f}", "slices/s": f"{speed:.1f}"}
    if training.best_step:
        shown["best dB"] = f"{training.best_psnr_db:.2f}"
    bar.set_postfix(shown)


def _validate(training: Training, validate: Callable[[], Validation], board: Board) -> float:
    """Validation PSNR of the averaged weights, dB."""
    with training.averaged_weights():
        found = validate()
    if not math.isfinite(found.psnr_db):
        raise InputError(f"the validation PSNR is {found.psnr_db} at step {training.step}: lower train.learning_rate")
    training.judge(found.psnr_db)
    board.picture(found.picture, training.step)
    if training.stopped:
        say(f"stopped at step {training.step}: no better validation since step {training.best_step}")
    return found.psnr_db
