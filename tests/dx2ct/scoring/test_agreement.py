"""How well X-rays of a reconstruction agree with those that it was made of."""

from pathlib import Path

import numpy as np
import pytest

from drr.errors import InputError
from dx2ct import layout
from dx2ct.data.scans import as_seen, read_stack, read_xrays
from dx2ct.methods import method_named
from dx2ct.methods.contract import training_views
from dx2ct.predict.agreement import disagreement
from dx2ct.scoring.agreement import (
    Agreement,
    kept_agreement,
    learn,
    learn_agreement,
    moved_agreement,
    unexplained,
    write_agreement,
)
from dx2ct.training.runtime import Runtime
from tests.fabricate import random_run, rows, tiny
from tests.fabricate.scans import body, write_scan, write_sheet

SPLITS = {"scan-0": "train", "scan-1": "val", "scan-2": "val"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for number, scan in enumerate(SPLITS):
        write_scan(folder, scan, body(number, 64))
    write_sheet(folder / "sheet.tsv", SPLITS)
    return folder


def test_the_truth_agrees_and_another_patient_does_not(data: Path) -> None:
    settings = tiny("lift")
    views = training_views(settings)
    names = settings.run.views
    seen = dict(zip(names, as_seen(read_xrays(data, "scan-0", names), names, 64), strict=True))
    law = settings.xray.attenuation
    truth = read_stack(data, "scan-0", "axial")
    same = unexplained(np.asarray(truth), views, seen, law)
    assert max(same.values()) < 0.02, "what the coarser grid costs"
    turned = unexplained(np.asarray(truth)[::-1, :, ::-1], views, seen, law)
    assert min(turned["pa"], turned["lateral"]) > 2 * max(same.values())
    assert unexplained(np.full((32, 32, 32), -1024), views, seen, law) == dict.fromkeys(names, 1.0)


def test_the_scale_of_an_image_does_not_matter(data: Path) -> None:
    settings = tiny("lift")
    names = settings.run.views
    seen = dict(zip(names, as_seen(read_xrays(data, "scan-0", names), names, 64), strict=True))
    other = {view: 5 * image + 3 for view, image in seen.items()}
    arguments = np.asarray(read_stack(data, "scan-0", "axial")), training_views(settings)
    one, two = (unexplained(*arguments, images, settings.xray.attenuation) for images in (seen, other))
    assert one == pytest.approx(two, abs=1e-5)


def test_the_limit_lies_above_what_was_usual() -> None:
    generator = np.random.default_rng(0)
    found = [{"pa": float(share)} for share in np.exp(generator.normal(-4, 0.3, 200))]
    learnt = learn(found)
    assert learnt.usual["pa"] == pytest.approx(np.exp(-4), rel=0.1)
    assert learnt.limit["pa"] == pytest.approx(np.exp(-4 + 0.9), rel=0.15)
    assert learnt.beyond({"pa": 0.5}) == ["pa"] and not learnt.beyond({"pa": 0.02})
    with pytest.raises(InputError, match="two examples at least"):
        learn(found[:1])


@pytest.mark.parametrize(("augment", "examples"), [({}, 2), ({"share": 1.0}, 62)])
def test_a_run_learns_it_on_what_its_weights_have_not_seen(
    augment: dict[str, float], examples: int, data: Path, tmp_path: Path
) -> None:
    settings = tiny("lift", train={"augment": augment})
    run = random_run(tmp_path / "run", settings)
    trained = method_named("lift").implement().load(settings, run, Runtime())
    found = learn_agreement(run, trained, settings, rows(SPLITS), data)
    assert found.examples == examples and set(found.limit) == {"pa", "lateral"}
    write_agreement(found, layout.agreement(run))
    assert kept_agreement(run) == found
    (tmp_path / "other").mkdir()
    layout.weights(tmp_path / "other").write_bytes(b"others")
    moved_agreement(run, tmp_path / "other")
    assert kept_agreement(tmp_path / "other") is not None, "rounded weights take it along"
    layout.weights(run).write_bytes(b"trained again")
    assert kept_agreement(run) is None
    layout.agreement(run).write_text("{")
    with pytest.raises(InputError, match=r"agreement\.json: .*: delete it, or learn it again"):
        kept_agreement(run)


def test_what_disagrees_is_one_line_a_view() -> None:
    learnt = Agreement({"pa": 0.01, "lateral": 0.01}, {"pa": 0.03, "lateral": 0.03}, 60, "")
    (line,) = disagreement(learnt, {"pa": 0.4, "lateral": 0.02})
    assert line.startswith("pa: X-rays of the result leave 40% of this one unexplained, usual is 1.0%, 3.0% at most")
    assert not disagreement(learnt, {"pa": 0.02, "lateral": 0.02})
    assert not disagreement(None, {"pa": 1.0})
