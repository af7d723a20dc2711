"""What a training says while it runs: training.csv, and TensorBoard where it is on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.files import replacing

LOG, BOARD = "training.csv", "tensorboard"
COLUMNS = ("step", "loss", "learning_rate", "gradient_norm", "validation_psnr_db", "slices_per_s", "seconds")
NONE = float("nan")  # a row without validation: an empty field


def write_log(rows: Sequence[Sequence[float]], output: Path) -> None:
    """Write training.csv: one row every so many steps, the columns in the order of COLUMNS."""
    lines = [",".join("" if value != value else f"{value:.8g}" for value in row) for row in rows]
    with replacing(output / LOG) as part:
        part.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")


class Board:
    """Curves and pictures for `tensorboard --logdir`; a board that is off does nothing and imports nothing."""

    def __init__(self, folder: Path, on: bool, step: int) -> None:
        self.writer: Any = None
        if not on:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "engine.tensorboard: true needs the package tensorboard: pip install tensorboard"
            ) from None
        # What an interrupted run wrote after its last state is hidden: it is done again.
        self.writer = SummaryWriter(folder / BOARD, purge_step=step + 1)

    def scalars(self, row: Sequence[float]) -> None:
        """One row of training.csv."""
        if self.writer:
            for name, value in zip(COLUMNS[1:], row[1:], strict=True):
                if value == value:
                    self.writer.add_scalar(name, value, int(row[0]))

    def picture(self, image: NDArray[np.float32], step: int) -> None:
        """Slices in [-1, 1], (row, column): reconstructions under their truth."""
        if self.writer:
            self.writer.add_image("truth above reconstruction", image / 2 + 0.5, step, dataformats="HW")

    def close(self) -> None:
        """Write what is still in memory."""
        if self.writer:
            self.writer.close()
