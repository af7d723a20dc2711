"""What the ray-caster refuses, in one line each."""

from collections.abc import Sequence
import os
from typing import Any, get_args

import numpy as np

from drr._rays import Method, Rays
from drr.errors import InputError


def require_method(method: str) -> None:
    """Raise InputError for a method that there is not."""
    if method not in get_args(Method):
        raise InputError(f"unknown method {method!r}; known: {', '.join(get_args(Method))}")


def require_values(array: Any, axes: str, shape: tuple[int, ...]) -> None:
    """Raise InputError unless an array of NumPy or CuPy has a shape and finite numbers. axes: the shape in words."""
    if array.shape != shape:
        raise InputError(f"an array of shape {array.shape} was given where {axes} = {shape} is needed")
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        index = tuple(int(i) for i in np.unravel_index(int((~finite).argmax()), shape))
        raise InputError(f"a value is not finite: {float(array[index])} at {axes} = {index}, repair the array first")


def require_threads(threads: int) -> None:
    """Raise InputError for a negative number of threads."""
    if threads < 0:
        raise InputError(f"{threads} threads cannot compute: give 0 for all cores, or 1 and more")


def require_memory(rays: Sequence[Rays]) -> None:
    """Raise InputError for images that would take more than half of the machine's memory."""
    rows, columns = rays[0].shape
    needed, there = 4 * len(rays) * rows * columns, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there / 2:
        raise InputError(f"{len(rays)} views of {rows} x {columns} pixels need {needed / 2**30:.0f} GiB: too many")
