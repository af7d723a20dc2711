"""DX2CT as a method: train it on a cohort, reconstruct one scan with it."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
import torch
from torch import Tensor
from tqdm import tqdm

from drr.errors import InputError
from drr.files import replacing
from dx2ct import diffusion
from dx2ct.data.planes import from_plane, PLANES
from dx2ct.data.scans import read_xrays
from dx2ct.data.sheet import Row
from dx2ct.methods import SETTINGS, WEIGHTS
from dx2ct.models.dx2ct import DX2CT
from dx2ct.settings import dump, Dx2ctSettings, parse, ReconstructSettings
from dx2ct.train import fit, STATE, Training
from dx2ct.training_data import plane_coordinates, TrainingData
from dx2ct.window import to_hu


def train(settings: str, rows: Sequence[Row], data: Path, output: Path, device: torch.device) -> None:
    """Train with MSE on the prediction target (the paper's eq. 6 when that is epsilon); resumes from its last state.

    The last state stays until the run is used (see reconstruct.py): until the workflow has noted that the training is
    done, a kill would have it done again.
    """
    parsed = parse(Dx2ctSettings, settings)
    scans = [row.scan for row in rows if row.split == "train"]
    examples = TrainingData(parsed, scans, data)
    torch.manual_seed(parsed.train.seed)
    model = DX2CT(parsed)
    if parsed.model.encoder.pretrained:
        model.conditions.encoder.load_imagenet()
    model.to(device).train()
    schedule = diffusion.linear_schedule(parsed.diffusion)
    training = Training(model, parsed.train, sha256((dump(parsed) + examples.fingerprint).encode()).hexdigest())
    training.load(output / STATE)

    def loss_of_step(step: int) -> Tensor:
        batch = examples.batch(step).to(device)
        noisy = diffusion.add_noise(schedule, batch.slices, batch.noise, batch.t)
        said = model(batch.xrays, batch.coordinates, noisy, batch.t)
        wanted = diffusion.target(schedule, parsed.run.prediction, batch.slices, batch.noise, batch.t)
        return torch.nn.functional.mse_loss(said, wanted)

    fit(training, loss_of_step, output)
    with replacing(output / WEIGHTS) as part:
        save_file({name: value.cpu().contiguous() for name, value in training.average.items()}, part)
    with replacing(output / SETTINGS) as part:
        part.write_text(dump(parsed))


def load(settings: str, run: Path, device: torch.device) -> tuple[DX2CT, Dx2ctSettings]:
    """A trained network, ready to reconstruct."""
    parsed = parse(Dx2ctSettings, settings)
    model = DX2CT(parsed)
    try:
        model.load_state_dict(load_file(run / WEIGHTS))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{run / WEIGHTS}: not the weights of these settings ({str(error).splitlines()[0]})") from None
    return model.to(device).eval(), parsed


@torch.inference_mode()
def reconstruct(
    settings: str, run: Path, how: ReconstructSettings, scan: str, data: Path, device: torch.device
) -> dict[str, NDArray[np.float32]]:
    """Every slice of every plane by DDIM from one noise image that all slices share."""
    model, parsed = load(settings, run, device)
    xrays = torch.from_numpy(read_xrays(data, scan, parsed.run.views, parsed.model.xray_pixels))[None].to(device)
    size = parsed.slices.size
    noise = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(how.seed)).to(device)
    schedule = diffusion.linear_schedule(parsed.diffusion)
    generator = torch.Generator().manual_seed(how.seed + 1)
    coordinates = plane_coordinates(size).to(device)
    bar = tqdm(total=len(PLANES) * size, desc=scan, unit="slice", disable=None)
    volumes = {}
    for plane, plane_map in zip(PLANES, coordinates, strict=True):
        stack = []
        for chunk in plane_map.split(how.batch):
            maps = model.conditions(xrays, chunk[None])
            start = noise.expand(len(chunk), -1, -1, -1)
            clean = diffusion.ddim(
                schedule,
                parsed.run.prediction,
                partial(model.denoise, maps=maps),
                start,
                how.steps,
                how.eta,
                generator,
            )
            stack.append(clean[:, 0].cpu().numpy())
            bar.update(len(chunk))
        volumes[plane] = to_hu(from_plane(np.concatenate(stack), plane))
    bar.close()
    return volumes
