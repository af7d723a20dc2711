"""The feature extractor that both X-rays share: conv2_x, conv3_x and conv4_x of a ResNet (the paper's eq. 1)."""

from http.client import HTTPException
import math
from pathlib import Path, PurePosixPath
import pickle
from typing import Any, Literal

import torch
from torch import nn, Tensor

from drr.errors import InputError
from dx2ct.methods.layers.encoder_settings import EncoderSettings
from dx2ct.torchvision_guard import import_torchvision, require_hash

CHANNELS = (256, 512, 1024)  # of conv2_x, conv3_x, conv4_x, whatever the inner width
STRIDES = (4, 8, 16)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class XrayEncoder(nn.Module):
    """blocks (3, 4, 6), width_per_group 64 and norm batch are ResNet-50 (He et al. 2016)."""

    mean: Tensor
    std: Tensor

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.trunk = trunk_of(settings)
        shape = (tuple(settings.blocks), settings.width_per_group, settings.norm)
        self.resnet50 = shape == ((3, 4, 6), 64, "batch")
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def load_pretrained(self, source: bool | str) -> None:
        """Start from weights of ResNet-50 under torchvision's names: those of ImageNet (True), or a file's.

        ImageNet's (IMAGENET1K_V1) are taken from $TORCH_HOME/hub/checkpoints or downloaded there; their hash is checked
        either way. Nothing but tensors is ever unpickled. Raises InputError where there are none, where the file is not
        the published one or not of this network, or where the settings are not ResNet-50's.
        """
        if not self.resnet50:
            raise InputError(
                "model.encoder.pretrained needs ResNet-50: blocks [3, 4, 6], width_per_group 64, norm batch"
            )
        weights = pretrained_weights(source, "ResNet-50")
        try:
            self.trunk.load_state_dict({k: v for k, v in weights.items() if not k.startswith(("layer4", "fc"))})
        except RuntimeError as error:
            raise InputError(
                f"{source}: not the weights of a ResNet-50 ({str(error).splitlines()[-1].strip()})"
            ) from None

    def forward(self, xrays: Tensor) -> list[Tensor]:
        """(n, H, W) in [0, 1] to three maps (n, channels, H/stride, W/stride)."""
        trunk = self.trunk
        stem = trunk.maxpool(trunk.relu(trunk.bn1(trunk.conv1((xrays[:, None] - self.mean) / self.std))))
        conv2 = trunk.layer1(stem)
        conv3 = trunk.layer2(conv2)
        return [conv2, conv3, trunk.layer3(conv3)]


def trunk_of(settings: EncoderSettings) -> Any:
    """torchvision's ResNet of bottlenecks as far as layer3, its weights at random."""
    resnet = import_torchvision().models.resnet
    norm = nn.BatchNorm2d if settings.norm == "batch" else group_norm
    trunk = resnet.ResNet(
        resnet.Bottleneck, [*settings.blocks, 1], width_per_group=settings.width_per_group, norm_layer=norm
    )
    del trunk.layer4, trunk.fc, trunk.avgpool
    return trunk


def group_norm(channels: int) -> nn.GroupNorm:
    """What stands where batch norm would: it does not mind small batches."""
    return nn.GroupNorm(math.gcd(16, channels), channels)


def pretrained_weights(source: bool | str, name: Literal["ResNet-50", "ResNet-101"]) -> dict[str, Tensor]:
    """Those in a file, or ImageNet's."""
    return _weights_in(Path(source)) if isinstance(source, str) else imagenet_weights(name)


def _weights_in(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"model.encoder.pretrained: {path}: no weights to read ({str(error).splitlines()[0]})"
        ) from None
    if not isinstance(state, dict):
        raise InputError(f"model.encoder.pretrained: {path}: holds no weights by name")
    return state


def imagenet_weights(name: Literal["ResNet-50", "ResNet-101"]) -> dict[str, Tensor]:
    """Published weights; torch.hub checks the hash in the file's name at the download only, we always."""
    models = import_torchvision().models
    published = {"ResNet-50": models.ResNet50_Weights, "ResNet-101": models.ResNet101_Weights}
    weights = published[name].IMAGENET1K_V1
    path = Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(weights.url).name
    require_hash(path)
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, HTTPException, RuntimeError, pickle.UnpicklingError) as error:
        raise InputError(
            f"ImageNet weights of {name} are neither in {path.parent} nor downloadable ({error}): put {weights.url} "
            "there, or set TORCH_HOME to a folder with hub/checkpoints/, or set model.encoder.pretrained: false"
        ) from None
    return state
