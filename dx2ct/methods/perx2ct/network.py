"""PerX2CT and PerX2CT_global: Kyung et al., ICASSP 2023. One slice at a time, from features sampled where it projects.

Left open by the descriptions, and taken here: the three output channels are the slice and its two neighbours, of which
the middle one is used; positions are those of the patient in [-1, 1]; the global vector is what the first convolution
of layer3's last block, 256 channels wide, makes of all blocks before it, averaged over the image; the encoder's stem is
frozen where its weights are ImageNet's; a crop's side and place are uniform from a quarter of the slice upwards.

`camera: paper` is the published model of the projection, a pinhole one cube's side from the isocentre and 60 degrees
wide; `cone_beam` is the geometry that rendered the X-rays.
"""

from collections.abc import Sequence
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn, Tensor
from torch.nn.functional import grid_sample, l1_loss

from drr.errors import InputError
from drr.geometry import View
from drr.progress import each
from dx2ct.data.planes import from_plane, plane_coordinates, PLANES
from dx2ct.methods.layers.encoder_settings import EncoderSettings
from dx2ct.methods.layers.example import Example, Volumes
from dx2ct.methods.layers.positions import encode
from dx2ct.methods.layers.resnet import IMAGENET_MEAN, IMAGENET_STD, pretrained_weights, trunk_of
from dx2ct.methods.perx2ct.decoder import Decoder
from dx2ct.methods.perx2ct.settings import Perx2ctSettings
from dx2ct.methods.perx2ct.slices import SliceData, window_points
from dx2ct.methods.single_pass import SinglePass
from dx2ct.metrics.lpips import perceptual_loss
from dx2ct.training.distributed import rank

PAPER_HALF_ANGLE = math.radians(30)
LOCAL_CHANNELS = 512  # of layer2, whatever its inner width
STRIDE = 8  # of layer2


class Encoder(nn.Module):
    """A ResNet to layer2 and, for the global vector, into the last block of layer3."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: EncoderSettings, with_global: bool) -> None:
        super().__init__()
        trunk = trunk_of(settings)
        self.global_channels = 0
        if with_global:
            last = trunk.layer3[-1]
            self.global_channels = last.conv1.out_channels
            del last.conv2, last.bn2, last.conv3, last.bn3
        else:
            del trunk.layer3
        self.trunk = trunk
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def load_pretrained(self, settings: EncoderSettings) -> None:
        """Start from ResNet-101's weights, ImageNet's or a file's, and keep the stem as it is; InputError for any other
        encoder."""
        if (settings.blocks, settings.width_per_group, settings.norm) != ((3, 4, 23), 64, "batch"):
            raise InputError(
                "model.encoder.pretrained needs ResNet-101: blocks [3, 4, 23], width_per_group 64, norm batch"
            )
        known = self.trunk.state_dict()
        weights = pretrained_weights(settings.pretrained, "ResNet-101")
        try:
            self.trunk.load_state_dict({k: v for k, v in weights.items() if k in known})
        except RuntimeError as error:
            raise InputError(
                f"{settings.pretrained}: not the weights of a ResNet-101 ({str(error).splitlines()[-1].strip()})"
            ) from None
        for layer in (self.trunk.conv1, self.trunk.bn1):
            layer.requires_grad_(False)

    def forward(self, xrays: Tensor) -> tuple[Tensor, Tensor | None]:
        """(n, N, N) in [0, 1] to features (n, 512, N/8, N/8) and the global vector (n, c)."""
        trunk = self.trunk
        stem = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1((xrays[:, None] - self.mean) / self.std))))
        local = trunk.layer2(trunk.layer1(stem))
        if not self.global_channels:
            return local, None
        last = trunk.layer3[-1]
        deep = trunk.relu(last.bn1(last.conv1(trunk.layer3[:-1](local))))
        return local, deep.mean(dim=(2, 3))


class Perx2ct(nn.Module):
    """X-rays (patient, view, N, N) and points of slices (patient, slice, g, g, 3) to (patient slice, 3, N, N)."""

    projections: Tensor

    def __init__(self, settings: Perx2ctSettings) -> None:
        super().__init__()
        run, model, size = settings.run, settings.model, settings.slices.size
        cube_mm = settings.volume.side_mm
        self.octaves, self.pixels, self.align = model.octaves, size, run.align
        self.grid = size // 2 ** (len(model.multipliers) - 1)
        self.encoder = Encoder(model.encoder, run.global_features)
        matrices = [projection(view, run.camera, size, cube_mm) for view in settings.xray.exposures(run.views).values()]
        self.register_buffer("projections", torch.tensor(np.stack(matrices), dtype=torch.float32), persistent=False)
        channels = len(run.views) * (LOCAL_CHANNELS + self.encoder.global_channels) + 3 + 6 * model.octaves
        self.decoder = Decoder(channels, model.channels, model.multipliers, model.res_blocks, model.norm_groups)

    def forward(self, xrays: Tensor, points: Tensor) -> Tensor:
        """The slice between its neighbours, not clipped."""
        patients, views = xrays.shape[:2]
        slices, grid = points.shape[1], points.shape[2]
        local, vector = self.encoder(xrays.flatten(0, 1))
        maps = []
        for i in range(views):
            pixels = project(self.projections[i], points.flatten(1, 2))
            where = cells_at(pixels, self.align, self.pixels)
            features = local.unflatten(0, (patients, views))[:, i]
            sampled = grid_sample(features, where, align_corners=self.align == "corners")
            maps.append(sampled.view(patients, -1, slices, grid, grid).transpose(1, 2).flatten(0, 1))
            if vector is not None:
                one = vector.unflatten(0, (patients, views))[:, i, None, :, None, None]
                maps.append(one.expand(-1, slices, -1, grid, grid).flatten(0, 1))
        code = encode(points, self.octaves).flatten(0, 1).movedim(-1, 1)
        drawn: Tensor = self.decoder(torch.cat([*maps, code], dim=1))
        return drawn


def projection(view: View, camera: str, pixels: int, cube_mm: float) -> np.ndarray:
    """3 x 4: a point of the cube [-1, 1]^3 to (column, row, 1) times its depth, of an image of `pixels` a side.

    view: around the origin. camera paper: the published pinhole that looks along the view's central ray.
    """
    if camera == "paper":
        view = _pinhole(view, cube_mm)
    matrix = view.resized(pixels).projection_matrix()
    return np.asarray(matrix @ np.diag([cube_mm / 2, cube_mm / 2, cube_mm / 2, 1.0]))


def _pinhole(view: View, cube_mm: float) -> View:
    """PerX2CT's camera: a source one cube's side from the isocentre, 60 degrees wide, that looks as the view does."""
    axis, column, row = (
        np.array(step) / np.linalg.norm(step) for step in (view.source_mm, view.column_step_mm, view.row_step_mm)
    )
    step = 4 * cube_mm * math.tan(PAPER_HALF_ANGLE) / view.rows
    corner = -cube_mm * axis - (view.rows - 1) / 2 * step * row - (view.columns - 1) / 2 * step * column
    source, corner_, columns, rows = (
        (float(x), float(y), float(z)) for x, y, z in (cube_mm * axis, corner, step * column, step * row)
    )
    return View(source, corner_, columns, rows, view.rows, view.columns)


def project(matrix: Tensor, points: Tensor) -> Tensor:
    """Points (n, h, w, 3) of the cube to pixels (n, h, w, 2) of the image, column and row, 0 at the first's centre."""
    seen = (points[..., None, :] * matrix[:, :3]).sum(dim=-1) + matrix[:, 3]  # no product that autocast would shorten
    return seen[..., :2] / seen[..., 2:]


def cells_at(pixels: Tensor, align: str, side: int) -> Tensor:
    """Pixels of an image of `side` a side as places in its feature map for grid_sample, by where its cells lie."""
    if align == "corners":
        return 2 * pixels / (side - 1) - 1
    # A convolution of stride 2 and odd kernel centres cell i on pixel 2 i: three of them on 8 i.
    centred = pixels + (STRIDE - 1) / 2 if align == "centres" else pixels
    return (2 * centred + 1) / side - 1


class Perx2ctMethod(SinglePass[Perx2ctSettings, Perx2ct]):
    """L1 and, weighted, LPIPS with VGG, on [0, 1]."""

    def network(self, settings: Perx2ctSettings) -> Perx2ct:
        """The network."""
        return Perx2ct(settings)

    def start(self, settings: Perx2ctSettings, network: Perx2ct, scans: Sequence[str], data: Path) -> None:
        """From ImageNet's weights, where they are asked for."""
        if settings.model.encoder.pretrained:
            network.encoder.load_pretrained(settings.model.encoder)

    def examples(self, settings: Perx2ctSettings, scans: Sequence[str], data: Path, device: torch.device) -> SliceData:
        """Slices with their neighbours."""
        return SliceData(settings, scans, data, device)

    def loss(
        self, settings: Perx2ctSettings, output: Tensor, example: Example, discriminator: nn.Module | None
    ) -> Tensor:
        """Of all three channels."""
        total, weight = l1_loss(output.float(), example.target), settings.model.lpips_weight
        if weight:
            total = total + weight * perceptual_loss(output.device)(output.float(), example.target).mean()
        return total

    def passes(self, settings: Perx2ctSettings) -> tuple[int, tuple[Tensor, ...]]:
        """One of each plane, of all its slices."""
        size = settings.slices.size
        grid = size // 2 ** (len(settings.model.multipliers) - 1)
        _, xrays = super().passes(settings)
        return len(PLANES), (*xrays, torch.empty(1, size, grid, grid, 3))

    def volumes(self, settings: Perx2ctSettings, network: Perx2ct, xrays: Tensor, at_once: int) -> Volumes:
        """Every slice of every plane; the middle channel of each."""
        size, volumes = settings.slices.size, {}
        for plane, coordinates in zip(PLANES, torch.from_numpy(plane_coordinates(size)), strict=True):
            whole = torch.tensor([0.0, 0.0, size])
            points = torch.stack([window_points(one, whole, network.grid) for one in coordinates])
            parts = [
                network(xrays, part[None].to(xrays.device))[:, 1]
                for part in each(torch.split(points, at_once), plane, "batch", hidden=rank() != 0)
            ]
            stack = torch.cat(parts).float().cpu().numpy()
            volumes[plane] = torch.from_numpy(np.ascontiguousarray(from_plane(stack, plane)))
        return volumes


IMPLEMENTATION = Perx2ctMethod()
