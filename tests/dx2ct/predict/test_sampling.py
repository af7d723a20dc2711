"""How a run samples: kept in its folder by the workflow, used by `predict`, said on stderr."""

import json
from pathlib import Path

import numpy as np
import pytest

from drr.errors import InputError
from drr.progress import watched, Watcher
from drr.volume import read_volume
import dx2ct
from dx2ct import layout
from dx2ct.config import plain
from dx2ct.predict.command import Outputs, predict
from dx2ct.predict.model import Model
from dx2ct.predict.sampling import kept_sampling, sampling
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.report.publish import publish
from dx2ct.training.device import set_up_torch
from dx2ct.training.runtime import Runtime
from tests.dx2ct.predict.conftest import SCAN, xray_files
from tests.fabricate import random_run, tiny, train

CONSISTENT = {"steps": 3, "seed": 5, "planes": "together", "consistency": {"iterations": 2, "when": "steps"}}


@pytest.fixture(scope="module")
def consistent(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A run as the workflow leaves it whose row says that it samples with consistency."""
    run = random_run(tmp_path_factory.mktemp("runs") / "run")
    from dx2ct.config import check, SamplingOptions

    set_up_torch("cpu", 1)  # as the model below: sums round by the number of threads
    reconstruct_scan(SCAN, run, check(SamplingOptions, **CONSISTENT), data, Runtime())
    return dx2ct.load(run, "cpu", 1)


def test_a_run_is_asked_as_the_workflow_asked_it(consistent: Model, data: Path):
    workflow = read_volume(layout.reconstruction(consistent.folder, SCAN))
    np.testing.assert_array_equal(consistent.reconstruct(xray_files(data)).array, workflow.array)
    other = consistent.reconstruct(xray_files(data), consistency=0).array
    assert not np.array_equal(other, workflow.array)


def test_what_is_asked_goes_over_what_the_run_does(consistent: Model):
    kept = consistent.sampled
    assert kept is not None and plain(kept).items() >= {"steps": 3, "seed": 5, "planes": "together"}.items()
    assert sampling(base=kept) == kept
    assert sampling(base=kept, steps=7).steps == 7 and sampling(base=kept, steps=7).consistency == kept.consistency
    assert sampling(base=kept, consistency=0).consistency.iterations == 0
    alone = sampling(base=kept, planes="alone")
    assert alone.consistency.iterations == 2 and alone.consistency.when == "end"
    assert sampling(consistency=4, planes="together").consistency.when == "steps"
    assert sampling() == sampling(consistency=0)


def test_a_film_does_without_the_consistency_of_the_run_but_not_in_silence(
    consistent: Model, films: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    predict(consistent, films, {}, Outputs(tmp_path / "a.nii"), {})
    said = capsys.readouterr().err
    assert "the run samples with consistency, which needs line integrals" in said
    assert "samples with ddim, 3 steps, planes together, no consistency; the run itself otherwise" in said
    record = json.loads((tmp_path / "a.run.json").read_text())
    assert record["sampling"]["consistency"]["iterations"] == 0 and record["sampling"]["planes"] == "together"
    predict(consistent, films, {}, Outputs(tmp_path / "b.nii"), {"consistency": 2})
    said = capsys.readouterr().err
    assert "made consistent at the end, 2 iterations 2 times with films, by a rising curve of each" in said
    changed = json.loads((tmp_path / "b.run.json").read_text())
    assert changed["sampling"]["consistency"]["iterations"] == 2
    assert changed["unexplained"] == record["unexplained"], "what the answer itself leaves, before it was made to agree"
    assert not np.array_equal(*(read_volume(tmp_path / name).array for name in ("a.nii", "b.nii")))


def test_how_it_samples_is_said(model: Model, consistent: Model, data: Path, tmp_path: Path, capsys):
    for found, asked, words in (
        (consistent, {}, "planes together, consistency of 2 iterations; the run itself does so"),
        (model, {"steps": 1}, "1 steps, planes alone, no consistency; how the run itself samples its folder does not"),
    ):
        predict(found, xray_files(data), {}, Outputs(tmp_path / "a.nii"), asked)
        assert words in capsys.readouterr().err


def test_a_published_run_samples_as_its_source(consistent: Model, tmp_path: Path):
    layout.model_card(consistent.folder).write_text("# A card\n")
    publish(consistent.folder, tmp_path / "small")
    assert dx2ct.load(tmp_path / "small", "cpu", 1).sampled == consistent.sampled


def test_a_run_that_does_not_sample_keeps_nothing(data: Path, tmp_path: Path):
    train(tiny("cnn2d"), data, tmp_path)
    reconstruct_scan(SCAN, tmp_path, sampling(), data, Runtime())
    assert not layout.sampling(tmp_path).exists() and kept_sampling(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"steps": 0}', '{"step": 3}', "\0"])
def test_a_damaged_record_is_one_line(text: str, tmp_path: Path):
    layout.sampling(tmp_path).write_text(text)
    with pytest.raises(InputError, match=r"sampling\.json: .*delete it") as caught:
        kept_sampling(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("steps", "reason"), [(0, "steps: 0 must be more than 0"), (2000, "1000 time steps"),
                                               (2.5, "steps: 2.5 is no integer")])  # fmt: skip
def test_steps_that_cannot_be(steps: object, reason: str, model: Model, data: Path):
    with pytest.raises(InputError, match=reason):
        model.reconstruct(xray_files(data), steps=steps)


def test_the_estimate_after_every_step_is_shown_and_changes_nothing(model: Model, data: Path):
    shown: list[np.ndarray] = []
    with watched(Watcher(lambda *facts: None, shown.append)):
        volume = model.reconstruct(xray_files(data), steps=3)
    assert len(shown) == 3 and np.abs(shown[0] - shown[-1]).max() > 1
    assert np.allclose(np.rint(shown[-1]), volume.array, atol=1), "the last one is the answer"
    assert np.array_equal(volume.array, model.reconstruct(xray_files(data), steps=3).array)
