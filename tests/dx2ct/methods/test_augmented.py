"""train.augment for every method that learns: exact by seed and step on any number of processes and threads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drr.errors import InputError
from dx2ct.config import EngineSettings, tracked
from dx2ct.config.data import VARIED_VERSION
from dx2ct.data.planes import PLANES, to_plane
from dx2ct.data.scans import read_stack
from dx2ct.methods import method_named, methods
from dx2ct.methods.dx2ct.batches import TrainingData
from dx2ct.methods.layers.patients import Patients
from dx2ct.methods.saved import read_weights
from dx2ct.training.batches import Batches
from tests.fabricate import cohort, tiny, train
from tests.fabricate.scans import body, write_scan, write_sheet

CPU = torch.device("cpu")
LEARNED = [name for name, method in methods().items() if method.learns]
SCANS = ["scan-0", "scan-1"]
VIEWS = {"cnn2d": {"views": ["pa"]}}
ALWAYS = {"share": 1.0}
MOVING = {"distance": 0.1, "tilt_deg": 3.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


def augmented(name: str, row: dict[str, Any] | None = None, train: dict[str, Any] | None = None, **keys: Any) -> Any:
    return tiny(name, VIEWS.get(name, {}) | (row or {}), train={"augment": ALWAYS | keys} | (train or {}))


def examples_of(settings: Any, data: Path) -> Any:
    implementation: Any = method_named(settings.run.method).implement()
    if settings.run.method == "dx2ct":
        return TrainingData(settings, SCANS, data, CPU)
    return implementation.examples(settings, SCANS, data, CPU)


def flat(batch: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in vars(batch).values():
        found += value if isinstance(value, tuple) else [value]
    return found


@pytest.mark.parametrize("name", LEARNED)
def test_a_training_with_copies_is_the_same_with_any_number_of_loaders(name: str, data: Path, tmp_path: Path) -> None:
    settings = augmented(name)
    for loaders in (0, 3):
        train(settings, data, tmp_path / str(loaders), engine=EngineSettings(loaders=loaders))
    one, other = (read_weights(tmp_path / str(loaders), dict_of) for loaders in (0, 3))
    assert all(torch.equal(one[key], other[key]) for key in one)
    train(tiny(name, VIEWS.get(name)), data, tmp_path / "plain")
    plain = read_weights(tmp_path / "plain", dict_of)
    assert any(not torch.equal(plain[key], one[key]) for key in one), "the copies were looked at"


def dict_of(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


@pytest.mark.parametrize("name", LEARNED)
def test_the_parts_of_a_step_are_the_whole(name: str, data: Path) -> None:
    examples = examples_of(augmented(name, train={"batch": 4, "slices_per_patient": 1}), data)
    whole, parts = examples.batch(7), [examples.batch(7, part, 2) for part in range(2)]
    for one, *halves in zip(flat(whole), *map(flat, parts), strict=True):
        assert torch.equal(one, torch.cat(halves))
    assert not torch.equal(flat(whole)[0], flat(examples.batch(8))[0])


def test_copies_go_towards_the_shape_of_another_scan_and_alone_a_scan_has_none(data: Path) -> None:
    with_shapes = Patients(augmented("lift", between=0.5), 64, SCANS, data, CPU)
    without = Patients(augmented("lift"), 64, SCANS, data, CPU)
    equal = [torch.equal(with_shapes.get(step, 0, 0).xrays, without.get(step, 0, 0).xrays) for step in range(20)]
    assert 4 < sum(equal) < 16, "half of them, and the others are the copies that they were"
    with pytest.raises(InputError, match=r"^train.augment.between: one training scan has no other to go to: add scans"):
        Patients(augmented("lift", between=0.5), 64, SCANS[:1], data, CPU)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_an_example_is_the_scan_itself_where_it_is_no_copy(share: float, data: Path) -> None:
    settings = augmented("lift", share=share)
    patients = Patients(settings, 64, SCANS, data, CPU)
    kept = 0
    for step in range(40):
        patient = patients.get(step, 0, 1)
        same = torch.equal(patient.xrays, patients.xrays[1])
        truth = read_stack(data, "scan-1", "coronal")
        assert same == np.array_equal(patient.stacks["coronal"], truth)
        kept += same
    assert kept == 40 if not share else 10 < kept < 30


def test_planes_of_a_copy_are_one_volume(data: Path) -> None:
    patient = Patients(augmented("lift"), 64, SCANS, data, CPU).get(0, 0, 0)
    volume = patient.stacks["axial"]
    for plane in PLANES:
        np.testing.assert_array_equal(patient.stacks[plane], to_plane(volume, plane))


def test_without_strength_a_copy_is_the_scan(tmp_path: Path) -> None:
    """Nothing but what rendering from a coarser volume costs."""
    for number in range(2):
        write_scan(tmp_path, f"scan-{number}", body(number, 64))
    write_sheet(tmp_path / "sheet.tsv", {"scan-0": "train", "scan-1": "train"})
    names = (
        "rotation_deg",
        "scale",
        "stretch",
        "shear",
        "shift_mm",
        "elastic_mm",
        "breath",
        "tissue",
        "noise",
        "couch",
    )
    settings = augmented("lift", **dict.fromkeys((*names, "arms", "field_of_view"), 0.0))
    patients = Patients(settings, 64, SCANS, tmp_path, CPU)
    copy = patients.get(0, 0, 0)
    np.testing.assert_allclose(copy.matrices, patients.matrices, atol=1e-6)
    np.testing.assert_allclose(copy.stacks["axial"], read_stack(tmp_path, "scan-0", "axial"), atol=1.0)
    assert float((copy.xrays - patients.xrays[0]).abs().mean()) < 0.02


@pytest.mark.parametrize("name", ["lift", "dx2ct"])
def test_random_exposures_reach_the_network_as_matrices(name: str, data: Path) -> None:
    row = {"conditions": "lifted"} if name == "dx2ct" else {}
    train_ = {"batch": 2, "slices_per_patient": 1}
    still, moved = (examples_of(augmented(name, row, train_, exposure=e), data).batch(0) for e in ({}, MOVING))
    if name == "dx2ct":
        assert still.matrices == () and moved.matrices[0].shape == (2, 2, 3, 4)
        matrices = moved.matrices[0]
    else:
        assert torch.equal(still.inputs[2][0], still.inputs[2][1])
        matrices = moved.inputs[2]
    assert not torch.equal(matrices[0], matrices[1]), "every example has its own"


def test_batches_ask_ahead_and_go_back(data: Path) -> None:
    """After a resume or a second look the batch is the same."""
    examples = examples_of(augmented("lift"), data)
    batches = Batches(examples, CPU, 0, 1, loaders=2)
    for step in (0, 1, 5, 0, 6):
        for one, other in zip(flat(batches.get(step, 0)), flat(examples.batch(step)), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("lift", {"voxels": 40}, r"methods\.lift\.train\.augment\.voxels: 40: use a multiple of slices\.size, 32"),
        ("lift", {"voxels": 6400}, r"train\.augment\.voxels: 6400: use a multiple .* up to volume\.size"),
        ("lift", {"shift_mm": 90.0}, r"train\.augment\.shift_mm: 90: patients would leave the cube"),
        ("lift", {"elastic_mm": 60.0}, r"train\.augment\.elastic_mm: 60: 5 points on .* mm fold the volume"),
        ("perx2ct", {"exposure": MOVING}, r"train\.augment\.exposure: this method has one geometry built in"),
        ("dx2ct", {"exposure": MOVING}, r"train\.augment\.exposure: this method has one geometry built in"),
    ],
)
def test_what_does_not_fit_is_one_line(name: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        augmented(name, **keys)
    assert "\n" not in str(error.value)


def test_a_section_that_changes_nothing_is_not_tracked() -> None:
    plain, asked = tiny("lift"), tiny("lift", train={"augment": {"share": 0.0, "scale": 0.3}})
    assert "augment" not in tracked(plain)["train"]
    assert tracked(asked.relevant()) == tracked(plain)
    assert "augment" in tracked(augmented("lift").relevant())["train"]


FILMS = {"share": 1.0, "border_found": 0.5}


def test_films_change_the_xrays_of_a_scan_and_nothing_else(data: Path) -> None:
    patients = Patients(augmented("lift", share=0.0, film=FILMS), 64, SCANS, data, CPU)
    plain = patients.xrays[1]
    seen = [patients.get(step, 0, 1) for step in (0, 1, 0)]
    for patient in seen:
        np.testing.assert_array_equal(patient.stacks["axial"], read_stack(data, "scan-1", "axial"))
        assert torch.equal(patient.matrices, patients.matrices)
        assert patient.xrays.shape == plain.shape and patient.xrays.min() == 0 and patient.xrays.max() == 1
    one, other, again = (patient.xrays for patient in seen)
    assert torch.equal(one, again) and not torch.equal(one, other) and not torch.equal(one, plain)
    alike = [np.corrcoef(film.flatten(), xray.flatten())[0, 1] for film, xray in zip(one, plain, strict=True)]
    assert min(alike) > 0.6, "the same patient in the same place"


def test_a_share_of_the_examples_are_films(data: Path) -> None:
    patients = Patients(augmented("lift", share=0.0, film={"share": 0.3}), 64, SCANS, data, CPU)
    films = [not torch.equal(patients.get(step, 0, 0).xrays, patients.xrays[0]) for step in range(60)]
    assert 8 < sum(films) < 30


def test_copies_are_the_same_with_films_and_without(data: Path) -> None:
    with_films, without = (Patients(augmented("lift", **film), 64, SCANS, data, CPU) for film in ({"film": FILMS}, {}))
    for step in range(3):
        one, other = (patients.get(step, 0, 0) for patients in (with_films, without))
        np.testing.assert_array_equal(one.stacks["axial"], other.stacks["axial"])
        assert one.exposures == other.exposures and not torch.equal(one.xrays, other.xrays)


def test_a_training_with_films_is_the_same_with_any_number_of_loaders(data: Path, tmp_path: Path) -> None:
    settings = augmented("lift", share=0.5, film=FILMS)
    for loaders in (0, 3):
        train(settings, data, tmp_path / str(loaders), engine=EngineSettings(loaders=loaders))
    one, other = (read_weights(tmp_path / str(loaders), dict_of) for loaders in (0, 3))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_older_trainings_had_no_films_and_are_tracked_as_before() -> None:
    """A settings string that gains a key would train every run again."""
    assert "film" not in tracked(augmented("lift").relevant())["train"]["augment"]
    assert tracked(augmented("lift", film=FILMS).relevant())["train"]["augment"]["film"] == FILMS


def test_another_recipe_of_drawn_phantoms_is_another_training(data: Path) -> None:
    """Trainings without phantoms, and those of the first recipe, are tracked as before."""
    section = tracked(augmented("lift", phantoms=0.5).relevant())["train"]["augment"]
    assert section["version"] == VARIED_VERSION
    assert "version" not in tracked(augmented("lift").relevant())["train"]["augment"]
    older = augmented("lift", phantoms=0.5, version=1)
    assert "version" not in tracked(older.relevant())["train"]["augment"]
    with pytest.raises(
        InputError, match=f"want varied phantoms of version 1, this code draws version {VARIED_VERSION}"
    ):
        examples_of(older, data)
