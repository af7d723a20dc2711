"""Stage `style-films`: films of one view as networks see them, one after the other in a file, and a table of them.

Each goes the way of a film that `dx2ct predict` is given: what its file says, borders, percentiles, its place, the part
of the patient that the training's X-rays show. What predict would doubt is no film to learn from, and left out; a
lateral film that is doubted as it is, and not when it is mirrored, is mirrored.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from drr.errors import InputError
from drr.files import replacing
from drr.geometry import View
from drr.progress import each, say
from dx2ct import layout
from dx2ct.config.style import FilmsSettings
from dx2ct.data.films import Film, listed
from dx2ct.data.scans import stretched
from dx2ct.predict.border import without_border
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.placed import placed
from dx2ct.predict.pose.network import judged
from dx2ct.predict.pose.told import doubts
from dx2ct.predict.read import read_xray
from dx2ct.predict.view import said_view, turned_for
from dx2ct.predict.xray import Xray

LEVELS = 65535
FEW = 200  # films of a view: X2CT took 1,000 to learn a style from
COLUMNS = ("film", "patient", "row", "part", "note")
MIRRORED = "mirrored: its front seemed to be at the right"


def write_films(settings: FilmsSettings, data: Path, threads: int = 1) -> None:
    """Write data/films/VIEW.npy, (film, row, column) uint16, and VIEW.tsv: each film, its row and part, and what was
    done to it or why it is left out. Raises InputError where no film is left to train on.
    """
    found = listed(settings.films, settings.view)
    with replacing(layout.films(data, settings.view)) as part:
        used, useless = _stacked(_drawn(found.films, settings), settings, part, threads)
        left_out = [*found.left_out, *useless]
        trained = sum(line[3] == "train" for line in used)
        if not trained:
            why = f", {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
            raise InputError(f"style.films: no {settings.view} film to train on{why}: name other sources or views")
        with replacing(layout.films_table(data, settings.view)) as table:
            rows = [COLUMNS, *used, *((name, "", "", "", reason) for name, reason in left_out)]
            table.write_text("".join("\t".join(map(_cell, row)) + "\n" for row in rows), encoding="utf-8")
    say(f"{settings.view}: {trained} films to train on, {len(used) - trained} held out, {len(left_out)} left out")
    if trained < FEW:
        say(f"{settings.view}: {trained} films are few: the style will be theirs, down to markers and devices")


def _stacked(
    films: Sequence[Film], settings: FilmsSettings, path: Path, threads: int
) -> tuple[list[tuple[str, ...]], list[tuple[str, str]]]:
    """Write the images of films into a file; lines of the table of those that are used, and why others are not."""
    exposure = settings.xray.exposures([settings.view])[settings.view]
    stack = open_memmap(path, "w+", np.uint16, (max(len(films), 1), settings.pixels, settings.pixels))
    used: list[tuple[str, ...]] = []
    useless: list[tuple[str, str]] = []
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        seen = pool.map(lambda film: _seen(film, settings.view, exposure, settings.pixels), films)
        for row, film in enumerate(each(films, "films", "film")):
            image, note = next(seen)
            if image is None:
                useless.append((film.name, note))
            else:
                stack[row] = np.rint(image * LEVELS)
                used.append((film.name, film.patient, str(row), part_of(film.patient, settings), note))
    stack.flush()
    return used, useless


def part_of(patient: str, settings: FilmsSettings) -> str:
    """train or held_out: decided by the patient alone, so that all films of one are in one part."""
    digest = sha256(patient.encode()).digest()
    return "held_out" if int.from_bytes(digest[:8], "big") < settings.held_out * 2**64 else "train"


def _drawn(films: Sequence[Film], settings: FilmsSettings) -> list[Film]:
    """All films, or `limit` of them by chance, in the source's order."""
    if settings.limit is None or len(films) <= settings.limit:
        return list(films)
    chosen = np.random.default_rng(0).permutation(len(films))[: settings.limit]
    return [films[number] for number in sorted(chosen)]


def _seen(film: Film, view: str, exposure: View, pixels: int) -> tuple[NDArray[np.float32] | None, str]:
    """The film as a network of `pixels` a side sees it, in [0, 1], and a note; of a useless one None, and why."""
    how = Framing(spacing_mm=film.spacing_mm)
    try:
        xray = without_border(view, turned_for(view, read_xray(film.path)), how)
        how, doubt = _undoubted(view, xray, how)
        image = oriented(xray, how)
        if max(image.shape) < pixels:
            raise InputError(f"{max(image.shape)} pixels a side, asked for are {pixels}")
        if doubt:
            return None, doubt
        return stretched(placed(view, image, xray, how, exposure, pixels)[0], pixels), MIRRORED if how.flip else ""
    except InputError as error:
        return None, str(error)


def _undoubted(view: str, xray: Xray, how: Framing) -> tuple[Framing, str]:
    """How a film is framed so that nothing is doubted; with the first doubt where that cannot be."""
    is_said, is_oriented = said_view(str(xray.facts.get("view") or "")) == view, xray.directions is not None
    ways = [how, replace(how, flip=True)] if view == "lateral" else [how]
    found = [doubts(view, judged(oriented(xray, way)), way, is_said=is_said, is_oriented=is_oriented) for way in ways]
    for way, doubted in zip(ways, found, strict=True):
        if not doubted:
            return way, ""
    return how, found[0][0]


def _cell(text: str) -> str:
    """Without what would end a cell or a line."""
    return " ".join(text.split())
