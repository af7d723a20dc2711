"""Contact sheets of films as predict reads them: look at all of them.

    python -m bench.film_sheet OUTPUT [FILM ...] [--each 12]

Without films, those of the test data ($DX2CT_REAL_DATA/xray, by default ../shared/data): sheets of them are patients'
and stay outside of the repository. Of each film the file as it is, what is standardised and shown to a network in the
geometry `x2ct`, and below it what was found: view, turn, side, polarity, lungs, field and scale, and every warning.
A film's view is the first word of its name, pa or lateral. OUTPUT: a folder, which gets sheet_1.png, and found.tsv.
"""

from collections.abc import Sequence
import os
from pathlib import Path
import textwrap
from typing import Annotated

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
import numpy as np
import typer

from drr.geometry import PRESETS
from drr.progress import each
from dx2ct.predict.border import without_border
from dx2ct.predict.detector import field_mm
from dx2ct.predict.framing import Framing, oriented
from dx2ct.predict.placed import exposure_of, placed
from dx2ct.predict.pose.network import judged, Pose
from dx2ct.predict.pose.told import doubts, lungs_mm, size_doubts
from dx2ct.predict.read import read_xray
from dx2ct.predict.view import turned_for

PIXELS, COLUMNS = 128, 4


def real_films() -> list[Path]:
    """Those of the test data."""
    folder = Path(os.environ.get("DX2CT_REAL_DATA", "../shared/data")) / "xray"
    return sorted(folder.glob("*.png"), key=lambda path: (not path.name.startswith("pa"), path.name))


def read(path: Path) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """Of a film the file's grey values, what a network sees, numbers that were found, and warnings."""
    view = path.stem.partition("_")[0]
    xray = without_border(view, turned_for(view, read_xray(path)), how := Framing())
    image = oriented(xray, how)
    pose = judged(image)
    training = PRESETS["x2ct"].with_pixels(PIXELS).view(view, (0.0, 0.0, 0.0))
    seen, place, _, _ = placed(view, image, xray, how, training, PIXELS)
    height, width = field_mm(exposure_of(xray, how, training, place))
    lungs = lungs_mm(view, pose, height)
    warnings = [*doubts(view, pose, how), *size_doubts(view, lungs, place.guessed)]
    steps = [str(step).split(":")[0] for step in xray.facts.get("steps", [])]  # type: ignore[attr-defined]
    scale = "guessed" if place.guessed else place.spacing_from
    size = f"{width:.0f} x {height:.0f} mm ({scale}), lungs {'?' if lungs is None else f'{lungs:.0f}'} mm"
    return xray.pixels, seen, [path.stem, *_pose(view, pose), size, *steps], warnings


def _pose(view: str, pose: Pose) -> list[str]:
    shown = max(pose.views, key=lambda name: pose.views[name])
    turn = 90 * int(np.argmax(pose.up))
    side = pose.mirrored[view]
    return [
        f"{shown} {100 * pose.views[shown]:.0f}, turn {turn} {100 * max(pose.up):.0f}",
        f"mirrored {100 * side:.0f}, negative {100 * pose.negative:.0f}",
    ]


def sheet(films: Sequence[tuple[np.ndarray, np.ndarray, list[str], list[str]]], path: Path) -> None:
    """Two pictures of each film side by side, what was found below; films with a warning in red."""
    rows = -(-len(films) // COLUMNS)
    figure = Figure(figsize=(5.2 * COLUMNS, 3.6 * rows), layout="constrained")
    grid = figure.subplots(rows, 2 * COLUMNS, squeeze=False).reshape(-1, 2)
    for pair in grid:
        for axes in pair:
            axes.set_axis_off()
    for pair, (stored, seen, found, warnings) in zip(grid, films, strict=False):
        for axes, image in zip(pair, (stored, seen), strict=True):
            axes.imshow(image, cmap="gray")
        words = [" | ".join(found[:3]), *textwrap.wrap(" | ".join(found[3:]), 84)]
        words += [line for text in warnings for line in textwrap.wrap(text, 84)]
        colour = "red" if warnings else "black"
        pair[0].set_title("\n".join(words), fontsize=7, loc="left", color=colour)
    figure.suptitle("Films as predict reads them. Research use only. Not a medical device.", fontsize=9)
    FigureCanvasAgg(figure).print_figure(str(path), dpi=75)


def main(
    output: Path,
    films: Annotated[list[Path] | None, typer.Argument()] = None,
    number: Annotated[int, typer.Option("--each")] = 12,
) -> None:
    """Write the sheets and the table, and print the warnings."""
    output.mkdir(parents=True, exist_ok=True)
    paths = films or real_films()
    found = [read(path) for path in each(paths, "films", "film")]
    for start in range(0, len(found), number):
        sheet(found[start : start + number], output / f"sheet_{start // number + 1}.png")
    lines = ["\t".join([*words[:4], "; ".join(words[4:]), "; ".join(warnings)]) for _, _, words, warnings in found]
    (output / "found.tsv").write_text("film\tview\tside\tsize\tsteps\twarnings\n" + "\n".join(lines) + "\n")
    for _, _, words, warnings in found:
        for warning in warnings:
            print(f"{words[0]}: {warning}")


if __name__ == "__main__":
    typer.run(main)
