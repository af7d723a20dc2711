"""Data consistency of any method's volume with the line integrals that it was made of."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.attenuation import AttenuationModel, named
from drr.errors import InputError
from drr.projector import Projector
from dx2ct.config import ConsistencySettings, SamplingOptions
from dx2ct.data.scans import averaged
from dx2ct.geometry import Views
from dx2ct.methods.contract import Planes, Trained, Xrays
from dx2ct.samplers.consistency import consistent, RAYS

Array = NDArray[np.float32]
Correct = Callable[[Array], Array]


def attenuation_of(name: str) -> AttenuationModel:
    """The model of xray.attenuation; InputError for one that cannot say the HU of a line integral."""
    found = named(name)
    if not isinstance(found, AttenuationModel):
        raise InputError(f"consistency: xray.attenuation {name} has no HU of a line integral: use none, 0 iterations")
    return found


def correction(images: Mapping[str, Array], geometry: Views, options: ConsistencySettings, attenuation: str) -> Correct:
    """What makes a volume on the geometry's grid agree with line integrals, {view: (row, column)}.

    The detector has as many pixels as the grid has voxels along an axis: finer ones it cannot answer.
    """
    model, size = attenuation_of(attenuation), geometry.grid.size
    centred = geometry.around_origin()
    projector = Projector(centred.grid.volume(), [centred.exposures[view] for view in images], size, RAYS)
    integrals = np.stack([averaged(image, size) for image in images.values()])
    return partial(consistent, projector, integrals=integrals, options=options, attenuation=model)


def reconstructed(trained: Trained, settings: Any, xrays: Xrays, geometry: Views, options: SamplingOptions) -> Planes:
    """`trained.reconstruct`; of a method that does not sample, with the options' consistency at the end.

    One that samples does it itself, of each sample. One that looks at no X-ray has nothing to agree with.
    """
    planes = trained.reconstruct(xrays, geometry, options)
    if trained.inputs.samples or not trained.inputs.names or not options.consistency.iterations:
        return planes
    images = {view: _on_host(xrays[view]) for view in trained.inputs.names if view in xrays}
    correct = correction(images, geometry, options.consistency, settings.xray.attenuation)
    return replace(Planes.of_one(correct(planes.mean)), deviation=planes.deviation)


def _on_host(image: Any) -> Array:
    return np.asarray(image.detach().cpu() if hasattr(image, "detach") else image, np.float32)
