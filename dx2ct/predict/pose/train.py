"""Train the network that judges how films lie: minutes on one core, the same weights every time.

    python -m dx2ct.predict.pose.train FOLDER [-o weights.safetensors] [--seed 0]

FOLDER holds the scans of SCANS. No real film is looked at, and other scans of the test data are left for trying it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, smooth_l1_loss
import typer

from drr.errors import InputError
from drr.files import replacing
from drr.progress import each
from dx2ct.predict.pose.looks import framed, looked
from dx2ct.predict.pose.network import PoseNetwork, standardised, TURNS, VIEWS, WEIGHTS
from dx2ct.predict.pose.others import other
from dx2ct.predict.pose.patients import BEAMS, copies, Exposed, exposed, phantom, scan
from dx2ct.predict.turn import AS_IT_IS, MIRRORED

# File names without suffixes, and their licences (NOTICE has the attributions).
SCANS = {
    "LIDC-IDRI-0001": "CC BY 3.0",
    "LIDC-IDRI-0002-2mm": "CC BY 3.0",
    "R01-001-2mm": "CC BY 3.0",
    "C3N-00247": "CC BY 4.0",
}
FIRST_SEED = 50_000  # of phantoms
_LUNGS, _POLARITY = 3.0, 0.5  # weights of their losses
Generator = np.random.Generator


@dataclass(frozen=True)
class Cycle:
    """A part of the training, with a rise and a fall of the rate.

    shares: of VIEWS; least: of a field's height; upright: share of the forms that are mirrored at most, not turned, or
    None: all eight alike. films: of a step, each in so many forms; rate: the highest. masses: as in `looked`.
    phantoms, copies: how many, copies of each scan.
    """

    steps: int
    shares: tuple[float, float, float]
    least: float
    upright: float | None
    films: int = 20
    forms: int = 3
    rate: float = 3e-3
    masses: float = 0.0
    phantoms: int = 160
    copies: int = 25


# The side of the heart is hard to see. It needs the second, with more upright PA films and narrower fields, and the two
# after it, of more patients, each film once. The last looks more often at what is no chest.
_SIDES = Cycle(800, (0.7, 0.18, 0.12), 0.52, 0.85, films=48, forms=1, rate=2e-3, masses=0.35, phantoms=300, copies=40)
CYCLES = (
    Cycle(800, (0.42, 0.38, 0.2), 0.62, None),
    Cycle(900, (0.5, 0.32, 0.18), 0.52, 0.6),
    _SIDES,
    replace(_SIDES, shares=(0.74, 0.18, 0.08)),
    replace(_SIDES, shares=(0.66, 0.14, 0.2), steps=1200),
)


@dataclass(frozen=True, eq=False)
class Bank:
    """What films are made of: X-rays of phantoms, of copies by scan, and the scans themselves, HU (z, y, x)."""

    phantoms: list[Exposed]
    copies: list[list[Exposed]]
    volumes: list[NDArray[np.int16]]

    def of(self, cycle: Cycle) -> list[Exposed]:
        """The patients of a cycle."""
        found = self.phantoms[: BEAMS * cycle.phantoms]
        return found + [one for copies in self.copies for one in copies[: BEAMS * cycle.copies]]


def bank(folder: Path, seed: int = 0, cycles: Sequence[Cycle] = CYCLES) -> Bank:
    """Phantoms and copies of the scans in a folder; InputError for a scan of SCANS that is not there."""
    phantoms: list[Exposed] = []
    for number in each(range(max(cycle.phantoms for cycle in cycles)), "phantoms", "phantom"):
        phantoms += exposed(np.random.default_rng([seed, number, 0]), phantom(FIRST_SEED + number))
    volumes, found = [], []
    for number, name in enumerate(each(list(SCANS), "scans", "scan")):
        hu, whole = scan(file_of(folder, name))
        volumes.append(hu)
        generator = np.random.default_rng([seed, number, 1])
        changed = copies(generator, hu, max(cycle.copies for cycle in cycles))
        found.append([one for copy in changed for one in exposed(generator, copy, whole)])
    return Bank(phantoms, found, volumes)


def file_of(folder: Path, name: str) -> Path:
    """A scan of SCANS by its name; InputError where there is none."""
    for suffix in (".zip", ".nii.gz"):
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    raise InputError(f"{folder}: no {name}.zip or .nii.gz: it is one of the scans that the network learns from")


def batch(generator: Generator, made: Bank, cycle: Cycle) -> dict[str, Tensor]:
    """The films of a step in some of their turns, and what is true of them; lungs are NaN where nobody knows."""
    patients = made.of(cycle)
    rows: list[tuple[NDArray[np.float32], int, int, int, NDArray[np.float32]]] = []
    for _ in range(cycle.films):
        view = int(generator.choice(len(VIEWS), p=cycle.shares))
        lungs = np.full(2, np.nan, np.float32)
        if VIEWS[view] == "other":
            small = standardised(other(generator, made.volumes))
        else:
            one = patients[int(generator.integers(len(patients)))]
            field, lungs = framed(generator, getattr(one, VIEWS[view]), one.lungs, cycle.least)
            small = standardised(looked(generator, field, cycle.masses))
        for _ in range(cycle.forms):
            number, negative = _turn(generator, cycle.upright), int(generator.integers(2))
            film = TURNS[number].undone.of(small) * (1 - 2 * negative)
            rows.append((np.asarray(film, np.float32), view, number, negative, lungs))
    films, views, turns, negatives, ends = zip(*rows, strict=True)
    return {
        "films": torch.from_numpy(np.stack(films)),
        "view": torch.tensor(views),
        "turn": torch.tensor(turns),
        "polarity": torch.tensor(negatives),
        "lungs": torch.from_numpy(np.stack(ends)),
    }


def _turn(generator: Generator, upright: float | None) -> int:
    """Which of TURNS a film needs: none or the mirror in a share of cases, else any of the other six."""
    if upright is None:
        return int(generator.integers(len(TURNS)))
    if generator.random() < upright:
        return int(generator.choice([TURNS.index(AS_IT_IS), TURNS.index(MIRRORED)]))
    others = [number for number, turn in enumerate(TURNS) if turn not in (AS_IT_IS, MIRRORED)]
    return int(generator.choice(others))


def loss(found: dict[str, Tensor], true: dict[str, Tensor]) -> Tensor:
    """Cross entropies, of turn and polarity over chests, and the error of the lungs' ends where they are known."""
    total = cross_entropy(found["view"], true["view"])
    for number, view in enumerate(VIEWS[:2]):
        here = true["view"] == number
        total = total + here.float().mean() * cross_entropy(found[view][here], true["turn"][here])
    chest, known = true["view"] < 2, torch.isfinite(true["lungs"]).all(dim=1)
    total = total + _POLARITY * cross_entropy(found["polarity"][chest], true["polarity"][chest])
    return total + _LUNGS * smooth_l1_loss(found["lungs"][known], true["lungs"][known], beta=0.05)


def trained(made: Bank, seed: int = 0, cycles: Sequence[Cycle] = CYCLES) -> PoseNetwork:
    """A network that has seen all cycles; on one machine the same every time.

    Each begins with the weights as files keep them, rounded, so that it can be made again by itself.
    """
    torch.manual_seed(seed)
    model = PoseNetwork()
    for number, cycle in enumerate(cycles):
        if number:
            model.load_state_dict({name: value.float() for name, value in kept(model).items()})
            torch.manual_seed(seed + number)
        go_on(model, made, cycle, [seed, 2 + number])
    return model.eval()


def go_on(model: PoseNetwork, made: Bank, cycle: Cycle, seed: list[int]) -> None:
    """Train a network for one cycle."""
    torch.set_num_threads(1)
    generator = np.random.default_rng(seed)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), cycle.rate, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, cycle.rate, cycle.steps, pct_start=0.1)
    for _ in each(range(cycle.steps), "training", "step"):
        true = batch(generator, made, cycle)
        optimizer.zero_grad()
        loss(model(true["films"]), true).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        rate.step()


def kept(model: PoseNetwork) -> dict[str, Tensor]:
    """Its weights as float16."""
    weights: dict[str, Tensor] = model.state_dict()
    return {name: value.half() if value.is_floating_point() else value.clone() for name, value in weights.items()}


def write(model: PoseNetwork, output: Path, seed: int) -> None:
    """As float16, with what they were trained on in the file's header."""
    said = ", ".join(f"{name} ({licence})" for name, licence in SCANS.items())
    phantoms, copied = (max(numbers) for numbers in zip(*((one.phantoms, one.copies) for one in CYCLES), strict=True))
    header = {
        "what": "dx2ct.predict.pose: how a chest film lies",
        "trained_on": f"{phantoms} varied phantoms from seed {FIRST_SEED}; {copied} changed copies each of {said}",
        "made_by": f"python -m dx2ct.predict.pose.train FOLDER --seed {seed}",
        "attribution": "NOTICE of the project",
    }
    with replacing(output) as part:
        part.write_bytes(save(kept(model), header))


def main(folder: Path, output: Annotated[Path, typer.Option("--output", "-o")] = WEIGHTS, seed: int = 0) -> None:
    """Make the patients, train, write."""
    write(trained(bank(folder, seed), seed), output, seed)


if __name__ == "__main__":
    typer.run(main)
