"""Time of one view beside every peer, pair by pair; and how far the peers' images are from the exact integrals."""

from collections import defaultdict
from contextlib import ExitStack
from functools import partial
import json
import subprocess
from typing import Any

import numpy as np

from bench.raycaster.common import Bench, own_view, relative, ROOT, seconds, spread, table, VIEWS
from drr.attenuation import PLASTIMATCH
from drr.caster import render
from drr.geometry import PRESETS

PEERS = {
    "plastimatch": "plastimatch exact (time it prints)",
    "rtk": "RTK Joseph",
    "itk": "ITK SiddonJacobs",
    "nanodrr": "nanodrr, CPU, 500 samples",
    "diffdrr": "diffdrr Siddon, CPU",
}
SLOW = ("nanodrr", "diffdrr")


class Peer:
    """A process of the peers' environment that renders on request (peers.py), with its start-up behind it."""

    def __init__(self, bench: Bench, name: str):
        command = [str(bench.peers), str(ROOT / "bench/raycaster/peers.py"), name, str(bench.folder)]
        log = (bench.folder / f"{name}.log").open("w")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"missing": "its process ended"}

    def ask(self, view: str) -> float:
        """Seconds of one view; its image is left in the folder."""
        assert self._process.stdin
        self._process.stdin.write(view + "\n")
        self._process.stdin.flush()
        answer = self.answer()
        if "seconds" not in answer:
            raise SystemExit(f"error: {answer}")
        return float(answer["seconds"])

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def run(bench: Bench) -> None:
    if not bench.peers:
        print("left out: no --peers")
        return
    write_setup(bench)
    with ExitStack() as stack:
        peers = {name: stack.enter_context(Peer(bench, name)) for name in bench.only}
        for name, peer in list(peers.items()):
            if "missing" in (answer := peer.answer()):
                print(f"{PEERS[name]} left out: {answer['missing']}\n")
                del peers[name]
        _compare(bench, peers)


def _compare(bench: Bench, peers: dict[str, Peer]) -> None:
    views = {name: own_view(name, bench.volume.centre_mm) for name in VIEWS}
    errors = {}
    ours: dict[str, list[float]] = defaultdict(list)
    theirs: dict[tuple[str, str], list[float]] = defaultdict(list)
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for i in range(bench.rounds + 1):  # the first one warms up, and its images are compared
        for view, geometry in views.items():
            for name, peer in peers.items():
                if i > (bench.slow_rounds if name in SLOW else bench.rounds):
                    continue
                own = seconds(partial(render, bench.volume, [geometry], "cpu", threads=bench.threads))
                other = peer.ask(view)
                if i == 0:
                    image = render(bench.volume, [geometry], "cpu", threads=bench.threads)[0]
                    errors[name, view] = relative(load(bench, name, view), image)
                    continue
                ours[view].append(own)
                theirs[name, view].append(other)
                ratios[name, view].append(other / own)
    head = ["", "view", "ms: min / median / max", "its time / ours: min / median / max", "its relative L2 distance"]
    rows = [["drr siddon", view, spread([1000 * s for s in times], 0), "", ""] for view, times in ours.items()]
    for (name, view), times in theirs.items():
        count = f" ({len(times)} rounds)" if len(times) < bench.rounds else ""
        ms, ratio = spread([1000 * s for s in times], 0), spread(ratios[name, view])
        rows.append([PEERS[name] + count, view, ms, ratio, f"{errors[name, view]:.1e}"])
    table(head, rows)


def load(bench: Bench, name: str, view: str) -> Any:
    """A peer's image of a view as line integrals, laid out as ours."""
    image = np.load(bench.folder / f"{name}_{view}.npy")
    return image[:, ::-1] if VIEWS[view][1] else image


def write_setup(bench: Bench) -> None:
    """The peers' input: attenuation as float32, and every view around an isocentre at 0, as seen from the source."""
    np.save(bench.folder / "mu.npy", PLASTIMATCH(bench.volume.array).astype(np.float32))
    beam = PRESETS["x2ct"]
    views = {}
    for name, (gantry, _) in VIEWS.items():
        view = beam.rotated(gantry, 0, (0.0, 0.0, 0.0))
        views[name] = {"gantry_deg": gantry, "source": view.source_mm, "corner": view.corner_mm}
        views[name] |= {"column_step": view.column_step_mm, "row_step": view.row_step_mm}
    setup = {
        "spacing": bench.volume.spacing_mm,
        "isocentre": bench.volume.centre_mm,
        "sad": beam.source_isocentre_mm,
        "sid": beam.source_detector_mm,
        "side_mm": beam.height_mm,
        "pixels": beam.rows,
        "threads": bench.threads,
        "views": views,
    }
    (bench.folder / "setup.json").write_text(json.dumps(setup))
