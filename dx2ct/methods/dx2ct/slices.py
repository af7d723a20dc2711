"""The network on every slice of one patient: what does not depend on the noise is computed once."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.dx2ct.unet import Modulation

Keep = Literal["modulation", "maps", "nothing"]


class Slices:
    """A callable: (x_t (samples n, 1, N, N), t (samples n,)) to the network's prediction, computed batch by batch.

    xrays: (1, view, H, W). coordinates: (plane, slice, N, N, 3), n slices in all. A batch holds slices of one plane,
    each with all its samples. keep: what of each slice is kept for the next step; the rest is computed anew from it.
    matrices: see DX2CT.encode_xrays.
    """

    def __init__(
        self,
        model: DX2CT,
        xrays: Tensor,
        coordinates: Tensor,
        batch: int,
        samples: int = 1,
        keep: Keep = "modulation",
        done: Callable[[int], object] = lambda slices: None,
        matrices: Tensor | None = None,
    ) -> None:
        self.model, self.samples, self.keep, self.done = model, samples, keep, done
        self.encoded: Any = model.encode_xrays(xrays, matrices)
        self.chunks = [chunk for plane in coordinates for chunk in plane.split(max(batch // samples, 1))]
        self.modulation: dict[int, Modulation] = {}
        self.maps: dict[int, list[Tensor]] = {}

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The prediction for all slices, in the type of x."""
        per_sample = x.view(self.samples, -1, *x.shape[1:])
        predictions, first = [], 0
        for number, chunk in enumerate(self.chunks):
            part = per_sample[:, first : first + len(chunk)].flatten(0, 1)
            first += len(chunk)
            prediction = self.model.unet(part, t[: len(part)], self._for_all_samples(self._modulation(number)))
            predictions.append(prediction.to(x.dtype).reshape(self.samples, -1, *x.shape[1:]))
            self.done(len(chunk))
        return torch.cat(predictions, dim=1).flatten(0, 1)

    def _modulation(self, number: int) -> Modulation:
        modulation = self.modulation.get(number)
        if modulation is None:
            modulation = self.model.modulation(self._maps(number))
            if self.keep == "modulation":
                self.modulation[number] = modulation
        return modulation

    def _maps(self, number: int) -> list[Tensor]:
        maps = self.maps.get(number)
        if maps is None:
            maps = self.model.conditions.condition_maps(self.encoded, self.chunks[number][None])
            if self.keep == "maps":
                self.maps[number] = maps
        return maps

    def _for_all_samples(self, modulation: Modulation) -> Modulation:
        if self.samples == 1:
            return modulation
        return [tuple(one.repeat(self.samples, 1, 1, 1) for one in block) for block in modulation]
