"""In the worker: a film as it is, as the network will see it, and what is to be said of it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from dx2ct.data.film import PERCENTILES
from dx2ct.predict.framed import Framed
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from dx2ct.predict.read import read_xray
from dx2ct.predict.xray import Xray
from dx2ct.serve.notes import shown

WHOLE = 900  # pixels of the picture that a person crops, a side at most


def framed(model: Model, view: str, path: Path, how: Framing) -> Framed:
    """One film prepared; it is called by its view, because a file's name may be a patient's. Raises InputError."""
    return model.preparation.one(view, _named(view, path), how)


def preview(model: Model, view: str, path: Path, how: Framing, whole: Path, seen: Path) -> dict[str, Any]:
    """Write two pictures, and say what a page shows beside them.

    whole: as the file is, which is what a crop counts pixels of; seen: as the network will see it.
    """
    one = framed(model, view, path, how)
    write_grey(_whole(one.xray), whole)
    write_grey(model.seen({view: one})[0], seen)
    rows, columns = one.xray.pixels.shape
    return {
        "size": [columns, rows],
        "kind": one.xray.kind,
        "notes": [shown(text, view, how) for text in one.notes],
        "place": asdict(one.place) | {"words": str(one.place)} if one.place else None,
        "passes": model.passes_of({view: one})[0],
    }


def write_example(model: Model, view: str, path: Path, output: Path) -> None:
    """An X-ray as the network sees it, to compare others with."""
    write_grey(model.seen({view: framed(model, view, path, Framing())})[0], output)


def write_grey(image: NDArray[Any], path: Path) -> None:
    """An image in [0, 1], (row, column), as PNG of eight bits."""
    if not cv2.imwrite(str(path), np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)):
        raise OSError(f"{path.name} cannot be written")


def _whole(xray: Xray) -> NDArray[np.float32]:
    pixels = xray.pixels
    if (scale := WHOLE / max(pixels.shape)) < 1:
        size = (max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    low, high = np.percentile(pixels, PERCENTILES)
    return np.asarray((pixels - low) / max(high - low, 1e-6), np.float32)


def _named(view: str, path: Path) -> Xray:
    try:
        return replace(_read(path), name=view)
    except InputError as error:
        raise InputError(str(error).replace(str(path), view)) from None


@lru_cache(maxsize=2)  # of one patient, while a person frames them
def _read(path: Path) -> Xray:
    return read_xray(path)


def forget() -> None:
    """Let go of the films that were read last."""
    _read.cache_clear()


def framings(given: Mapping[str, Mapping[str, Any]]) -> dict[str, Framing]:
    """Of each view, as they came through the pipe: tuples are lists there."""
    return {
        view: Framing(**{**how, "crop": tuple(how["crop"]) if how.get("crop") else None}) for view, how in given.items()
    }
