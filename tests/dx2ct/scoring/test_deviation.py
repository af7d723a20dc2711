"""The scale of a deviation: it is found again, it covers what it says on other scans, and it is never made up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest

from drr.errors import InputError
from drr.volume import Volume
from dx2ct import layout
from dx2ct.config import SamplingOptions
from dx2ct.scoring.deviation import coverage, kept_scale, learn, learn_scale, moved_scale, read_scale
from tests.fabricate import body, DX2CT, TESTS, write_data, write_reconstructions

SAMPLING = SamplingOptions(steps=5, samples=4)
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def scans(count: int, factor: float, first: int = 0, heavy: bool = False) -> dict[str, Pair]:
    """Scans whose errors are `factor` times as wide as the deviation says; heavy: with tails (Student's t)."""
    found = {}
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        stated = random.uniform(5, 100, 30_000).astype(np.float32)
        noise = random.standard_t(3, 30_000) if heavy else random.normal(0, 1, 30_000)
        # patients differ: an error is a tenth wider or narrower as a whole
        found[f"s{number}"] = (stated, (factor * random.uniform(0.95, 1.05) * stated * noise).astype(np.float32))
    return found


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.8])
def test_the_factor_of_the_errors_is_found_again(factor: float) -> None:
    found = learn(scans(6, factor), SAMPLING)
    assert found.scale == pytest.approx(factor, rel=0.05) and found.floor_hu < 5 * factor
    assert found.scans == [f"s{number}" for number in range(6)]


@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
def test_one_scaled_deviation_covers_what_it_says_on_scans_that_it_never_saw(heavy: bool) -> None:
    """Also where the errors are not normal: it is the coverage that was aimed at."""
    found = learn(scans(4, 2.8, heavy=heavy), SAMPLING)
    for stated, error in scans(8, 2.8, first=100, heavy=heavy).values():
        assert coverage(stated, error).one < 0.35
        assert 0.63 < coverage(found.applied(stated), error).one < 0.73
    assert found.samples.one < 0.35 and found.held_out is not None and 0.63 < found.held_out.one < 0.73


def test_the_floor_of_the_errors_is_found_again() -> None:
    """What all samples miss alike adds to every voxel; without a floor small deviations would cover too little."""
    found = {}
    for scan, (stated, error) in scans(4, 2.0).items():
        same = np.random.default_rng(len(found)).normal(0, 60, len(error)).astype(np.float32)
        found[scan] = (stated, error + same)
    learnt = learn(found, SAMPLING)
    assert learnt.scale == pytest.approx(2, rel=0.1) and learnt.floor_hu == pytest.approx(60, rel=0.15)
    stated, error = found["s0"]
    for small in (stated < 20, stated > 80):
        assert 0.63 < coverage(learnt.applied(stated[small]), error[small]).one < 0.73


def test_a_deviation_of_zero_is_at_least_that_of_whole_hu() -> None:
    stated, error = scans(1, 1.0)["s0"]
    stated = np.where(np.arange(len(stated)) % 2, stated, np.float32(0))
    found = learn({"half": (stated, error)}, SAMPLING)
    assert np.isfinite(found.scale) and found.applied(stated).min() > 20, "errors there are 5 to 100 HU wide"
    assert 0.63 < coverage(found.applied(stated), error).one < 0.73
    none = np.zeros_like(error)
    all_zero = learn({"all": (none, error)}, SAMPLING)
    assert 0.63 < coverage(all_zero.applied(none), error).one < 0.73
    assert learn({"right": (none, none)}, SAMPLING).applied(none).max() == 0, "no error, no deviation"


def test_a_large_patient_counts_no_more_than_a_small_one() -> None:
    small, large = scans(1, 1.0)["s0"], tuple(np.tile(part, 10) for part in scans(1, 3.0, first=1)["s1"])
    more = learn({"small": tuple(np.tile(part, 2) for part in small), "large": large}, SAMPLING)
    less = learn({"small": tuple(np.tile(part, 20) for part in small), "large": large}, SAMPLING)
    stated = np.array([5.0, 20.0, 100.0])
    np.testing.assert_allclose(more.applied(stated), less.applied(stated), rtol=0.05)


def test_without_a_validation_scan_nothing_is_invented(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the deviation is not calibrated: no validation scan to learn its scale on"):
        learn({}, SAMPLING)
    assert learn(scans(1, 2.0), SAMPLING).held_out is None, "one scan leaves none to try it on"
    assert kept_scale(tmp_path) is None


def test_a_scale_holds_for_its_sampling_whatever_the_noise() -> None:
    found = learn(scans(2, 2.0), SAMPLING)
    assert found.fits(SAMPLING) and found.fits(replace(SAMPLING, seed=7, batch=3))
    assert not found.fits(replace(SAMPLING, steps=6)) and not found.fits(replace(SAMPLING, samples=2))


def test_a_scale_in_a_folder_belongs_to_its_weights(tmp_path: Path) -> None:
    run, path = tmp_path / "run", layout.deviation_scale(tmp_path / "run")
    write_data(tmp_path / "data")
    write_reconstructions(run, DX2CT, 20.0)
    with pytest.raises(InputError, match=r"deviations/t-1\.nii\.gz: missing: .*samples of 2 or more"):
        learn_scale(run, TESTS, SAMPLING, tmp_path / "data", path)
    for number, scan in enumerate(TESTS):
        stated = np.full(body(number).shape, 10, np.float32)
        Volume(stated, (2.0,) * 3, (0.0,) * 3).write(layout.deviation(run, scan))
    with pytest.raises(InputError, match=r"weights\.safetensors: no weights of a trained run"):
        learn_scale(run, TESTS, SAMPLING, tmp_path / "data", path)
    layout.weights(run).write_bytes(b"first")
    learn_scale(run, TESTS, SAMPLING, tmp_path / "data", path)
    found = kept_scale(run)
    assert found is not None and found.applied(np.array([10.0])) == pytest.approx(40), "errors of 40 HU everywhere"
    assert found.samples.one == 0 and found.scans == list(TESTS) and found.sampling == SAMPLING
    layout.weights(run).write_bytes(b"second")
    assert kept_scale(run) is None, "trained again"
    layout.weights(run).write_bytes(b"first")
    (tmp_path / "half").mkdir()
    layout.weights(tmp_path / "half").write_bytes(b"rounded")
    moved_scale(run, tmp_path / "half")
    moved = kept_scale(tmp_path / "half")
    assert moved is not None and moved.scale == found.scale
    path.write_text('{"scale": -1}')
    with pytest.raises(InputError, match=r"deviation_scale\.json: .*: delete it, or run the deviation_scale stage"):
        read_scale(path)
