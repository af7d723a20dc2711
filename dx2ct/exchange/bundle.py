"""A run as a MONAI bundle: metadata, configuration, weights, card. It names this package's network and needs dx2ct.

The specification: https://docs.monai.io/en/stable/mb_specification.html.
"""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
import json
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import torch

from drr.files import replacing
from dx2ct import layout
from dx2ct.data.window import LOW_HU, WIDTH_HU
from dx2ct.exchange.networks import read_lift, TrainingGeometry
from dx2ct.methods import method_named
from dx2ct.methods.lift.method import IMPLEMENTATION, TrainedLift
from dx2ct.methods.lift.settings import LiftSettings
from dx2ct.predict.model import Model
from dx2ct.training.runtime import Runtime

RESEARCH = "Research use only. Not a medical device: do not use it for any decision about a patient."
MONAI = "1.5.0"  # whose specification this follows
WEIGHTS = "models/model.pt"


def write_bundle(run: Path, output: Path) -> None:
    """Write the folder of a bundle; InputError for a run that is not finished or not of lift."""
    settings, network = read_lift(run)
    values = json.loads(layout.settings(run).read_text(encoding="utf-8"))
    with replacing(output) as part:
        for folder in ("configs", "models", "docs"):
            (part / folder).mkdir(parents=True)
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        torch.save(weights, part / WEIGHTS)
        _write(part / "configs/metadata.json", metadata(settings))
        _write(part / "configs/inference.json", inference(values, settings.run.views))
        if layout.model_card(run).is_file():
            shutil.copyfile(layout.model_card(run), part / "docs/README.md")


def metadata(settings: LiftSettings) -> dict[str, Any]:
    """configs/metadata.json."""
    pixels, views, size = IMPLEMENTATION.xray_pixels(settings), settings.run.views, settings.slices.size
    side_mm = settings.volume.size * settings.volume.spacing_mm
    shared = {"is_patch_data": False, "dtype": "float32"}
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "CR",
        "num_channels": len(views),
        "spatial_shape": [pixels, pixels],
        "value_range": [0, 1],
        "channel_def": {str(number): f"X-ray {view}" for number, view in enumerate(views)},
    }
    volume = {
        "type": "image",
        "format": "hounsfield",
        "modality": "CT",
        "num_channels": 1,
        "spatial_shape": [size, size, size],
        "value_range": [LOW_HU, LOW_HU + WIDTH_HU],
        "channel_def": {"0": f"HU, (z, y, x) in LPS axes, a cube of {side_mm:g} mm"},
    }
    return {
        "version": "1.0.0",
        "changelog": {"1.0.0": "exported"},
        "monai_version": MONAI,
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"dx2ct": _version("dx2ct"), "safetensors": _version("safetensors")},
        "task": "Reconstruction of a chest CT from X-rays",
        "description": f"{method_named('lift').title}: {len(views)} X-rays ({', '.join(views)}) to a CT. {RESEARCH}",
        "authors": "The DX2CT authors",
        "copyright": "Apache-2.0; see docs/README.md for what the weights were trained on",
        "intended_use": RESEARCH,
        "network_data_format": {"inputs": {"image": image | shared}, "outputs": {"pred": volume | shared}},
    }


def inference(settings: Mapping[str, Any], views: tuple[str, ...]) -> dict[str, Any]:
    """configs/inference.json: `python -m monai.bundle run --config_file configs/inference.json --pa FILE ...`."""
    files = ", ".join(f"{view!r}: @{view}" for view in views)
    return {
        "imports": ["$import torch", "$from dx2ct.exchange.bundle import infer"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        **{view: f"{view}.mha" for view in views},
        "output": "ct.nii.gz",
        "network_def": {"_target_": "dx2ct.exchange.networks.TrainingGeometry", "settings": dict(settings)},
        "checkpoint": f"$torch.load(@bundle_root + '/{WEIGHTS}', map_location='cpu', weights_only=True)",
        "load": "$@network_def.load_state_dict(@checkpoint)",
        "network": "$(@load, @network_def.to(@device).eval())[1]",
        "run": [f"$infer(@network, {{{files}}}, @output)"],
    }


def infer(network: TrainingGeometry, xrays: Mapping[str, Any], output: str | Path) -> None:
    """Reconstruct X-ray files with a bundle's network, as `dx2ct predict` does; write the CT (.nii.gz, .mha ...)."""
    device = next(network.parameters()).device
    runtime = Runtime(device)
    trained = TrainedLift(network.settings, network.network, runtime)
    model = Model(Path("bundle"), method_named("lift"), network.settings, trained, runtime)
    model.reconstruct(xrays).write(output)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "run from its source folder"


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
