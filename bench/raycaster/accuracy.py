"""Our images against the plain float64 reference, and against plastimatch's own files."""

from dataclasses import replace
from typing import Any

import numpy as np
from skimage.registration import phase_cross_correlation

from bench.raycaster.common import Bench, own_view, random_volume, relative, table, VIEWS
from bench.raycaster.speed import load, Peer, write_setup
from drr.caster import render
from drr.geometry import PRESETS, View
from drr.volume import Volume

EVERY = 16
RANDOM_VIEWS = 30


def run(bench: Bench) -> None:
    print(f"Relative L2 error of the compiled path; the reference renders every {EVERY}th row of the detector.\n")
    volumes = {"the CT": bench.volume, "random HU, 160 cubed": random_volume(160)}
    table(["volume", "PA", "lateral", f"{RANDOM_VIEWS} random angles: max"], [_row(bench, *v) for v in volumes.items()])
    if bench.peers:
        print("\nAgainst the files of plastimatch, exact:\n")
        _plastimatch(bench)


def _row(bench: Bench, what: str, volume: Volume) -> list[str]:
    draw, iso = np.random.default_rng(1), volume.centre_mm
    views = [own_view(name, iso) for name in ("PA", "lateral")]
    angles = draw.uniform((0, -40), (360, 40), (RANDOM_VIEWS, 2))
    views += [PRESETS["x2ct"].rotated(gantry, tilt, iso) for gantry, tilt in angles]
    truth = render(volume, [_sparse(view) for view in views], "numpy")
    images = render(volume, views, "cpu", threads=bench.threads)
    errors = [relative(image[::EVERY], exact) for image, exact in zip(images, truth, strict=True)]
    return [what, f"{errors[0]:.1e}", f"{errors[1]:.1e}", f"{max(errors[2:]):.1e}"]


def _sparse(view: View) -> View:
    """Rows 0, EVERY, 2 EVERY ... of a view."""
    x, y, z = (EVERY * step for step in view.row_step_mm)
    return replace(view, row_step_mm=(x, y, z), rows=-(-view.rows // EVERY))


def _plastimatch(bench: Bench) -> None:
    write_setup(bench)
    rows = []
    with Peer(bench, "plastimatch") as peer:
        if "missing" in (answer := peer.answer()):
            print(f"left out: {answer['missing']}")
            return
        for name in VIEWS:
            peer.ask(name)
            rows.append(
                [name, *_distances(bench, own_view(name, bench.volume.centre_mm), load(bench, "plastimatch", name))]
            )
    table(["view", "method siddon", "method plastimatch", "shift in pixels (row, column)"], rows)


def _distances(bench: Bench, view: View, theirs: Any) -> list[str]:
    exact = render(bench.volume, [view], "cpu", threads=bench.threads)[0]
    same = 10 * render(bench.volume, [view], "cpu", "plastimatch", threads=bench.threads)[0]
    shift, _, _ = phase_cross_correlation(theirs, exact, upsample_factor=100)
    return [f"{relative(exact, theirs):.1e}", f"{relative(same, theirs):.1e}", "{:.2f} {:.2f}".format(*shift)]
