"""Command line of the ray-caster: `drr render CT -o FOLDER` and `drr info CT`, or `python -m drr ...`."""

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import sys
from typing import Any

import shtab

from drr.border import one_line_errors, show_tracebacks
from drr.errors import InputError
from drr.progress import be_quiet
from drr.version import installed

INTERRUPTED = 130  # 128 and the number of SIGINT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0, or 1 after one line on standard error; 130 where Ctrl-C ended it, as shells have it."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    if options.verbose:
        show_tracebacks()
    if options.silent:
        be_quiet()
    try:
        with one_line_errors(words):
            options.run(options)
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _render(options: argparse.Namespace) -> None:
    from dataclasses import replace

    import numpy as np

    from drr import attenuation, read_ct, render
    from drr.ct.limits import MIN_CHEST_MM
    from drr.ct.sources import note
    from drr.progress import each

    model, beam = attenuation.named(options.attenuation), _beam(options)
    _views(options, beam, (0.0, 0.0, 0.0))  # an unknown name is refused before the CT is read
    volume = read_ct(options.ct)
    if max(volume.extent_mm) < MIN_CHEST_MM:
        box = " x ".join(f"{length:.4g}" for length in volume.extent_mm)
        note(f"{options.ct}: its box is {box} mm, a chest's sides are {MIN_CHEST_MM:g} mm at least: is it in cm?")
    isocentre = tuple(options.isocentre) if options.isocentre else volume.centre_mm
    views = _views(options, beam, isocentre)
    voxels, model = model.prepare(volume.array)  # once for all views
    volume = replace(volume, array=voxels)
    images = np.concatenate(
        [
            render(volume, [view], options.backend, options.method, model, options.threads)
            for view in each(list(views.values()), "render", "view", hidden=options.quiet)
        ]
    )
    for name, image in zip(views, images, strict=True):
        if not image.any():
            note(f"{options.ct}: view {name} is empty, no ray of it meets the CT: see --isocentre and the distances")
    if options.photons is not None:
        images = attenuation.with_noise(images, options.photons, options.seed)
    for name, image in zip(views, images, strict=True):
        _write(image, beam.pixel_mm, options.output / name, options.png)
    if options.json:
        described = {name: _described(view, options.output / f"{name}.mha") for name, view in views.items()}
        print(json.dumps({"ct": str(options.ct), "isocentre_mm": isocentre, "views": described}))


def _views(options: argparse.Namespace, beam: Any, isocentre_mm: Any) -> dict[str, Any]:
    from drr.geometry import PROTOCOL_VIEWS

    names = options.view if options.view or options.gantry else list(PROTOCOL_VIEWS)
    views = {name: beam.view(name, isocentre_mm) for name in names or []}
    return views | {_label(gantry, tilt): beam.rotated(gantry, tilt, isocentre_mm) for gantry, tilt in options.gantry}


def _write(image: Any, pixel_mm: tuple[float, float], stem: Path, png: bool) -> None:
    from drr.image import grey_levels, write_image

    write_image(image, pixel_mm, stem.with_name(f"{stem.name}.mha"))
    if png:
        write_image(grey_levels(image), pixel_mm, stem.with_name(f"{stem.name}.png"))


def _info(options: argparse.Namespace) -> None:
    from drr.ct.read import read_ct

    volume = read_ct(options.ct)
    array = volume.array
    facts = {
        "ct": str(options.ct),
        "voxels_xyz": array.shape[::-1],
        "spacing_mm": volume.spacing_mm,
        "extent_mm": [round(length, 3) for length in volume.extent_mm],
        "origin_mm": volume.origin_mm,
        "centre_mm": volume.centre_mm,
        "direction": volume.direction,
        "hu": [int(array.min()), int(array.max())],
    }
    if options.json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name:12} {value if isinstance(value, str) else ' '.join(f'{v:g}' for v in value)}")


def _beam(options: argparse.Namespace) -> Any:
    from dataclasses import replace

    from drr.geometry import preset

    beam = preset(options.preset)
    given = {
        "source_isocentre_mm": options.source_isocentre,
        "source_detector_mm": options.source_detector,
        "detector_mm": _one_or_two(options.detector),
        "pixels": _one_or_two(options.pixels),
    }
    return replace(beam, **{name: value for name, value in given.items() if value is not None})


def _one_or_two(values: list[Any] | None) -> Any:
    if values is not None and len(values) > 2:
        raise InputError(f"{' '.join(map(str, values))}: give one number, or height and width")
    return None if values is None else values[0] if len(values) == 1 else tuple(values)


def _described(view: Any, path: Path) -> dict[str, Any]:
    return {"file": str(path), "source_mm": view.source_mm, "projection_matrix": view.projection_matrix().tolist()}


def _label(gantry: float, tilt: float) -> str:
    return f"gantry{gantry:g}" + (f"_tilt{tilt:g}" if tilt else "")


def _angles(text: str) -> tuple[float, float]:
    gantry, _, tilt = text.partition(":")
    try:
        return float(gantry), float(tilt or 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no angle in degrees, nor ANGLE:TILT") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="drr", description="Digitally reconstructed radiographs. For research only.")
    shtab.add_argument_to(parser, "--print-completion", help="the shell's completion of this command; then source it")
    parser.add_argument("--version", action="version", version=installed("drr"))
    parser.add_argument("-v", "--verbose", action="store_true", help="say where an error came from")
    parser.add_argument("-q", "--quiet", action="store_true", dest="silent", help="no progress bars, no notes")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    render = commands.add_parser("render", help="write the DRRs of a CT")
    render.set_defaults(run=_render)
    add = render.add_argument
    add("ct", type=Path, help="NIfTI, MHA, NRRD, or a DICOM folder or zip")
    add("-o", "--output", type=Path, required=True, help="folder for VIEW.mha (line integrals, float32)")
    add(
        "--view",
        nargs="*",
        default=None,
        help="pa, ap, lateral, left_lateral, right_lateral (default: pa lateral, without --gantry)",
    )
    add(
        "--gantry",
        nargs="*",
        type=_angles,
        default=[],
        metavar="DEG[:TILT]",
        help="gantry angles, IEC 61217, seen from the source",
    )
    add("--preset", default="x2ct", help="x2ct, perx2ct or chest_film; the next four change it")
    add("--source-isocentre", type=float, metavar="MM", help="distance of the source to the isocentre")
    add("--source-detector", type=float, metavar="MM", help="distance of the source to the detector")
    add("--detector", type=float, nargs="+", metavar="MM", help="side, or height and width")
    add("--pixels", type=int, nargs="+", metavar="N", help="a side, or rows and columns")
    add("--isocentre", type=float, nargs=3, metavar=("X", "Y", "Z"), help="LPS mm (default: centre of the CT)")
    add("--attenuation", default="plastimatch", help="plastimatch, water[:KEV] or mixture[:KEV]")
    add("--method", default="siddon", help="siddon (exact), joseph, plastimatch (exact, as that program writes it)")
    add("--photons", type=float, metavar="N", help="Poisson noise of N photons a pixel before the patient")
    add("--seed", type=int, default=0, help="of the noise")
    add("--png", action="store_true", help="also VIEW.png, 16-bit grey, bone bright")
    add("--backend", default="auto", help="auto, numpy, cpu or cuda")
    add("--threads", type=int, default=0, help="CPU threads, 0 = all")
    add("--quiet", action="store_true", help="no progress bar")
    info = commands.add_parser("info", help="size, place and values of a CT")
    info.set_defaults(run=_info)
    info.add_argument("ct", type=Path)
    for command in (render, info):
        command.add_argument("--json", action="store_true", help="one line of JSON on standard output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
