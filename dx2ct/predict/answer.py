"""The CT of prepared X-rays with all that must be said of it: for files (command.py) and for a page (dx2ct/serve)."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
import json
from pathlib import Path
import sys
import time
from typing import Any

from drr.volume import Volume
from dx2ct import layout
from dx2ct.config import LearnedSettings, plain, SamplingOptions
from dx2ct.data.film import PERCENTILES
from dx2ct.predict import calibrated, consistent
from dx2ct.predict.agreement import disagreement
from dx2ct.predict.framed import are_integrals, DOMAIN_SHIFT, Framed, LEARNT_FILMS
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from dx2ct.predict.pictures import DISCLAIMER
from dx2ct.predict.sampling import in_words
from dx2ct.predict.xray import digest
from dx2ct.style.run import Style

NO_BOUND = "no bound of agreement was learnt for this model (dx2ct agreement): a wrong result is not noticed"
_PACKAGES = ("dx2ct", "torch", "numpy", "SimpleITK", "pydicom", "opencv-python-headless")


@dataclass(frozen=True, eq=False)
class Answer:
    """volume: int16 HU, (z, y, x); deviation: of several samples, float32 HU. record: what NAME.run.json says."""

    volume: Volume
    deviation: Volume | None
    unexplained: Mapping[str, float]
    notes: tuple[str, ...]
    record: str


def notes_of(model: Model, xrays: Mapping[str, Framed]) -> list[str]:
    """What a user should know of the X-rays; what holds for all views, once."""
    notes = [*dict.fromkeys(text for one in xrays.values() for text in one.notes)]
    if any(one.xray.kind == "film" for one in xrays.values()):
        notes.append(LEARNT_FILMS if model.has_learnt_films else DOMAIN_SHIFT)
    return notes


def answer(
    model: Model,
    files: Mapping[str, Path],
    framing: Mapping[str, Framing],
    xrays: Mapping[str, Framed],
    asked: Mapping[str, Any],
    tell: Callable[[str], object],
    passes: int | None = None,
) -> Answer:
    """Reconstruct what `Model.prepare` made of `files` with `framing`; arguments as of `command.predict`.

    tell: is called with each note that `notes_of` has not. Raises InputError.
    """
    options, left_out = model.sampling_of(xrays, **asked)
    carried, said = model.passes_of(xrays, passes)
    notes = [*_before(model, xrays, options, left_out), *said]
    for text in notes:
        tell(text)
    began = time.perf_counter()
    first, deviation = model.answer(xrays, options, passes=passes)
    volume = model.agreeing(first, xrays, options)
    seconds = round(time.perf_counter() - began, 2)
    apart = model.unexplained(first, xrays)  # before it was made to agree: films unlike the training show there
    doubts = disagreement(model.agreement, apart)
    for text in doubts:
        tell(text)
    notes = [*notes_of(model, xrays), *notes, *doubts]
    record = _record(model, files, xrays, framing) | {"sampling": plain(options), "passes": carried}
    record |= {"seconds": seconds, "unexplained": apart}
    if deviation is not None:
        record["deviation"] = calibrated.record(calibrated.fitting(model.scale, options))
    text = json.dumps(record | {"notes": notes, "disclaimer": DISCLAIMER}, indent=2) + "\n"
    return Answer(volume, deviation, apart, tuple(notes), text)


def _before(model: Model, xrays: Mapping[str, Framed], options: SamplingOptions, left_out: list[str]) -> list[str]:
    """What is known before anything is computed: of the model, and of how it samples."""
    notes = [f"the model was {model.trained_on.words}"] if model.trained_on else []
    if isinstance(model.settings, LearnedSettings) and model.agreement is None:
        notes.append(NO_BOUND)
    if model.trained.inputs.samples:
        notes += [*left_out, in_words(options, model.sampled)]
        if options.samples > 1:
            notes.append(calibrated.in_words(model.scale, options))
    by_itself = model.trained.inputs.samples and are_integrals(xrays)  # as `sampling.in_words` says
    if options.consistency.iterations and not by_itself:
        notes.append(consistent.in_words(options.consistency, not are_integrals(xrays)))
    return notes


def _record(
    model: Model, files: Mapping[str, Path], xrays: Mapping[str, Framed], framing: Mapping[str, Framing]
) -> dict[str, object]:
    return {
        "versions": {name: _version(name) for name in _PACKAGES} | {"python": sys.version.split()[0]},
        "model": {
            "folder": str(model.folder),
            "sha256": {
                path.name: digest(path) for path in (layout.settings(model.folder), layout.weights(model.folder))
            },
            "settings": plain(model.settings),
            "trained_on": plain(model.trained_on)["stages"] if model.trained_on else None,
        },
        "styles": {view: _of_style(style) for view, style in model.styles.items()},
        "device": str(model.runtime.device),
        "inputs": {
            view: {
                "file": str(files[view]),
                "sha256": digest(files[view]),
                "kind": one.xray.kind,
                "size": list(one.xray.pixels.shape[::-1]),
                "framing": asdict(framing.get(view, Framing())),
                "percentiles": PERCENTILES if one.xray.kind == "film" else None,
                **one.xray.facts,
                "place": asdict(one.place) if one.place else None,
                "judged": one.pose.plain if one.pose else None,
                "lungs_mm": one.lungs_mm,
            }
            for view, one in xrays.items()
        },
    }


def _of_style(style: Style) -> dict[str, object]:
    return {"folder": str(style.folder), "sha256": digest(layout.weights(style.folder)), **plain(style.films)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
