"""An answer made to agree with films, in the exposures that they were taken in."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from drr.projector import Projector
from drr.volume import Volume
from dx2ct.config import ConsistencySettings
from dx2ct.data.scans import as_seen
from dx2ct.geometry import Views
from dx2ct.methods.consistency import attenuation_of
from dx2ct.samplers.consistency import RAYS
from dx2ct.samplers.film_consistency import film_consistent, ROUNDS

Images = Mapping[str, NDArray[np.float32]]


def with_films(answer: Volume, films: Images, beams: Views, options: ConsistencySettings, attenuation: str) -> Volume:
    """The answer, int16 HU, changed until its X-rays are the films', {view: (row, column)}, by a rising curve of each.

    The films are averaged down to as many pixels as the grid has voxels along an axis. attenuation: xray.attenuation;
    InputError for one that cannot say the HU of a line integral.
    """
    views, model = beams.around_origin(), attenuation_of(attenuation)
    pixels = min(views.grid.size, *(side for film in films.values() for side in film.shape))
    projector = Projector(views.grid.volume(), [views.exposures[view] for view in films], pixels, RAYS)
    seen = as_seen(films, list(films), pixels)
    hu = film_consistent(projector, answer.array.astype(np.float32), list(seen), options, model)
    return replace(answer, array=np.rint(hu).astype(np.int16))


def in_words(options: ConsistencySettings, is_film: bool) -> str:
    """One line for people."""
    what = f"made consistent at the end, {options.iterations} iterations"
    if not is_film:
        return f"{what} with the line integrals"
    return (
        f"{what} {ROUNDS} times with films, by a rising curve of each: what no curve explains, as scatter, misleads it"
    )
