"""3D chest CT from X-rays: DX2CT, the other methods of its field, their metrics."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dx2ct.predict.model import Model

__all__ = ["load"]


def load(
    model: str | Path = "chest",
    device: str = "auto",
    threads: int = 0,
    max_memory_mb: int = 0,
    style: str | Path | None = None,
) -> "Model":
    """A trained run's folder (results/RUN) or a model by name (chest, chest-films, phantom), ready to reconstruct.

    `dx2ct.load(run).reconstruct({"pa": "pa.dcm", "lateral": array})` takes files, arrays and tensors by view name.
    Films want chest-films, line integrals chest.
    device: auto, cpu or cuda. threads: of the CPU, 0 = all. max_memory_mb: 0 = most of what is free.
    style: a folder of styles that films go through (`dx2ct predict --style`).
    Nothing heavy is imported before this call. Raises InputError for a folder that is no finished run.
    """
    from dx2ct.predict.model import load as load_model
    from dx2ct.predict.named import model_folder

    return load_model(model_folder(model), device, threads, max_memory_mb, Path(style) if style else None)
