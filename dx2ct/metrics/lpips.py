"""LPIPS (Zhang et al., 2018), where its backbone's weights can be had.

The lpips package ships the linear layers only. The ImageNet weights of AlexNet and VGG16 are taken from
$TORCH_HOME/hub/checkpoints, or downloaded there at first use; their hash is checked each time.
"""

from collections.abc import Callable
from functools import cache, partial
from http.client import HTTPException
import logging
from pathlib import Path, PurePosixPath
import pickle
import socket
import warnings

import numpy as np
from numpy.typing import NDArray
import torch

from drr.errors import InputError
from dx2ct.data.window import to_network
from dx2ct.metrics.scale import Array, Distance, unit
from dx2ct.torchvision_guard import import_torchvision, require_hash

BACKBONES = {"alex": "AlexNet", "vgg": "VGG16"}
SILENCE_S = 10.0  # a download that is silent for this long is given up
SLICES_AT_ONCE = 32
_NOT_THERE = (OSError, RuntimeError, EOFError, HTTPException, pickle.UnpicklingError)
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def _mapped(truth: Array, image: Array) -> Pair:
    """What LPIPS was trained on: the window as [-1, 1]."""
    return to_network(truth), to_network(image)


def _unmapped(truth: Array, image: Array) -> Pair:
    """What PerX2CT gives its network: the window as [0, 1]. As for its other metrics, the truth alone is clipped."""
    return unit(truth), unit(image, clip=False)


# The backbone of each definition and how it scales truth and reconstruction.
DEFINITIONS: dict[str, tuple[str, Callable[[Array, Array], Pair]]] = {
    "alex": ("alex", _mapped),
    "vgg": ("vgg", _mapped),
    "perx2ct": ("vgg", _unmapped),
}


def load_lpips() -> dict[str, Distance]:
    """LPIPS of two stacks (slice, row, column) in HU, mean over the slices, by definition ("alex", "vgg", "perx2ct").

    Version 0.1; grey is repeated to three channels, and slices keep their size. Definitions with one backbone share its
    network, but each runs it: features of [0, 1] do not follow from those of [-1, 1]. A backbone whose weights cannot
    be had is left out with its definitions, and one line in the log says why.
    """
    import_torchvision()  # before lpips, which imports it by itself
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found: dict[str, Distance] = {}
    reasons = {}
    for name, label in BACKBONES.items():
        try:
            network = _load_network(name).to(device)
        except (InputError, *_NOT_THERE) as error:
            reasons[label] = " ".join(str(error).split())
        else:
            for definition, (backbone, scaled) in DEFINITIONS.items():
                if backbone == name:
                    found[definition] = partial(_mean_distance, network, scaled)
    if reasons:
        which = "; ".join(f"{label}: {reason}" for label, reason in reasons.items())
        folder = f"{torch.hub.get_dir()}/checkpoints"
        logging.getLogger(__name__).warning("LPIPS is left empty, no weights in %s (%s)", folder, which)
    return found


@cache
def perceptual_loss(device: torch.device) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """LPIPS with VGG as a loss of images (n, 3, H, W) in [0, 1], taken as they are; InputError without its weights."""
    import_torchvision()
    try:
        network = _load_network("vgg")
    except _NOT_THERE as error:
        raise InputError(
            f"the LPIPS loss needs ImageNet weights of VGG-16, which are neither in {torch.hub.get_dir()}/checkpoints "
            f"nor downloadable ({error}): put them there, or set lpips_weight: 0 and say so beside the numbers"
        ) from None
    return network.to(device).eval().requires_grad_(False)


def _load_network(backbone: str) -> torch.nn.Module:
    import lpips

    models = import_torchvision().models
    published = {"alex": models.AlexNet_Weights, "vgg": models.VGG16_Weights}[backbone].IMAGENET1K_V1.url
    require_hash(Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(published).name)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)  # torch.hub downloads without a time limit of its own
    try:
        with warnings.catch_warnings():  # lpips names the weights by torchvision's old argument
            warnings.simplefilter("ignore", UserWarning)
            network: torch.nn.Module = lpips.LPIPS(net=backbone, version="0.1", verbose=False)
    finally:
        socket.setdefaulttimeout(patience)
    return network


@torch.inference_mode()
def _mean_distance(
    network: torch.nn.Module, scaled: Callable[[Array, Array], Pair], truth: Array, image: Array
) -> float:
    device = next(network.parameters()).device
    distances = []
    for start in range(0, len(truth), SLICES_AT_ONCE):
        part = slice(start, start + SLICES_AT_ONCE)
        pair = [
            torch.from_numpy(stack).to(device).unsqueeze(1).expand(-1, 3, -1, -1)
            for stack in scaled(truth[part], image[part])
        ]
        distances.append(network(*pair).flatten())
    return float(torch.cat(distances).mean())
