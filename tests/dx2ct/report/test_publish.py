"""A small model to hand out, and the committed X-rays that it is tried on."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from skimage.metrics import peak_signal_noise_ratio

from drr.errors import InputError
import dx2ct
from dx2ct.config import PhantomSettings
from dx2ct.data.prepare.slices import make_slices
from dx2ct.data.prepare.volume import make_volume
from dx2ct.data.sources.phantom.series import write_phantom
from dx2ct.methods.saved import read_run
from dx2ct.methods.trained_on import read_trained_on, Stage, TrainedOn, write_trained_on
from dx2ct.report.publish import publish
from tests.fabricate import random_run

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
XRAYS = {view: EXAMPLES / f"{view}.mha" for view in ("pa", "lateral")}


TRAINED_ON = TrainedOn((Stage("phantom", "phantom.tsv", 200, 200, 400), Stage("own", "cohort.tsv", 6, 6, 150)))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = random_run(tmp_path / "run")
    write_trained_on(folder, TRAINED_ON)
    (folder / "model_card.md").write_text("It knows phantoms only.\n")
    return folder


@pytest.mark.slow
def test_a_published_model_is_half_as_large_and_says_the_same(run: Path, tmp_path: Path):
    size = publish(run, tmp_path / "small")
    assert sorted(p.name for p in (tmp_path / "small").iterdir()) == sorted(p.name for p in run.iterdir())
    whole, half = ((folder / "weights.safetensors").stat().st_size for folder in (run, tmp_path / "small"))
    assert 0.9 * half < size <= half < 0.6 * whole
    assert "phantoms only" in (tmp_path / "small/model_card.md").read_text()
    assert read_trained_on(tmp_path / "small") == TRAINED_ON
    results = [dx2ct.load(folder, "cpu", 1).reconstruct(XRAYS, steps=2).array for folder in (run, tmp_path / "small")]
    assert 0 < np.abs(results[0].astype(float) - results[1]).mean() < 0.02 * results[0].std()


def test_what_cannot_be_published_is_one_line(run: Path, tmp_path: Path):
    weights = load_file(run / "weights.safetensors")
    first = next(name for name, value in weights.items() if value.is_floating_point())
    save_file(weights | {first: weights[first] + 1e6}, run / "weights.safetensors")
    with pytest.raises(InputError, match=f"{first} has values that half precision cannot hold"):
        publish(run, tmp_path / "small")
    save_file(weights | {"more": weights[first].new_zeros(7_000_000, 2)}, run / "weights.safetensors")
    with pytest.raises(InputError, match=r"2\d MB in half precision, a small model has at most 25"):
        publish(run, tmp_path / "small")
    (run / "model_card.md").unlink()
    with pytest.raises(InputError, match=r"model_card\.md: missing"):
        publish(run, tmp_path / "small")
    assert not (tmp_path / "small").exists()


@pytest.mark.slow
def test_the_example_x_rays_can_be_consistent(run: Path):
    """They are line integrals, as they lie: a body's, of another scan than air."""
    model = dx2ct.load(run, "cpu", 1)
    framed = model.prepare(XRAYS, {})
    for view, one in framed.items():
        assert one.xray.kind == "integrals" and not one.moved and not one.notes, view
        assert 3 < one.image.max() < 15 and one.image.min() >= 0
    plain, better = (model.reconstruct(XRAYS, steps=1, consistency=n).array for n in (0, 4))
    assert np.abs(plain.astype(float) - better).mean() > 1


@pytest.mark.slow
def test_the_committed_model_knows_the_phantom_of_the_example_x_rays(tmp_path: Path):
    """Its CT, which no training has seen, comes from its seed; mirrored or upside down it is 4 dB off and more."""
    model = EXAMPLES / "phantom_model"
    assert (model / "weights.safetensors").stat().st_size < 12 * 2**20
    assert "Trained on procedural phantoms only" in (model / "model_card.md").read_text()
    _, settings = read_run(model)
    write_phantom("phantom-021", PhantomSettings(seed=21), tmp_path / "ct.zip")
    make_volume(tmp_path / "ct.zip", settings.volume, tmp_path / "ct.mha", None)
    make_slices(tmp_path / "ct.mha", settings.slices, tmp_path / "slices")
    truth = np.load(tmp_path / "slices/axial.npy").astype(float)
    trained = dx2ct.load(model, "cpu", 1)
    for options, psnr_db in (({}, 23.0), ({"planes": "together", "consistency": 6}, 24.5)):
        found = trained.reconstruct(XRAYS, steps=5, **options).array
        assert peak_signal_noise_ratio(truth, found.astype(float), data_range=2500) > psnr_db, options
