"""A finished run as a tool: X-rays in, a volume out. Files and films are read here, the method sees arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.ct.sources import note
from drr.errors import InputError
from drr.volume import Volume
from dx2ct import layout
from dx2ct.config import LearnedSettings, RunSettings, SamplingOptions, XrayRunSettings
from dx2ct.config.keys import require_version
from dx2ct.data.scans import as_seen
from dx2ct.geometry import Views
from dx2ct.methods.base import Method
from dx2ct.methods.consistency import reconstructed
from dx2ct.methods.contract import Planes, require_names, Trained
from dx2ct.methods.saved import read_run
from dx2ct.methods.trained_on import read_trained_on, TrainedOn
from dx2ct.predict import carried
from dx2ct.predict.calibrated import fitting
from dx2ct.predict.consistent import with_films
from dx2ct.predict.framed import are_integrals, Framed, require_integrals
from dx2ct.predict.framing import Framing
from dx2ct.predict.prepared import of_one_patient, Preparation
from dx2ct.predict.restyled import load_styles
from dx2ct.predict.sampling import kept_sampling, require_steps, sampling, without_consistency
from dx2ct.predict.scan import require_finite
from dx2ct.scoring.agreement import Agreement, kept_agreement, rendered, unexplained
from dx2ct.scoring.deviation import DeviationScale, kept_scale
from dx2ct.style.run import Style
from dx2ct.training.device import set_up_torch
from dx2ct.training.runtime import Runtime


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained run with its network in memory; a second call reads nothing from disk.

    sampled: how the run itself was last reconstructed, as its folder says; None where it does not. scale: what
    calibrates the deviation of its samples; agreement: how far X-rays of its answers usually differ from those that it
    saw; each None where it was not learnt for these weights. trained_on: None where the weights do not say it. styles:
    by view, what films go through before the network sees them.
    """

    folder: Path
    method: Method
    settings: RunSettings
    trained: Trained
    runtime: Runtime
    sampled: SamplingOptions | None = None
    scale: DeviationScale | None = None
    agreement: Agreement | None = None
    trained_on: TrainedOn | None = None
    styles: Mapping[str, Style] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"{self.method.title} of {self.folder}: {self.trained!r}"

    @property
    def has_learnt_films(self) -> bool:
        """True where simulated films were among the X-rays of its training."""
        return isinstance(self.settings, LearnedSettings) and self.settings.train.augment.film.share > 0

    @property
    def preparation(self) -> Preparation:
        """How an X-ray becomes what the network is given."""
        return Preparation(self.trained.inputs, self.styles, self.has_learnt_films)

    @property
    def views(self) -> tuple[str, ...]:
        """The views that it was trained on, in its order."""
        return self.trained.inputs.names

    def reconstruct(
        self,
        xrays: Mapping[str, Any],
        *,
        geometry: Views | None = None,
        framing: Mapping[str, Framing] | None = None,
        passes: int | None = None,
        **options: object,
    ) -> Volume:
        """The CT of X-rays by view name, int16 HU, (z, y, x) in patient axes (LPS).

        xrays: of each view a file (PNG, JPEG, TIFF, DICOM, .mha line integrals) or an array or tensor (row, column) of
        line integrals (1/mm times mm, dimensionless), head at the top, as drr renders them; at least as many pixels a
        side as the network sees (see repr). geometry: where they were taken and the grid to reconstruct on, of images
        that are given whole; without it arrays are of the training's, and of files `framing` and header say it (docs/
        films.md), around the origin. passes: as of `volumes_of`. options: what `sampling` takes: steps, seed, samples
        ...; what is not said is as the run itself samples. Warnings of `prepare` are not shown here: call it yourself
        to read them. Raises InputError.
        """
        prepared = self.prepare(xrays, framing or {}, is_placed=geometry is None)
        asked, notes = self.sampling_of(prepared, **options)
        for text in notes:
            note(text)
        return self.volumes_of(prepared, asked, geometry, passes)[0]

    def sampling_of(self, xrays: Mapping[str, Framed], **options: Any) -> tuple[SamplingOptions, list[str]]:
        """What `sampling` takes, over how the run itself samples; and what could not be as the run has it.

        Consistency that was not asked for is left out where an X-ray has no line integrals.
        """
        found = sampling(base=self.sampled, **options)
        if options.get("consistency") is None and found.consistency.iterations and not are_integrals(xrays):
            why = "the run samples with consistency, which needs line integrals in their geometry: left out"
            return without_consistency(found), [why]
        return found, []

    def prepare(
        self, given: Mapping[str, Any], framing: Mapping[str, Framing], is_placed: bool = True
    ) -> dict[str, Framed]:
        """Read, frame and check the X-rays of the model's views; InputError where others are given.

        is_placed: of each file that is shown which the training's field holds of the patient; else all of it.
        """
        require_views(self, {view for view, xray in given.items() if xray is not None})
        there = [view for view in self.views if given.get(view) is not None]
        one = self.preparation.one
        return of_one_patient({view: one(view, given[view], framing.get(view, Framing()), is_placed) for view in there})

    def geometry_of(self, xrays: Mapping[str, Framed]) -> Views:
        """The training's, around the origin, with the X-rays' own exposures where the method can be told them."""
        takes_geometry = getattr(self.settings, "takes_geometry", False)
        return self._beams(xrays) if takes_geometry else self.trained.inputs.views

    def passes_of(self, xrays: Mapping[str, Framed], asked: int | None = None) -> tuple[int, list[str]]:
        """How often films are carried into the training's beam (carried.py), and a note where they are of another."""
        there = {view: one.exposure for view, one in xrays.items() if one.exposure is not None}
        trained = self.trained.inputs.views.exposures
        if not carried.is_unlearnt(there, trained, self.settings):
            return 0, []
        usual = carried.SAMPLED_PASSES if self.trained.inputs.samples else carried.PASSES
        passes = usual if asked is None else asked
        return passes, [carried.in_words(there, trained, self.settings, passes)]

    def _beams(self, xrays: Mapping[str, Framed]) -> Views:
        """As they were taken, of what is not known as the training's."""
        trained = self.trained.inputs.views
        own = {view: one.exposure for view, one in xrays.items() if one.exposure is not None}
        return Views(trained.grid, dict(trained.exposures) | own)

    def seen(self, xrays: Mapping[str, Framed]) -> NDArray[np.float32]:
        """What a network sees: (view, pixels, pixels) in [0, 1], as in its training."""
        images = {view: np.asarray(one.image, np.float32) for view, one in xrays.items()}
        return as_seen(images, list(images), self.trained.inputs.pixels)

    def volumes_of(
        self,
        xrays: Mapping[str, Framed],
        options: SamplingOptions,
        geometry: Views | None = None,
        passes: int | None = None,
    ) -> tuple[Volume, Volume | None]:
        """The CT of prepared X-rays, the mean of the planes' volumes, as the workflow's reconstruction; of several
        samples also their standard deviation, float32 HU, calibrated where the scale holds for `options`.

        passes: so often films of a beam that the model has not learnt are carried into the training's; None: as usual.
        """
        volume, deviation = self.answer(xrays, options, geometry, passes)
        return self.agreeing(volume, xrays, options, geometry), deviation

    def agreeing(
        self, answer: Volume, xrays: Mapping[str, Framed], options: SamplingOptions, geometry: Views | None = None
    ) -> Volume:
        """The answer changed until its X-rays are the films', each by a curve of its own, where `options` ask for it.

        The answer itself where all X-rays are line integrals of the training's beam: `answer` has seen to them.
        """
        if not options.consistency.iterations or are_integrals(xrays):
            return answer
        films = {view: np.asarray(one.image, np.float32) for view, one in xrays.items()}
        attenuation = self.settings.xray.attenuation  # type: ignore[attr-defined]  # of all that see X-rays
        return with_films(answer, films, geometry or self._beams(xrays), options.consistency, attenuation)

    def answer(
        self,
        xrays: Mapping[str, Framed],
        options: SamplingOptions,
        geometry: Views | None = None,
        passes: int | None = None,
    ) -> tuple[Volume, Volume | None]:
        """As `volumes_of`, without consistency with films: what `unexplained` can doubt."""
        spec = self.trained.inputs
        if not spec.samples and without_consistency(options) != sampling():
            raise InputError(
                f"{self.folder}: {self.method.title} does not sample: leave steps, seed, samples and the like out"
            )
        require_steps(options, self.settings)
        if not spec.radiographs:
            require_integrals(xrays, self.method.title)
        if not are_integrals(xrays):
            options = without_consistency(options)
        where = geometry or self.geometry_of(xrays)
        images: Mapping[str, Any] = {view: one.image for view, one in xrays.items()}
        if passes := 0 if geometry else self.passes_of(xrays, passes)[0]:
            images, where = carried.in_training_beam(
                lambda seen, at: self._planes(seen, at, replace(options, samples=1)).mean,
                (images, where),
                dict(zip(xrays, self.seen(xrays), strict=True)),
                (self._beams(xrays), self.trained.inputs.views),
                self.settings.xray.attenuation,  # type: ignore[attr-defined]  # of all that see X-rays
                passes,
            )
        planes = self._planes(images, where, options)
        mean = where.grid.volume(np.rint(planes.mean).astype(np.int16))
        if planes.deviation is None:
            return mean, None
        deviation = planes.deviation.astype(np.float32)
        scale = fitting(self.scale, options)
        return mean, where.grid.volume(scale.applied(deviation) if scale else deviation)

    def unexplained(self, volume: Volume, xrays: Mapping[str, Framed]) -> dict[str, float]:
        """By view, the share of the X-ray that X-rays of the volume leave unexplained (dx2ct/scoring/agreement.py)."""
        if not isinstance(self.settings, XrayRunSettings):
            return {}
        views, seen = self._beams(xrays), dict(zip(xrays, self.seen(xrays), strict=True))
        return unexplained(volume.array, views, seen, self.settings.xray.attenuation)

    def xrays_of(self, volume: Volume, xrays: Mapping[str, Framed]) -> dict[str, NDArray[np.float32]]:
        """Line integrals of the volume, (row, column) by view, as a network sees the X-rays; none of other methods."""
        if not isinstance(self.settings, XrayRunSettings):
            return {}
        seen = dict(zip(xrays, self.seen(xrays), strict=True))
        return rendered(volume.array, self._beams(xrays), seen, self.settings.xray.attenuation)

    def _planes(self, images: Mapping[str, Any], geometry: Views, options: SamplingOptions) -> Planes:
        planes = reconstructed(self.trained, self.settings, images, geometry, options)
        require_finite(planes, str(self.folder))
        return planes


def load(
    folder: Path, device: str = "auto", threads: int = 0, max_memory_mb: int = 0, style: Path | None = None
) -> Model:
    """A finished run with its network in memory; InputError for anything else.

    style: the folder with a style of each view, which films are to go through.
    """
    method, settings = read_run(folder)
    try:
        for name in ("volume", "xray", "slices"):
            if hasattr(settings, name):
                require_version(getattr(settings, name))
    except InputError as error:
        raise InputError(f"{layout.settings(folder)}: {error}, or train it again") from None
    runtime = Runtime(set_up_torch(device, threads), max_memory_mb)
    trained = method.implement().load(settings, folder, runtime)
    samples = trained.inputs.samples
    sampled, scale = (kept_sampling(folder), kept_scale(folder)) if samples else (None, None)
    agreement, trained_on = kept_agreement(folder), read_trained_on(folder)
    styles = load_styles(style, settings, trained.inputs, runtime.device) if style else {}
    return Model(folder, method, settings, trained, runtime, sampled, scale, agreement, trained_on, styles)


def require_views(model: Model, given: set[str]) -> None:
    """InputError when the X-rays are not of the views that the model was trained on."""
    if not model.views:
        raise InputError(f"{model.folder}: {model.method.title} looks at no X-ray: take a run of another method")
    try:
        require_names(given, model.trained.inputs)
    except InputError as error:
        raise InputError(f"{model.folder}: {error}") from None
