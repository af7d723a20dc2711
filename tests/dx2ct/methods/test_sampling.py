"""A scan sampled in every way there is, by a network that no one has trained."""

from functools import partial
from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest
import torch

from drr.errors import InputError
from dx2ct.data.planes import from_plane, PLANES, to_plane
from dx2ct.data.scans import read_xrays
from dx2ct.data.window import to_hu
from dx2ct.methods.base import DEVIATION
from dx2ct.methods.dx2ct.memory import plan
from dx2ct.methods.dx2ct.method import load
from dx2ct.methods.dx2ct.sampling import noise_of, projection_of, sample
from dx2ct.methods.dx2ct.slices import Slices
from dx2ct.methods.runtime import Machine, running
from dx2ct.samplers import diffusion, reconstruction
from dx2ct.samplers.consistency import residual
from dx2ct.samplers.triplane import fused, sliced, to_stacks, to_volumes
from dx2ct.training.batches import plane_coordinates
from tests.dx2ct.fabricated import ROOT, write_scans
from tests.dx2ct.predict.films import write_model
from tests.dx2ct.settings_for_tests import plain, tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_scans(folder, ["s"])
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def network(run: Path):
    return load((run / "settings.json").read_text(), run, CPU)


def volumes(network, data: Path, **changes):
    return sample(*network, plain(**changes), "s", data, CPU)


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
def paper_s(network, data: Path, how) -> dict[str, np.ndarray]:
    """Each chunk of slices through the whole process on its own, conditions by the plain forward pass."""
    model, settings = network
    xrays = torch.from_numpy(read_xrays(data, "s", settings.run.views, 32))[None]
    noise = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(how.seed))
    schedule = diffusion.linear_schedule(settings.diffusion)
    found = {}
    for plane, plane_map in zip(PLANES, plane_coordinates(32), strict=True):
        stack = []
        for chunk in plane_map.split(how.batch):
            denoise = partial(model.denoise, maps=model.conditions(xrays, chunk[None]))
            start = noise.expand(len(chunk), -1, -1, -1)
            stack.append(diffusion.ddim(schedule, settings.run.prediction, denoise, start, how.steps)[:, 0].numpy())
        found[plane] = to_hu(from_plane(np.concatenate(stack), plane))
    return found


@pytest.mark.parametrize("batch", [64, 20])
def test_one_sample_alone_is_the_paper_s_bit_for_bit(network, data: Path, batch: int):
    plainly = paper_s(network, data, plain(steps=3, seed=4, batch=batch))
    found = volumes(network, data, steps=3, seed=4, batch=batch)
    assert set(found) == set(PLANES)
    for plane in PLANES:
        np.testing.assert_array_equal(found[plane], plainly[plane])


@pytest.mark.parametrize("run_row", [{"query_transformer": False}, {"conditioning": "concat"}, {"prediction": "v"}])
def test_every_ablation_remembers_its_conditions(run_row: dict, data: Path, tmp_path: Path):
    folder = write_model(tmp_path / "run", tiny(**run_row))
    network = load((folder / "settings.json").read_text(), folder, CPU)
    plainly = paper_s(network, data, plain())
    for plane, volume in volumes(network, data).items():
        np.testing.assert_array_equal(volume, plainly[plane])


def test_kept_and_recomputed_conditions_are_the_same(network, data: Path):
    one, *others = (sample(*network, plain(), "s", data, CPU, keep=keep) for keep in ("steering", "maps", "nothing"))
    for plane in PLANES:
        for other in others:
            np.testing.assert_array_equal(one[plane], other[plane])


@pytest.mark.parametrize("solver", ["ddim", "dpm"])
@pytest.mark.parametrize("noise", ["image", "volume"])
def test_planes_together_give_one_volume(network, data: Path, solver: str, noise: str):
    found = volumes(network, data, planes="together", solver=solver, noise=noise, steps=3)
    for plane in PLANES[1:]:
        np.testing.assert_array_equal(found[plane], found["axial"])
    alone = volumes(network, data, solver=solver, noise=noise, steps=3)
    assert np.abs(alone["coronal"] - alone["axial"]).mean() > 1


def test_in_one_step_together_is_the_mean_of_alone(network, data: Path):
    """There is no step on which the planes could have agreed."""
    alone, together = (volumes(network, data, planes=planes, steps=1) for planes in ("alone", "together"))
    np.testing.assert_allclose(together["axial"], np.mean(list(alone.values()), axis=0), atol=1e-2)


def test_noise_is_shared_as_asked():
    image = noise_of(plain(samples=2), 8).view(2, 24, 8, 8)
    assert (image == image[:, :1]).all() and not torch.equal(image[0], image[1])
    volume = noise_of(plain(samples=2, noise="volume"), 8)
    torch.testing.assert_close(sliced(fused(volume, 2)), volume)
    assert float(volume.std()) == pytest.approx(1, abs=0.05)
    first = noise_of(plain(seed=3), 8)
    torch.testing.assert_close(noise_of(plain(seed=3, samples=4), 8)[:24], first)


def test_samples_are_averaged_and_their_deviation_stated(network, data: Path):
    several = volumes(network, data, samples=3, noise="volume")
    deviation = several.pop(DEVIATION)
    singles = []
    for sample_ in range(3):
        noise = noise_of(plain(samples=3, noise="volume"), 32).view(3, -1, 1, 32, 32)[sample_]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reconstruction, "noise_of", lambda *_, noise=noise: noise)
            singles.append(np.mean(list(volumes(network, data, noise="volume").values()), axis=0))
    np.testing.assert_allclose(np.mean(list(several.values()), axis=0), np.mean(singles, axis=0), atol=0.05)
    np.testing.assert_allclose(deviation, np.std(singles, axis=0, ddof=1), atol=0.05)
    assert deviation.mean() > 1


def test_samples_from_equal_noise_do_not_deviate(network, data: Path, monkeypatch):
    one = noise_of(plain(), 32)
    monkeypatch.setattr(reconstruction, "noise_of", lambda *_: one.repeat(2, 1, 1, 1))
    assert volumes(network, data, samples=2)[DEVIATION].max() < 0.01


@pytest.mark.parametrize("planes", ["alone", "together"])
def test_consistency_lowers_the_residual_of_what_is_delivered(network, data: Path, planes: str):
    projector, integrals = projection_of(network[1], "s", data)
    whens = ("end", "steps") if planes == "together" else ("end",)
    without = residual(projector, np.mean(list(volumes(network, data, planes=planes).values()), axis=0), integrals)
    for when in whens:
        found = volumes(network, data, planes=planes, consistency={"iterations": 6, "when": when})
        assert all(np.array_equal(found[plane], found["axial"]) for plane in PLANES)
        assert residual(projector, found["axial"], integrals) < 0.5 * without


def test_what_cannot_be_together_is_one_line():
    with pytest.raises(InputError, match="dpm adds no fresh noise"):
        plain(solver="dpm", eta=0.5)
    with pytest.raises(InputError, match="planes: together"):
        plain(consistency={"iterations": 1, "when": "steps"})


def test_fresh_noise_does_not_depend_on_the_batch(network, data: Path):
    found = [volumes(network, data, eta=1.0, batch=batch)["sagittal"] for batch in (64, 32)]
    np.testing.assert_allclose(found[0], found[1], atol=0.05)


def test_a_bound_of_memory_makes_batches_smaller_and_is_refused_when_too_small(network, data: Path):
    model, settings = network
    xrays = torch.from_numpy(read_xrays(data, "s", settings.run.views, 32))[None]
    found = []
    from dx2ct.methods.dx2ct.memory import MB, need_of_a_slice, used

    kept, working = need_of_a_slice(model, xrays, plane_coordinates(32))
    maps = model.conditions(xrays, plane_coordinates(32)[:1, :1])
    assert kept["maps"] == sum(m.nbytes for m in maps)
    assert kept["steering"] == sum(said.nbytes for stage in model.steering(maps) for said in stage)
    assert working > kept["steering"] > kept["maps"] > kept["nothing"] == 0
    for room in (6, 20, 2000):
        with running(Machine(max_memory_mb=int(used(CPU) / MB + 1.5 * room * working / MB) + 8)):
            found.append(plan(model, xrays, plane_coordinates(32), 64, 1))
    assert found[0].batch < found[1].batch < found[2].batch == 64 and found[2].keep == "steering"
    with running(Machine(max_memory_mb=10)), pytest.raises(InputError, match=r"10 MB are allowed, one slice .* takes"):
        sample(model, settings, plain(), "s", data, CPU)


_PEAK = """
import sys, torch
from pathlib import Path
from dx2ct.methods.dx2ct.method import load
from dx2ct.methods.runtime import Machine, running
from dx2ct.methods.dx2ct.memory import used
from dx2ct.methods.dx2ct.sampling import sample
from tests.dx2ct.settings_for_tests import plain
torch.set_num_threads(1)
run, data = map(Path, sys.argv[1:3])
model, settings = load((run / "settings.json").read_text(), run, torch.device("cpu"))
sample(model, settings, plain(steps=1), "s", data, torch.device("cpu"))  # libraries are loaded by now
start = used(torch.device("cpu")) / 2**20
with running(Machine(int(start + float(sys.argv[3])) if sys.argv[3] != "0" else 0)):
    sample(model, settings, plain(steps=1, samples=8, batch=256), "s", data, torch.device("cpu"))
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


def test_slices_report_their_progress(network, data: Path):
    model, settings = network
    done: list[int] = []
    xrays = torch.from_numpy(read_xrays(data, "s", settings.run.views, 32))[None]
    with torch.inference_mode():
        Slices(model, xrays, plane_coordinates(32), 20, 1, "steering", done.append)(
            torch.zeros(96, 1, 32, 32), torch.zeros(96, dtype=torch.long)
        )
    assert done == [20, 12] * 3
