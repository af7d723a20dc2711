"""RUN/deviation_scale.json: how much wider a run's errors are than the deviation of its samples.

Samples of one network share its mistakes, so their deviation is too small. The calibrated one is
sqrt((scale * deviation)^2 + floor^2). Both numbers are learnt on scans that the weights were not fitted to, as sigma
scaling does (Laves et al. 2020, Well-Calibrated Regression Uncertainty in Medical Imaging with Deep Learning). They
are chosen for coverage, by a quantile, as in split conformal prediction (Lei et al. 2018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
import json
from math import erf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from drr.errors import InputError
from drr.files import replacing
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.config import parse, plain, SamplingOptions
from dx2ct.config.keys import Fraction, NotNegative, STRICT
from dx2ct.data.scans import read_stack
from dx2ct.methods.saved import weights_digest
from dx2ct.metrics import body_mask

ONE, TWO = erf(1 / sqrt(2)), erf(sqrt(2))  # shares of a normal distribution within one and two deviations
# Volumes hold whole HU. No deviation is believed to be smaller than that of rounding, so that none is 0.
ROUNDING_HU = 1 / sqrt(12)
VOXELS = 20_000  # a scan at most: as many of each, so that a large patient counts no more than a small one
BINS = 10  # of equally many voxels, by their deviation: each should be covered alike
FLOORS = np.linspace(0, 0.95, 20)  # shares of the floor that covers as many errors alone, where the scale is 0
Array = NDArray[Any]


@dataclass(frozen=True, config=STRICT)
class Coverage:
    """Shares of voxels whose absolute error is within one and within two deviations; means over scans."""

    one: Fraction
    two: Fraction


@dataclass(frozen=True, config=STRICT)
class DeviationScale:
    """The factor with its floor in HU, and what they rest on.

    samples: coverage of the unscaled deviation. held_out: of the scaled one, each scan by what all others teach; None
    for a single scan. scans: those that it was learnt on. sampling: how they were reconstructed. weights_sha256: of
    the weights that it belongs to.
    """

    scale: NotNegative
    floor_hu: NotNegative
    samples: Coverage
    held_out: Coverage | None
    scans: list[str]
    sampling: SamplingOptions
    weights_sha256: str

    def applied(self, deviation: Array) -> Array:
        """The calibrated deviation of one of samples, HU; same shape and type."""
        return _applied(deviation, self.scale, self.floor_hu)

    def fits(self, options: SamplingOptions) -> bool:
        """True for the sampling that it was learnt with; seed and batch do not matter."""
        return replace(options, seed=0, batch=1) == replace(self.sampling, seed=0, batch=1)


def learn(
    scans: Mapping[str, tuple[Array, Array]], sampling: SamplingOptions, weights_sha256: str = ""
) -> DeviationScale:
    """The scale of scans by name: deviation and error of their voxels, (voxel,) HU each. InputError for no scan."""
    if not scans:
        raise InputError("the deviation is not calibrated: no validation scan to learn its scale on")
    pairs = [_thinned(*pair) for pair in scans.values()]
    held_out = None
    if len(pairs) > 1:
        others = [_learnt([*pairs[:number], *pairs[number + 1 :]]) for number in range(len(pairs))]
        held_out = _mean(
            [coverage(_applied(pair[0], *found), pair[1]) for pair, found in zip(pairs, others, strict=True)]
        )
    before = _mean([coverage(*pair) for pair in scans.values()])
    return DeviationScale(*_learnt(pairs), before, held_out, list(scans), sampling, weights_sha256)


def learn_scale(run: Path, scans: Sequence[str], sampling: SamplingOptions, data: Path, output: Path) -> None:
    """Write the scale of a run, learnt on scans of its validation split that were reconstructed with `sampling`.

    Raises InputError for no scan, and for one without a deviation.
    """
    found = {scan: body_errors(run, scan, data) for scan in scans}
    write_scale(learn(found, sampling, weights_digest(run)), output)


def coverage(deviation: Array, error: Array) -> Coverage:
    """Of voxels, (voxel,) HU each."""
    absolute = np.abs(error)
    return Coverage(float(np.mean(absolute <= deviation)), float(np.mean(absolute <= 2 * deviation)))


def body_errors(run: Path, scan: str, data: Path) -> tuple[Array, Array]:
    """Deviation of the samples and error of their mean in the patient's body, (voxel,) float32 HU each.

    Raises InputError for a scan without a deviation: the run was reconstructed with one sample.
    """
    truth = np.asarray(read_stack(data, scan, "axial"))
    mean, deviation = (
        _read(path, truth.shape) for path in (layout.reconstruction(run, scan), layout.deviation(run, scan))
    )
    body = body_mask(truth)
    return deviation[body], mean.astype(np.float32)[body] - truth[body]


def read_scale(path: Path) -> DeviationScale:
    """The scale of a file; InputError for one that cannot be read."""
    try:
        return parse(DeviationScale, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{path}: {error}: delete it, or run the deviation_scale stage again") from None


def write_scale(scale: DeviationScale, path: Path) -> None:
    """Write it as JSON."""
    with replacing(path) as part:
        part.write_text(json.dumps(plain(scale), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def kept_scale(run: Path) -> DeviationScale | None:
    """The scale in a run's folder; None where there is none, or one of weights that were trained before."""
    path = layout.deviation_scale(run)
    scale = read_scale(path) if path.is_file() else None
    return scale if scale and scale.weights_sha256 == weights_digest(run) else None


def moved_scale(run: Path, output: Path) -> None:
    """Write a run's scale into the folder `output`, for the weights that lie there; nothing where there is none."""
    if (scale := kept_scale(run)) is not None:
        write_scale(replace(scale, weights_sha256=weights_digest(output)), layout.deviation_scale(output))


def _applied(deviation: Array, scale: float, floor_hu: float) -> Array:
    return np.asarray(np.hypot(scale * np.maximum(deviation, ROUNDING_HU), floor_hu), dtype=deviation.dtype)


def _learnt(pairs: Sequence[tuple[Array, Array]]) -> tuple[float, float]:
    """Scale and floor in HU.

    For every floor the scale is the one that brings as many errors within one deviation as a normal distribution has
    there: coverage is what a reader takes a deviation for. Maximum likelihood (Laves et al.) takes a root mean square
    of the same ratios, and few voxels at borders of organs, with errors of many deviations, would rule it. Of the
    floors that one is kept with which small and large deviations are covered most alike. Without any, voxels in which
    all samples agree would be trusted too much, the others too little.
    """
    deviation = np.concatenate([pair[0] for pair in pairs]).astype(np.float64)
    order = np.argsort(deviation, kind="stable")
    stated = np.maximum(deviation[order], ROUNDING_HU) ** 2
    found = np.concatenate([pair[1] for pair in pairs]).astype(np.float64)[order] ** 2
    alone = np.quantile(found, ONE)
    best, learnt = np.inf, (0.0, 0.0)
    for floor in FLOORS**2 * alone:
        scale = np.quantile((found - floor) / stated, ONE)
        covered = [part.mean() for part in np.array_split(found <= scale * stated + floor, BINS)]
        if (unlike := float(np.mean((np.array(covered) - ONE) ** 2))) < best:
            best, learnt = unlike, (float(np.sqrt(scale)), float(np.sqrt(floor)))
    return learnt


def _mean(found: Sequence[Coverage]) -> Coverage:
    return Coverage(float(np.mean([each.one for each in found])), float(np.mean([each.two for each in found])))


def _thinned(deviation: Array, error: Array) -> tuple[Array, Array]:
    chosen = np.linspace(0, len(error) - 1, min(len(error), VOXELS)).astype(int)
    return deviation[chosen], error[chosen]


def _read(path: Path, shape: tuple[int, ...]) -> Array:
    if not path.exists():
        raise InputError(f"{path}: missing: reconstruct the run with reconstruct.samples of 2 or more")
    array = read_volume(path).array
    if array.shape != shape:
        raise InputError(f"{path}: shape {array.shape} is not the truth's {shape}: run reconstruct and slices again")
    return array
