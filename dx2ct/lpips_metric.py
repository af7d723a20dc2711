"""LPIPS (Zhang et al., 2018), where its backbone's weights can be had.

The lpips package ships the linear layers only. The ImageNet weights of AlexNet and VGG16 are taken from
$TORCH_HOME/hub/checkpoints, or downloaded there at first use.
"""

from functools import partial
from http.client import HTTPException
import logging
import pickle
import socket
import warnings

import numpy as np
from numpy.typing import NDArray
import torch

from dx2ct.metrics import Distance
from dx2ct.torchvision_guard import import_torchvision
from dx2ct.window import to_network

BACKBONES = {"lpips": ("alex", "AlexNet"), "lpips_vgg": ("vgg", "VGG16")}
SILENCE_S = 10.0  # a download that is silent for this long is given up
SLICES_AT_ONCE = 32


def load_lpips() -> dict[str, Distance]:
    """LPIPS of two stacks (slice, row, column) in HU, mean over the slices, by BACKBONES' names of columns.

    Version 0.1; the window [-1024, 1476] HU is mapped to [-1, 1] and repeated to three channels, and slices keep their
    size. A backbone whose weights cannot be had is left out, and one line in the log says why.
    """
    import_torchvision()  # before lpips, which imports it by itself
    device = "cuda" if torch.cuda.is_available() else "cpu"  # VGG16 takes a core half a second a slice
    found: dict[str, Distance] = {}
    reasons = {}
    for column, (name, label) in BACKBONES.items():
        try:
            found[column] = partial(_mean_distance, _load_network(name).to(device))
        except (OSError, RuntimeError, EOFError, HTTPException, pickle.UnpicklingError) as error:
            reasons[label] = " ".join(str(error).split())
    if reasons:
        which = "; ".join(f"{label}: {reason}" for label, reason in reasons.items())
        folder = f"{torch.hub.get_dir()}/checkpoints"
        logging.getLogger(__name__).warning("LPIPS is left empty, no weights in %s (%s)", folder, which)
    return found


def _load_network(name: str) -> torch.nn.Module:
    import lpips

    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)  # torch.hub downloads without a time limit of its own
    try:
        with warnings.catch_warnings():  # lpips names the weights by torchvision's old argument
            warnings.simplefilter("ignore", UserWarning)
            network: torch.nn.Module = lpips.LPIPS(net=name, version="0.1", verbose=False)
    finally:
        socket.setdefaulttimeout(patience)
    return network


@torch.inference_mode()
def _mean_distance(network: torch.nn.Module, truth: NDArray[np.generic], image: NDArray[np.generic]) -> float:
    device = next(network.parameters()).device
    distances = []
    for start in range(0, len(truth), SLICES_AT_ONCE):
        part = slice(start, start + SLICES_AT_ONCE)
        pair = [
            torch.from_numpy(to_network(stack[part])).to(device).unsqueeze(1).expand(-1, 3, -1, -1)
            for stack in (truth, image)
        ]
        distances.append(network(*pair).flatten())
    return float(torch.cat(distances).mean())
