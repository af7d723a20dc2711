"""No download begins that can not end for want of disk."""

from pathlib import Path
import shutil

from drr.errors import InputError
from dx2ct.data.sources.lidc.series import Series


def require_space(folder: Path, series: Series, *, staged: bool, there: int) -> None:
    """Room for the zip and, when the files are staged first, for these; `there` bytes of them have been fetched."""
    need = max(series.most_bytes * (2 if staged else 1) - there, 0)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise InputError(
            f"{folder}: {free / 1e6:.0f} MB free, series {series.uid} needs {need / 1e6:.0f} MB: free some space"
        )
