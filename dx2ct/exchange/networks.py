"""A run's network as others call it: tensors in, HU out, float32."""

from collections.abc import Mapping
import json
from pathlib import Path
from typing import Any

import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.data.window import LOW_HU, WIDTH_HU
from dx2ct.methods.learned import load_weights
from dx2ct.methods.lift.method import Geometry, IMPLEMENTATION
from dx2ct.methods.lift.network import Lift
from dx2ct.methods.lift.settings import LiftSettings
from dx2ct.methods.saved import parse_run, read_run


class AnyGeometry(nn.Module):
    """lift in HU, for X-rays that were taken anywhere, or are missing."""

    def __init__(self, network: Lift) -> None:
        super().__init__()
        self.network = network

    def forward(self, xrays: Tensor, mask: Tensor, matrices: Tensor) -> Tensor:
        """X-rays (n, view, row, column) in [0, 1], mask (n, view) 1 where a view is there, matrices (n, view, 3, 4) as
        `dx2ct.geometry.projection_matrices` makes them, to the volume (n, 1, z, y, x) in HU."""
        volume: Tensor = self.network(xrays, mask, matrices)
        return volume.clamp(0, 1) * WIDTH_HU + LOW_HU


class TrainingGeometry(nn.Module):
    """lift in HU, for X-rays that are all there and were taken as those of the training.

    settings: a run's settings.json as values. The weights are those of the run, with `network.` before their names.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.settings = parse_run(json.dumps(settings))[1]
        self.network = Lift(self.settings)

    def forward(self, xrays: Tensor) -> Tensor:
        """X-rays (n, view, row, column) in [0, 1] to the volume (n, 1, z, y, x) in HU."""
        volume: Tensor = AnyGeometry(self.network)(*Geometry.of(self.settings).inputs(xrays))
        return volume


def read_lift(run: Path) -> tuple[LiftSettings, Lift]:
    """Settings and network of a run, on the CPU; InputError for a run of a method that cannot be exported."""
    method, settings = read_run(run)
    if not isinstance(settings, LiftSettings):
        raise InputError(f"{run}: {method.title} cannot be exported: take a run of lift, which is one forward pass")
    network = IMPLEMENTATION.network(settings)
    load_weights(network, run)
    return settings, network.eval()


def empty_inputs(settings: LiftSettings) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of `AnyGeometry` in their shapes: black X-rays of the training's geometry."""
    pixels, views = IMPLEMENTATION.xray_pixels(settings), len(settings.run.views)
    return Geometry.of(settings).inputs(torch.zeros(1, views, pixels, pixels))
