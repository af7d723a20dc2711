"""Films that go through a style before a network sees them."""

import json
from pathlib import Path
import shutil
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from drr.errors import InputError
from drr.volume import read_volume
from dx2ct import layout
from dx2ct.cli import app
from dx2ct.config import plain
from dx2ct.config.parse import checked
from dx2ct.config.style import StyleRunSettings
from dx2ct.predict.model import load, Model
from dx2ct.predict.scan import reconstruct_scan
from dx2ct.report.style import write_film_figure
from dx2ct.style.run import FilmsOf, load_style, write_style
from dx2ct.style.train import networks
from dx2ct.style.transfer import transfer
from dx2ct.training.runtime import Runtime
from tests.dx2ct.predict.conftest import SCAN, xray_files
from tests.fabricate import BOTH, cohort, options, random_run, tiny, train
from tests.fabricate.films import style_settings


def style(folder: Path, view: str, **changes: Any) -> Path:
    """A style of 64 pixels with the weights that its seed draws."""
    values = plain(style_settings(view)) | {"pixels": 64} | changes
    settings = checked(StyleRunSettings, values)
    write_style(networks(settings)[0].state_dict(), settings, FilmsOf(9, 3), folder / view)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def styles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styles")
    return style(style(folder, "pa"), "lateral")


def restyling(run: Path, styles: Path) -> Model:
    return load(run, "cpu", 1, style=styles)


def test_a_film_is_placed_then_translated_and_line_integrals_are_left_as_they_are(
    run: Path, styles: Path, films: dict[str, Path], tmp_path: Path
):
    plain_run, model = load(run, "cpu", 1), restyling(run, styles)
    found = model.prepare(films, {})
    for view, one in found.items():
        assert one.image.shape == (64, 64) and one.exposure is not None
        assert any(f"translated into the style of rendered X-rays by {styles}/{view}" in note for note in one.notes)
    placed = load(random_run(tmp_path / "run", tiny()), "cpu", 1, style=styles).prepare(films, {})["pa"].image
    np.testing.assert_array_equal(found["pa"].image, placed)
    data = cohort(tmp_path / "data")
    integrals = xray_files(data)
    for view, one in model.prepare(integrals, {}).items():
        np.testing.assert_array_equal(one.image, plain_run.prepare(integrals, {})[view].image)


def test_the_record_says_which_style(styles: Path, films: dict[str, Path], tmp_path: Path):
    run = random_run(tmp_path / "run", tiny("lift"))
    words = ["predict", "--model", str(run), "--style", str(styles), "--passes", "0", "--device", "cpu"]
    words += [word for view, path in films.items() for word in (f"--{view}", str(path))]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "ct.nii.gz")])
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "ct.run.json").read_text())
    assert list(record["styles"]) == list(BOTH)
    assert record["styles"]["pa"]["folder"] == str(styles / "pa") and record["styles"]["pa"]["trained"] == 9
    assert any("it may hide what a film shows, and show what it does not" in note for note in record["notes"])


def test_a_style_that_does_not_fit_is_one_line(run: Path, films: dict[str, Path], tmp_path: Path):
    with pytest.raises(InputError) as error:
        restyling(run, tmp_path)
    assert str(error.value) == f"--style {tmp_path}: has no folder of a view (pa, lateral): name results/style"
    coarse = style(tmp_path / "coarse", "pa", pixels=32)
    wide = random_run(tmp_path / "lift", tiny("lift"))  # sees twice as many pixels as it has voxels
    with pytest.raises(InputError) as error:
        restyling(wide, coarse)
    path = layout.settings(coarse / "pa")
    assert str(error.value) == f"{path}: of 32 pixels a side, the run sees 64: train one with more"
    xray = plain(style_settings().xray) | {"attenuation": "water:60"}
    with pytest.raises(InputError, match="of X-rays in another geometry, attenuation or cube than the run's"):
        restyling(run, style(tmp_path / "other", "pa", xray=xray))
    model = restyling(run, style(tmp_path / "half", "pa"))
    with pytest.raises(InputError, match=r"lateral.dcm: no style of view lateral there \(pa\): train one, or leave"):
        model.prepare(films, {})
    with pytest.raises(InputError, match=r"the run needs line integrals, which no film becomes: leave it out"):
        restyling(train(tiny("sart"), cohort(tmp_path / "data"), tmp_path / "sart"), tmp_path / "half")


def test_a_scan_is_reconstructed_from_x_rays_in_the_style_of_films_and_drawn(run: Path, styles: Path, tmp_path: Path):
    data, own, styled = cohort(tmp_path / "data"), tmp_path / "own", tmp_path / "styled"
    for folder in (own, styled):
        shutil.copytree(run, folder)
    for view in BOTH:
        transfer(load_style(styles / view, torch.device("cpu")), SCAN, data)
    reconstruct_scan(SCAN, own, options(), data, Runtime())
    reconstruct_scan(SCAN, styled, options(), data, Runtime(), style=styles)
    volumes = [read_volume(layout.reconstruction(folder, SCAN)).array for folder in (own, styled)]
    assert not np.array_equal(*volumes)
    write_film_figure(SCAN, [own, styled], styles, data, tmp_path / "figures/figure4")
    assert (tmp_path / "figures/figure4.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figures/figure4.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(InputError, match="styles0: no X-ray of scan-9 in the style of films: run the style-transfer"):
        write_film_figure("scan-9", [own], styles, data, tmp_path / "figures/figure4")
    with pytest.raises(InputError, match=r"scan-0.mha: not a readable X-ray: run the style-transfer stage again"):
        reconstruct_scan("scan-0", styled, options(), data, Runtime(), style=styles)
