"""A scan sampled in every way there is, by a network that no one has trained."""

from functools import partial
from pathlib import Path
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from drr.errors import InputError
from drr.projector import Projector
from dx2ct.data.planes import from_plane, plane_coordinates, PLANES, to_plane
from dx2ct.data.scans import as_seen, averaged, read_xrays
from dx2ct.data.window import to_hu
from dx2ct.methods.contract import Planes
from dx2ct.methods.dx2ct import sampling
from dx2ct.methods.dx2ct.memory import MB, need_of_a_slice, plan, used
from dx2ct.methods.dx2ct.network import schedule_of
from dx2ct.methods.dx2ct.sampling import noise_of, TrainedDx2ct
from dx2ct.methods.dx2ct.slices import Slices
from dx2ct.methods.saved import read_run
from dx2ct.samplers import require_solver
from dx2ct.samplers.consistency import RAYS, residual
from dx2ct.samplers.ddim import ddim
from dx2ct.samplers.triplane import fused, sliced, to_stacks, to_volumes
from dx2ct.training.runtime import Runtime
from tests.fabricate import BOTH, cohort, options, random_run, ROOT, SIZE, tiny

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
COORDINATES = torch.from_numpy(plane_coordinates(SIZE))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"), {"s": "test"})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def trained(run: Path) -> TrainedDx2ct:
    return loaded(run)


@pytest.fixture(scope="module")
def images(data: Path) -> list[np.ndarray]:
    return list(read_xrays(data, "s", BOTH).values())


@pytest.fixture
def seen(trained: TrainedDx2ct, data: Path) -> torch.Tensor:
    """What the network sees, (1, view, H, W)."""
    return stretched_of(trained, data)


def loaded(run: Path, max_memory_mb: int = 0) -> TrainedDx2ct:
    method, settings = read_run(run)
    return method.implement().load(settings, run, Runtime(CPU, max_memory_mb))


def stretched_of(trained: TrainedDx2ct, data: Path) -> torch.Tensor:
    names = trained.inputs.names
    return torch.from_numpy(as_seen(read_xrays(data, "s", names), names, SIZE))[None]


def reconstructed(trained: TrainedDx2ct, data: Path, **changes: Any) -> Planes:
    xrays = read_xrays(data, "s", trained.inputs.names)
    return trained.reconstruct(xrays, trained.inputs.views, options(**changes))


def assert_equal(one: Planes, other: Planes) -> None:
    for plane in PLANES:
        np.testing.assert_array_equal(getattr(one, plane), getattr(other, plane))


def test_stacks_are_those_of_the_slices_stage_and_back():
    volume = np.random.default_rng(0).random((2, 5, 5, 5)).astype(np.float32)
    stacks = to_stacks(torch.from_numpy(volume))
    for i, plane in enumerate(PLANES):
        for sample_ in (0, 1):
            np.testing.assert_array_equal(stacks[sample_, i].numpy(), to_plane(volume[sample_], plane))
    for i in range(3):
        np.testing.assert_array_equal(to_volumes(stacks)[:, i].numpy(), volume)
    torch.testing.assert_close(fused(sliced(torch.from_numpy(volume)), 2), torch.from_numpy(volume))


@torch.inference_mode()
def paper_s(trained: TrainedDx2ct, data: Path, **changes: Any) -> Planes:
    """Each chunk of slices through the whole process on its own, conditions by the plain forward pass."""
    asked, model, settings = options(**changes), trained.model, trained.settings
    xrays = stretched_of(trained, data)
    noise = torch.randn(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(asked.seed))
    found = {}
    for plane, plane_map in zip(PLANES, COORDINATES, strict=True):
        stack = []
        for chunk in plane_map.split(asked.batch):
            denoise = partial(model.denoise, maps=model.conditions(xrays, chunk[None]))
            start = noise.expand(len(chunk), -1, -1, -1)
            clean = ddim(schedule_of(settings), settings.run.prediction, denoise, start, asked.steps)
            stack.append(clean[:, 0].numpy())
        found[plane] = to_hu(from_plane(np.concatenate(stack), plane))
    return Planes(**found)


@pytest.mark.parametrize("batch", [64, 20])
def test_one_sample_alone_is_the_paper_s_bit_for_bit(trained: TrainedDx2ct, data: Path, batch: int):
    changes = {"steps": 3, "seed": 4, "batch": batch}
    assert_equal(reconstructed(trained, data, **changes), paper_s(trained, data, **changes))


@pytest.mark.parametrize(
    "row",
    [
        {"query_transformer": False},
        {"conditioning": "concat"},
        {"prediction": "v"},
        {"views": ["lateral", "oblique", "pa"]},
    ],
    ids=str,
)
def test_every_ablation_keeps_its_conditions(row: dict[str, Any], data: Path, tmp_path: Path):
    other = loaded(random_run(tmp_path / "run", tiny("dx2ct", row)))
    assert_equal(reconstructed(other, data), paper_s(other, data))


def test_kept_and_recomputed_conditions_are_the_same(trained: TrainedDx2ct, data: Path):
    xrays, views = read_xrays(data, "s", BOTH), trained.inputs.views
    keeps = ("modulation", "maps", "nothing")
    one, *others = (trained.reconstruct(xrays, views, options(), keep=keep) for keep in keeps)
    for other in others:
        assert_equal(one, other)


@pytest.mark.parametrize("solver", ["ddim", "dpm"])
@pytest.mark.parametrize("noise", ["image", "volume"])
def test_planes_together_give_one_volume(trained: TrainedDx2ct, data: Path, solver: str, noise: str):
    found = reconstructed(trained, data, planes="together", solver=solver, noise=noise, steps=3)
    assert_equal(found, Planes.of_one(found.axial))
    alone = reconstructed(trained, data, solver=solver, noise=noise, steps=3)
    assert np.abs(alone.coronal - alone.axial).mean() > 1


def test_in_one_step_together_is_the_mean_of_alone(trained: TrainedDx2ct, data: Path):
    """There is no step on which the planes could have agreed."""
    alone, together = (reconstructed(trained, data, planes=planes, steps=1) for planes in ("alone", "together"))
    np.testing.assert_allclose(together.axial, alone.mean, atol=1e-2)


def test_noise_is_shared_as_asked():
    image = noise_of(options(samples=2), 8).view(2, 24, 8, 8)
    assert (image == image[:, :1]).all() and not torch.equal(image[0], image[1])
    volume = noise_of(options(samples=2, noise="volume"), 8)
    torch.testing.assert_close(sliced(fused(volume, 2)), volume)
    assert float(volume.std()) == pytest.approx(1, abs=0.05)
    first = noise_of(options(seed=3), 8)
    torch.testing.assert_close(noise_of(options(seed=3, samples=4), 8)[:24], first)


def test_samples_are_averaged_and_their_deviation_stated(trained: TrainedDx2ct, data: Path):
    several = reconstructed(trained, data, samples=3, noise="volume")
    singles = []
    for sample in range(3):
        noise = noise_of(options(samples=3, noise="volume"), SIZE).view(3, -1, 1, SIZE, SIZE)[sample]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sampling, "noise_of", lambda *_, noise=noise: noise)
            singles.append(reconstructed(trained, data, noise="volume").mean)
    np.testing.assert_allclose(several.mean, np.mean(singles, axis=0), atol=0.05)
    np.testing.assert_allclose(several.deviation, np.std(singles, axis=0, ddof=1), atol=0.05)
    assert several.deviation is not None and several.deviation.mean() > 1


def test_samples_from_equal_noise_do_not_deviate(trained: TrainedDx2ct, data: Path, monkeypatch: pytest.MonkeyPatch):
    one = noise_of(options(), SIZE)
    monkeypatch.setattr(sampling, "noise_of", lambda *_: one.repeat(2, 1, 1, 1))
    deviation = reconstructed(trained, data, samples=2).deviation
    assert deviation is not None and deviation.max() < 0.01


@pytest.mark.parametrize("planes", ["alone", "together"])
def test_consistency_lowers_the_residual_of_what_is_delivered(
    trained: TrainedDx2ct, data: Path, images: list[np.ndarray], planes: str
):
    views = trained.inputs.views
    projector = Projector(views.grid.volume(), list(views.exposures.values()), SIZE, RAYS)
    integrals = np.stack([averaged(image, SIZE) for image in images])
    without = residual(projector, reconstructed(trained, data, planes=planes).mean, integrals)
    for when in ("end", "steps") if planes == "together" else ("end",):
        found = reconstructed(trained, data, planes=planes, consistency={"iterations": 6, "when": when})
        assert_equal(found, Planes.of_one(found.axial))
        assert residual(projector, found.axial, integrals) < 0.5 * without


@pytest.mark.parametrize("attenuation", ["water", "mixture:60"])
def test_consistency_takes_the_attenuation_of_the_xrays_or_refuses_it(attenuation: str, data: Path, tmp_path: Path):
    """Line integrals of another model of attenuation need other HU; one that has no inverse is refused in one line."""
    other = loaded(random_run(tmp_path / "run", tiny(xray={"attenuation": attenuation})))
    asked = {"consistency": {"iterations": 2}}
    if attenuation == "water":
        plastimatch = loaded(random_run(tmp_path / "plastimatch"))
        different = reconstructed(other, data, **asked).mean - reconstructed(plastimatch, data, **asked).mean
        assert np.abs(different).mean() > 1
    else:
        with pytest.raises(InputError, match=r"xray\.attenuation mixture:60 has no HU of a line integral"):
            reconstructed(other, data, **asked)


def test_what_cannot_be_together_is_one_line(trained: TrainedDx2ct, data: Path):
    with pytest.raises(ValueError, match=r"eta: 0\.5 with solver dpm, which adds no fresh noise"):
        require_solver(options(solver="dpm", eta=0.5))
    for changes in ({"solver": "euler"}, {"solver": "dpm", "eta": 0.5}):
        with pytest.raises(InputError, match=r"reconstruct\.(solver: euler is not one of ddim, dpm|eta: 0\.5)"):
            reconstructed(trained, data, **changes)
    with pytest.raises(InputError, match="planes: together"):
        options(consistency={"iterations": 1, "when": "steps"})


def test_fresh_noise_does_not_depend_on_the_batch(trained: TrainedDx2ct, data: Path):
    found = [reconstructed(trained, data, eta=1.0, batch=batch).sagittal for batch in (64, 32)]
    np.testing.assert_allclose(found[0], found[1], atol=0.05)


def test_a_bound_of_memory_makes_batches_smaller_and_is_refused_when_too_small(
    trained: TrainedDx2ct, run: Path, data: Path, seen: torch.Tensor
):
    model = trained.model
    kept, working = need_of_a_slice(model, seen, COORDINATES)
    maps = model.conditions(seen, COORDINATES[:1, :1])
    assert kept["maps"] == sum(m.nbytes for m in maps)
    assert kept["modulation"] == sum(one.nbytes for block in model.modulation(maps) for one in block)
    assert working > kept["modulation"] > kept["maps"] > kept["nothing"] == 0
    found = []
    for room in (6, 20, 2000):
        limit = int(used(CPU) / MB + 1.5 * room * working / MB) + 8
        found.append(plan(model, seen, COORDINATES, 64, 1, limit))
    assert found[0].batch < found[1].batch < found[2].batch == 64 and found[2].keep == "modulation"
    with pytest.raises(InputError, match=r"10 MB are allowed, one slice .* takes"):
        reconstructed(loaded(run, max_memory_mb=10), data)


_PEAK = """
import sys, torch
from pathlib import Path
from dx2ct.methods.dx2ct.memory import used
from tests.dx2ct.methods.test_sampling import loaded, reconstructed
torch.set_num_threads(1)
run, data = map(Path, sys.argv[1:3])
reconstructed(loaded(run), data, steps=1)  # libraries are loaded by now
start = used(torch.device("cpu")) / 2**20
bound = int(start + float(sys.argv[3])) if sys.argv[3] != "0" else 0
reconstructed(loaded(run, bound), data, steps=1, samples=8, batch=256)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(int(peak) / 1024 - start)
"""


def test_the_bound_of_memory_is_kept(run: Path, data: Path):
    """Of the whole process, as the operating system counts: three quarters of what it takes without a bound."""
    took = {}
    for bound in (0, 60):
        line = [sys.executable, "-c", _PEAK, str(run), str(data), str(bound)]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
        took[bound] = float(done.stdout)
    assert took[60] < 60 < 0.75 * took[0], took


def test_slices_report_their_progress(trained: TrainedDx2ct, seen: torch.Tensor):
    done: list[int] = []
    with torch.inference_mode():
        Slices(trained.model, seen, COORDINATES, 20, 1, "modulation", done.append)(
            torch.zeros(3 * SIZE, 1, SIZE, SIZE), torch.zeros(3 * SIZE, dtype=torch.long)
        )
    assert done == [20, 12] * 3
