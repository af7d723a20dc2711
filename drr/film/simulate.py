"""A radiograph of a CT, with the truth known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from drr.film.draws import draw_look
from drr.film.expose import exposed, IN_FIELD
from drr.film.field import open_share
from drr.film.letters import with_letters
from drr.film.look import Look
from drr.film.process import pictured, stored
from drr.geometry import View
from drr.physics.materials import path_lengths
from drr.volume import Volume

Images = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Film:
    """pixels: (row, column) uint16 of `look.processing.bits`, as a file holds them. view: where it was taken.

    field: True inside the collimated field. lengths: the truth, mm of soft tissue and of bone, (2, row, column)
    float32.
    """

    pixels: NDArray[np.uint16]
    view: View
    look: Look
    field: NDArray[np.bool_]
    lengths: Images

    @property
    def shown(self) -> Images:
        """Grey in [0, 1] with bone bright, whichever way it is stored."""
        grey = self.pixels.astype(np.float32) / np.float32(2**self.look.processing.bits - 1)
        return 1 - grey if self.look.processing.photometric == "MONOCHROME1" else grey


def simulate(
    volume: Volume,
    view: View,
    generator: np.random.Generator,
    look: Look | None = None,
    rays: int = 1,
    backend: str = "auto",
    threads: int = 0,
) -> Film:
    """A film of a CT in one view; without a look one is drawn.

    volume: HU, (z, y, x). rays, backend, threads: of the ray-caster, as in drr.Projector. The same volume, view, look
    and generator make the same film. Raises InputError as drr.render does.
    """
    lengths = path_lengths(volume, [view], rays, backend, threads)[0]
    return develop(lengths, view, generator, look)


def develop(lengths: Images, view: View, generator: np.random.Generator, look: Look | None = None) -> Film:
    """The film of path lengths, mm of soft tissue and of bone (2, row, column), in the view that they are of.

    Raises InputError where they are of another view.
    """
    if lengths.shape != (2, view.rows, view.columns):
        raise InputError(f"path lengths of shape {lengths.shape} are not (2, {view.rows}, {view.columns}) as the view")
    look = draw_look(generator, view=view) if look is None else look
    opened = open_share((view.rows, view.columns), view.pixel_mm, look.collimation)
    field = opened > IN_FIELD
    signal = exposed(lengths, opened, view.pixel_mm, look.exposure, generator)
    picture = pictured(signal, field, look.processing)
    if look.collimation.shutter:
        picture[~field] = 0
    picture = with_letters(picture, look.letters, view.pixel_mm)
    return Film(stored(picture, look.processing), view, look, field, lengths)
