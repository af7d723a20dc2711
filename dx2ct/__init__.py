"""3D chest CT from X-rays: DX2CT, the other methods of its field, their metrics."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dx2ct.predict.model import Model

__all__ = ["load"]


def load(model: str | Path, device: str = "auto", threads: int = 0, max_memory_mb: int = 0) -> "Model":
    """A trained run's folder (results/RUN), ready to reconstruct, its network in memory.

    `dx2ct.load(run).reconstruct({"pa": "pa.dcm", "lateral": array})` takes files, arrays and tensors by view name.
    device: auto, cpu or cuda. threads: of the CPU, 0 = all. max_memory_mb: 0 = most of what is free.
    Nothing heavy is imported before this call. Raises InputError for a folder that is no finished run.
    """
    from dx2ct.predict.model import load as load_model

    return load_model(Path(model), device, threads, max_memory_mb)
