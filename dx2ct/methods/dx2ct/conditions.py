"""From X-rays and slice positions to the U-Net's condition maps, with and without 3DPQT (the paper's Table II)."""

from typing import cast

import numpy as np
import torch
from torch import nn, Tensor

from dx2ct.methods.dx2ct.query_transformer import QueryTransformer
from dx2ct.methods.dx2ct.settings import Dx2ctSettings
from dx2ct.methods.layers.positions import PositionNetwork, view_coordinates
from dx2ct.methods.layers.resnet import CHANNELS, STRIDES, XrayEncoder

EncodedXrays = list[list[tuple[Tensor, Tensor]]]  # per scale and block: keys and values


class Conditions(nn.Module):
    """Condition maps at every feature scale, `model.transformer.width` channels each.

    Without the query transformer the X-ray features are not moved to the slice: they are joined, pixel by pixel, with
    the code of the slice's position by a 1 x 1 convolution, so that the network still knows which slice is asked for.
    """

    view_map: Tensor

    def __init__(self, settings: Dx2ctSettings) -> None:
        super().__init__()
        model, pixels, views = settings.model, settings.slices.size, settings.run.views
        width, code = model.transformer.width, model.positions
        self.sizes = [pixels // stride for stride in STRIDES]
        self.encoder = XrayEncoder(model.encoder)
        self.project = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in CHANNELS)
        self.ct_positions, self.xray_positions = (
            PositionNetwork(code.octaves, code.hidden, code.layers, width) for _ in range(2)
        )
        if model.transformer.start == "match":
            self._start_as_match()
        beam, side_mm = settings.xray.cone_beam, settings.volume.side_mm
        maps = [
            view_coordinates(view, beam, pixels, side_mm, code.xray) for view in settings.xray.exposures(views).values()
        ]
        self.register_buffer("view_map", torch.from_numpy(np.stack(maps)), persistent=False)
        self.transformers, self.joins = nn.ModuleList(), nn.ModuleList()
        if settings.run.query_transformer:
            self.transformers.extend(QueryTransformer(model.transformer) for _ in STRIDES)
        else:
            self.joins.extend(nn.Linear((len(views) + 1) * width, width) for _ in STRIDES)

    def _start_as_match(self) -> None:
        """Give equal positions equal codes, and let X-ray features be small beside them: see CrossAttention."""
        self.xray_positions.load_state_dict(self.ct_positions.state_dict())
        for project in self.project.modules():
            if isinstance(project, nn.Conv2d):
                nn.init.normal_(project.weight, std=0.3 * project.in_channels**-0.5)

    def forward(self, xrays: Tensor, coordinates: Tensor) -> list[Tensor]:
        """X-rays (patient, view, H, W) in [0, 1] and slice coordinates (patient, slice, N, N, 3) to one map
        (patient slice, width, s, s) per scale."""
        return self.condition_maps(self.encode_xrays(xrays), coordinates)

    def encode_xrays(self, xrays: Tensor) -> EncodedXrays:
        """Encode the X-rays once for all slices of a patient: keys and values of every block per scale.

        Without 3DPQT they are the X-ray codes themselves.
        """
        tokens = self._xray_codes(xrays)
        if self.transformers:
            return [
                cast(QueryTransformer, transformer).keys_values(t.flatten(1, 3))
                for transformer, t in zip(self.transformers, tokens, strict=True)
            ]
        return [[(t, t)] for t in tokens]

    def condition_maps(self, encoded: EncodedXrays, coordinates: Tensor) -> list[Tensor]:
        """The condition maps of some slices, as `forward`, from the encoded X-rays of their patients."""
        patients, slices = coordinates.shape[:2]
        ct_codes = self.ct_positions(coordinates.flatten(0, 1)[..., None, :], self.sizes)
        ct_codes = [codes.unflatten(0, (patients, slices)) for codes in ct_codes]
        if self.transformers:
            return [
                transformer(codes, keys_values)
                for transformer, codes, keys_values in zip(self.transformers, ct_codes, encoded, strict=True)
            ]
        return [_join(join, codes, x[0][0]) for join, codes, x in zip(self.joins, ct_codes, encoded, strict=True)]

    def _xray_codes(self, xrays: Tensor) -> list[Tensor]:
        """X-ray features plus X-ray position codes, (patient, view, s, s, width) per scale."""
        patients = xrays.shape[0]
        codes = self.xray_positions(self.view_map, self.sizes)
        features = self.encoder(xrays.flatten(0, 1))
        return [
            project(feature).movedim(1, -1).unflatten(0, (patients, -1)) + code
            for project, feature, code in zip(self.project, features, codes, strict=True)
        ]


def _join(join: nn.Module, ct_codes: Tensor, tokens: Tensor) -> Tensor:
    features = tokens.movedim(1, -2).flatten(-2)[:, None].expand(-1, ct_codes.shape[1], -1, -1, -1)
    joined: Tensor = join(torch.cat([ct_codes, features], dim=-1)).flatten(0, 1).movedim(-1, 1)
    return joined
