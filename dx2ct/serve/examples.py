"""In the worker: X-rays like those of a model's training, to compare a film with and to begin with."""

from collections.abc import Mapping
from pathlib import Path

from drr.attenuation import named
from drr.image import write_image
from drr.projector import Projector
from dx2ct.config import XrayRunSettings
from dx2ct.data.sources.phantom.direct import draw
from dx2ct.predict.model import Model
from dx2ct.predict.named import INDEX, name_of

# Of the models that come with the project: files by view, and what they are.
_OURS = {
    "chest": ("chest_", "X-rays rendered from LIDC-IDRI-0002 (CC BY 3.0, doi 10.7937/K9/TCIA.2015.LO9QL9SX)"),
    "phantom": ("", "X-rays rendered from a procedural phantom"),
}
_DRAWN = "X-rays of a phantom, drawn and rendered in the geometry of the training"
_PIXELS = 256


def examples(model: Model, folder: Path) -> tuple[Mapping[str, Path], str]:
    """A file of line integrals for every view, and what they are of; nothing where the model knows no geometry.

    Of a run that comes without X-rays a phantom is drawn and rendered into `folder`.
    """
    prefix, words = _OURS.get(name_of(model.folder), ("", ""))
    ours = {view: INDEX.parent / f"{prefix}{view}.mha" for view in model.views}
    if words and all(path.is_file() for path in ours.values()):
        return ours, words
    if not isinstance(model.settings, XrayRunSettings):
        return {}, ""
    return _drawn(model, model.settings, folder), _DRAWN


def _drawn(model: Model, settings: XrayRunSettings, folder: Path) -> dict[str, Path]:
    views = model.trained.inputs.views
    hu = draw(0, views.grid.size, views.grid.spacing_mm)
    pixels = max(_PIXELS, model.trained.inputs.pixels)
    exposures = [views.exposures[view] for view in model.views]
    images = Projector(views.grid.volume(), exposures, pixels, threads=1).render(hu, named(settings.xray.attenuation))
    found = {}
    for view, exposure, image in zip(model.views, exposures, images, strict=True):
        found[view] = folder / f"{view}.mha"
        height, width = exposure.pixel_mm
        write_image(image, (height * exposure.rows / pixels, width * exposure.columns / pixels), found[view])
    return found
