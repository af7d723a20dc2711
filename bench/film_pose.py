"""How well films are judged: simulated films of CTs in looks that nothing was trained on, and real films.

    python -m bench.film_pose DATA [--weights FILE] [--only SCAN ...] [--films 40]

DATA: the test data, with `ct` and `xray`. Every film is given as it is and in each of seven ways that it must not lie;
printed is how often predict says the right thing, and of films as they should be how often it says nothing. Real films
of even and of odd number are apart: what is chosen on one half is told by the other. Minutes on one core.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
import typer

from drr.film import draw_look, HELD_OUT, simulate
from drr.geometry import ConeBeam
from drr.volume import Volume
from dx2ct.predict.border import without_border
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.pose import network
from dx2ct.predict.pose.patients import copies, GRID, scan
from dx2ct.predict.pose.told import doubts
from dx2ct.predict.read import read_xray
from dx2ct.predict.turn import MIRRORED, QUARTERS, Turn
from dx2ct.predict.xray import Xray

Film = NDArray[np.float32]
FACE_RIGHT = (2, 3, 4, 5, 6, 7, 11)  # of the real lateral films, looked at
AS_IT_IS = "as it is"
WRONG: dict[str, tuple[Turn, bool, str]] = {  # what is done to a film, whether it is inverted, the cure
    "upside down": (QUARTERS[2], False, "--rotate {view}:180"),
    "a quarter turn clockwise": (QUARTERS[1], False, "--rotate {view}:270"),
    "a quarter turn counterclockwise": (QUARTERS[3], False, "--rotate {view}:90"),
    "mirrored": (MIRRORED, False, "--flip {view}"),
    "upside down and mirrored": (QUARTERS[2].then(MIRRORED), False, "--rotate {view}:180 --flip {view}"),
    "negative": (QUARTERS[0], True, "--invert {view}"),
}


def told(view: str, film: Film) -> list[str]:
    """What predict says of a film, bone bright."""
    xray = without_border(view, Xray(film, "film", "film"), Framing())
    return doubts(view, network.judged(oriented(xray, Framing())), Framing())


def answers(view: str, film: Film) -> dict[str, bool]:
    """By what is done to a film: whether the right thing is said of it, and of a film as it is nothing."""
    found = {AS_IT_IS: not told(view, film)}
    for name, (turn, negative, cure) in WRONG.items():
        said = told(view, np.ascontiguousarray(turn.of(-film if negative else film)))
        found[name] = any(line.endswith(cure.format(view=view)) for line in said)
    other = "lateral" if view == "pa" else "pa"
    found["given as the other view"] = any(f"give it as --{view}" in line for line in told(other, film))
    return found


def real(folder: Path) -> Iterator[tuple[str, bool, Film]]:
    """View, whether its number is odd, and the film as its view must lie."""
    for path in sorted(folder.glob("*.png")):
        view, _, number = path.stem.partition("_")
        film = read_xray(path).pixels
        faces_right = view == "lateral" and int(number) in FACE_RIGHT
        yield view, int(number) % 2 == 1, np.ascontiguousarray(film[:, ::-1] if faces_right else film)


def simulated(path: Path, count: int) -> Iterator[tuple[str, Film]]:
    """Films of changed copies of a CT in held-out looks, through beams of a chest film, letters on them."""
    generator = np.random.default_rng(sum(path.name.encode()))
    for number, hu in enumerate(copies(generator, scan(path)[0], count)):
        view = ("pa", "lateral")[number % 2]
        source, behind = generator.uniform(1400, 1800), generator.uniform(120, 250)
        beam = ConeBeam(source, source + behind, tuple(generator.uniform(330, 430, 2)), 256)
        volume = Volume(hu, (GRID.spacing_mm,) * 3, GRID.origin_mm)
        exposure = beam.view(view, (0.0, 0.0, float(generator.uniform(-20, 30))))
        yield view, simulate(volume, exposure, generator, draw_look(generator, HELD_OUT, exposure), threads=1).shown


def show(title: str, rows: list[dict[str, bool]]) -> None:
    """One line."""
    if rows:
        shares = "".join(f"{100 * np.mean([row[name] for row in rows]):9.1f}" for name in rows[0])
        print(f"{title:38}{len(rows):4}{shares}", flush=True)


def main(
    data: Path,
    weights: Annotated[Path | None, typer.Option()] = None,
    only: Annotated[list[str] | None, typer.Option()] = None,
    films: int = 40,
) -> None:
    """Print percent of each case."""
    if weights is not None:
        network.network().load_state_dict({name: value.float() for name, value in load_file(weights).items()})
    print(f"{'% right':38}{'n':>4}   " + "; ".join([AS_IT_IS, *WRONG, "given as the other view"]))
    found = [(view, odd, answers(view, film)) for view, odd, film in real(data / "xray")]
    for view in ("pa", "lateral"):
        for name, odd in (("even", False), ("odd", True)):
            show(f"real {view}, {name}", [row for one, is_odd, row in found if (one, is_odd) == (view, odd)])
    for path in sorted((data / "ct").glob("*.*")):
        name = path.name.partition(".")[0]
        if path.suffix == ".md" or (only and name not in only):
            continue
        rows = [(view, answers(view, film)) for view, film in simulated(path, films)]
        for view in ("pa", "lateral"):
            show(f"{name}, {view}", [row for one, row in rows if one == view])


if __name__ == "__main__":
    typer.run(main)
