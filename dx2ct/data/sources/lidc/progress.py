"""Bytes so far, of how many, and when it will be done."""

from typing import Any

from tqdm import tqdm

from dx2ct.data.sources.lidc.series import Series


def progress_bar(series: Series) -> "tqdm[Any]":
    """A bar on a terminal, silent elsewhere. NBIA packs what it sends: its bar ends before it is full."""
    return tqdm(total=series.size, desc=f"series ...{series.uid[-8:]}", unit="B", unit_scale=True, disable=None)
