"""What a model makes of an X-ray before its network sees it: read, turned, judged, placed, brought into a style."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drr.errors import InputError
from dx2ct.data.film import learnt_part
from dx2ct.data.scans import averaged
from dx2ct.methods.contract import InputSpec
from dx2ct.predict.border import without_border
from dx2ct.predict.detector import field_mm
from dx2ct.predict.framed import as_array, Framed
from dx2ct.predict.framing import Framing, oriented, squared
from dx2ct.predict.placed import exposure_of, placed
from dx2ct.predict.pose.network import judged, Pose
from dx2ct.predict.pose.told import doubts, lungs_mm, pair_doubts, size_doubts
from dx2ct.predict.read import read_xray
from dx2ct.predict.restyled import in_words, restyled, style_of
from dx2ct.predict.view import said_view, turned_for
from dx2ct.predict.xray import Xray
from dx2ct.style.run import Style


@dataclass(frozen=True)
class Preparation:
    """inputs: what the network takes; styles: by view, what films go through; films: it has learnt simulated ones."""

    inputs: InputSpec
    styles: Mapping[str, Style]
    films: bool

    def one(self, view: str, given: Any, framing: Framing, is_placed: bool = True) -> Framed:
        """An X-ray of a view, a file or an array of line integrals (row, column), as `Model.prepare` has it.

        Raises InputError for what cannot be read, is too small, or is of a view that the network does not know.
        """
        if view not in self.inputs.names:
            raise InputError(f"view {view}: the model was trained on {' and '.join(self.inputs.names)}")
        if not isinstance(given, str | Path | Xray):
            return Framed(Xray(as_array(view, given), "integrals", f"X-ray {view}"), as_array(view, given), ())
        xray = turned_for(view, given if isinstance(given, Xray) else read_xray(Path(given)))
        xray = without_border(view, xray, framing)
        lying = oriented(xray, framing)
        self._require_size(view, xray, lying)
        pose = judged(lying)
        is_said = said_view(str(xray.facts.get("view") or "")) == view
        doubted = doubts(
            view,
            pose,
            framing,
            is_said=is_said,
            is_oriented=xray.directions is not None,
            is_film=xray.kind == "film",
        )
        first = Framed(xray, lying, _notes(xray, (*xray.notes, *doubted)), framing.moves or bool(xray.turn), pose=pose)
        return self._placed(view, first, pose, framing) if is_placed else self._whole(view, first)

    def _placed(self, view: str, lying: Framed, pose: Pose, framing: Framing) -> Framed:
        """The part of the patient that the training's field shows, and where it was taken."""
        xray, training, style = lying.xray, self.inputs.views.exposures[view], style_of(self.styles, view, lying.xray)
        image, place, exposure, said = placed(view, lying.image, xray, framing, training, self._pixels(view, xray))
        _require_sides(xray, image, self._pixels(view, xray))
        lungs = None
        if not place.is_training:
            lungs = lungs_mm(view, pose, field_mm(exposure_of(xray, framing, training, place))[0])
            said += size_doubts(view, lungs, place.guessed)
        if style:
            said += [in_words(style)]
        seen = self._as_learnt(xray, image)
        seen = restyled(seen, style) if style else seen
        moved = lying.moved or exposure is not training or seen is not lying.image
        notes = (*lying.notes, *_notes(xray, said))
        return Framed(xray, seen, notes, moved, place, exposure, pose, lungs)

    def _whole(self, view: str, lying: Framed) -> Framed:
        """All of it, made square: where it was taken is told apart."""
        style = style_of(self.styles, view, lying.xray)
        image = self._as_learnt(lying.xray, squared(lying.image))
        moved = lying.moved or image.shape != lying.xray.pixels.shape
        return replace(lying, image=restyled(image, style) if style else image, moved=moved)

    def _pixels(self, view: str, xray: Xray) -> int:
        """A side of what comes next: a style, or the network."""
        style = style_of(self.styles, view, xray)
        return style.settings.pixels if style else self.inputs.pixels

    def _require_size(self, view: str, xray: Xray, image: NDArray[np.float32]) -> None:
        side, pixels = max(image.shape), self._pixels(view, xray)
        if side < pixels:
            raise InputError(f"{xray.name}: {side} pixels a side, the network sees {pixels}: give a larger image")

    def _as_learnt(self, xray: Xray, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """A film as the network's training had its films, where it had any; else as it is."""
        if xray.kind == "integrals" or not self.films:
            return image
        return learnt_part(averaged(image, self.inputs.pixels))


def _require_sides(xray: Xray, image: NDArray[np.float32], pixels: int) -> None:
    """InputError for an image that fills the training's field with too few pixels along one side."""
    rows, columns = image.shape
    if min(rows, columns) < pixels:
        seen = f"the network sees {pixels} a side"
        raise InputError(f"{xray.name}: {columns} x {rows} pixels, {seen}: give a larger image, of square pixels")


def of_one_patient(xrays: Mapping[str, Framed]) -> dict[str, Framed]:
    """The X-rays, with a note where the heights of their lungs, or PatientID, are not one patient's."""
    apart = pair_doubts({view: one.lungs_mm for view, one in xrays.items() if one.lungs_mm is not None})
    if len({one.xray.patient for one in xrays.values() if one.xray.patient}) > 1:
        apart.append("PatientID differs between the X-rays: are they of one patient?")
    return {view: replace(one, notes=(*one.notes, *apart)) for view, one in xrays.items()}


def _notes(xray: Xray, texts: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(f"{xray.name}: {text}" for text in texts)
