"""`dx2ct profile`: the divided step is the step, the counts are the network's, bad requests are one line."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from drr.errors import InputError
from dx2ct.cli import app
from dx2ct.methods import method_named, methods
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.saved import to_text
from dx2ct.profiling.parts import gradients_by_parts, Meter, parameters
from dx2ct.profiling.profile import chosen_precision, matmul_rate, Profile, profile, to_json, utilisation
from dx2ct.profiling.profile import to_text as printed
from dx2ct.profiling.rehearsal import operations, Rehearsal
from dx2ct.profiling.single_pass import SinglePassProfile
from dx2ct.profiling.stopwatch import step_seconds
from tests.fabricate import network_of, tiny

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
ROWS: list[dict[str, Any]] = [
    {},
    {"views": ["pa"], "conditioning": "concat"},
    {"query_transformer": False, "prediction": "v"},
    {"conditions": "lifted"},
]


def rehearsal(folder: Path, dtype: torch.dtype = torch.float32, **row: Any) -> Rehearsal:
    return Rehearsal(tiny("dx2ct", row), folder, CPU, dtype)


def profiled(settings: Any, precision: str = "auto", batch: int = 0, steps: int = 1) -> Profile | SinglePassProfile:
    return profile(method_named(settings.run.method), settings, CPU, precision, batch, steps)


def gradients(model: DX2CT, fill: Callable[[], object]) -> dict[str, torch.Tensor]:
    model.zero_grad(set_to_none=True)
    fill()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_divided_step_gives_the_gradients_of_the_whole_one(row, tmp_path: Path) -> None:
    it = rehearsal(tmp_path, **row)
    for parameter in it.model.parameters():  # zero-initialised layers would hide what flows through them
        torch.nn.init.normal_(parameter, std=0.1) if parameter.dim() > 1 else None
    inputs, loss_of = it.examples_of(it.batch(0))
    whole = gradients(it.model, lambda: loss_of(it.model(*inputs)).backward())
    meter = Meter(lambda: 0.0)
    divided = gradients(it.model, lambda: gradients_by_parts(it.model, inputs, loss_of, meter))
    assert len(whole) == len(list(it.model.parameters())) and whole.keys() == divided.keys()
    for name in whole:
        torch.testing.assert_close(divided[name], whole[name])
    for module in it.model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


@pytest.mark.parametrize("row", [ROWS[1], ROWS[3]], ids=str)
def test_operations_are_those_of_the_whole_step(row) -> None:
    settings = tiny("dx2ct", row)
    with torch.device("meta"):
        model = DX2CT(settings).to("meta")
        xrays, noisy = torch.empty(2, len(settings.run.views), 32, 32), torch.empty(4, 1, 32, 32)
        with FlopCounterMode(display=False) as forward:
            output = model(xrays, torch.empty(2, 2, 32, 32, 3), noisy, torch.empty(4, dtype=torch.long))
        with FlopCounterMode(display=False) as backward:
            output.sum().backward()
    counted = operations(settings)
    for direction, counter in (("forward", forward), ("backward", backward)):
        parts = {part: count for (part, way), count in counted.items() if way == direction}
        assert sum(parts.values()) == counter.get_total_flops()
        lifted = row.get("conditions") == "lifted"
        assert parts.keys() == ({"pyramids", "lifting", "unet"} if lifted else {"resnet", "3dpqt", "unet"})
    if not lifted:  # conv1 alone: 7 x 7 x 3 inputs, 64 outputs, 16 x 16 pixels of each X-ray
        assert counted["resnet", "forward"] > 2 * 7 * 7 * 3 * 64 * 16**2 * 2 * len(settings.run.views)


def test_meter_gives_each_phase_what_passed_in_it() -> None:
    readings = iter([0, 0, 3, 3, 10, 10, 11, 99])
    meter = Meter(lambda: next(readings))
    meter.enter("a", "forward")
    meter.enter("b")
    meter.enter("a", "forward")
    meter.leave()
    assert meter.sums == {("a", "forward"): 3 + 1, ("b", ""): 7}


@pytest.mark.parametrize("row", [ROWS[0], ROWS[3]], ids=str)
def test_profile_of_a_tiny_run(row: dict[str, Any]) -> None:
    settings = tiny("dx2ct", row)
    result = profiled(settings, batch=2 * settings.train.batch)
    assert isinstance(result, Profile)
    model, flop = DX2CT(settings), operations(settings)
    assert result.parameters == parameters(model)
    assert sum(result.parameters.values()) == sum(p.numel() for p in model.parameters())
    parts = {"loader", "optimizer", *(part for part, _ in flop)}
    assert result.time_shares.keys() == parts and min(result.time_shares.values()) > 0
    assert sum(result.time_shares.values()) == pytest.approx(1)
    total = sum(result.forward_flop.values()) + sum(result.backward_flop.values())
    unet = result.forward_flop["unet"], result.backward_flop["unet"]
    assert unet == (2 * flop["unet", "forward"], 2 * flop["unet", "backward"]), "of twice the settings' batch"
    assert result.utilisation == pytest.approx(total * result.steps_per_s / result.matmul_flop_per_s)
    assert 0 < result.utilisation < 1 and result.peak_memory_mb > 50
    assert result.hours_of_all_steps == pytest.approx(settings.train.steps / result.steps_per_s / 3600)
    assert (result.batch, result.precision) == (8, "float32")
    assert json.loads(to_json(result))["batch"] == 8
    assert all(word in printed(result) for word in [*parts, "steps/s", "GFLOP", "scans of noise", "% of the"])


@pytest.mark.parametrize("name", [name for name, method in methods().items() if method.learns and name != "dx2ct"])
def test_profile_of_every_other_method_that_learns(name: str) -> None:
    settings = tiny(name)
    result = profiled(settings)
    assert isinstance(result, SinglePassProfile)
    assert sum(result.parameters.values()) == sum(p.numel() for p in network_of(settings).parameters())
    assert (result.discriminator_parameters > 0) == (name == "x2ctgan")
    assert result.reconstruction_flop > 0 and result.batch == settings.train.batch
    assert result.hours_of_all_steps == pytest.approx(settings.train.steps / result.steps_per_s / 3600)
    assert all(word in printed(result) for word in ("steps/s", "GFLOP", "scans of noise"))


@pytest.mark.parametrize("name", [name for name, method in methods().items() if not method.learns])
def test_a_method_without_steps_has_nothing_to_profile(name: str) -> None:
    with pytest.raises(InputError, match=f"method {name} is not trained step by step: there is nothing to profile"):
        profiled(tiny(name))


def test_no_utilisation_where_bf16_is_emulated() -> None:
    """A rate below float32's bounds nothing: the step's float32 operations alone may run faster."""
    assert utilisation(5e9, rate=20e9, float32_rate=10e9) == 0.25
    assert utilisation(5e9, rate=1e9, float32_rate=10e9) is None


def test_steps_of_a_rehearsal_train(tmp_path: Path) -> None:
    it = rehearsal(tmp_path)
    before = it.model.unet.first.weight.clone()
    it.step_by_parts(0, Meter(lambda: 0.0))
    assert it.training.step == 0 and it.model.unet.last[-1].weight.any(), "the layer that starts at zero has moved"
    assert step_seconds(it.step, CPU, 1) > 0
    assert it.training.step == 3 and not torch.equal(it.model.unet.first.weight, before)


def test_autocast_gives_about_the_same(tmp_path: Path) -> None:
    it = rehearsal(tmp_path)
    torch.nn.init.normal_(it.model.unet.last[-1].weight, std=0.1)
    inputs, _ = it.examples_of(it.batch(0))
    plain = it.model(*inputs)
    it.dtype = torch.bfloat16
    with torch.no_grad(), it.autocast():
        shorter = it.model(*inputs)
    assert shorter.dtype == torch.bfloat16
    torch.testing.assert_close(shorter.float(), plain, atol=0.1, rtol=0.1)


def test_matrix_rate_is_one() -> None:
    assert 1e8 < matmul_rate(CPU, torch.float32) < 1e14
    assert chosen_precision("auto", CPU) == "float32" and chosen_precision("auto", torch.device("cuda")) == "bf16"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 5}, r"batch 5 is no multiple of train\.slices_per_patient 2"),
        ({"precision": "float8"}, "unknown precision 'float8'; known: auto, float32, bf16"),
    ],
)
def test_what_cannot_be_profiled_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        profiled(tiny(), **changes)


def test_command_line(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(to_text(tiny()))
    line = ["profile", "--steps", "1", "--device", "cpu", "--threads", "1"]
    asked = [*line, "--run", str(tmp_path)]
    done = CliRunner().invoke(app, [*asked, "--json", "-o", str(tmp_path / "profile.json")])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == json.loads((tmp_path / "profile.json").read_text())
    for words, message in (
        ([*asked, "--settings", to_text(tiny())], "either --settings or --run"),
        (line, "either --settings or --run"),
        ([*line, "--settings", "{}"], r"names no run\.method"),
        ([*line, "--run", str(tmp_path / "nothing")], r"settings\.json: no trained run here"),
    ):
        failed = CliRunner().invoke(app, words)
        assert isinstance(failed.exception, InputError)
        with pytest.raises(InputError, match=message):
            raise failed.exception
