"""The contract of dx2ct/methods/contract.py over every method that is known: a new one is tested by being one.

Every method is trained for a few steps on scans of noise; what it has learnt does not matter here.
"""

import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
import io
from pathlib import Path
import shutil
import tempfile
from typing import Any

import numpy as np
import pytest
import torch

from drr.errors import InputError
from drr.volume import Volume
from dx2ct.data.planes import PLANES
from dx2ct.data.scans import read_grid, read_xrays
from dx2ct.geometry import Views
from dx2ct.methods import method_named, methods
from dx2ct.methods.contract import Planes, Trained
from dx2ct.methods.saved import read_run
from dx2ct.training.runtime import Runtime
from tests.fabricate import BOTH, cohort, network_of, noise, options, tiny, train, XRAY_PIXELS

SIZE, SCAN = 16, "scan-3"
OPTIONS = options(batch=20)
ALONG_AXES = {"cnn2d", "x2ctgan"}  # take an X-ray's rays for parallel to an axis of the patient
ONE_VIEW = {"cnn2d"}
FILES = {"volumes"}  # their volumes are files, not something learnt
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "dx2ct": [{"conditions": "lifted"}, {"query_transformer": False}],
    "x2ctgan": [{"discriminator": False}],
    "perx2ct": [{"camera": "cone_beam", "global_features": True, "zoom_share": 0.5}],
    "backprojection": [{"filter": "ramp"}],
    "sart": [{"start": "mean"}],
    "lift": [{"drop_views": 0.5}],
}


FOUR_LEVELS = {
    "unet": {"multipliers": [1, 1, 1, 1], "attention_levels": [3]},
    "lift": {"widths": [8] * 4, "bins": [1, 1, 2, 2], "channels": [2] * 4, "conditions": [4] * 4},
}  # lifted conditions of a grid of 16 voxels


@dataclass(frozen=True)
class Case:
    """A method with a row."""

    method: str
    row: dict[str, Any]

    def settings(self, **row: Any) -> Any:
        sections = {"model": FOUR_LEVELS} if self.row.get("conditions") == "lifted" else {}
        return tiny(self.method, self.row | row, slices={"size": SIZE}, **sections)

    def __str__(self) -> str:
        return "-".join([self.method, *(str(v if k != "views" else "+".join(v)) for k, v in self.row.items())])


def cases() -> Iterator[Case]:
    """Every method with every kind of views that it takes, and its variants."""
    for name, method in methods().items():
        if not method.looks_at_xrays:
            yield Case(name, {})
            continue
        yield from (Case(name, {"views": (view,)}) for view in BOTH)
        if name not in ONE_VIEW:
            yield Case(name, {"views": BOTH})
        if name not in ALONG_AXES:
            yield Case(name, {"views": ("lateral", "oblique")})
        views = BOTH[:1] if name in ONE_VIEW else BOTH
        yield from (Case(name, {"views": views} | row) for row in VARIANTS.get(name, []))


ALL = list(cases())
OF_XRAYS = [case for case in ALL if methods()[case.method].looks_at_xrays]


@dataclass(frozen=True)
class Ready:
    """A trained method in memory, its run's folder, X-rays and geometry of one scan."""

    trained: Trained
    run: Path
    xrays: dict[str, np.ndarray]
    geometry: Views

    def planes(self, **changes: Any) -> Planes:
        given = {"xrays": self.xrays, "geometry": self.geometry, "options": OPTIONS} | changes
        return self.trained.reconstruct(**given)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"), size=SIZE)


@pytest.fixture(scope="module")
def ready(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Case], Ready]:
    """Each case is trained once."""
    kept: dict[str, Ready] = {}

    def of(case: Case) -> Ready:
        if str(case) not in kept:
            kept[str(case)] = _ready(case, data, tmp_path_factory.mktemp("run"))
        return kept[str(case)]

    return of


def _ready(case: Case, data: Path, folder: Path) -> Ready:
    row = {}
    if case.method in FILES:
        row = {"path": str(folder / "theirs/{scan}.nii.gz")}
        read_grid(data, SCAN, SIZE).volume(noise(7, SIZE)).write(row["path"].format(scan=SCAN))
    run = train(case.settings(**row), data, folder)
    trained = load(run).of_scan(SCAN)
    names = trained.inputs.names
    geometry = Views(read_grid(data, SCAN, SIZE), {}) if case.method in FILES else trained.inputs.views
    return Ready(trained, run, read_xrays(data, SCAN, names), geometry)


def load(run: Path) -> Trained:
    method, settings = read_run(run)
    return method.implement().load(settings, run, Runtime())


def assert_equal(one: Planes, other: Planes) -> None:
    for plane, volume in one.by_name().items():
        np.testing.assert_array_equal(volume, other.by_name()[plane])


def one_line(match: str) -> Any:
    """An InputError of one line."""
    return pytest.raises(InputError, match=rf"(?s)\A[^\n]*({match})[^\n]*\Z")


@pytest.mark.parametrize("case", ALL, ids=str)
def test_planes_are_volumes_of_hu_on_the_grid_and_the_same_twice(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    planes = it.planes()
    assert list(planes.by_name()) == list(PLANES) and it.geometry.grid.size == SIZE
    for volume in (*planes.by_name().values(), planes.mean):
        assert volume.shape == (SIZE,) * 3 and volume.dtype == np.float32 and np.isfinite(volume).all()
        assert volume.min() >= -1024 and volume.max() <= 1476
    assert planes.deviation is None
    assert_equal(it.planes(), planes)


@pytest.mark.parametrize("case", OF_XRAYS, ids=str)
def test_tensors_and_other_number_types_are_arrays(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    planes = it.planes()
    learning = {name: torch.tensor(image, requires_grad=True) for name, image in it.xrays.items()}
    mirrored = {name: image[:, ::-1][:, ::-1] for name, image in it.xrays.items()}
    for given in (learning, mirrored, {name: image.astype(np.float64) for name, image in it.xrays.items()}):
        assert_equal(it.planes(xrays=given), planes)
    assert_equal(it.planes(xrays=dict(reversed(it.xrays.items()))), planes)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_xrays_stay_the_caller_s_and_volumes_become_it(case: Case, ready: Callable[[Case], Ready]) -> None:
    """What is done to a reconstruction, in place, is not seen by the next."""
    it = ready(case)
    before = {name: image.copy() for name, image in it.xrays.items()}
    planes = it.planes()
    kept = Planes(**{plane: volume.copy() for plane, volume in planes.by_name().items()})
    for volume in planes.by_name().values():
        volume += 100
    for name, image in it.xrays.items():
        np.testing.assert_array_equal(image, before[name])
    assert_equal(it.planes(), kept)


@pytest.mark.parametrize("case", [case for case in OF_XRAYS if methods()[case.method].samples], ids=str)
def test_several_samples_state_their_deviation(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    planes = it.planes(options=options(samples=3, noise="volume"))
    assert it.trained.inputs.samples and planes.deviation is not None
    assert planes.deviation.shape == (SIZE,) * 3 and planes.deviation.dtype == np.float32
    assert np.isfinite(planes.deviation).all() and planes.deviation.min() >= 0 and planes.deviation.max() > 0


@pytest.mark.parametrize("case", [case for case in ALL if case.method not in FILES], ids=str)
def test_a_reconstruction_reads_and_writes_nothing_on_disk(
    case: Case, ready: Callable[[Case], Ready], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's folder is gone, and no file can be opened but those in which the kernel tells of memory."""
    it = ready(case)
    planes = it.planes()
    trained = load(Path(shutil.copytree(it.run, tmp_path / "run")))
    shutil.rmtree(tmp_path / "run")
    plain = builtins.open

    def closed(file: Any, *rest: Any, **named: Any) -> Any:
        assert str(file).startswith("/proc/"), f"opened {file}"
        return plain(file, *rest, **named)

    monkeypatch.setattr(builtins, "open", closed)
    monkeypatch.setattr(io, "open", closed)
    for name in ("mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile"):
        monkeypatch.setattr(tempfile, name, None)
    found = trained.reconstruct(it.xrays, it.geometry, OPTIONS)
    monkeypatch.undo()
    assert_equal(found, planes)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_its_repr_says_shapes_and_units(case: Case, ready: Callable[[Case], Ready]) -> None:
    trained = ready(case).trained
    text = repr(trained)
    assert "\n" not in text and "(16, 16, 16), 20 mm, HU" in text
    pixels = trained.inputs.pixels
    assert all(f"{name!r}: ({pixels}+, {pixels}+)" in text for name in case.row.get("views", ()))


@pytest.mark.parametrize("case", OF_XRAYS, ids=str)
def test_xrays_that_are_none_are_one_line(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    (name, image), *others = it.xrays.items()
    pixels = it.trained.inputs.pixels
    bad = image.copy()
    bad[3, 5] = np.nan
    for given, match in (
        (bad, f"X-ray {name}: holds NaN or infinite values: replace them"),
        (np.where(np.isnan(bad), np.inf, bad), f"X-ray {name}: holds NaN"),
        (image[None], rf"X-ray {name}: shape \(1, 64, 64\) of float32: an X-ray is \(row, column\)"),
        (image.ravel(), rf"X-ray {name}: shape \(4096,\)"),
        (image[: pixels - 1], rf"X-ray {name}: \({pixels - 1}, 64\) pixels, the network sees {pixels} a side"),
        (image.astype(complex), f"X-ray {name}: shape .* of complex64|complex128"),
        ([["1", "2"], ["3", "4"]], f"X-ray {name}: shape"),
    ):
        with one_line(match):
            it.planes(xrays={name: given, **dict(others)})


@pytest.mark.parametrize("case", ALL, ids=str)
def test_other_views_are_one_line(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    image = np.zeros((XRAY_PIXELS,) * 2, np.float32)
    with one_line("X-rays of .*frontal.*, the model was trained on (no view|pa|lateral)"):
        it.planes(xrays={**it.xrays, "frontal": image})
    if len(it.xrays) > 1 and not it.trained.inputs.any_view:
        (name, one), *_ = it.xrays.items()
        with one_line(f"X-rays of {name}, the model was trained on .* and .*: give exactly these"):
            it.planes(xrays={name: one})
    if it.xrays:
        with one_line("X-rays of none, the model was trained on"):
            it.planes(xrays={})


@pytest.mark.parametrize("case", ALL, ids=str)
def test_another_grid_is_one_line(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    grid = it.geometry.grid
    for other in (replace(grid, size=2 * SIZE), replace(grid, spacing_mm=10.0)):
        with one_line("grid of|resample"):
            it.planes(geometry=replace(it.geometry, grid=other))


@pytest.mark.parametrize("case", OF_XRAYS, ids=str)
def test_another_geometry_is_used_or_one_line(case: Case, ready: Callable[[Case], Ready]) -> None:
    """A method whose geometry is data gives another volume; the others say that they cannot."""
    it = ready(case)
    exposures = dict(it.geometry.exposures)
    name, view = next(iter(exposures.items()))
    x, y, z = view.source_mm
    moved = replace(it.geometry, exposures=exposures | {name: replace(view, source_mm=(x + 40, y, z + 40))})
    finer = replace(it.geometry, exposures={n: v.resized(256) for n, v in exposures.items()})
    assert_equal(it.planes(geometry=finer), it.planes())
    try:
        different = it.planes(geometry=moved).mean
    except InputError as error:
        assert str(error).startswith("geometry: another source position of view") and "\n" not in str(error)
    else:
        assert np.abs(different - it.planes().mean).max() > 0
    without = replace(it.geometry, exposures={n: v for n, v in exposures.items() if n != name})
    with one_line(f"geometry: says nothing of view {name}: give its exposure"):
        it.planes(geometry=without)


@pytest.mark.parametrize("case", [case for case in ALL if case.method not in FILES], ids=str)
def test_moving_patient_and_geometry_together_changes_nothing(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    grid = replace(it.geometry.grid, centre_mm=(64.0, -32.0, 1000.0))
    names = list(it.geometry.exposures)
    _, settings = read_run(it.run)
    exposures = settings.xray.exposures(names, grid.centre_mm) if names else {}
    np.testing.assert_allclose(it.planes(geometry=Views(grid, exposures)).mean, it.planes().mean, atol=0.5)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_a_run_says_what_it_was_trained_with_and_can_be_read_again(case: Case, ready: Callable[[Case], Ready]) -> None:
    it = ready(case)
    method, settings = read_run(it.run)
    assert method is method_named(case.method) and settings.run.method == case.method
    assert {key: getattr(settings.run, key) for key in case.row} == case.row
    assert not list(it.run.glob(".*")), "no part of a file is left"


@pytest.mark.parametrize("case", [case for case in ALL if case.method not in FILES], ids=str)
def test_weights_of_another_run_and_damaged_ones_are_one_line(
    case: Case, ready: Callable[[Case], Ready], tmp_path: Path
) -> None:
    it = ready(case)
    other = next(one for one in ALL if one.method not in {case.method, *FILES})
    run = Path(shutil.copytree(it.run, tmp_path / "run"))
    weights = run / "weights.safetensors"
    shutil.copyfile(ready(other).run / weights.name, weights)
    with one_line(r"weights\.safetensors: not the weights of these settings"):
        load(run)
    weights.write_bytes((it.run / weights.name).read_bytes()[:-10])
    with one_line(r"weights\.safetensors: damaged weights"):
        load(run)
    weights.unlink()
    with one_line(r"weights\.safetensors: missing: the run is not finished"):
        load(run)


@pytest.mark.parametrize("name", sorted(ALONG_AXES))
def test_an_oblique_view_is_refused_by_methods_that_take_rays_for_parallel(
    name: str, data: Path, tmp_path: Path
) -> None:
    settings = tiny(name, {"views": ("oblique",)}, slices={"size": SIZE})
    with one_line("view oblique does not look along an axis of the patient"):
        train(settings, data, tmp_path)
    assert not (tmp_path / "weights.safetensors").exists()


@pytest.mark.parametrize("name", sorted(ONE_VIEW))
def test_two_views_are_refused_by_methods_of_one(name: str) -> None:
    with one_line(r"runs\.RUN\.views"):
        tiny(name, {"views": BOTH})


@pytest.mark.parametrize("name", [name for name, method in methods().items() if method.learns])
def test_the_smoke_configuration_makes_every_method_that_learns_small(name: str) -> None:
    """Its values are what these tests train."""
    parameters = sum(p.numel() for p in network_of(tiny(name)).parameters())
    assert parameters < 2e6, f"{parameters} parameters: give {name} small values in workflow/config/smoke.yaml"


def test_no_view_of_a_run_may_be_unknown() -> None:
    """Neither in the configuration nor in settings of one's own."""
    for name, method in methods().items():
        if method.looks_at_xrays:
            with one_line("frontal is not a name of xray.views"):
                tiny(name, {"views": ("frontal",)})


def test_a_volume_s_file_is_where_the_scan_lies(ready: Callable[[Case], Ready]) -> None:
    it = ready(Case("volumes", {}))
    assert isinstance(it.geometry.grid.volume(), Volume)
    np.testing.assert_array_equal(it.planes().mean, noise(7, SIZE))
