"""Stage reconstruct: one prepared scan by a trained run. The disk work stands here, the method sees arrays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from drr.errors import InputError
from dx2ct import layout
from dx2ct.config import SamplingOptions
from dx2ct.data.grid import CubeGrid
from dx2ct.data.scans import read_grid, read_styled, read_xrays
from dx2ct.geometry import Views
from dx2ct.methods.consistency import reconstructed
from dx2ct.methods.contract import Planes
from dx2ct.methods.saved import read_run
from dx2ct.predict.sampling import keep_sampling
from dx2ct.training.resume import forget_finished
from dx2ct.training.runtime import Runtime


def reconstruct_scan(
    scan: str,
    run: Path,
    options: SamplingOptions,
    data: Path,
    runtime: Runtime,
    views: Sequence[str] | None = None,
    fold: str | None = None,
    style: Path | None = None,
) -> None:
    """Write RUN/planes/SCAN/{plane}.nii.gz and their mean, RUN/volumes/SCAN.nii.gz: int16 HU on the training grid.

    Of several samples also their standard deviation, RUN/deviations/SCAN.nii.gz: float32 HU, as it is, because its
    scale is learnt from such files (dx2ct/scoring/deviation.py). Of a run that samples also
    RUN/sampling.json, so that `predict` samples as the workflow does.
    views: some of the run's, of a method that needs no more; None: all of them. fold: of a run with folds, whose
    training has not seen the scan: its weights are in RUN_FOLD. style: the folder of styles whose X-rays are taken
    instead of the rendered ones; InputError where the method needs line integrals.
    The affine places each volume where the scan's cube lies, so it opens aligned with the CT in any viewer.
    """
    training = run.with_name(layout.folded(run.name, fold)) if fold else run
    method, settings = read_run(training)
    trained = method.implement().load(settings, training, runtime).of_scan(scan)
    spec = trained.inputs
    grid = read_grid(data, scan, spec.views.grid.size)
    if style and not spec.radiographs:
        raise InputError(f"{run}: {method.title} needs line integrals, X-rays in the style of films have none")
    names = views or spec.names
    xrays = read_styled(style, scan, names) if style else read_xrays(data, scan, names)
    # X-rays and cube share their centre, so that where the scan lies changes nothing; volumes of one's own lie there.
    planes = reconstructed(trained, settings, xrays, spec.views if spec.names else Views(grid, {}), options)
    require_finite(planes, f"{run}: {scan}")
    if planes.deviation is not None:
        grid.volume(planes.deviation.astype(np.float32)).write(layout.deviation(run, scan))
    for plane, volume in planes.by_name().items():
        _write(grid, volume, layout.reconstruction(run, scan, plane))
    _write(grid, planes.mean, layout.reconstruction(run, scan))
    if spec.samples:
        keep_sampling(options, training)
    forget_finished(training)  # the training is over and used; `snakemake -R train` must begin anew


def require_finite(planes: Planes, name: str) -> None:
    """InputError for a volume with NaN or infinite values."""
    for plane, volume in planes.by_name().items():
        if not np.isfinite(volume).all():
            raise InputError(f"{name}: the {plane} volume is not finite: the training diverged, train it again")


def _write(grid: CubeGrid, hu: np.ndarray, output: Path) -> None:
    grid.volume(np.rint(hu).astype(np.int16)).write(output)
