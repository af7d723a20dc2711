"""In the worker: what a page must know of a model before the first film."""

from typing import Any

from dx2ct.config import plain
from dx2ct.figures.panels import SIDES
from dx2ct.predict.model import Model
from dx2ct.predict.named import name_of, named
from dx2ct.predict.pictures import DISCLAIMER
from dx2ct.predict.place import ODD_MM, SID_MM
from dx2ct.predict.sampling import sampling
from dx2ct.samplers import SOLVERS


def about(model: Model, for_films: Model | None = None) -> dict[str, Any]:
    """Facts that go through a pipe and into a page; no path of this machine is among them.

    for_films: the model that films go to, where it is another; it takes and gives the same.
    """
    spec, trained_on = model.trained.inputs, model.trained_on
    name = name_of(model.folder)
    diffusion = getattr(model.settings, "diffusion", None)
    return {
        "method": model.method.title,
        "name": shown_name(model),
        "for_films": {"name": shown_name(for_films), "trained_on": _words(for_films)} if for_films else None,
        "views": list(model.views),
        "any_view": spec.any_view,
        "pixels": spec.pixels,
        "size": spec.views.grid.size,
        "spacing_mm": spec.views.grid.spacing_mm,
        "samples": spec.samples,
        "sampling": plain(model.sampled or sampling()) if spec.samples else None,
        "solvers": {name: solver.title for name, solver in SOLVERS.items()},
        "most_steps": getattr(diffusion, "timesteps", None),
        "trained_on": _words(model),
        "phantoms_alone": named()[name].patients == 0
        if name
        else trained_on is not None and all(stage.data == "phantom" for stage in trained_on.stages),
        "sides": {view: SIDES.get(view, "") for view in model.views},
        "usual": {"sid_mm": SID_MM, "odd_mm": ODD_MM},
        "doubts": model.agreement is not None,
        "disclaimer": DISCLAIMER,
    }


def shown_name(model: Model) -> str:
    """The model's name in the index, or its folder's."""
    return name_of(model.folder) or model.folder.resolve().name


def _words(model: Model) -> str | None:
    return model.trained_on.words if model.trained_on else None
