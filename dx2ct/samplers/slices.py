"""The network on every slice of one patient: what does not depend on the noise is computed once."""

from collections.abc import Callable

import torch
from torch import Tensor

from dx2ct.models.conditions import Memory
from dx2ct.models.dx2ct import DX2CT


class Slices:
    """A callable: (x_t (samples n, 1, N, N), t (samples n,)) to the network's prediction, computed batch by batch.

    xrays: (1, view, H, W). coordinates: (plane, slice, N, N, 3), n slices in all. A batch holds slices of one plane,
    each with all its samples. keep: condition maps are kept for the next step; else they are computed anew.
    """

    def __init__(
        self,
        model: DX2CT,
        xrays: Tensor,
        coordinates: Tensor,
        batch: int,
        samples: int = 1,
        keep: bool = True,
        done: Callable[[int], object] = lambda slices: None,
    ) -> None:
        self.model, self.samples, self.keep, self.done = model, samples, keep, done
        self.memory: Memory = model.conditions.remember(xrays)
        self.chunks = [chunk for plane in coordinates for chunk in plane.split(max(batch // samples, 1))]
        self.maps: list[list[Tensor] | None] = [None] * len(self.chunks)

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        """The prediction for all slices, in the type of x."""
        per_sample = x.view(self.samples, -1, *x.shape[1:])
        said, first = [], 0
        for number, chunk in enumerate(self.chunks):
            part = per_sample[:, first : first + len(chunk)].flatten(0, 1)
            first += len(chunk)
            maps = [m.repeat(self.samples, 1, 1, 1) if self.samples > 1 else m for m in self._maps(number)]
            answer = self.model.denoise(part, t[: len(part)], maps).to(x.dtype)
            said.append(answer.reshape(self.samples, -1, *x.shape[1:]))
            self.done(len(chunk))
        return torch.cat(said, dim=1).flatten(0, 1)

    def _maps(self, number: int) -> list[Tensor]:
        maps = self.maps[number]
        if maps is None:
            maps = self.model.conditions.recall(self.memory, self.chunks[number][None])
            if self.keep:
                self.maps[number] = maps
        return maps
