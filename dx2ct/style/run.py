"""A finished style of one view: its files, and what it makes of an X-ray or of a film."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass as section
from safetensors.torch import save
import torch
from torch import nn, Tensor

from drr.errors import InputError
from drr.files import replacing
from dx2ct import layout
from dx2ct.config import parse, plain
from dx2ct.config.keys import Count, STRICT
from dx2ct.config.style import StyleRunSettings
from dx2ct.methods.learned import load_weights
from dx2ct.methods.saved import read_metadata
from dx2ct.style.examples import as_tensor
from dx2ct.style.network import Generators
from dx2ct.training.owner import require_owner

KEY = "films"  # in the header of the weights, beside what the scans were (dx2ct/methods/trained_on.py)
FORMAT = 1


@section(frozen=True, config=STRICT)
class FilmsOf:
    """How many films a style was trained on, and how many were held out; no name of any."""

    trained: Count
    held_out: Count


@dataclass(frozen=True, eq=False, repr=False)
class Style:
    """One view's generators in memory."""

    folder: Path
    settings: StyleRunSettings
    films: FilmsOf
    generators: Generators
    device: torch.device

    def to_film(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """A rendered X-ray in the style of the films; both (row, column) in [0, 1], `pixels` a side."""
        return self._through(self.generators.to_film, image)

    def to_synthetic(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """A film in the style of rendered X-rays; both (row, column) in [0, 1], `pixels` a side."""
        return self._through(self.generators.to_synthetic, image)

    def _through(self, generator: nn.Module, image: NDArray[np.float32]) -> NDArray[np.float32]:
        if image.shape != (self.settings.pixels,) * 2:
            raise InputError(f"{self.folder}: an image of {image.shape}, it translates {self.settings.pixels} a side")
        with torch.inference_mode():
            made = generator(as_tensor([image]).to(self.device))
        return np.asarray((made[0, 0].cpu().numpy() + 1) / 2, np.float32)


def write_style(weights: Mapping[str, Tensor], settings: StyleRunSettings, films: FilmsOf, output: Path) -> None:
    """Leave what makes a style finished: the generators, then settings; InputError where a newer training owns it."""
    values = {name: value.cpu().contiguous() for name, value in weights.items()}
    with replacing(layout.weights(output)) as part:
        part.write_bytes(save(values, {KEY: json.dumps(plain(films), sort_keys=True)}))
        require_owner(output)
    with replacing(layout.settings(output)) as part:
        part.write_text(json.dumps({"format": FORMAT} | plain(settings), sort_keys=True, indent=2) + "\n")
        require_owner(output)


def load_style(folder: Path, device: torch.device) -> Style:
    """A finished style; InputError, naming the file, for anything else."""
    path = layout.settings(folder)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.pop("format", None) != FORMAT:
            raise InputError(f"not of format {FORMAT}: update, or train it again")
        settings = parse(StyleRunSettings, json.dumps(values))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: no trained style here ({reason}): snakemake results/style/VIEW/settings.json"
        ) from None
    except (InputError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: {error}") from None
    generators = Generators(settings.model)
    load_weights(generators, folder)
    films = parse(FilmsOf, read_metadata(folder).get(KEY, '{"trained": 0, "held_out": 0}'))
    return Style(folder, settings, films, generators.to(device).eval(), device)
