"""A finished run as a tool: X-rays in, a volume out.

The X-rays are laid out as the data folder of a scan and handed to the run's method (dx2ct/methods/base.py) by the same
contract as the workflow's, so a prediction from a scan's own line integrals is the workflow's reconstruction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
import SimpleITK as sitk
import torch

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.config import check, ReconstructSettings
from dx2ct.data.prepare.volume import VERSION as VOLUME_VERSION
from dx2ct.data.prepare.xrays import SLICES_VERSION, XRAY_VERSION
from dx2ct.data.scans import read_xrays
from dx2ct.methods.base import DEVIATION, Seeing, SETTINGS, Sight, WEIGHTS
from dx2ct.methods.registry import method_of
from dx2ct.predict.checks import doubts
from dx2ct.predict.framing import Framing, oriented, squared
from dx2ct.predict.read import read_xray
from dx2ct.predict.xray import Xray
from dx2ct.training.device import set_up_torch

BATCH = 64
DOMAIN_SHIFT = (
    "a film's grey values are in arbitrary units: percentiles 0.5 and 99.5 of each became 0 and 1, where the training "
    "had the smallest and the largest line integral. The network has seen rendered X-rays only: this is a domain shift"
)
_SCAN = "reconstruct"  # the label of the progress bar


@dataclass(frozen=True, eq=False)
class Framed:
    """One view: the X-ray, the square image made of it (row, column), what the user should know of it.

    moved: pixels have left the places that the geometry gives them.
    """

    xray: Xray
    image: NDArray[np.float32]
    notes: tuple[str, ...]
    moved: bool = False


@dataclass(frozen=True)
class Model:
    """A trained run; `settings` is the text that its method reads."""

    folder: Path
    settings: str
    sight: Sight
    device: torch.device

    @property
    def views(self) -> tuple[str, ...]:
        """The views it was trained on, in its order."""
        return self.sight.views

    def reconstruct(
        self,
        pa: str | Path | Xray | None = None,
        lateral: str | Path | Xray | None = None,
        *,
        framing: Mapping[str, Framing] | None = None,
        **how: object,
    ) -> Volume:
        """The CT of one or two X-rays, int16 HU, (z, y, x) in patient axes around the origin.

        how: what `sampling` takes: steps, seed, samples ... Warnings of `prepare` are not shown here: call it yourself
        to read them. Raises InputError.
        """
        return self.volumes_of(self.prepare({"pa": pa, "lateral": lateral}, framing or {}), sampling(**how))[0]

    def prepare(
        self, given: Mapping[str, str | Path | Xray | None], framing: Mapping[str, Framing]
    ) -> dict[str, Framed]:
        """Read, frame and check the X-rays of the model's views."""
        require_views(self, {view for view, xray in given.items() if xray is not None})
        return {view: self._prepared(view, given[view], framing.get(view, Framing())) for view in self.views}

    def seen(self, xrays: Mapping[str, Framed]) -> NDArray[np.float32]:
        """What the network will see: (view, pixels, pixels) in [0, 1], as the training's reader gives it."""
        with TemporaryDirectory() as folder:
            _lay_out(xrays, Path(folder))
            return read_xrays(Path(folder), _SCAN, self.views, self.sight.pixels)

    def volumes_of(self, xrays: Mapping[str, Framed], how: ReconstructSettings) -> tuple[Volume, Volume | None]:
        """The CT of prepared X-rays, the mean of the planes' volumes, as the workflow's reconstruction; of several
        samples also their standard deviation, float32 HU."""
        if not self.sight.samples and how != sampling():
            raise InputError(
                f"{self.folder}: this method does not sample: steps, seed, samples and the like are DX2CT's"
            )
        if how.consistency.iterations:
            _require_integrals(xrays)
        with TemporaryDirectory() as folder:
            _lay_out(xrays, Path(folder))
            try:
                planes = method_of(self.settings).reconstruct(
                    self.settings, self.folder, how, _SCAN, Path(folder), self.device
                )
            except SafetensorError as error:
                raise InputError(f"{self.folder / WEIGHTS}: damaged weights ({error}): copy the run again") from None
        deviation = planes.pop(DEVIATION, None)
        hu = np.mean(list(planes.values()), axis=0)
        if not np.isfinite(hu).all():
            raise InputError(f"{self.folder}: the volume is not finite: the training diverged, train it again")
        spread = None if deviation is None else self._placed(deviation.astype(np.float32))
        return self._placed(np.rint(hu).astype(np.int16)), spread

    def _prepared(self, view: str, given: str | Path | Xray | None, how: Framing) -> Framed:
        xray = given if isinstance(given, Xray) else read_xray(Path(given or ""))
        unpadded = oriented(xray, how)
        image = squared(unpadded)
        pixels = self.sight.pixels
        if len(image) < pixels:
            raise InputError(f"{xray.name}: {len(image)} pixels a side, the network sees {pixels}: give a larger image")
        notes = [f"{xray.name}: {note}" for note in (*xray.notes, *doubts(view, unpadded))]
        return Framed(xray, image, tuple(notes), how.moves or image.shape != xray.pixels.shape)

    def _placed(self, hu: NDArray[np.int16] | NDArray[np.float32]) -> Volume:
        """The cube around the isocentre, which is the origin: a film does not say where its patient lay."""
        step = self.sight.volume.spacing_mm * self.sight.volume.size / len(hu)
        first = -step * (len(hu) - 1) / 2
        return Volume(hu, (step,) * 3, (first,) * 3)


def sampling(
    steps: object = 50,
    seed: object = 0,
    samples: object = 1,
    solver: object = "ddim",
    planes: object = "alone",
    noise: object = "image",
    consistency: object = 0,
) -> ReconstructSettings:
    """How to sample, by default as the paper does (docs/sampling.md); consistency: iterations, of line integrals."""
    return check(
        ReconstructSettings,
        solver=solver,
        planes=planes,
        noise=noise,
        steps=steps,
        eta=0.0,
        seed=seed,
        samples=samples,
        batch=BATCH,
        consistency={
            "iterations": consistency,
            "weight": 1.0,
            "smooth_mm": 0.0,
            "when": "steps" if planes == "together" else "end",
        },
    )


def _require_integrals(xrays: Mapping[str, Framed]) -> None:
    for view, one in xrays.items():
        if one.xray.kind != "integrals" or one.moved:
            why = "was cropped, turned or padded" if one.xray.kind == "integrals" else "is a film: its grey has no unit"
            raise InputError(f"{one.xray.name}: consistency needs the line integrals of the {view} view, this {why}")


def load(folder: Path, device: str = "auto", threads: int = 0) -> Model:
    """A finished run of this version; InputError for anything else."""
    place = folder / SETTINGS
    try:
        text = place.read_text()
        if not (folder / WEIGHTS).is_file():
            raise InputError(f"{folder / WEIGHTS}: missing: the run is not finished, train it first")
        name = json.loads(text)["run"]["method"]
    except OSError as error:
        raise InputError(f"{place}: no trained run here ({error.strerror}): --model is results/RUN") from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{place}: names no run.method: not the settings of a run") from None
    try:
        method = method_of(text)
        sight = method.sees(text) if isinstance(method, Seeing) else None
    except InputError as error:
        raise InputError(f"{place}: of another version of dx2ct ({error}): train it again") from None
    if sight is None:
        raise InputError(f"{place}: a run of method {name!r} does not learn from films: take one of a learned method")
    versions = (sight.volume.version, sight.xray.version, sight.slices.version)
    if versions != (VOLUME_VERSION, XRAY_VERSION, SLICES_VERSION):
        here = (VOLUME_VERSION, XRAY_VERSION, SLICES_VERSION)
        raise InputError(f"{place}: stages volume, xray, slices of versions {versions}, here {here}: train it again")
    return Model(folder, text, sight, set_up_torch(device, threads))


def require_views(model: Model, given: set[str]) -> None:
    """InputError when the X-rays are not of the views that the model was trained on."""
    if given != set(model.views):
        was, now = " and ".join(model.views), " and ".join(sorted(given, reverse=True)) or "none"
        raise InputError(
            f"{model.folder}: a model of {was}, given {now}: give the files of its views, no more, no less"
        )


def _lay_out(xrays: Mapping[str, Framed], folder: Path) -> None:
    place = folder / "xrays" / _SCAN
    try:
        place.mkdir(parents=True)
        for view, one in xrays.items():
            sitk.WriteImage(sitk.GetImageFromArray(one.image), str(place / f"{view}.mha"))
    except (OSError, RuntimeError) as error:  # RuntimeError: ITK's, for whatever the disk refuses
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{folder}: cannot be written ({reason}): set TMPDIR to a folder with space") from None
