"""lift and the lifted conditions of DX2CT: where they start, what they look at, dropped views, other geometries."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drr.errors import InputError
from dx2ct.config import to_json, tracked
from dx2ct.data.scans import read_xrays
from dx2ct.geometry import projection_matrices, Views
from dx2ct.methods.contract import training_views
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.layers.example import read_volume
from dx2ct.methods.lift.method import Geometry, IMPLEMENTATION, LiftData
from dx2ct.methods.lift.network import Grow, Lift
from dx2ct.methods.saved import read_run
from dx2ct.training.runtime import Runtime
from tests.fabricate import cohort, options, rows, tiny, train

SCANS = [row.scan for row in rows() if row.split == "train"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cohort(tmp_path_factory.mktemp("data"))


def built(data: Path, row: dict[str, Any] | None = None, **model: Any) -> tuple[Any, Lift]:
    settings = tiny("lift", row, model=model)
    torch.manual_seed(0)
    network = IMPLEMENTATION.network(settings)
    IMPLEMENTATION.start(settings, network, SCANS, data)
    return settings, network


def test_an_untrained_network_is_the_mean_training_volume(data: Path) -> None:
    settings, network = built(data)
    mean = torch.stack([read_volume(data, scan, settings.slices.size) for scan in SCANS]).mean(dim=0)
    pixels = IMPLEMENTATION.xray_pixels(settings)
    volume = network(*Geometry.of(settings).inputs(torch.rand(2, 2, pixels, pixels)))
    torch.testing.assert_close(volume[:, 0], mean.expand(2, -1, -1, -1), atol=1e-6, rtol=0)


def test_the_finest_grid_computed_again_changes_no_gradient(data: Path) -> None:
    gradients = []
    for checkpoint in (False, True):
        settings, network = built(data, checkpoint=checkpoint)
        with torch.no_grad():
            for p in network.parameters():  # the last layer starts at zero, and nothing would flow
                p.add_(0.01)
        inputs = Geometry.of(settings).inputs(torch.linspace(0, 1, 2 * 64 * 64).view(1, 2, 64, 64))
        network.train()(*inputs).square().sum().backward()
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.slow
def test_a_share_of_the_examples_keeps_one_view(data: Path, share: float) -> None:
    settings = tiny("lift", {"drop_views": share}, train={"batch": 8})
    examples = LiftData(settings, 64, SCANS, data, torch.device("cpu"))
    masks = np.concatenate([examples._mask(step) for step in range(200)])
    assert masks.sum(axis=1).min() >= 1, "every example keeps one at least"
    assert abs(float((masks.sum(axis=1) == 1).mean()) - share) < 0.05
    if share:
        alone = masks[masks.sum(axis=1) == 1]
        assert abs(float(alone[:, 0].mean()) - 0.5) < 0.06, "each view as often"


def test_the_parts_of_a_batch_have_the_masks_of_the_whole(data: Path) -> None:
    settings = tiny("lift", {"drop_views": 0.5}, train={"batch": 4})
    examples = LiftData(settings, 64, SCANS, data, torch.device("cpu"))
    whole = examples.batch(3).inputs[1]
    assert torch.equal(whole, torch.cat([examples.batch(3, part, 2).inputs[1] for part in range(2)]))


def test_a_view_that_is_absent_is_not_looked_at(data: Path, tmp_path: Path) -> None:
    run = train(tiny("lift", {"drop_views": 0.5}), data, tmp_path / "run")
    method, settings = read_run(run)
    trained = method.implement().load(settings, run, Runtime())
    xrays = read_xrays(data, SCANS[0], ("pa", "lateral"))
    alone = trained.reconstruct({"pa": xrays["pa"]}, trained.inputs.views, options()).mean
    both = trained.reconstruct(xrays, trained.inputs.views, options()).mean
    assert np.abs(alone - both).max() > 0
    network: Any = trained
    given = torch.rand(1, 2, 64, 64)
    other = given.clone()
    other[:, 1] = torch.rand(64, 64)
    mask, matrices = torch.tensor([[1.0, 0.0]]), Geometry.of(settings).matrices[None]
    with torch.no_grad():
        first, second = (network.network(x, mask, matrices) for x in (given, other))
    assert torch.equal(first, second)


def test_no_view_and_unknown_views_are_one_line(data: Path, tmp_path: Path) -> None:
    run = train(tiny("lift"), data, tmp_path / "run")
    method, settings = read_run(run)
    trained = method.implement().load(settings, run, Runtime())
    for given in ({}, {"oblique": np.zeros((64, 64), np.float32)}):
        with pytest.raises(InputError, match="give one of these at least"):
            trained.reconstruct(given, trained.inputs.views, options())
    bare = Views(trained.inputs.views.grid, {})
    with pytest.raises(InputError, match="says nothing of view pa"):
        trained.reconstruct({"pa": np.random.rand(64, 64).astype(np.float32)}, bare, options())


def test_eight_children_lie_where_their_voxel_was() -> None:
    grow = Grow(1, 1)
    with torch.no_grad():
        grow.mix.weight.fill_(1)
        grow.mix.bias.copy_(torch.arange(8.0))
    x = torch.zeros(1, 1, 2, 2, 2)
    x[0, 0, 1, 0, 1] = 100
    children = grow(x)[0, 0]
    assert (children[2:, :2, 2:] >= 100).all() and int((children >= 100).sum()) == 8
    assert children[2:, :2, 2:].flatten().tolist() == [100 + i for i in range(8)]


def test_lifted_conditions_follow_the_matrices_that_they_are_given() -> None:
    """A geometry turned by 180 degrees about the patient's axis sees what the turned patient shows."""
    settings = tiny("dx2ct", {"conditions": "lifted", "query_transformer": False})
    torch.manual_seed(0)
    network = DX2CT(settings)
    conditions: Any = network.conditions
    xrays = torch.rand(1, 2, 32, 32)
    coordinates = torch.rand(1, 2, 32, 32, 3) * 2 - 1
    geometry = training_views(settings)
    matrices = torch.from_numpy(projection_matrices(geometry, settings.run.views))[None]
    turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))
    with torch.no_grad():
        for part in conditions.code:  # position codes know the patient, not the views
            for p in part[-1].parameters():
                p.zero_()
        plain = conditions.condition_maps(conditions.encode_xrays(xrays, matrices), coordinates)
        turned = conditions.condition_maps(
            conditions.encode_xrays(xrays, matrices @ turn), coordinates * torch.tensor([-1.0, -1.0, 1.0])
        )
        default = conditions(xrays, coordinates)
    for one, other, same in zip(plain, turned, default, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(one, same)


def test_3dpqt_on_lifted_maps_starts_as_if_it_were_not_there() -> None:
    maps = []
    for on in (False, True):
        torch.manual_seed(0)
        network: Any = DX2CT(tiny("dx2ct", {"conditions": "lifted", "query_transformer": on}))
        torch.manual_seed(1)
        with torch.no_grad():
            xrays, coordinates = torch.rand(1, 2, 32, 32), torch.rand(1, 2, 32, 32, 3)
            conditions = network.conditions
            refined = conditions.condition_maps(conditions.encode_xrays(xrays), coordinates)
            maps.append((refined, conditions))
    (_, _), (with_it, conditions) = maps
    with torch.no_grad():
        transformers, conditions.transformers = conditions.transformers, torch.nn.ModuleList()
        torch.manual_seed(1)
        xrays, coordinates = torch.rand(1, 2, 32, 32), torch.rand(1, 2, 32, 32, 3)
        without = conditions.condition_maps(conditions.encode_xrays(xrays), coordinates)
    assert len(transformers) == 2
    for one, other in zip(with_it, without, strict=True):
        assert torch.equal(one, other)


def test_a_share_of_the_examples_is_pure_noise(data: Path) -> None:
    from dx2ct.methods.dx2ct.batches import TrainingData

    settings = tiny("dx2ct", train={"batch": 8, "last_step_share": 0.5})
    examples = TrainingData(settings, SCANS, data, torch.device("cpu"))
    last = settings.diffusion.timesteps - 1
    drawn = torch.cat([examples.batch(step).t for step in range(100)])
    assert abs(float((drawn == last).float().mean()) - 0.5) < 0.06
    assert len(drawn.unique()) > 100


def test_keys_that_mean_nothing_to_a_row_rerun_nothing() -> None:
    """Lifted sections are no part of a positional run's settings string, nor the encoder of a lifted one's."""
    wide = {"lift": {"widths": [16] * 5, "bins": [1] * 5, "channels": [2] * 5, "conditions": [4] * 5}}
    one, other = (tracked(tiny("dx2ct", model=model).relevant()) for model in ({}, wide))
    assert to_json(one) == to_json(other)
    lifted = {"conditions": "lifted"}
    one, other = (
        tracked(tiny("dx2ct", lifted, model=model).relevant()) for model in ({}, {"encoder": {"width_per_group": 16}})
    )
    assert to_json(one) == to_json(other)
