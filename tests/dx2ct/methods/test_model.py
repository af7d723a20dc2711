"""Shapes at the joins of the network, and what each ablation may know."""

from typing import Any

import numpy as np
import pytest
import torch

from drr.errors import InputError
from drr.geometry import PRESETS
from dx2ct.data.planes import cube_coordinates, plane_coordinates
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.layers.positions import encode, PositionNetwork, view_coordinates
from tests.fabricate import tiny

COORDINATES = torch.from_numpy(plane_coordinates(32))

ROWS = [
    {},
    {"views": ["pa"]},
    {"views": ["pa", "lateral", "oblique"]},
    {"conditioning": "concat"},
    {"query_transformer": False},
    {"conditioning": "concat", "query_transformer": False},
    {"conditions": "lifted", "query_transformer": False},
    {"conditions": "lifted"},
]


def _model(**row: Any) -> DX2CT:
    torch.manual_seed(0)
    model = DX2CT(tiny("dx2ct", row))
    for parameter in model.parameters():  # zero-initialised layers would hide what flows through them
        torch.nn.init.normal_(parameter, std=0.1) if parameter.dim() > 1 else None
    return model.eval()


def _inputs(views: int = 2):
    generator = torch.Generator().manual_seed(1)
    xrays = torch.rand(2, views, 32, 32, generator=generator)
    coordinates = COORDINATES[torch.tensor([[0, 1, 2], [2, 1, 0]]), torch.tensor([[3, 4, 5], [6, 7, 8]])]
    return xrays, coordinates, torch.randn(6, 1, 32, 32, generator=generator), torch.tensor([0, 1, 50, 400, 700, 999])


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_shapes_at_every_join(row):
    model = _model(**row)
    xrays, coordinates, noisy, t = _inputs(len(row.get("views", ["pa", "lateral"])))
    maps = model.conditions(xrays, coordinates)
    width, sides = (4, [32, 16, 8, 4, 2]) if row.get("conditions") == "lifted" else (16, [8, 4, 2])
    assert [tuple(m.shape) for m in maps] == [(6, width, side, side) for side in sides]
    assert list(model.levels) == list(range(5))[-len(sides) :]
    assert model.denoise(noisy, t, maps).shape == noisy.shape


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model.unet.multipliers", [1], "methods.dx2ct.model.unet.multipliers: needs at least 2 of them"),
        ("model.unet", {"multipliers": [1, 1, 2], "attention_levels": [2]}, "3 levels: positional .* need 5 at least"),
        ("model.unet.multipliers", [1] * 7, "slices.size: 32 cannot be halved 6 times .* multiple of 64"),
        ("model.unet.attention_levels", [2, 9], "9 is no level of a U-Net with levels 0 to 4"),
        ("model.unet.norm_groups", 3, "methods.dx2ct.model.unet.channels: 8 is no multiple of norm_groups, 3"),
        ("model.transformer.heads", 3, "methods.dx2ct.model.transformer.width: 16 is no multiple of heads, 3"),
        ("model.xray_pixels", 32, "methods.dx2ct.model.xray_pixels: unknown key"),
        ("slices.size", 24, "use a multiple of 16"),
        ("slices.size", 96, "slices.size: 96 is more than volume.size, 80"),
        (
            "",
            {"run": {"conditions": "lifted"}, "slices": {"size": 16}},
            "16 cannot be halved 4 times .*: use a multiple of 16, 32 at least",
        ),
        ("run.views", ["pa", "pa"], "runs.RUN.views: names a view twice: pa, pa"),
        ("run.views", [], "runs.RUN.views: needs at least 1 of them"),
    ],
)
def test_settings_that_contradict_each_other_are_one_line(key: str, value: Any, words: str):
    change = value
    for name in reversed([name for name in key.split(".") if name]):
        change = {name: change}
    with pytest.raises(InputError, match=words) as caught:
        tiny("dx2ct", **change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", ROWS, ids=str)
@torch.no_grad()
def test_output_depends_on_xray_position_time_and_noise(row):
    model = _model(**row)
    inputs = list(_inputs(len(row.get("views", ["pa", "lateral"]))))
    before = model(*inputs)
    for i, other in enumerate([inputs[0].flip(0), inputs[1].flip(1), inputs[2] + 1, 999 - inputs[3]]):
        changed = [*inputs[:i], other, *inputs[i + 1 :]]
        assert not torch.allclose(model(*changed), before, atol=1e-4)


@torch.no_grad()
def test_patients_do_not_see_each_other():
    model = _model()
    xrays, coordinates, noisy, t = _inputs()
    both = model(xrays, coordinates, noisy, t)
    torch.testing.assert_close(model(xrays[1:], coordinates[1:], noisy[3:], t[3:]), both[3:], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_slices_of_a_patient_do_not_see_each_other():
    model = _model()
    xrays, coordinates, noisy, t = _inputs()
    alone = model(xrays[:1], coordinates[:1, 1:2], noisy[1:2], t[1:2])
    torch.testing.assert_close(alone, model(xrays, coordinates, noisy, t)[1:2], atol=1e-4, rtol=1e-4)


def test_every_parameter_gets_a_gradient():
    for row in ROWS:
        model = _model(**row)
        inputs = _inputs(len(row.get("views", ["pa", "lateral"])))
        model(*inputs).square().mean().backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_positions_share_the_ray_casters_geometry():
    """A pixel's points lie on its ray: on the face of the cube nearest the detector, or through the whole cube."""
    beam = PRESETS["x2ct"]
    for name, axis in (("pa", 1), ("lateral", 0)):
        view = beam.view(name, (0.0, 0.0, 0.0))
        plane = view_coordinates(view, beam, 8, 320.0, "plane")
        points = view_coordinates(view, beam, 8, 320.0, "cone_beam")
        assert plane[..., axis] == pytest.approx(-1.0, abs=1e-5)
        assert points[..., axis].min() == pytest.approx(-1 + 1 / 12) and points[..., axis].max() == pytest.approx(
            11 / 12
        )
        view = view.resized(8)
        ray = (view.pixel_centres_mm() - view.source_mm)[..., None, :]
        to_point = np.concatenate([plane, points], axis=-2) * 160.0 - view.source_mm
        cosine = (ray * to_point).sum(-1) / ((ray**2).sum(-1) * (to_point**2).sum(-1)) ** 0.5
        assert cosine == pytest.approx(1.0, abs=1e-9)


def test_cube_coordinates_are_lps_voxel_centres():
    cube = cube_coordinates(4)
    assert cube[0, 0, 0].tolist() == [-0.75, -0.75, -0.75]
    assert cube[3, 0, 1].tolist() == [-0.25, -0.75, 0.75], (
        "x is the fastest axis of the array and the first of the code"
    )


def test_encoding_width_and_pooling():
    assert encode(torch.zeros(5, 3), 10).shape == (5, 63)
    network = PositionNetwork(octaves=3, hidden=8, layers=2, width=12)
    coordinates = torch.rand(2, 16, 16, 5, 3)
    maps = network(coordinates, [8, 4])
    assert [m.shape for m in maps] == [(2, 8, 8, 12), (2, 4, 4, 12)]
    full = network(coordinates, [16])[0]
    torch.testing.assert_close(maps[1], full.reshape(2, 4, 4, 4, 4, 12).mean((2, 4)), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_start_as_match_looks_along_rays():
    """A position in the cube attends at first to X-ray pixels near its own projection; a random start does not."""
    near = {}
    for start in ("match", "independent"):
        torch.manual_seed(0)
        conditions = DX2CT(tiny(model={"transformer": {"start": start, "width": 64}})).conditions
        codes = conditions.xray_positions(conditions.view_map[:1], conditions.sizes)[0].flatten(1, 2)
        block = conditions.transformers[0].blocks[0]
        centre = conditions.ct_positions(torch.zeros(1, 32, 32, 1, 3), conditions.sizes)[0][:, 0, 0][:, None]
        scores = (
            block.attention.query(block.norm_queries(centre))
            * block.attention.key_value(block.norm_tokens(codes))[..., :64]
        )
        attended = scores.sum(-1).softmax(-1).view(8, 8)  # the cube's centre is seen at the detector's centre
        near[start] = float(attended[2:6, 2:6].sum())
    assert near["match"] > 0.5 > 0.35 > near["independent"]  # 16 of 64 pixels: 0.25 if it looked nowhere
