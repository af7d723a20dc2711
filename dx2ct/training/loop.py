"""The training loop: steps, validation, when to log and when to save."""

from collections.abc import Callable, Iterable, Sequence
import math
from pathlib import Path
import time
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from drr.errors import InputError
from drr.progress import bar as progress_bar
from dx2ct.config import EngineSettings
from dx2ct.training.distributed import all_at_the_same_step, rank, say, sum_over_ranks
from dx2ct.training.log import Board, NONE, write_log
from dx2ct.training.optimizers import learning_rate
from dx2ct.training.state import Training
from dx2ct.training.stop import asked_to_stop, stopping_gently
from dx2ct.training.validation import Validation

StepLosses = Sequence[Iterable[Tensor]]  # the terms of the network's loss and, of a GAN, of its discriminator's
LOG_LINES = 100  # of a whole training, more where that would be less than one every LOG_STEPS
LOG_STEPS = 100
SETTLE_STEPS = 10  # on a GPU: reading the loss waits for the device, and every step would be too often


def fit(
    training: Training,
    losses_of_step: Callable[[int], StepLosses],
    output: Path,
    device: torch.device,
    validate: Callable[[], Validation] | None = None,
    engine: EngineSettings | None = None,
) -> None:
    """Run the remaining steps, saving the state as the engine says and at the end; output/training.csv holds the log.

    `losses_of_step` must depend on the step and the network alone, so that a resumed run repeats an undisturbed one.
    Every process calls this; only rank 0 writes. Raises InputError, the state saved, where a signal asks for the end.
    """
    all_at_the_same_step(training.step, device)
    settings, main = training.settings, rank() == 0
    engine = engine or EngineSettings()
    every = min(LOG_STEPS, max(settings.steps // LOG_LINES, 1))
    start = time.monotonic() - training.seconds
    saved = time.monotonic()
    board = Board(output, engine.tensorboard and main, training.step)
    with (
        stopping_gently(),
        progress_bar("train", "step", settings.steps, done=training.step, hidden=not main) as bar,
    ):
        while training.step < settings.steps and not training.stopped:
            if main and (signal := asked_to_stop()):
                _stop(training, output, signal)
            training.update(*losses_of_step(training.step))
            bar.update()
            last = training.step == settings.steps
            validating = validate and (training.step % settings.validation.every == 0 or last)
            logging = training.step % every == 0 or validating or last
            saving = main and (last or is_due(time.monotonic() - saved, engine.save_every_s))
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


def is_due(waited_s: float, every_s: float) -> bool:
    """Is it time for the next state?"""
    return waited_s >= every_s


def _stop(training: Training, output: Path, signal: str) -> None:
    training.settle()
    training.save(output)
    raise InputError(
        f"{output}: ended by {signal} after step {training.step}, the state is saved: the same command resumes"
    )


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
