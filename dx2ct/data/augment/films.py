"""X-rays of an example as radiographs look: simulated films through the standardisation that real ones go through."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from drr.film import develop
from drr.geometry import View
from drr.physics.materials import as_lengths, BONE, DENSITY
from dx2ct.config.augment import FilmSettings
from dx2ct.data.augment.render import rendered
from dx2ct.data.film import learnt_part, standardised
from dx2ct.data.grid import CubeGrid

Images = NDArray[np.float32]


def lengths_of(hu: Tensor, grid: CubeGrid, views: Sequence[View]) -> Images:
    """Millimetres of soft tissue and bone in whole HU (z, y, x) on a grid, (view, 2, row, column)."""
    density, bone = (rendered(hu, grid, views, law).cpu().numpy() for law in (DENSITY, BONE))
    return as_lengths(density, bone)


def films_seen(
    generator: np.random.Generator, settings: FilmSettings, lengths: Images, exposures: Mapping[str, View]
) -> Images:
    """Films of path lengths, each with a look of its own, as a network sees them: (view, row, column) in [0, 1].

    A collimated border that is found is blank, as where `predict` finds it.
    """
    seen = []
    for of_view, view in zip(lengths, exposures.values(), strict=True):
        film = develop(of_view, view, generator)
        found = generator.random() < settings.border_found
        seen.append(learnt_part(standardised(film.shown, ~film.field if found else None)))
    return np.stack(seen)
