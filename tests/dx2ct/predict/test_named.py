"""Models by name, and the index that lists them."""

from hashlib import sha256
import json
from pathlib import Path
import shutil

import pytest
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct import layout
from dx2ct.cli import app
from dx2ct.methods.saved import read_run
from dx2ct.methods.trained_on import read_trained_on
from dx2ct.predict import named
from dx2ct.predict.named import DEFAULT, default_for, Entry, FOR_FILMS, INDEX, model_folder

ENTRIES = list(named.named().values())


def test_a_name_is_its_folder_unless_a_run_of_that_name_lies_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_folder("results/dx2ct") == Path("results/dx2ct")
    monkeypatch.chdir(tmp_path)
    assert model_folder("phantom") == INDEX.parent / "phantom_model"
    (tmp_path / "phantom").mkdir()  # as `dx2ct cohort -o phantom` makes it
    assert model_folder("phantom") == INDEX.parent / "phantom_model"
    (tmp_path / "phantom/settings.json").touch()
    assert model_folder("phantom") == Path("phantom")


def test_a_model_that_is_not_whole_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(INDEX, tmp_path / INDEX.name)
    monkeypatch.setattr(named, "INDEX", tmp_path / INDEX.name)
    monkeypatch.chdir(tmp_path)
    weights = tmp_path / "phantom_model/weights.safetensors"
    lines = []
    for prepare in (lambda: None, lambda: (weights.parent.mkdir(), weights.write_bytes(b"else"))):
        prepare()
        with pytest.raises(InputError) as error:
            model_folder("phantom")
        lines.append(str(error.value))
    assert lines == [
        f"model phantom: {weights}: No such file or directory: install dx2ct again",
        f"model phantom: {weights}: is not what models.json lists: install dx2ct again",
    ]


def test_the_index_has_every_model_once_and_the_default() -> None:
    assert [entry["name"] for entry in json.loads(INDEX.read_text())] == list(named.named())
    assert {DEFAULT, FOR_FILMS} <= named.named().keys()
    folders = {path.parent.name for path in INDEX.parent.glob("*/weights.safetensors")}
    assert sorted(entry.folder for entry in ENTRIES) == sorted(folders)


@pytest.mark.parametrize(
    ("files", "style", "name"),
    [
        (["pa.mha", "lateral.MHA"], None, DEFAULT),
        (["pa.mha", "lateral.png"], None, FOR_FILMS),
        (["pa.dcm"], None, FOR_FILMS),
        (["IM000001"], None, FOR_FILMS),
        (["pa.png"], "styles", DEFAULT),
        ([], None, DEFAULT),
    ],
)
def test_films_have_a_model_of_their_own(files: list[str], style: str | None, name: str) -> None:
    assert default_for(map(Path, files), Path(style) if style else None) == name


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_what_the_index_says_of_a_model_is_so(entry: Entry) -> None:
    folder = INDEX.parent / entry.folder
    weights = layout.weights(folder).read_bytes()
    assert (entry.bytes, entry.sha256) == (len(weights), sha256(weights).hexdigest())
    method, settings = read_run(folder)
    assert (entry.method, entry.voxels) == (method.name, settings.slices.size)
    assert entry.spacing_mm == pytest.approx(
        settings.volume.size * settings.volume.spacing_mm / settings.slices.size, abs=1e-3
    )
    card = layout.model_card(folder).read_text()
    trained_on = read_trained_on(folder)
    if trained_on:
        drawn = sum(stage.drawn for stage in trained_on.stages[:1])
        assert f"{drawn} drawn phantoms" in entry.trained_on
    else:
        assert "200 scans to train on" in card and entry.trained_on.startswith("200 ")


def test_the_index_is_shown() -> None:
    text = CliRunner().invoke(app, ["models"]).output
    for entry in ENTRIES:
        assert f"{entry.name}: {entry.method}, {entry.voxels} cubed" in text and entry.trained_on in text
    assert "Research use only" in text
