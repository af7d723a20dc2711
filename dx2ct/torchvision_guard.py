"""torchvision, also where its compiled operators do not load.

torchvision's wheel on PyPI is built for CUDA. Beside a CPU build of torch its library does not load, the operators
`nms` and `qnms` are then unknown, and the import fails, although models and transforms need neither. Declaring the two
operators lets the import go through; calling them still fails.
"""

from functools import cache
import hashlib
import importlib
from pathlib import Path
from types import ModuleType

import torch

from drr.errors import InputError

_NMS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@cache  # keeps the library object alive: its declarations vanish with it
def _declare_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}{_NMS}")  # type: ignore[no-untyped-call]
    return library


def import_torchvision() -> ModuleType:
    """Import torchvision and return it; import it through here before any library that imports it by itself."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    _declare_operators()
    return importlib.import_module("torchvision")


def require_hash(path: Path) -> None:
    """InputError for cached weights whose SHA-256 does not begin as their name ends (resnet50-0676ba61.pth).

    torch.hub checks this at the download only. A file that is not there is none of this function's business.
    """
    if not path.is_file():
        return
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: ImageNet weights cannot be read ({error.strerror})") from None
    expected = path.stem.rpartition("-")[2]
    if not digest.startswith(expected):
        raise InputError(
            f"{path}: SHA-256 begins with {digest[:8]}, not {expected}: delete the file and download it again"
        )
