"""A finished run as a small model to hand out: half the bytes, the same settings, its card."""

from pathlib import Path
import shutil

from safetensors.torch import load_file, save
import torch

from drr.errors import InputError
from drr.files import replacing
from dx2ct import layout
from dx2ct.methods.saved import read_metadata
from dx2ct.scoring.agreement import moved_agreement
from dx2ct.scoring.deviation import moved_scale

MOST_MB = 25
_NOTE = "\nThe weights were rounded to half precision (float16) to be handed out; they are used in float32.\n"


def publish(run: Path, output: Path, attribution: Path | None = None) -> int:
    """Write weights as float16, settings, how it samples, what is known of its deviation and agreement, and the card.

    attribution: a text whose words the card ends with, as the licences of the training scans ask for it. Returns the
    bytes of the weights.

    Raises InputError for a run without weights or card, for weights that float16 cannot hold, and for more than
    MOST_MB, which is no small model.
    """
    for path in (layout.weights(run), layout.settings(run), layout.model_card(run)):
        if not path.is_file():
            raise InputError(f"{path}: missing: publish a finished run, whose card training and scoring write")
    weights = {name: _halved(run, name, value) for name, value in load_file(layout.weights(run)).items()}
    size = sum(value.nbytes for value in weights.values())
    if size > MOST_MB * 2**20:
        raise InputError(f"{run}: {size / 2**20:.0f} MB in half precision, a small model has at most {MOST_MB}")
    card = layout.model_card(run).read_text(encoding="utf-8") + _NOTE + _attributed(attribution)
    with replacing(output) as part:
        part.mkdir()
        layout.weights(part).write_bytes(save(weights, read_metadata(run)))
        shutil.copyfile(layout.settings(run), layout.settings(part))
        if layout.sampling(run).is_file():
            shutil.copyfile(layout.sampling(run), layout.sampling(part))
        moved_scale(run, part)
        moved_agreement(run, part)
        layout.model_card(part).write_text(card, encoding="utf-8")
    return size


def _attributed(text: Path | None) -> str:
    if text is None:
        return ""
    try:
        return f"\n## Attribution\n\n{text.read_text(encoding='utf-8').strip()}\n"
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{text}: attribution cannot be read ({error}): name a text file") from None


def _halved(run: Path, name: str, value: torch.Tensor) -> torch.Tensor:
    if not value.is_floating_point():
        return value
    half = value.to(torch.float16)
    if not torch.isfinite(half).all():
        raise InputError(f"{layout.weights(run)}: {name} has values that half precision cannot hold")
    return half
