"""Training of a style: the same again, resumed, used by everything that takes one, and refused."""

import json
from pathlib import Path
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file
import torch
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct import layout
from dx2ct.cli import app
from dx2ct.config import plain, to_json
from dx2ct.data.scans import read_styled, read_xrays, stretched
from dx2ct.methods.saved import read_metadata
from dx2ct.predict.film_stack import write_films
from dx2ct.style.examples import Synthetic
from dx2ct.style.gap import CLASSIFIERS
import dx2ct.style.judge
from dx2ct.style.judge import write_gap
from dx2ct.style.run import load_style
from dx2ct.style.train import train_style
from dx2ct.style.transfer import transfer
from dx2ct.training.log import LOG
from dx2ct.training.resume import STATE
from dx2ct.training.runtime import Runtime
from dx2ct.training.state import Training
from tests.fabricate import cohort, pa
from tests.fabricate.films import films_settings, style_settings, write_film

SCANS = ["scan-0", "scan-1"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scans, and twelve PA films of which some are held out."""
    folder = cohort(tmp_path_factory.mktemp("data"))
    for number in range(12):
        write_film(folder / f"raw/{number}.png", np.clip(pa() + 0.01 * number, 0, 1))
    source = {"kind": "folder", "path": str(folder / "raw"), "view": "pa"}
    write_films(films_settings([source], held_out=0.3), folder)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A style of three steps, by the command line."""
    folder = tmp_path_factory.mktemp("results") / "style/pa"
    words = ["style-train", "--settings", to_json(plain(style_settings())), "--sheet", str(data / "sheet.tsv")]
    words += ["--data", str(data), "--device", "cpu", "--threads", "1", "-o", str(folder)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return folder


def test_a_resumed_training_equals_an_undisturbed_one(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Bit for bit, the history of the discriminators included, which is full and swapped by then."""
    settings = style_settings(steps=6, history=2, copies=1)
    train_style(settings, SCANS, data, tmp_path / "whole", Runtime())
    update = Training.update

    def dying(self, *losses):
        if self.step == 4:
            self.save(tmp_path / "cut")
            raise KeyboardInterrupt
        update(self, *losses)

    monkeypatch.setattr(Training, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train_style(settings, SCANS, data, tmp_path / "cut", Runtime())
    state = torch.load(tmp_path / "cut" / STATE, weights_only=True)
    assert state["step"] == 4 and int(state["discriminator"]["films.filled"]) == 2
    monkeypatch.setattr(Training, "update", update)
    train_style(settings, SCANS, data, tmp_path / "cut", Runtime())
    whole, cut = (load_file(layout.weights(tmp_path / name)) for name in ("whole", "cut"))
    assert whole.keys() == cut.keys() and all(torch.equal(whole[name], cut[name]) for name in whole)
    logs = [[line.split(",")[:4] for line in (tmp_path / name / LOG).open()] for name in ("whole", "cut")]
    assert logs[0] == logs[1] and len(logs[0]) == 7


def test_what_a_style_was_trained_on_stands_in_its_weights(run: Path, data: Path):
    said = read_metadata(run)
    assert json.loads(said["films"]) == {"trained": 8, "held_out": 4}
    (stage,) = json.loads(said["trained_on"])["stages"]
    assert (stage["scans"], stage["steps"], stage["sheet"]) == (3, 3, "sheet.tsv")
    assert {path.name for path in run.iterdir()} >= {"settings.json", "weights.safetensors", LOG, "examples.png"}


def test_a_style_translates_both_ways_and_the_x_ray_of_a_scan(run: Path, data: Path):
    style = load_style(run, CPU)
    transfer(style, "scan-3", data)
    image = read_styled(run.parent, "scan-3", ["pa"])["pa"]
    own = stretched(read_xrays(data, "scan-3", ["pa"])["pa"], 32)
    np.testing.assert_array_equal(image, style.to_film(own))
    assert image.shape == (32, 32) and 0 <= image.min() < image.max() <= 1
    assert not np.allclose(style.to_synthetic(own), style.to_film(own), atol=0.01)
    with pytest.raises(InputError, match=r"pa: an image of \(64, 64\), it translates 32 a side"):
        style.to_film(np.zeros((64, 64), np.float32))


def test_copies_are_decided_by_scan_and_number(data: Path):
    one, two = (Synthetic(style_settings(), SCANS, data) for _ in range(2))
    np.testing.assert_array_equal(one.get(1, 2), two.get(1, 2))
    assert not np.allclose(one.get(1, 2), one.get(1, 1)) and not np.allclose(one.get(1, 2), one.get(0, 2))
    np.testing.assert_array_equal(one.get(0, 0), stretched(read_xrays(data, "scan-0", ["pa"])["pa"], 32))


def test_the_gap_is_measured_before_and_after(run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dx2ct.style.judge, "SEEDS", (0,))
    monkeypatch.setattr(dx2ct.style.judge, "CLASSIFIERS", {"looks alone": CLASSIFIERS["looks alone"]})
    found = write_gap(load_style(run, CPU), ["scan-3"], data, 11, tmp_path / "gap.json")
    assert json.loads((tmp_path / "gap.json").read_text()) == found
    assert (found["xrays"], found["films"], found["held_out_films"]) == (12, 12, 4)
    assert found["rendered X-rays and films, by looks alone"] > 0.9, "noise and a chest"
    assert found["rendered X-rays and films, by looks alone, films held out"] == 1
    with pytest.raises(InputError, match="1 X-rays and 12 films are too few to tell apart, 10 of each at least"):
        write_gap(load_style(run, CPU), ["scan-3"], data, 0, tmp_path / "gap.json")


def test_what_is_no_style_is_one_line(run: Path, data: Path, tmp_path: Path):
    with pytest.raises(InputError, match=r"settings.json: no trained style here \(No such file or directory\): snake"):
        load_style(tmp_path, CPU)
    shutil.copytree(run, tmp_path / "pa")
    path = layout.settings(tmp_path / "pa")
    text = path.read_text()
    path.write_text(text.replace('"format": 1', '"format": 9'))
    with pytest.raises(InputError, match=r"settings.json: not of format 1: update, or train it again"):
        load_style(tmp_path / "pa", CPU)
    path.write_text(text.replace('"channels": 4', '"channels": 6'))
    with pytest.raises(InputError, match="not the weights of these settings"):
        load_style(tmp_path / "pa", CPU)
    with pytest.raises(InputError, match="the cohort has no scan of split train"):
        train_style(style_settings(), [], data, tmp_path / "run", Runtime())
    with pytest.raises(InputError, match=r"lateral.npy: no films .*: run dx2ct style-films again"):
        train_style(style_settings("lateral"), SCANS, data, tmp_path / "run", Runtime())
