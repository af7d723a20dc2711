"""The network of workflow/config/paper.yaml is the paper's: sizes at every join, parameters, who sees which view.

It is built on the meta device: shapes without numbers.
"""

from collections.abc import Iterator
import json
import re

import pytest
import torch
from torch import nn

from bench.run_settings import ROOT, run_settings
from dx2ct.config import Dx2ctSettings, parse
from dx2ct.methods.dx2ct.conditions import Conditions
from dx2ct.methods.dx2ct.network import DX2CT
from dx2ct.methods.dx2ct.query_transformer import CrossAttention
from dx2ct.methods.dx2ct.unet import ResBlock, SelfAttention, Spade
from dx2ct.methods.layers.positions import view_coordinates
from dx2ct.profiling.parts import parameters

PAPER = "workflow/config/paper.yaml"
Shape = tuple[int, ...] | None
WATCHED = (Spade, ResBlock, SelfAttention, CrossAttention)
SOURCED = re.compile(r"^(paper|digest|X2CT|derived)\b|^default: \S+ \S+")


def build(run: str = "dx2ct") -> DX2CT:
    with torch.device("meta"):
        return DX2CT(parse(Dx2ctSettings, run_settings(PAPER, run))).to("meta")


def calls(model: DX2CT) -> list[tuple[nn.Module, str, list[Shape]]]:
    """Two slices of one patient through the network: every module called, its name, the shapes of what it was given."""
    seen: list[tuple[nn.Module, str, list[Shape]]] = []

    def look(name: str):
        return lambda module, inputs: seen.append((module, name, [shape(i) for i in inputs]))

    def shape(given):  # of what comes together, keys and values or the two modulations, the first's
        first = given[:1] if isinstance(given, tuple) else (given,)
        return getattr(*first, "shape", None) if first else None

    hooks = [m.register_forward_pre_hook(look(n)) for n, m in model.named_modules() if isinstance(m, WATCHED)]
    views = len(model.conditions.view_map)
    with torch.device("meta"), torch.no_grad():
        inputs = torch.empty(1, views, 128, 128), torch.empty(1, 2, 128, 128, 3), torch.empty(2, 1, 128, 128)
        assert model(*inputs, torch.empty(2, dtype=torch.long)).shape == (2, 1, 128, 128)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.fixture(scope="module")
def model() -> DX2CT:
    return build()


@pytest.fixture(scope="module")
def seen(model: DX2CT) -> list[tuple[nn.Module, str, list[Shape]]]:
    return calls(model)


def test_shapes_of_features_and_condition_maps(model: DX2CT) -> None:
    with torch.device("meta"), torch.no_grad():
        features = model.conditions.encoder(torch.empty(2, 128, 128))
        maps = model.conditions(torch.empty(1, 2, 128, 128), torch.empty(1, 3, 128, 128, 3))
    assert [tuple(f.shape) for f in features] == [(2, 256, 32, 32), (2, 512, 16, 16), (2, 1024, 8, 8)]
    assert [tuple(m.shape) for m in maps] == [(3, 256, 32, 32), (3, 256, 16, 16), (3, 256, 8, 8)]
    assert [len(t.blocks) for t in model.conditions.transformers] == [12, 12, 12]


def test_parameters_of_every_part(model: DX2CT) -> None:
    """README says 90.7 M: encoder 8.5, 3DPQT 28.5, U-Net 53.1."""
    millions = {name: round(count / 1e6, 1) for name, count in parameters(model).items()}
    assert millions == {"resnet": 8.5, "positions": 0.6, "3dpqt": 28.5, "unet": 53.1}
    assert sum(parameters(model).values()) == sum(p.numel() for p in model.parameters())
    assert round(sum(parameters(model).values()) / 1e6, 1) == 90.7
    # torchvision's ResNet-50 has 25,557,032 parameters; conv5_x 14,964,736 and the classifier 2,049,000 are left out.
    assert parameters(model)["resnet"] == 25_557_032 - 14_964_736 - 2_049_000


def test_conditions_enter_encoder_and_decoder_at_32_16_and_8_alone(seen) -> None:
    entered = {"down": [], "middle": [], "up": []}
    for spade, name, (x, modulation) in (call for call in seen if isinstance(call[0], Spade)):
        assert x[2:] == modulation[2:] and modulation[1] == 2 * x[1] and spade.shared.in_channels == 256, name
        entered[name.split(".")[1]].append(x[-1])
    assert entered == {  # two norms a block; two blocks a level on the way down, three on the way up
        "down": [32] * 4 + [16] * 4 + [8] * 4,
        "middle": [8] * 4,
        "up": [8] * 6 + [16] * 6 + [32] * 6,
    }
    blocks = [shapes for module, _, shapes in seen if isinstance(module, ResBlock)]
    assert {x[-1] for x, _, steering in blocks if steering is None} == {128, 64}
    assert {x[-1] for x, _, steering in blocks if steering is not None} == {32, 16, 8}


def test_levels_of_the_unet(seen) -> None:
    widths: dict[int, set[int]] = {}
    for module, _, (x, *_) in (call for call in seen if isinstance(call[0], ResBlock)):
        widths.setdefault(x[-1], set()).add(module.conv2.out_channels)
    assert widths == {128: {64}, 64: {64}, 32: {128}, 16: {192}, 8: {256}}
    assert {shapes[0][-1] for module, _, shapes in seen if isinstance(module, SelfAttention)} == {16, 8}


def keys(seen, views: int) -> None:
    """Queries: one a pixel of the map, of both slices; keys: one a pixel of that map in each view, and no more."""
    shapes = [shapes for module, _, shapes in seen if isinstance(module, CrossAttention)]
    assert shapes == [
        [(1, 2 * side**2, 256), (1, 8, views * side**2, 32)]  # 8 heads of 32 channels
        for side in (32, 16, 8)
        for _ in range(12)
    ]


def test_two_views_give_two_sets_of_keys(seen) -> None:
    keys(seen, views=2)


def test_mono_uses_the_keys_of_its_one_view() -> None:
    mono = build("dx2ct_pa")
    assert len(mono.conditions.view_map) == 1
    keys(calls(mono), views=1)


@pytest.mark.parametrize("view", ["pa", "lateral"])
def test_mono_knows_where_its_own_view_lies(view: str) -> None:
    settings = json.loads(run_settings(PAPER))
    settings["run"]["views"] = [view]
    settings["model"]["transformer"]["blocks"] = 1
    parsed = parse(Dx2ctSettings, json.dumps(settings))
    cone = Conditions(parsed.model, parsed.run.views, parsed.xray.cone_beam, 320.0, query_transformer=True)
    wanted = view_coordinates(parsed.xray.cone_beam, view, 128, 320.0, "plane")
    assert torch.equal(cone.view_map, torch.from_numpy(wanted)[None])


def keys_of(section: str) -> Iterator[tuple[str, str]]:
    """Every line of a section that sets a value, as (key, comment)."""
    body = re.search(rf"^{section}:.*\n((?: .*\n|\n)*)", (ROOT / PAPER).read_text(), re.MULTILINE)
    assert body, section
    for line in body[0].splitlines():
        setting, _, comment = line.partition("#")
        key, colon, value = setting.partition(":")
        if colon and value.strip():
            yield f"{section}.{key.strip()}", comment.strip()


@pytest.mark.parametrize("section", ["model", "diffusion", "train", "reconstruct"])
def test_every_value_names_its_source(section: str) -> None:
    keys = dict(keys_of(section))
    assert len(keys) >= 3
    assert {key: comment for key, comment in keys.items() if not SOURCED.match(comment)} == {}
