"""Training of a view's CycleGAN by the loop of all networks: it resumes exactly, from its last state."""

from collections.abc import Sequence
from hashlib import sha256
import json
from pathlib import Path
from typing import cast

from torch import nn

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import plain
from dx2ct.config.style import StyleRunSettings
from dx2ct.style.examples import Pairs, read_films, Synthetic
from dx2ct.style.losses import StepLosses
from dx2ct.style.network import Discriminators, Generators, seeded
from dx2ct.style.run import FilmsOf, write_style
from dx2ct.training.engine import autocast_of, on_device
from dx2ct.training.loop import fit
from dx2ct.training.loop import StepLosses as Losses
from dx2ct.training.resume import sweep
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import Training


def train_style(settings: StyleRunSettings, scans: Sequence[str], data: Path, output: Path, runtime: Runtime) -> None:
    """Train on X-rays of prepared scans and on the films of data/films, and leave a finished run in `output`.

    Its last state stays: the same command goes on from it. Raises InputError without scans or films.
    """
    if not scans:
        raise InputError("the cohort has no scan of split train")
    films = read_films(data, settings.view, settings.pixels)
    pairs = Pairs(settings, Synthetic(settings, scans, data), films)
    generators, discriminators = networks(settings)
    discriminators.to(runtime.device)
    for network in (*generators.children(), discriminators.film, discriminators.synthetic):
        on_device(network, runtime.device, runtime.engine)
    losses = StepLosses(
        generators, discriminators, settings.train, autocast_of(settings.train.precision, runtime.device)
    )

    def of_step(step: int) -> Losses:
        synthetic, film = (images.to(runtime.device) for images in pairs.batch(step))
        return losses.of(step, synthetic, film)

    identity = json.dumps({"settings": plain(settings), "data": _fingerprint(settings, scans, data)}, sort_keys=True)
    training = Training(generators, settings.train.steps_settings, identity, discriminator=discriminators)
    sweep(output)
    training.load(output)
    fit(training, of_step, output, runtime.device, engine=runtime.engine)
    trained = FilmsOf(len(films.parts["train"]), len(films.parts["held_out"]))
    write_style(training.average, settings, trained, output)


def networks(settings: StyleRunSettings) -> tuple[Generators, Discriminators]:
    """New ones, their weights drawn by the seed."""
    model, train, pixels = settings.model, settings.train, settings.pixels

    def both() -> nn.Module:
        return nn.ModuleList([Generators(model), Discriminators(model, train, pixels)])

    found = cast(nn.ModuleList, seeded(both, train.seed))
    return cast(Generators, found[0]), cast(Discriminators, found[1])


def _fingerprint(settings: StyleRunSettings, scans: Sequence[str], data: Path) -> str:
    """The scans and the state of all files: a training must not be resumed on other data of the same names."""
    files = [layout.films(data, settings.view), layout.films_table(data, settings.view)]
    files += [layout.xray(data, scan, settings.view) for scan in scans]
    files += [layout.volume(data, scan) for scan in scans] if settings.train.copies else []
    stats = [(str(path.relative_to(data)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return sha256(repr((list(scans), stats)).encode()).hexdigest()
