"""3D chest CT from one or two X-rays: DX2CT, its rivals, its metrics."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dx2ct.predict.model import Model

__all__ = ["load"]


def load(model: str | Path, device: str = "auto", threads: int = 0) -> "Model":
    """A trained run's folder (results/RUN), ready to reconstruct: `dx2ct.load(run).reconstruct(pa, lateral)`.

    Nothing heavy is imported before this call. Raises InputError for a folder that is no finished run of this version.
    """
    from dx2ct.predict.model import load as load_model

    return load_model(Path(model), device, threads)
